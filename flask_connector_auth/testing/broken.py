"""A good token, not signed yet, in; a token with one fault, by name, out."""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..core import Reason
from .signer import OMIT, Signer, segment

#: Which of the two tokens.
Kind = Literal["app_jwt", "consumer_jws"]

# Seconds: more than the longest leeway.
_LONG = 2 * 3600
_CENTURY = 100 * 365 * 86400
# Bytes: what a token may have, if no setting says otherwise.
_LIMIT = 16384


@dataclass(frozen=True, slots=True)
class Good:
    """A token that would be accepted."""

    kind: Kind
    signer: Signer
    now: int  #: seconds since the epoch
    claims: Mapping[str, Any]
    others: Mapping[str, Any]  #: the claims of a good token of the other type

    @property
    def caller(self) -> str:
        """The claim that says who is calling."""
        return "azp" if self.kind == "app_jwt" else "lp_consumer_id"

    def having(self, **claims: Any) -> str:
        """Return it, signed, with *claims* in place of its own."""
        return self.signer.sign({**self.claims, **claims})

    def under(self, **parameters: Any) -> str:
        """Return it, signed, with header *parameters* in place of or beside the usual ones."""
        return self.signer.sign(self.claims, parameters)


class Way(NamedTuple):
    """One way to break a token."""

    make: Callable[[Good], str]
    reason: Reason  #: why it is refused
    app_jwt_only: bool  #: whether a ConsumerJWS cannot be broken so


#: The ways to break a token, by name.
WAYS: dict[str, Way] = {}


def broken(name: str, good: Good) -> str:
    """Return *good*, broken in the way of that *name*.

    :raises ValueError: if there is none of that name for this type of token.
    """
    known = {
        each: way for each, way in WAYS.items() if good.kind == "app_jwt" or not way.app_jwt_only
    }
    if name not in known:
        raise ValueError(f"no way {name!r} to break this token; there are {', '.join(known)}")
    return known[name].make(good)


def _way(reason: Reason, *, app_jwt_only: bool = False) -> Callable[[Any], Any]:
    def register(make: Callable[[Good], str]) -> Callable[[Good], str]:
        WAYS[make.__name__] = Way(make, reason, app_jwt_only)
        return make

    return register


@_way(Reason.EXPIRED)
def expired(good: Good) -> str:
    """It expired two hours ago: no leeway is so long."""
    return good.having(iat=good.now - 2 * _LONG, exp=good.now - _LONG)


@_way(Reason.NOT_YET_VALID)
def not_yet_valid(good: Good) -> str:
    """It is good from two hours from now on."""
    return good.having(nbf=good.now + _LONG, exp=good.now + 2 * _LONG)


@_way(Reason.TOO_LONG_LIVED, app_jwt_only=True)
def too_long_lived(good: Good) -> str:
    """It is good for a century; refused where ``CONNECTOR_AUTH_MAX_LIFETIME`` is set."""
    return good.having(exp=good.now + _CENTURY)


@_way(Reason.BAD_SIGNATURE)
def forged(good: Good) -> str:
    """Somebody else's key signed it, under the issuer's ``kid``."""
    return good.signer.stranger.sign(good.claims)


@_way(Reason.BAD_SIGNATURE)
def tampered(good: Good) -> str:
    """Who is calling was changed after it was signed."""
    header, _, signature = good.having().split(".")
    payload = good.having(**{good.caller: "somebody else"}).split(".")[1]
    return f"{header}.{payload}.{signature}"


@_way(Reason.BAD_SIGNATURE)
def embedded_key(good: Good) -> str:
    """As ``forged``, and it brings the public key along as ``jwk``."""
    [key] = good.signer.stranger.key_set()["keys"]
    return good.signer.stranger.sign(good.claims, {"jwk": key})


@_way(Reason.UNKNOWN_KEY)
def unknown_key(good: Good) -> str:
    """As ``forged``, under a ``kid`` that no key has."""
    return good.signer.stranger.sign(good.claims, {"kid": "unknown"})


@_way(Reason.BAD_ALGORITHM)
def unsigned(good: Good) -> str:
    """``alg`` is ``none``, and there is no signature."""
    return good.under(alg="none").rpartition(".")[0] + "."


@_way(Reason.BAD_ALGORITHM)
def confused_key(good: Good) -> str:
    """``alg`` is ``HS256``, and the secret is the public key, which everybody knows."""
    message = good.under(alg="HS256").rpartition(".")[0]
    signature = segment(hmac.digest(good.signer.pem().encode(), message.encode(), "sha256"))
    return f"{message}.{signature.decode()}"


@_way(Reason.CRITICAL)
def critical(good: Good) -> str:
    """``crit`` asks for an extension."""
    return good.under(crit=["x"], x=1)


@_way(Reason.BAD_PARAMETER)
def bad_parameter(good: Good) -> str:
    """``typ`` is ``at+jwt``, an access token of another kind (RFC 9068)."""
    return good.under(typ="at+jwt")


@_way(Reason.BAD_JSON)
def bad_json(good: Good) -> str:
    """A claim is there twice."""
    text = json.dumps(good.claims)
    return good.signer.sign(f"{text[:-1]}, {text[1:]}".encode())


@_way(Reason.NOT_COMPACT)
def not_compact(good: Good) -> str:
    """The third segment is missing, dot and all."""
    return good.having().rpartition(".")[0]


@_way(Reason.TOO_LARGE)
def too_large(good: Good) -> str:
    """It has a claim as long as a token may be, if no setting says otherwise."""
    return good.having(padding="x" * _LIMIT)


@_way(Reason.BAD_HEADER)
def bad_header(good: Good) -> str:
    """It is there twice with a comma between, as a header that was sent twice arrives."""
    return f"{good.having()}, {good.having()}"


@_way(Reason.MISSING_CLAIM)
def missing_claim(good: Good) -> str:
    """It does not say who is calling: no ``azp``, or no ``lp_consumer_id``."""
    return good.having(**{good.caller: OMIT})


@_way(Reason.BAD_CLAIM)
def bad_claim(good: Good) -> str:
    """Who is calling is the empty string."""
    return good.having(**{good.caller: ""})


@_way(Reason.WRONG_ISSUER, app_jwt_only=True)
def wrong_issuer(good: Good) -> str:
    """``iss`` is another issuer."""
    return good.having(iss="another issuer")


@_way(Reason.WRONG_TYPE)
def wrong_type(good: Good) -> str:
    """It is a good token, but of the other type."""
    # Its own text, so that it is not the one of the other header.
    return good.signer.sign({**good.others, "jti": "of the wrong type"})


@_way(Reason.WRONG_ACCOUNT)
def wrong_account(good: Good) -> str:
    """It is another account's; refused where the URL, a setting or the AppJWT names one."""
    return good.having(**{"aud" if good.kind == "app_jwt" else "account_id": "another account"})


@_way(Reason.MISSING_SCOPE, app_jwt_only=True)
def missing_scope(good: Good) -> str:
    """It grants no scope; refused where the view asks for one."""
    return good.having(scope=OMIT)
