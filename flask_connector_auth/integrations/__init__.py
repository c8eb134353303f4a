"""Integrations with other packages; each is loaded only by apps that import it.

They are Authlib's resource protector, OpenAPI documents, Prometheus and OpenTelemetry.
"""
