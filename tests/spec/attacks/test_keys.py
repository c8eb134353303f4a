"""The key is the attacker's to name, or to bring along.

RFC 8725 sections 3.8 and 3.10; ASVS 9.1.3; CVE-2018-0114. What a remote key set may hold, and what
a flood of unknown ``kid`` does to its issuer, is tested end to end by
``tests/integration/test_key_sets_in_apps.py``, and in parts under ``tests/unit/keys``.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from flask_connector_auth.testing import OMIT, KeySetServer
from flask_connector_auth.testing.tampering import TokenKind
from tests.support.attack_harness import Attack, against_both, withstand
from tests.support.attack_stage import CANARY, KINDS
from tests.support.floor_helpers import cases, der, encoded, issuer_of, jwk, pem

STRANGER = issuer_of(owner="stranger")
#: What a ``kid`` has been: a path, a query, a URL, a format string, a line of log, a template.
KIDS = {
    "path": f"../../../../dev/null/{CANARY}",
    "file": f"file:///{CANARY}",
    "query": f"{CANARY}' UNION SELECT 'x' --",
    "command": f"|/bin/true {CANARY}",
    "URL": f"http://127.0.0.1:9/{CANARY}",
    "format string": f"%s%n%(kid)s{{0.__class__}}{CANARY}",
    "template": f"{{{{config}}}}${{jndi:ldap://127.0.0.1:9/{CANARY}}}",
    "line end": f"dev-1\r\nINFO forged: {CANARY}",
    "escape sequence": f"\x1b]0;{CANARY}\x07\x1b[2J",
    "NUL": f"dev-1\0{CANARY}",
    "line separators": f"\u2028\u2029\x85{CANARY}",
    "right to left": f"\u202e{CANARY}",
    "longest": CANARY + "k" * (256 - len(CANARY)),
    "too long": CANARY * 30,
    "other case": f"DEV-1{CANARY}",
    "member of an object": "__class__",
    "space before": " dev-1",
    "fullwidth": "dev\uff0d1",
}


def forged(**parameters: Any) -> Attack:
    """Return the attack that signs with the attacker's key, under header *parameters*."""
    return lambda good: STRANGER.sign(good.claims, parameters)


KID_TRICKS = {f"kid: {name}": forged(kid=kid) for name, kid in KIDS.items()} | {
    f"kid {value!r}": forged(kid=value)
    for value in (None, 1, 1.5, True, [], ["dev-1"], {"dev-1": 1}, "")
}
BROUGHT_ALONG = {
    "jwk": forged(jwk=jwk(owner="stranger", kid="dev-1")),
    "jwk alone": forged(jwk=jwk(owner="stranger"), kid=OMIT),
    "jwk of ours, private members": forged(jwk=jwk() | {"d": "AAAA"}),
    "x5c": forged(x5c=[encoded(der(owner="stranger"))], x5t="AAAA"),
    "PEM": forged(key=pem(owner="stranger"), pem=pem(owner="stranger")),
    "jwk of no key": forged(jwk="nonsense", x5c=5, jku=None, x5u=[]),
}


@pytest.mark.parametrize("keys", ["by name", "without a name"])
@against_both(KID_TRICKS | BROUGHT_ALONG)
def test_no_key_but_the_configured_one_counts(attack: Attack, kind: TokenKind, keys: str) -> None:
    """RFC 8725 section 3.10, ASVS 9.1.3: ``kid`` is looked up, and no key is taken from a token."""
    withstand(attack, kind, **({} if keys == "by name" else {"APP_JWT_KEYS": pem()}))


@cases("parameter", {"jku": "jku", "x5u": "x5u", "kid": "kid"})
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_fetched_from_where_a_token_says(
    kind: TokenKind, parameter: str, server: KeySetServer
) -> None:
    """ASVS 9.1.3: a set with the attacker's key is there, and is not fetched."""
    withstand(forged(**{parameter: server.url}), kind)
    assert server.requests == []


@pytest.fixture(scope="module")
def server() -> Iterator[KeySetServer]:
    """A server on loopback that publishes the attacker's key."""
    with KeySetServer(STRANGER) as running:
        yield running


@against_both(
    {
        f"signed: {name}": lambda good, kid=kid: good.signer.sign(
            {**good.claims, "exp": 1, "nbf": 2**40, good.caller_claim: ""},
            {"kid": kid.replace(CANARY, "")},
        )
        for name, kid in KIDS.items()
    }
)
def test_a_name_that_the_signature_covers_forges_no_line(attack: Attack, kind: TokenKind) -> None:
    """CWE-117: the log tells it, since it is verified: on one line, printable, and cut."""
    withstand(attack, kind, APP_JWT_KEYS=pem())


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_of_the_other_token_is_no_key(kind: TokenKind) -> None:
    """RFC 8725 section 3.8: with a key set each, the signer of one token cannot sign both."""
    keys: dict[TokenKind, Any] = {each: (pem(), pem(owner="stranger")) for each in KINDS}
    keys[kind] = pem()
    names = dict(zip(KINDS, ("APP_JWT_KEYS", "CONSUMER_JWS_KEYS"), strict=True))
    withstand(forged(), kind, **{names[each]: keys[each] for each in KINDS})
