"""Each check in the list is one that requests run: the list of checks enforces what it shows."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import (
    Reason,
    RevocationStore,
    RevocationStoreError,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
)
from flask_connector_auth.testing import OMIT
from flask_connector_auth.verification import CHECKS, Check, check_distinct
from flask_connector_auth.web import current_runtime
from tests.support.broken_tokens import BROKEN, GOOD, KEYS, Doubtful, ours, theirs
from tests.support.floor_helpers import NOW
from tests.support.http_helpers import ACCOUNT
from tests.support.outages import Outage
from tests.support.types import MakeApp

BY_CODE = {check.run.__code__: check for check in CHECKS}
CONSUMER = ours.consumer_jws()


class Down(RevocationStore):
    """A store that is out of reach."""

    def read(self, position: Any, wait: float) -> Any:
        raise RevocationStoreError("down")

    def change(self, changes: Any, *, absent: bool = False) -> None:
        raise RevocationStoreError("down")


def refusal(
    app: Flask, app_jwt: str, consumer_jws: str, path: str = f"/{ACCOUNT}"
) -> tuple[str, Reason]:
    """Return the last check that a request runs, and the reason of its refusal."""
    called: list[Check] = []
    reasons: list[Reason] = []

    def note_call(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code in BY_CODE:
            called.append(BY_CODE[frame.f_code])

    def note_reason(_app: Flask, error: Any) -> None:
        reasons.append(error.reason)

    sent = {"HTTP_AUTHORIZATION": app_jwt, "HTTP_X_LP_ON_BEHALF": consumer_jws}
    with token_rejected.connected_to(note_reason, app):
        sys.setprofile(note_call)
        try:
            response = app.test_client().get(path, environ_overrides=sent)
        finally:
            sys.setprofile(None)
    assert response.status_code in (401, 503)
    [reason] = reasons
    if reason is not Reason.SAME_TOKEN:
        # It comes after the check that has failed, and has passed.
        called = [check for check in called if check.run is not check_distinct]
    assert reason in called[-1].reasons
    return called[-1].run.__name__.removeprefix("check_"), reason


@pytest.fixture
def make(make_app: MakeApp) -> Callable[..., Flask]:
    """Return a function that makes an app with a view that requires all that can be required."""

    def make(**settings: Any) -> Flask:
        settings = {"APP_JWT_KEYS": KEYS, "AUDIENCE": [ACCOUNT, "le3"], **settings}
        app = make_app(clock=lambda: NOW, MAX_LIFETIME=7200, **settings)
        view = require_app_jwt(scopes="msg.consumer")(
            require_consumer_jws(lambda account_id=None: {})
        )
        app.add_url_rule("/", "any", view)
        app.add_url_rule("/<account_id>", "view", view)
        return app

    return make


def test_each_check_of_the_list_refuses_requests(make: Callable[..., Flask]) -> None:
    """docs/security.rst: for each check and each of its reasons there is a request that goes as far
    as this check, and is refused for this reason."""
    app = make()
    runtime = current_runtime(app)
    runtime.revocations.revoke(install_id="revoked")
    seen = set()
    for name, reason, text in BROKEN.values():
        assert refusal(app, text.strip(), CONSUMER) == (name, reason)
        seen.add((name, reason))
    seen |= {
        refusal(make(APP_JWT_KEYS=Outage(1)), GOOD, CONSUMER),
        refusal(make(APP_JWT_KEYS=Doubtful(runtime.verifiers[0].keys)), theirs.app_jwt(), CONSUMER),
        refusal(make(REVOCATION_STORE=Down()), GOOD, CONSUMER),
        refusal(app, GOOD, GOOD),
        refusal(app, GOOD, ours.consumer_jws(account_id="le3"), "/"),
    }
    several = make(
        ISSUERS={"Sentinel": {}, "https://other.example": {"APP_JWT_KEYS": theirs.key_set()}}
    )
    seen |= {
        refusal(several, ours.sign(b"[]"), CONSUMER),
        refusal(several, ours.app_jwt(iss=OMIT), CONSUMER),
        refusal(several, ours.app_jwt(iss="unknown"), CONSUMER),
    }
    assert seen == {
        (check.run.__name__.removeprefix("check_"), reason)
        for check in CHECKS
        for reason in check.reasons
    }
