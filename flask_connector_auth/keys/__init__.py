"""Configured key material in; the keys that may verify a token out."""
