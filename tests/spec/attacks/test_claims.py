"""What a good signature is over: claims of odd types, times, issuers, accounts, the other token.

RFC 7519; RFC 8725 sections 3.8, 3.9, 3.11 and 3.12; RFC 9068 section 4; RFC 6749 section 3.3; ASVS
9.2.1 to 9.2.4; CVE-2020-26160; CVE-2024-53861.
"""

import json
from typing import Any

import pytest

from flask_connector_auth.testing import OMIT
from flask_connector_auth.testing.tampering import TokenKind, ValidToken
from tests.support.attack_harness import Attack, against_both, withstand
from tests.support.attack_stage import good
from tests.support.floor_helpers import NOW
from tests.support.http_helpers import ACCOUNT

#: Values that are no non-empty string, and not the one that is there.
NO_TEXT: tuple[Any, ...] = (
    *(OMIT, None, "", 0, 1, 1.5, True, False, [], {}, [""], [None], [[ACCOUNT]], {ACCOUNT: 1}),
    *([ACCOUNT, ACCOUNT], [ACCOUNT, "another"], {"account": ACCOUNT}),
)
#: Values that look like an account, or are it to a lenient reader.
ACCOUNTS: tuple[Any, ...] = (
    *(f" {ACCOUNT}", f"{ACCOUNT} ", f"{ACCOUNT}\n", f"{ACCOUNT}\0", ACCOUNT.upper(), ACCOUNT[:-1]),
    *(f"{ACCOUNT}0", f"{ACCOUNT},x", f"{ACCOUNT}/x", f"./{ACCOUNT}", "*", "%", "null", "None"),
    *(ACCOUNT.replace("l", "\uff4c"), ACCOUNT.replace("1", "\u0661"), f"{ACCOUNT}\u200b"),
)
#: Values that are no time that has come, and has not passed, by the type or by the number.
NO_TIME: tuple[Any, ...] = (
    *(None, "", str(NOW), f"{NOW + 60}", True, False, [], {}, [NOW], {"exp": NOW}),
    *(2**53, -(2**53), 10**400, -(10**400), 1e300, -1e300),
)


def claim(name: str, value: Any) -> Attack:
    """Return the attack with another value of one claim."""
    return lambda each: each.with_claims(**{name: value})


def raw(name: str, value: bytes) -> Attack:
    """Return the attack with a claim whose value is spelled just so."""

    def attack(each: ValidToken) -> str:
        kept = {key: held for key, held in each.claims.items() if key != name}
        return each.signer.sign(
            json.dumps(kept).encode()[:-1] + b',"%b":%b}' % (name.encode(), value)
        )

    return attack


def claims(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Attack]:
    """Return an attack for each of the *values* of each claim."""
    return {f"{name} {_shown(value)}": claim(name, value) for name in names for value in values}


def _shown(value: Any) -> str:
    return "left out" if value is OMIT else ascii(value)[:30]


def only(kind: TokenKind, table: dict[str, Attack]) -> pytest.MarkDecorator:
    """Parametrise a test by the attacks of a table, for one token."""
    return pytest.mark.parametrize(
        ("attack", "kind"), [(attack, kind) for attack in table.values()], ids=list(table)
    )


@only("app_jwt", claims(("azp", "aud", "iss"), NO_TEXT) | claims(("aud",), ACCOUNTS))
def test_an_app_jwt_names_one_app_and_one_account(attack: Attack, kind: TokenKind) -> None:
    """Row 40102, ASVS 9.2.3, CVE-2020-26160: an unexpected type is no absent claim."""
    withstand(attack, kind)


@only(
    "consumer_jws",
    claims(("account_id", "ext_consumer_id", "lp_consumer_id"), (*NO_TEXT, [ACCOUNT]))
    | claims(("account_id",), ACCOUNTS),
)
def test_a_consumer_jws_names_one_consumer_of_that_account(attack: Attack, kind: TokenKind) -> None:
    """Row 40103, RFC 8725 section 3.9: whole strings, code point by code point."""
    withstand(attack, kind)


@only(
    "app_jwt",
    claims(
        ("iss",),
        (
            *("sentinel", "SENTINEL", "Sentine", "entinel", "Sentinel ", " Sentinel", "Sentinel\0"),
            *("Sentinel/", "https://Sentinel", ["Sentinel"], {"Sentinel": 1}, "S", "Sentinel,x"),
            *("\uff33entinel", "Sentinel\u200b", "Sent\u0456nel"),
        ),
    ),
)
def test_an_issuer_is_compared_exactly(attack: Attack, kind: TokenKind) -> None:
    """RFC 8725 section 3.8, CVE-2024-53861: no prefix, no part, no other case, no list."""
    withstand(attack, kind)


