"""The faults that the console can put into a good token, listed for each type of token."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from joserfc.jwk import RSAKey

from flask_connector_auth.testing import OMIT, Issuer

APP_JWT = "app_jwt"
CONSUMER_JWS = "consumer_jws"
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Good:
    """A good token, and the parts to make a faulty one from."""

    issuer: Issuer
    claims: Mapping[str, Any]
    others: Mapping[str, Any]  #: the claims of the good token of the other type
    revoke: Callable[[str], None]

    @property
    def text(self) -> str:
        """The token."""
        return self.with_claims()

    def with_claims(self, **changes: Any) -> str:
        """Return the token with *changes* to its claims and a good signature."""
        return self.issuer.sign({**self.claims, **changes})

    def with_header(self, **changes: Any) -> str:
        """Return the token with *changes* to its header and a good signature."""
        return self.issuer.sign(self.claims, changes)

    def parts(self) -> list[str]:
        """Return the three segments of the token."""
        return self.text.split(".")


#: A header value, or ``None`` for no header.
Fault = Callable[[Good], str | None]


def _tampered(good: Good) -> str:
    header, payload, signature = good.parts()
    return f"{header}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _altered(good: Good) -> str:
    header, _, signature = good.parts()
    _, payload, _ = good.with_claims(altered=True).split(".")
    return f"{header}.{payload}.{signature}"


def _wrong_key(good: Good) -> str:
    return Issuer(_stranger(), kid=good.issuer.kid).sign(good.claims)


def _expired(good: Good) -> str:
    now = int(time.time())
    return good.with_claims(iat=now - 3 * HOUR, exp=now - 2 * HOUR)


def _not_yet(good: Good) -> str:
    now = int(time.time())
    return good.with_claims(iat=now + 2 * HOUR, exp=now + 3 * HOUR)


def _unsigned(good: Good) -> str:
    header, payload, _ = good.with_header(alg="none").split(".")
    return f"{header}.{payload}."


def _twice(good: Good) -> str:
    return good.issuer.sign(b'{"exp":1,"exp":2}')


def _revoked(good: Good) -> str:
    # The same token each time: the revocation of a ConsumerJWS never ends, so a new token for each
    # request would fill the store.
    token = good.with_claims(jti="revoked")
    good.revoke(token)
    return token


@cache
def _stranger() -> RSAKey:
    return RSAKey.generate_key(2048)


_FOR_BOTH: dict[str, tuple[str, Fault]] = {
    "missing": ("no header at all", lambda good: None),
    "nonsense": ("not a token", lambda good: "nonsense"),
    "scheme": ("another scheme, Basic", lambda good: "Basic YTpi"),
    "tampered": ("tampered signature", _tampered),
    "altered": ("claims altered after signing", _altered),
    "wrong_key": ("signed with another key", _wrong_key),
    "unknown_key": ("a key id that is not published", lambda good: good.with_header(kid="another")),
    "none": ("alg none, no signature", _unsigned),
    "secret": ("alg HS256", lambda good: good.with_header(alg="HS256")),
    "critical": ("a critical extension", lambda good: good.with_header(crit=["exp"])),
    "long": ("a header that is too long", lambda good: good.with_header(x="x" * 2048)),
    "twice": ("a claim that is there twice", _twice),
    "expired": ("expired", _expired),
    "not_yet": ("issued in the future", _not_yet),
    "revoked": ("revoked", _revoked),
}
_OTHER_ACCOUNT = "qa5313846"

#: For each type of token, by name: a description of the fault, and the function that makes it.
FAULTS: dict[str, dict[str, tuple[str, Fault]]] = {
    APP_JWT: {
        **_FOR_BOTH,
        "account": ("of another account", lambda good: good.with_claims(aud=_OTHER_ACCOUNT)),
        "swapped": ("the ConsumerJWS in its place", lambda good: good.issuer.sign(good.others)),
        "claim": ("without the claim azp", lambda good: good.with_claims(azp=OMIT)),
        "issuer": ("of another issuer", lambda good: good.with_claims(iss="Sentry")),
        "scope": ("without the scope", lambda good: good.with_claims(scope="agent")),
    },
    CONSUMER_JWS: {
        **_FOR_BOTH,
        "account": ("of another account", lambda good: good.with_claims(account_id=_OTHER_ACCOUNT)),
        "swapped": ("the AppJWT in its place", lambda good: good.issuer.sign(good.others)),
        "other_app": (
            "another AppJWT in its place",
            lambda good: good.issuer.sign({**good.others, "jti": "other"}),
        ),
        "claim": (
            "without the claim lp_consumer_id",
            lambda good: good.with_claims(lp_consumer_id=OMIT),
        ),
        "consumer": (
            "of a consumer who is not here",
            lambda good: good.with_claims(ext_consumer_id="x", lp_consumer_id="0" * 64),
        ),
    },
}
