"""The verified tokens as immutable values. Their repr shows ids, but neither claims nor token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AppJWT:
    """A verified AppJWT: which app calls, for which account (protocol page, Authorization).

    .. versionadded:: 0.1
    """

    account_id: str  #: ``aud``, the account
    install_id: str  #: ``azp``, the app install id
    scopes: frozenset[str] = field(repr=False)  #: ``scope``, split at single spaces
    issuer: str = field(repr=False)  #: ``iss``
    issued_at: float = field(repr=False)  #: ``iat``, seconds since the epoch
    expires_at: float = field(repr=False)  #: ``exp``, seconds since the epoch
    claims: Claims = field(repr=False)  #: every claim, read-only


@dataclass(frozen=True, slots=True)
class ConsumerJWS:
    """A verified ConsumerJWS: on behalf of which consumer (protocol page, Get ConsumerJWS).

    .. versionadded:: 0.1
    """

    account_id: str  #: the account
    ext_consumer_id: str  #: the consumer's id in the calling app
    lp_consumer_id: str  #: the consumer's id in the service
    claims: Claims = field(repr=False)  #: every claim, read-only


def freeze_claims(claims: dict[str, Any]) -> Claims:
    """Return a read-only view of *claims*, at every depth: lists become tuples."""
    frozen = claims.copy()
    for name, value in claims.items():
        if type(value) in (dict, list):
            frozen[name] = _freeze(value)
    return MappingProxyType(frozen)


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return freeze_claims(value)
    if isinstance(value, list):
        return tuple(map(_freeze, value))
    return value
