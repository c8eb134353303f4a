"""The bytes of the protocol's four errors, as its page documents them."""

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
