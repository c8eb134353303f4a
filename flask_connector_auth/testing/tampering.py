"""Broken tokens for tests: each is a valid token with one fault, chosen by name."""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..core import ClaimNames, Reason
from .signer import OMIT, Signer, encode_base64url

#: The type of a token, by its maker in :class:`.Issuer`.
TokenKind = Literal["app_jwt", "consumer_jws"]

# Seconds: more than the longest leeway.
_BEYOND_LEEWAY = 2 * 3600
_CENTURY = 100 * 365 * 86400
# Bytes: the default of CONNECTOR_AUTH_MAX_TOKEN_BYTES.
_MAX_TOKEN_BYTES = 16384


@dataclass(frozen=True, slots=True)
class ValidToken:
    """The parts of a valid token, to sign with changes."""

    kind: TokenKind
    signer: Signer
    now: int  #: seconds since the epoch
    claims: Mapping[str, Any]
    other_claims: Mapping[str, Any]  #: the claims of a valid token of the other type
    names: ClaimNames
    type: str  #: ``typ``

    @property
    def caller_claim(self) -> str:
        """The name of the claim that identifies the caller."""
        return self.names.ids["install_id" if self.kind == "app_jwt" else "lp_consumer_id"]

    def with_claims(self, **claims: Any) -> str:
        """Return the token, signed with *claims* in place of its own."""
        return self.sign({**self.claims, **claims})

    def with_header(self, **parameters: Any) -> str:
        """Return the token, signed with *parameters* in place of or beside the usual ones."""
        return self.sign(self.claims, **parameters)

    def sign(self, payload: Any, signer: Signer | None = None, **parameters: Any) -> str:
        """Return *payload*, signed by *signer*, or else the issuer of the token."""
        return (signer or self.signer).sign(payload, {"typ": self.type, **parameters})


class TokenFault(NamedTuple):
    """One way to break a token."""

    apply: Callable[[ValidToken], str]
    reason: Reason  #: why the broken token is rejected
    app_jwt_only: bool  #: whether a ConsumerJWS cannot have this fault


#: The faults that a token can have, by name.
TOKEN_FAULTS: dict[str, TokenFault] = {}


def _fault(reason: Reason, *, app_jwt_only: bool = False) -> Callable[[Any], Any]:
    def register(apply: Callable[[ValidToken], str]) -> Callable[[ValidToken], str]:
        TOKEN_FAULTS[apply.__name__] = TokenFault(apply, reason, app_jwt_only)
        return apply

    return register


# The docstrings below are the last column of a table in the docs.


@_fault(Reason.EXPIRED)
def expired(valid: ValidToken) -> str:
    """It expired two hours ago, which is longer than any leeway."""
    return valid.with_claims(iat=valid.now - 2 * _BEYOND_LEEWAY, exp=valid.now - _BEYOND_LEEWAY)


@_fault(Reason.NOT_YET_VALID)
def not_yet_valid(valid: ValidToken) -> str:
    """It becomes valid in two hours."""
    return valid.with_claims(nbf=valid.now + _BEYOND_LEEWAY, exp=valid.now + 2 * _BEYOND_LEEWAY)


@_fault(Reason.TOO_LONG_LIVED, app_jwt_only=True)
def too_long_lived(valid: ValidToken) -> str:
    """It is valid for a century. Rejected only if ``CONNECTOR_AUTH_MAX_LIFETIME`` is set."""
    return valid.with_claims(exp=valid.now + _CENTURY)


@_fault(Reason.BAD_SIGNATURE)
def forged(valid: ValidToken) -> str:
    """It is signed with another key, under the issuer's ``kid``."""
    return valid.sign(valid.claims, valid.signer.forger)


@_fault(Reason.BAD_SIGNATURE)
def tampered(valid: ValidToken) -> str:
    """The claim that identifies the caller was changed after signing."""
    header, _, signature = valid.with_claims().split(".")
    payload = valid.with_claims(**{valid.caller_claim: "another caller"}).split(".")[1]
    return f"{header}.{payload}.{signature}"


@_fault(Reason.BAD_SIGNATURE)
def embedded_key(valid: ValidToken) -> str:
    """As ``forged``, with the forger's public key in the header as ``jwk``."""
    [key] = valid.signer.forger.key_set()["keys"]
    return valid.sign(valid.claims, valid.signer.forger, jwk=key)


@_fault(Reason.UNKNOWN_KEY)
def unknown_key(valid: ValidToken) -> str:
    """As ``forged``, under a ``kid`` that no key has."""
    return valid.sign(valid.claims, valid.signer.forger, kid="unknown")


