"""The two headers with new tokens, which have the requested faults and no others."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from ..keys import current_issuer
from ..models import AppInstall, Consumer
from ..wire import Refused
from . import current_console
from .faults import APP_JWT, CONSUMER_JWS, FAULTS, Good

HEADERS = {APP_JWT: "Authorization", CONSUMER_JWS: "X-LP-ON-BEHALF"}


def mint(install: AppInstall, consumer: Consumer, wanted: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that *install* would send on behalf of *consumer*.

    No two calls return the same tokens, so no verifier has them in its cache.

    :param wanted: by ``app_jwt`` and ``consumer_jws``: the name of a fault, or ``None`` for none.
    :raises Refused: if there is no such fault.
    """
    good = _good(install, consumer)
    texts = {kind: _broken(kind, good[kind], wanted.get(kind)) for kind in HEADERS}
    return {HEADERS[kind]: text for kind, text in texts.items() if text is not None}


def _good(install: AppInstall, consumer: Consumer) -> dict[str, Good]:
    issuer = current_issuer()
    new = str(uuid4())  # jti (RFC 7519 section 4.1.7), which is not checked here
    app = _claims(issuer.app_jwt(aud=install.account_id, azp=install.client_id, jti=new))
    on_behalf = _claims(
        issuer.consumer_jws(
            account_id=consumer.account_id,
            ext_consumer_id=consumer.ext_consumer_id,
            lp_consumer_id=consumer.lp_consumer_id,
            jti=new,
        )
    )
    return {
        APP_JWT: Good(issuer, app, on_behalf, _revoke),
        CONSUMER_JWS: Good(issuer, on_behalf, app, _revoke),
    }


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def _revoke(token: str) -> None:
    current_console().connector_auth.revocations.revoke(token=token)


def _broken(kind: str, good: Good, name: Any) -> str | None:
    if name is None:
        return good.text
    if not isinstance(name, str) or name not in FAULTS[kind]:
        raise Refused(f"{kind} must be {' or '.join(FAULTS[kind])}")
    _, fault = FAULTS[kind][name]
    return fault(good)
