"""The answers that the protocol's pages document: the four errors as bytes, others as shapes."""

import re
from typing import Any

INVALID_APP_JWT = (
    b'{"kind":"resp","code":401,"body":{"title":"Invalid AppJWT",'
    b'"details":"AppJWT has expired or is invalid","errorCode":40102},'
    b'"type":".ReqBody$ErrorResp"}'
)
INVALID_CONSUMER_JWS = (
    b'{"kind":"resp","code":401,"body":{"title":"Invalid ConsumerJWS",'
    b'"details":"ConsumerJWS is invalid","errorCode":40103},"type":".ReqBody$ErrorResp"}'
)
CONSUMER_JWS_MISSING = (
    b'{"kind":"resp","code":401,"body":{"title":"ConsumerJWS is missing",'
    b'"details":"X_ON_BEHALF_HEADER is not present","errorCode":40104},'
    b'"type":".ReqBody$ErrorResp"}'
)
APP_JWT_MISSING = (
    b'{"kind":"resp","code":401,"body":{"title":"AppJWT is missing",'
    b'"details":"AUTHORIZATION header is not present","errorCode":40105},'
    b'"type":".ReqBody$ErrorResp"}'
)

#: ``Content-Type`` of the answer with an AppJWT.
TOKEN_TYPE = "application/json;charset=utf-8"  # noqa: S105
TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEY = {"n": str, "e": "AQAB", "kty": "RSA", "kid": str, "use": "sig", "alg": "RS256"}


def ok(req_id: str, body: Any) -> dict[str, Any]:
    """Return the shape of the answer to a request that is done."""
    return {"code": "OK", "body": body, "reqId": req_id}


def refused(code: str, req_id: str | None = None) -> dict[str, Any]:
    """Return the shape of the answer to a request that is refused, with any ``msg``."""
    numbered = {} if req_id is None else {"reqId": req_id}
    return {"code": code, "body": {"msg": str}, **numbered}


def envelope(error_code: int) -> dict[str, Any]:
    """Return the shape of the envelope of an error whose texts are not documented."""
    body = {"title": str, "details": str, "errorCode": error_code}
    return {"kind": "resp", "code": error_code // 100, "body": body, "type": ".ReqBody$ErrorResp"}
