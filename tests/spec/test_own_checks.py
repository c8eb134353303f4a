"""Checks and users of the application do not change which error wins."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import (
    AppJWT,
    ClaimRejected,
    ConnectorAuth,
    ConsumerJWS,
    Identity,
    Reason,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
    verify_request,
)
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers

REFUSED = "refused-by-the-app"


def refuse(token: AppJWT | ConsumerJWS) -> None:
    """Refuse tokens that have a claim for it."""
    if REFUSED in token.claims:
        raise ClaimRejected("refused_by_the_app")


def call() -> dict[str, Any]:
    """Require both tokens by a call."""
    verify_request()
    return {}


def protected(auth: ConnectorAuth, app: Flask) -> None:
    """Require both tokens of the whole app."""
    auth.protect(app)
    app.add_url_rule("/x", "x", lambda: {})


WAYS: dict[str, Callable[[ConnectorAuth, Flask], Any]] = {
    "app over consumer": lambda _, app: app.add_url_rule(
        "/x", "x", require_app_jwt(require_consumer_jws(lambda: {}))
    ),
    "consumer over app": lambda _, app: app.add_url_rule(
        "/x", "x", require_consumer_jws(require_app_jwt(lambda: {}))
    ),
    "protect()": protected,
    "verify_request()": lambda _, app: app.add_url_rule("/x", "x", call),
}
ROWS = {
    ("missing", "missing"): 40105,
    ("missing", "invalid"): 40105,
    ("missing", "valid"): 40105,
    ("invalid", "missing"): 40102,
    ("invalid", "invalid"): 40102,
    ("invalid", "valid"): 40102,
    ("valid", "missing"): 40104,
    ("valid", "invalid"): 40103,
    ("valid", "valid"): None,
}


@cases("claims_only", {"each request": False, "claims only": True})
@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_a_check_refuses_is_an_invalid_one(
    way: str, claims_only: bool, issuer: Issuer
) -> None:
    """The nine cells, twice each, so that the tokens are remembered ones too; and a user that is
    found where both tokens are good."""
    auth, app, loaded = ConnectorAuth(), Flask("an_app"), []
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    auth.init_app(app)
    auth.claim_check(claims_only=claims_only)(refuse)

    @auth.user_loader
    def load(identity: Identity) -> Identity:
        loaded.append(identity)
        return identity

    WAYS[way](auth, app)
    assert_cells(app, issuer, ROWS)
    assert len(loaded) == 2


def assert_cells(app: Flask, issuer: Issuer, rows: Mapping[tuple[str, str], int | None]) -> None:
    """Assert the row of each cell, for new tokens of *issuer* and for remembered ones."""
    apps = {"invalid": issuer.app_jwt(**{REFUSED: 1}), "valid": issuer.app_jwt()}
    consumers = {"invalid": issuer.consumer_jws(**{REFUSED: 1}), "valid": issuer.consumer_jws()}
    for (app_jwt, consumer_jws), row in [*rows.items()] * 2:
        sent = headers(apps.get(app_jwt), consumers.get(consumer_jws))
        response = app.test_client().get("/x", headers=sent)
        if row is None:
            assert response.status_code == 200
        else:
            assert_row(response, row)


def good(cell: str) -> str:
    """Return what *cell* is where no check of the app refuses the token."""
    return "valid" if cell == "invalid" else cell


def test_checks_of_one_issuer_hold_for_its_tokens_alone() -> None:
    """The nine cells for each of two issuers of one app, with a check that is for the first."""
    issuers = {name: Issuer(name=f"https://{name}.example", kid=name) for name in ("a", "b")}
    auth, app = ConnectorAuth(), Flask("an_app")
    app.config["CONNECTOR_AUTH_ISSUERS"] = {
        each.name: {"APP_JWT_KEYS": each.key_set()} for each in issuers.values()
    }
    auth.init_app(app)
    auth.claim_check(issuer=issuers["a"].name)(refuse)
    seen: list[str] = []
    auth.user_loader(lambda identity: seen.append(identity.consumer_jws.issuer) or identity)
    WAYS["app over consumer"](auth, app)
    # What the check would refuse is good of the other issuer.
    of_b = {cell: ROWS[good(cell[0]), good(cell[1])] for cell in ROWS}
    assert_cells(app, issuers["a"], ROWS)
    assert_cells(app, issuers["b"], of_b)
    assert seen == [issuers["a"].name] * 2 + [issuers["b"].name] * 8


@cases("refuses", {"check": True, "loader": False})
def test_one_text_in_both_headers_does_not_hide_what_the_app_refuses(
    refuses: bool, issuer: Issuer
) -> None:
    """Row 40103: the reason is that of the application, where the token alone is required."""
    auth, app = ConnectorAuth(), Flask("app")
    if refuses:
        auth.claim_check(refuse)
    else:
        auth.user_loader(lambda identity: None)
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    auth.init_app(app)
    app.add_url_rule("/", "view", require_consumer_jws(lambda: {}))
    text = issuer.consumer_jws(**{REFUSED: True})
    reasons: list[Any] = []

    def note(_app: Flask, error: Any) -> None:
        reasons.append(error.reason)

    with token_rejected.connected_to(note, app):
        assert_row(app.test_client().get("/", headers=headers(text, text)), 40103)
    assert reasons == ["refused_by_the_app" if refuses else Reason.UNKNOWN_USER]
