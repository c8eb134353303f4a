"""The error envelope, byte for byte."""

import pytest

from flask_connector_auth import envelope

ROWS = {
    envelope.INVALID_APP_JWT: (
        b'{"kind":"resp","code":401,"body":{"title":"Invalid AppJWT",'
        b'"details":"AppJWT has expired or is invalid","errorCode":40102},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
    envelope.INVALID_CONSUMER_JWS: (
        b'{"kind":"resp","code":401,"body":{"title":"Invalid ConsumerJWS",'
        b'"details":"ConsumerJWS is invalid","errorCode":40103},"type":".ReqBody$ErrorResp"}'
    ),
    envelope.CONSUMER_JWS_MISSING: (
        b'{"kind":"resp","code":401,"body":{"title":"ConsumerJWS is missing",'
        b'"details":"X_ON_BEHALF_HEADER is not present","errorCode":40104},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
    envelope.APP_JWT_MISSING: (
        b'{"kind":"resp","code":401,"body":{"title":"AppJWT is missing",'
        b'"details":"AUTHORIZATION header is not present","errorCode":40105},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.error_code)
def test_a_row_renders_to_its_documented_bytes(row):
    """Rows 40102 to 40105: members, order and spelling are the protocol page's."""
    assert envelope.render(row) == ROWS[row]
