"""An APISpec and an app in; a spec whose document states what the app's views ask for out."""

from apispec import APISpec, BasePlugin
from flask import Flask

from .document import NEEDED, add_authentication


class ConnectorAuthPlugin(BasePlugin):
    """Plugin for apispec, and for what is built on it: ``APISpec(…, plugins=[…])``.

    ``to_dict()`` and ``to_yaml()`` of the spec then give what :func:`add_authentication` returns.

    :param app: the app whose views are documented.
    :raises ValueError: when given to a spec that is not of OpenAPI 3.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app

    def init_spec(self, spec: APISpec) -> None:
        """Let the document of *spec* state what the views ask for."""
        if spec.openapi_version.major != 3:
            raise ValueError(NEEDED)
        plain = spec.to_dict
        # When the document is asked for, and not path by path: flask-smorest adds a path as soon
        # as its blueprint is registered, and the app may be protected only after that.
        spec.to_dict = lambda: add_authentication(plain(), self._app)  # type: ignore[method-assign]
