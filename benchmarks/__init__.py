"""Benchmarks of authentication, with this package and others, relative to the same bare view."""