@_fault(Reason.BAD_ALGORITHM)
def unsigned(valid: ValidToken) -> str:
    """``alg`` is ``none``, and there is no signature."""
    return valid.with_header(alg="none").rpartition(".")[0] + "."


@_fault(Reason.BAD_ALGORITHM)
def confused_key(valid: ValidToken) -> str:
    """``alg`` is ``HS256``, and the HMAC secret is the issuer's public key."""
    message = valid.with_header(alg="HS256").rpartition(".")[0]
    mac = hmac.digest(valid.signer.pem().encode(), message.encode(), "sha256")
    return f"{message}.{encode_base64url(mac).decode()}"


@_fault(Reason.CRITICAL)
def critical(valid: ValidToken) -> str:
    """``crit`` requires an extension."""
    return valid.with_header(crit=["x"], x=1)


@_fault(Reason.BAD_PARAMETER)
def bad_parameter(valid: ValidToken) -> str:
    """``typ`` is ``dpop+jwt``, a token of another kind (RFC 9449)."""
    return valid.with_header(typ="dpop+jwt")


@_fault(Reason.BAD_JSON)
def bad_json(valid: ValidToken) -> str:
    """A claim occurs twice."""
    text = json.dumps(valid.claims)
    return valid.sign(f"{text[:-1]}, {text[1:]}".encode())


@_fault(Reason.NOT_COMPACT)
def not_compact(valid: ValidToken) -> str:
    """The third segment and its dot are missing."""
    return valid.with_claims().rpartition(".")[0]


@_fault(Reason.TOO_LARGE)
def too_large(valid: ValidToken) -> str:
    """It has a claim as long as a whole token may be by default."""
    return valid.with_claims(padding="x" * _MAX_TOKEN_BYTES)


@_fault(Reason.BAD_HEADER)
def bad_header(valid: ValidToken) -> str:
    """The token twice, with a comma between: so servers join a header that was sent twice."""
    return f"{valid.with_claims()}, {valid.with_claims()}"


@_fault(Reason.MISSING_CLAIM)
def missing_claim(valid: ValidToken) -> str:
    """The claim that identifies the caller is missing: by default ``azp`` or ``lp_consumer_id``."""
    return valid.with_claims(**{valid.caller_claim: OMIT})


@_fault(Reason.BAD_CLAIM)
def bad_claim(valid: ValidToken) -> str:
    """The claim that identifies the caller is an empty string."""
    return valid.with_claims(**{valid.caller_claim: ""})


@_fault(Reason.WRONG_ISSUER, app_jwt_only=True)
def wrong_issuer(valid: ValidToken) -> str:
    """``iss`` is another issuer. Also for a ConsumerJWS, if ``iss`` is mandatory there."""
    return valid.with_claims(iss="another issuer")


@_fault(Reason.WRONG_TYPE)
def wrong_type(valid: ValidToken) -> str:
    """It is a valid token of the other type."""
    # With ``iss``, by which one of several issuers is found, and a claim that makes it differ from
    # the token in the other header.
    issuer = {"iss": valid.claims["iss"]} if "iss" in valid.claims else {}
    return valid.sign({**valid.other_claims, **issuer, "jti": "of the wrong type"})


@_fault(Reason.WRONG_ACCOUNT)
def wrong_account(valid: ValidToken) -> str:
    """It is for another account. Rejected if the URL, a setting or the AppJWT names one."""
    return valid.with_claims(**{valid.names.ids["account_id"]: "another account"})


@_fault(Reason.MISSING_SCOPE, app_jwt_only=True)
def missing_scope(valid: ValidToken) -> str:
    """It grants no scope. Rejected if the view requires one."""
    return valid.with_claims(**dict.fromkeys(valid.names.scopes, OMIT))


def apply_fault(name: str, valid: ValidToken) -> str:
    """Return the token with the fault of that *name*.

    :raises ValueError: if a token of that type has no such fault.
    """
    names = [
        fault_name
        for fault_name, fault in TOKEN_FAULTS.items()
        if not fault.app_jwt_only
        or valid.kind == "app_jwt"
        or (fault.reason is Reason.WRONG_ISSUER and valid.names.requires_issuer)
    ]
    if name not in names:
        text = f"no way {name!r} to break this token; there are {', '.join(names)}"
        if name == wrong_issuer.__name__:
            text += (
                '. A ConsumerJWS needs a mandatory iss for it: consumer_claims={"issuer": "iss"} '
                "here, and the same mapping as CONNECTOR_AUTH_CONSUMER_JWS_CLAIMS in the app"
            )
        raise ValueError(text)
    return TOKEN_FAULTS[name].apply(valid)
