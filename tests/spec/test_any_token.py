"""Whatever stands in the headers, the answer is one of the four envelopes and never a 500."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, strategies as st

from flask_connector_auth import require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import examples
from tests.support.http_helpers import ROWS
from tests.support.types import MakeApp

# A header value reaches WSGI as latin-1 text: any bytes at all, whatever a server would stop.
HEADER = st.binary(max_size=300).map(lambda raw: raw.decode("latin-1"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
CLAIMS = st.sampled_from(
    [
        "aud",
        "azp",
        "iss",
        "exp",
        "iat",
        "nbf",
        "scope",
        "account_id",
        "ext_consumer_id",
        "lp_consumer_id",
    ]
)
PARAMETERS = st.sampled_from(
    ["alg", "kid", "typ", "crit", "b64", "zip", "jwk", "jku", "x5c", "cty"]
)
KEYS = {"app_jwt": "HTTP_AUTHORIZATION", "consumer_jws": "HTTP_X_LP_ON_BEHALF"}
SIGNER = Issuer()


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    """A good token of each type."""
    return {"app_jwt": SIGNER.app_jwt(), "consumer_jws": SIGNER.consumer_jws()}


@pytest.fixture
def get(make_app: MakeApp, tokens: dict[str, str]) -> Callable[..., Any]:
    """Return a function that sends raw header values, good tokens where none is given."""
    app = make_app(APP_JWT_KEYS=SIGNER.key_set())
    app.add_url_rule("/x", "x", require_consumer_jws(require_app_jwt(lambda: {"view": "ran"})))
    client = app.test_client()

    def send(**values: str) -> Any:
        environ = {KEYS[name]: value for name, value in {**tokens, **values}.items()}
        return client.get("/x", environ_overrides=environ)

    return send


def assert_documented(response: Any, kind: str, *, may_pass: bool = False) -> None:
    """Assert that *response* is a row of the token that was tampered with."""
    codes = {"app_jwt": (40102, 40105), "consumer_jws": (40103, 40104)}[kind]
    if may_pass and response.status_code == 200:
        return
    assert response.status_code == 401
    assert response.data in [ROWS[code] for code in codes]


many = examples(100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_the_untouched_tokens_pass(get: Callable[..., Any]) -> None:
    """The control: what the tests below tamper with is good."""
    assert get().json == {"view": "ran"}


@pytest.mark.parametrize("kind", KEYS)
@many
@given(value=HEADER)
@example(value="")
@example(value="\xa0")
@example(value="Bearer")
@example(value="..")
@example(value="\xff.\xff.\xff")
@example(value="a" * 20000)
@example(value="." * 20000)
def test_arbitrary_bytes(kind: str, value: str, get: Callable[..., Any]) -> None:
    """Any bytes in a header: missing or invalid, nothing else."""
    assert_documented(get(**{kind: value}), kind)
    assert_documented(get(**{kind: f"Bearer {value}"}), kind)


@pytest.mark.parametrize("kind", KEYS)
@many
@given(data=st.data())
def test_arbitrary_mutations(
    kind: str, data: st.DataObject, get: Callable[..., Any], tokens: dict[str, str]
) -> None:
    """Any cut, insertion or replacement in a good token makes it invalid."""
    token = tokens[kind]
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(len(token), start + 20)))
    mutated = token[:start] + data.draw(HEADER) + token[end:]
    allowed = mutated.strip(" \t") == token or (
        kind == "app_jwt" and mutated.strip(" \t").lower()[:7] == "bearer "
    )
    assert_documented(get(**{kind: mutated}), kind, may_pass=allowed)


@pytest.mark.parametrize("kind", KEYS)
@many
@given(name=CLAIMS, value=JSON)
def test_any_value_of_any_claim(
    kind: str, name: str, value: Any, get: Callable[..., Any], tokens: dict[str, str]
) -> None:
    """A good signature does not make the payload good: still a row, or a pass where it is good."""
    claims = json.loads(urlsafe_b64decode(tokens[kind].split(".")[1] + "=="))
    response = get(**{kind: SIGNER.sign({**claims, name: value})})
    # An AppJWT of another account is good in itself: then it is the ConsumerJWS that is invalid.
    assert response.status_code == 200 or response.data in ROWS.values()


@pytest.mark.parametrize("kind", KEYS)
@many
@given(name=PARAMETERS, value=JSON)
def test_any_value_of_any_header_parameter(
    kind: str, name: str, value: Any, get: Callable[..., Any], tokens: dict[str, str]
) -> None:
    """Likewise for the header, which is read before any signature is checked."""
    payload = urlsafe_b64decode(tokens[kind].split(".")[1] + "==")
    token = SIGNER.sign(payload, {name: value})
    assert_documented(get(**{kind: token}), kind, may_pass=True)


@pytest.mark.parametrize("kind", KEYS)
@many
@given(payload=st.binary(max_size=60))
@example(payload=b"[" * 5000)
@example(payload=b'{"a":' * 900 + b"1" + b"}" * 900)
@example(payload=b'{"exp":' + b"9" * 5000 + b"}")
@example(payload='{"exp":1}'.encode("utf-16"))
@example(payload=b"\xef\xbb\xbf{}")
def test_any_signed_payload(kind: str, payload: bytes, get: Callable[..., Any]) -> None:
    """The issuer may have bugs: any bytes under a good signature give a row."""
    assert_documented(get(**{kind: SIGNER.sign(payload)}), kind)
    assert_documented(get(**{kind: SIGNER.sign({}, payload)}), kind)
