"""The documented answers as literals, and the headers of requests."""

from typing import Any

from flask_connector_auth.testing import assert_connector_error
from flask_connector_auth.testing.broken import Kind

#: The account that the tokens of the test kit are for, unless a test names another one.
ACCOUNT = "le81823118"

ROWS = {
    40102: (
        b'{"kind":"resp","code":401,"body":{"title":"Invalid AppJWT",'
        b'"details":"AppJWT has expired or is invalid","errorCode":40102},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
    40103: (
        b'{"kind":"resp","code":401,"body":{"title":"Invalid ConsumerJWS",'
        b'"details":"ConsumerJWS is invalid","errorCode":40103},"type":".ReqBody$ErrorResp"}'
    ),
    40104: (
        b'{"kind":"resp","code":401,"body":{"title":"ConsumerJWS is missing",'
        b'"details":"X_ON_BEHALF_HEADER is not present","errorCode":40104},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
    40105: (
        b'{"kind":"resp","code":401,"body":{"title":"AppJWT is missing",'
        b'"details":"AUTHORIZATION header is not present","errorCode":40105},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
}

CHALLENGES = {
    40102: 'Bearer realm="Connector API", error=invalid_token',
    40103: 'Bearer realm="Connector API", error=invalid_token',
    40104: 'Bearer realm="Connector API"',
    40105: 'Bearer realm="Connector API"',
}


def headers(app_jwt: str | None = None, consumer_jws: str | None = None) -> dict[str, str]:
    """Return the two headers as clients send them, without those that are ``None``."""
    sent = {"Authorization": app_jwt, "X-LP-ON-BEHALF": consumer_jws}
    return {name: value for name, value in sent.items() if value is not None}


def assert_row(response: Any, code: int) -> None:
    """Assert that *response* is the documented answer, and keeps nothing about the client."""
    assert_connector_error(response, code)
    assert "Set-Cookie" not in response.headers


#: The row for a token that is missing, and for one that is invalid.
MISSING: dict[Kind, int] = {"app_jwt": 40105, "consumer_jws": 40104}
INVALID: dict[Kind, int] = {"app_jwt": 40102, "consumer_jws": 40103}

#: The headers of a CORS preflight (Fetch standard).
PREFLIGHT = {"Origin": "https://attacker.example", "Access-Control-Request-Method": "GET"}
