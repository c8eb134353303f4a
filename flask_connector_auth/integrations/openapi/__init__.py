"""OpenAPI documents that state which tokens each operation requires.

Needs ``pip install flask-connector-auth[openapi]``; no other part of the package imports this one.
"""

from .document import ConnectorAuthPlugin, add_authentication

__all__ = ["ConnectorAuthPlugin", "add_authentication"]
