"""What tells how verification is in; a blueprint that serves it out."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from .decorators import public


def health_blueprint(health: Callable[[], Mapping[str, Any]]) -> Blueprint:
    """Return a blueprint that serves *health* at ``/health``: 200 if all is ready, else 503.

    :param health: returns plain values for the current app, without any I/O.
    """
    blueprint = Blueprint("connector_auth_health", __name__)

    @blueprint.get("/health")
    @public
    def show() -> Response:
        """Answer without asking for tokens: the keys may be out of reach."""
        told = health()
        ready = all(_readiness(told))
        response = jsonify({"ready": ready, **told})
        response.status_code = 200 if ready else 503
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint


def _readiness(told: Mapping[str, Any]) -> Iterator[bool]:
    """Yield the ``ready`` of *told* and of every mapping in it."""
    if "ready" in told:
        yield bool(told["ready"])
    for value in told.values():
        if isinstance(value, Mapping):
            yield from _readiness(value)
