"""An OpenAPI document and its app in; the document with what each operation asks for out.

Needs ``pip install flask-connector-auth[openapi]``; nothing else in the package imports this.
"""

from .document import add_authentication
from .plugin import ConnectorAuthPlugin

__all__ = ["ConnectorAuthPlugin", "add_authentication"]
