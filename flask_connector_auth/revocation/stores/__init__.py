"""Where revocations are kept: in this process, or in Redis or Valkey.

A store implements :class:`~flask_connector_auth.RevocationStore`. Redis is imported only where it
is configured.
"""
