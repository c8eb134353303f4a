"""The stores of the package: the memory of this process, or Redis or Valkey.

A store implements :class:`~flask_connector_auth.RevocationStore`. The redis package is imported
only where a URL of Redis is configured.
"""
