"""Whatever comes in, ``inspect`` says what a request would be answered, and shows no signature."""

import json
from typing import Any

from blinker import Signal
from click.testing import Result
from flask import Flask
from hypothesis import given, strategies as st

from flask_connector_auth import ConnectorAuth, require_app_jwt, token_rejected
from flask_connector_auth.cli import connector_auth
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import NOW, decoded, issuer_of, untimed
from tests.support.http_helpers import headers

# Quick to sign and to verify.
ISSUER: Issuer = issuer_of("ES256")
CLAIMS = json.loads(decoded(ISSUER.app_jwt().split(".")[1]))
APP = Flask("inspected")
APP.config |= {
    "CONNECTOR_AUTH_APP_JWT_KEYS": ISSUER.key_set(),
    "CONNECTOR_AUTH_APP_JWT_ALGORITHMS": ["ES256"],
    "CONNECTOR_AUTH_MAX_LIFETIME": 7200,
}
ConnectorAuth(APP, clock=lambda: NOW)
APP.add_url_rule("/<account_id>", "view", require_app_jwt(lambda account_id: {}, scopes="msg"))

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
numbers = st.integers(NOW - 100, NOW + 8000)


def inspect(text: str | bytes, *args: str) -> Result:
    """Inspect *text* for the view above; nothing may be raised."""
    runner = APP.test_cli_runner(catch_exceptions=False)
    return runner.invoke(connector_auth, ["inspect", "--scope", "msg", *args], input=text)


def answer(text: str) -> str | None:
    """Return why a request with *text* is refused, or ``None`` if it is not."""
    reasons: list[str] = []

    def note(_app: Flask, error: Any) -> None:
        reasons.append(error.reason.value)

    signal: Signal = token_rejected
    with signal.connected_to(note, APP):
        status = APP.test_client().get("/le81823118", headers=headers(text)).status_code
    assert (status == 200) is (reasons == [])
    return reasons[0] if reasons else None


@untimed
@given(text=st.text() | st.binary() | st.text("eyJ9abcABC_-.= \t,{}", max_size=80))
def test_any_text_is_answered(text: str | bytes) -> None:
    """Text or bytes, standard input ends in a refusal, never in a traceback, in both forms."""
    for args in ([], ["--json"], ["--consumer-jws"]):
        result = inspect(text if isinstance(text, bytes) else text.encode(), *args)
        assert result.exit_code == 1
        assert result.stderr == ""


@untimed
@given(
    claims=st.dictionaries(
        st.sampled_from([*CLAIMS, "nbf", "lp_consumer_id"]), json_values | numbers
    ),
    scope=st.sampled_from(["msg", "msg a", "a"]),
    parameters=st.dictionaries(st.sampled_from(["typ", "kid", "crit", "jwk", "x"]), json_values)
    | st.just({}),
    forged=st.booleans(),
)
def test_what_is_said_is_what_a_request_is_answered(
    claims: dict[str, Any], scope: str, parameters: dict[str, Any], forged: bool
) -> None:
    """Any values of claims and parameters: the same verdict, for the same reason; no signature."""
    issuer = issuer_of("ES256", "theirs") if forged else ISSUER
    text = issuer.sign({**CLAIMS, "scope": scope, **claims}, parameters)
    result = inspect(text, "--json", "--account-id", "le81823118")
    found = json.loads(result.stdout)
    assert found["reason"] == answer(text)
    assert result.exit_code == (1 if found["reason"] else 0)
    assert [one["reason"] for one in found["checks"] if one["result"] == "fail"] == (
        [found["reason"]] if found["reason"] else []
    )
    shown = inspect(text, "--account-id", "le81823118").stdout
    assert text.rpartition(".")[2] not in result.stdout + shown


blanks = st.text(" \t\r\n", max_size=9)


@untimed
@given(
    parameters=st.dictionaries(st.text(), json_values, max_size=3),
    indent=blanks | st.none(),
    around=st.tuples(blanks, blanks),
    before=st.text("aeIJyx09_-+/=. \n{", max_size=9),
)
def test_no_token_in_a_claim_keeps_its_signature(
    parameters: dict[str, Any], indent: str | None, around: tuple[str, str], before: str
) -> None:
    """RFC 8259 section 2: any header, spelled in any way, behind any text."""
    header = json.dumps({**parameters, "alg": "ES256"}, indent=indent).join(around)
    inner = ISSUER.sign(CLAIMS, header.encode())
    text = ISSUER.sign({**CLAIMS, "note": before + inner, "name": "Ada"})
    result = inspect(text, "--json")
    assert json.loads(result.stdout)["claims"]["name"] == "Ada"
    assert inner.rpartition(".")[2] not in result.stdout
