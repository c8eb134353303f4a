"""The health of keys, caches and revocations, and a blueprint that serves it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from .decorators import public
from .web import Runtime


def health_of(runtime: Runtime) -> dict[str, Any]:
    """Return the health of an app's verification, without any I/O; see ``ConnectorAuth.health``."""
    verifiers = runtime.verifiers
    return {
        "keys": {name: dict(verifier.keys.health()) for name, verifier in verifiers.items()},
        "cache": {name: verifier.cache.health() for name, verifier in verifiers.items()},
        "revocation": runtime.revocations.health(),
    }


def is_ready(health: Mapping[str, Any]) -> bool:
    """Whether all parts of *health* are ready."""
    return all(_readiness(health))


def health_blueprint(get_health: Callable[[], Mapping[str, Any]]) -> Blueprint:
    """Return a blueprint that serves ``/health``: status 200 if all is ready, else 503.

    :param get_health: returns plain values for the current app, without any I/O.
    """
    blueprint = Blueprint("connector_auth_health", __name__)

    @blueprint.get("/health")
    @public
    def show() -> Response:
        """Answer without requiring tokens: the keys may be unavailable."""
        health = get_health()
        ready = is_ready(health)
        response = jsonify({"ready": ready, **health})
        response.status_code = 200 if ready else 503
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint


def _readiness(health: Mapping[str, Any]) -> Iterator[bool]:
    """Yield the ``ready`` of *health* and of every mapping in it."""
    if "ready" in health:
        yield bool(health["ready"])
    for value in health.values():
        if isinstance(value, Mapping):
            yield from _readiness(value)
