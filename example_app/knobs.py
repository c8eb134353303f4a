"""Knobs to test clients with: shorter tokens and forced failures, in all workers.

The knobs are kept in the database; ``flask --app example_app knobs`` sets them.
"""

from collections.abc import Iterable

from flask import Blueprint, current_app, request
from sqlalchemy import delete, update

from flask_connector_auth import ConnectorAuthError, ErrorRow

from .database import Setting, db, find
from .models import Fault

#: The services that can be set to fail, by their names in the domain look-up.
SERVICES = ("sentinel", "idp", "asyncMessagingEnt")
TOKEN_LIFE = "token_life"  # noqa: S105  # the name of a setting


class TooManyRequests(ConnectorAuthError):
    """429, from the protocol page Conversation; error code and texts are this app's."""

    row = ErrorRow(42901, "Too many requests", "The rate limit is exceeded")


class ServiceUnavailable(ConnectorAuthError):
    """503; error code and texts are this app's."""

    row = ErrorRow(50302, "Service unavailable", "The service cannot answer at the moment")


#: The failures by status, sent in the protocol's error envelope.
FAILURES: dict[int, type[ConnectorAuthError]] = {429: TooManyRequests, 503: ServiceUnavailable}


def fail(service: str, status: int, retry_after: int = 1, times: int | None = None) -> None:
    """Let *service* answer with *status*, one of :data:`FAILURES`.

    :param retry_after: seconds, sent as ``Retry-After`` (RFC 9110 section 10.2.3).
    :param times: how many requests, or ``None`` for all until :func:`recover`.
    """
    fault = Fault(service=service, status=status, retry_after=retry_after, remaining=times)
    db.session.merge(fault)
    db.session.commit()


def recover(services: Iterable[str] = SERVICES) -> None:
    """Let *services* work again."""
    for service in services:
        db.session.execute(delete(Fault).where(Fault.service == service))
    db.session.commit()


def failures() -> list[Fault]:
    """Return the failures that are in force."""
    faults = filter(None, (db.session.get(Fault, service) for service in SERVICES))
    return [fault for fault in faults if fault.remaining != 0]


def token_life() -> int:
    """Return the lifetime of an AppJWT in seconds: that of the knob, or that of the setting."""
    turned = find(Setting, TOKEN_LIFE)
    return turned.value if turned else int(current_app.config["CONNECTOR_TOKEN_LIFE"])


def set_token_life(seconds: int | None) -> None:
    """Let new AppJWTs live for *seconds*; ``None`` restores the lifetime of the setting."""
    if seconds is not None:
        db.session.merge(Setting(name=TOKEN_LIFE, value=seconds))
    elif turned := find(Setting, TOKEN_LIFE):
        db.session.delete(turned)
    db.session.commit()


def may_fail(blueprint: Blueprint, service: str) -> None:
    """Let the POST requests to *blueprint* fail while *service* is set to fail."""

    def apply_fault() -> None:
        # GET requests never fail, since the services themselves load the keys by one.
        fault = find(Fault, service) if request.method == "POST" else None
        if fault and (fault.remaining is None or _counted(service)):
            error = FAILURES[fault.status]("forced by a knob")
            error.response.headers["Retry-After"] = str(fault.retry_after)
            raise error

    blueprint.before_request(apply_fault)


def _counted(service: str) -> bool:
    """Take one of the remaining failures of *service*; return whether there was one left."""
    # One statement, so that two workers never take the same failure.
    left = update(Fault).where(Fault.service == service, Fault.remaining > 0)
    counted = db.session.execute(left.values(remaining=Fault.remaining - 1))
    db.session.commit()
    return bool(counted.rowcount)  # type: ignore[attr-defined]
