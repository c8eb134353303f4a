"""What an app verifies with in; how that is, and a blueprint that serves it, out."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from .decorators import public
from .web import Runtime


def health_of(state: Runtime) -> dict[str, Any]:
    """Return how the verification of an app is, without any I/O; see ``ConnectorAuth.health``."""
    verifiers = state.verifiers
    return {
        "keys": {name: dict(each.keys.health()) for name, each in verifiers.items()},
        "cache": {name: each.cache.health() for name, each in verifiers.items()},
        "revocation": state.revocations.health(),
    }


def is_ready(told: Mapping[str, Any]) -> bool:
    """Whether all that is *told* of is ready."""
    return all(_readiness(told))


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
        ready = is_ready(told)
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