TIMES = claims(("exp", "iat", "nbf"), NO_TIME) | {
    f"{name} spelled {value.decode()[:20]}": raw(name, value)
    for name in ("exp", "iat", "nbf")
    for value in (b"1e400", b"-1e400", b"1E+999", b"NaN", b"-Infinity", b"9" * 5000, b"01", b"+1")
}


@against_both(
    TIMES
    | {
        "expired": claim("exp", NOW - 31),
        "expired, as a float": claim("exp", NOW - 30.5),
        "expires just now": claim("exp", NOW - 30),
        "expires at zero": raw("exp", b"-0"),
        "expires at minus zero": raw("exp", b"-0.0"),
        "expires next to nothing": raw("exp", b"1e-400"),
        "expired, by an exponent": raw("exp", b"1.7e9"),
        "not before later": claim("nbf", NOW + 31),
        "issued later": claim("iat", NOW + 31),
        "issued later, by an exponent": raw("iat", b"18e8" + b"1"),
    }
)
def test_a_time_is_a_number_that_fits(attack: Attack, kind: TokenKind) -> None:
    """ASVS 9.2.1, RFC 7519 sections 4.1.4 to 4.1.6: honoured wherever they are, in both tokens."""
    withstand(attack, kind)


@only(
    "app_jwt",
    {
        "no exp": claim("exp", OMIT),
        "no iat": claim("iat", OMIT),
        "a century": claim("exp", NOW + 100 * 365 * 86400),
        "issued in the stone age": claim("iat", -(2**40)),
        **claims(
            ("scope",),
            (
                *(
                    None,
                    1,
                    True,
                    ["msg.consumer"],
                    {"msg.consumer": 1},
                    "",
                    " ",
                    "msg",
                    "msg.consume",
                ),
                *(
                    "msg.consumers",
                    "xmsg.consumer",
                    "MSG.CONSUMER",
                    "msg.consumer,x",
                    "msg.consumer\tx",
                ),
                *(
                    "msg.consumer\n",
                    "msg.consumer\xa0x",
                    '"msg.consumer"',
                    "msg.*",
                    "*",
                    "msg%2econsumer",
                ),
            ),
        ),
    },
)
def test_an_app_jwt_ends_and_grants_what_it_says(attack: Attack, kind: TokenKind) -> None:
    """RFC 9068 section 4, RFC 6749 section 3.3: split at single spaces, compared exactly."""
    withstand(attack, kind)


def combined(each: ValidToken) -> str:
    """Return one text with all claims of both tokens."""
    return each.signer.sign({**each.other_claims, **each.claims})


@against_both(
    {
        "the other token": lambda each: good(_other(each)).with_claims(),
        "the other token, in a text of its own": lambda each: each.signer.sign(
            {**each.other_claims, "jti": "1"}
        ),
        "all claims of both": combined,
        "no claims": lambda each: each.signer.sign({}),
        "claims in the header": lambda each: each.signer.sign({}, each.claims),
        "a token in a token": lambda each: each.signer.sign(
            each.with_claims().encode(), {"cty": "JWT"}
        ),
        "typ of an access token": lambda each: each.with_header(typ="at+jwt"),
        "typ of an access token, in full": lambda each: each.with_header(typ="application/at+jwt"),
        "typ of a list": lambda each: each.with_header(typ=["JWT"]),
        "typ null": lambda each: each.with_header(typ=None),
    }
)
def test_no_token_stands_in_for_the_other(attack: Attack, kind: TokenKind) -> None:
    """RFC 8725 sections 3.11 and 3.12, ASVS 9.2.2: also as one text in both headers."""
    withstand(attack, kind)


def _other(each: ValidToken) -> TokenKind:
    return "consumer_jws" if each.kind == "app_jwt" else "app_jwt"


@only(
    "app_jwt",
    {f"foreign: {name}": claim(name, None) for name in ("lp_consumer_id", "ext_consumer_id")},
)
def test_an_app_jwt_has_no_claim_of_a_consumer(attack: Attack, kind: TokenKind) -> None:
    """RFC 8725 section 3.12: whatever its value is."""
    withstand(attack, kind)


@only("consumer_jws", {f"foreign: {name}": claim(name, None) for name in ("azp", "scope")})
def test_a_consumer_jws_has_no_claim_of_an_app(attack: Attack, kind: TokenKind) -> None:
    """RFC 8725 section 3.12: whatever its value is."""
    withstand(attack, kind)
