"""The harness itself: an app that tells a secret, or lets a bad token in, does not get past it."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, request

from flask_connector_auth import InvalidAppJWT, token_rejected
from tests.support.attack_harness import assert_refused, withstand
from tests.support.attack_stage import HEADERS, MARKER, Stage, good, stages
from tests.support.floor_helpers import jwk


def leaky() -> Stage:
    """Return a new app, to which a leak can be added."""
    return stages.__wrapped__()[0]


def logs_the_header(app: Flask) -> None:
    """Log the token at DEBUG."""
    app.before_request(lambda: app.logger.debug("got %s", request.headers["Authorization"]))


def logs_a_segment(app: Flask) -> None:
    """Log one segment as a value beside the text."""

    def log() -> None:
        extra = {"signature": request.headers["Authorization"].split(".")[2]}
        logging.getLogger("elsewhere").debug("got it", extra=extra)

    app.before_request(log)


def logs_a_cause(app: Flask) -> None:
    """Log an exception whose text has the token."""

    def log() -> None:
        try:
            raise ValueError(request.headers["Authorization"])
        except ValueError:
            app.logger.debug("failed", exc_info=True)

    app.before_request(log)


def sets_a_cause(app: Flask) -> None:
    """Give the error a cause that has the token."""

    def note(_app: Flask, error: InvalidAppJWT) -> None:
        error.__cause__ = KeyError(request.headers["Authorization"])

    app.extensions["kept"] = note
    token_rejected.connect(note, app)


def adds_an_attribute(app: Flask) -> None:
    """Give the error an attribute that has a claim."""

    def note(_app: Flask, error: Any) -> None:
        error.claims = {"sub": MARKER}

    app.extensions["kept"] = note
    token_rejected.connect(note, app)


def answers_with_a_key(app: Flask) -> None:
    """Send key material in a header of the answer."""

    @app.after_request
    def add(answer: Response) -> Response:
        answer.headers["X-Key"] = jwk()["n"]
        return answer


def answers_with_a_reason(app: Flask) -> None:
    """Send another answer for one of the reasons."""

    @app.errorhandler(InvalidAppJWT)
    def add(error: InvalidAppJWT) -> Response:
        error.response.headers["X-Reason"] = error.reason.value
        return error.response


def runs_the_view(app: Flask) -> None:
    """Run the view for everybody."""
    app.view_functions["view"] = app.view_functions["view"].__wrapped__.__wrapped__


@pytest.mark.parametrize(
    "leak",
    [
        *(logs_the_header, logs_a_segment, logs_a_cause, sets_a_cause, adds_an_attribute),
        *(answers_with_a_key, answers_with_a_reason, runs_the_view),
    ],
)
def test_a_leak_is_seen(leak: Callable[[Flask], None]) -> None:
    """Each way to tell, and the control beside it."""
    tight, stage = leaky(), leaky()
    environ = stage.environ(**{HEADERS["app_jwt"]: good("app_jwt").having(exp=1)})
    assert_refused(tight, 40102, environ)
    leak(stage.app)
    with pytest.raises(AssertionError):
        assert_refused(stage, 40102, environ)


def test_a_good_token_is_no_attack() -> None:
    """Nor is one that only has another text: the answer is then that of the view."""
    with pytest.raises(AssertionError):
        withstand(lambda each: each.having(), "app_jwt")
    with pytest.raises(AssertionError):
        withstand(lambda each: each.having(jti="another text"), "app_jwt")
