"""The entries of a JWK Set that are used, and what is logged about the others."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flask_connector_auth.keys import (
    BadKeySet,
    KeyRules,
    VerificationKey,
    parse_key_set,
    usable_keys,
)
from tests.support.floor_helpers import (
    broken_json,
    cases,
    jwk,
    native_key,
    number,
    signing_key,
    untimed,
)

RULES = KeyRules(("RS256", "ES256"))
SECRET = "do-not-tell-this"
GOOD = jwk("ES256", owner="good", kid="good")

_numbers = native_key("RSA", "ours").private_numbers()
PRIVATE = {
    "d": number(_numbers.d),
    "p": number(_numbers.p),
    "q": number(_numbers.q),
    "dp": number(_numbers.dmp1),
    "dq": number(_numbers.dmq1),
    "qi": number(_numbers.iqmp),
}


def parse(*entries: Any, rules: KeyRules = RULES, max_keys: int = 100) -> list[VerificationKey]:
    """Return what is usable of a set of these entries."""
    return parse_key_set(json.dumps({"keys": entries}).encode(), rules, max_keys)


def kids(keys: list[VerificationKey]) -> list[str | None]:
    """Return the ids of *keys*."""
    return [key.kid for key in keys]


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return level and text of what was logged, and forget it."""
    records = [(level, text) for _, level, text in caplog.record_tuples]
    caplog.clear()
    return records


@cases(
    "entry",
    {
        "RSA": jwk(kid="x"),
        "EC": jwk("ES256", kid="x"),
        "for signatures": jwk(kid="x", use="sig"),
        "to verify": jwk(kid="x", key_ops=["sign", "verify"]),
        "for an algorithm": jwk(kid="x", alg="RS256"),
        "kid of one character": jwk(kid="1"),
        "kid of 256 characters": jwk(kid="x" * 256),
        "kid of any characters": jwk(kid="\u2028\U0001f511\n"),
        "smallest exponent": jwk(kid="x", e=number(3)),
        # Not looked at, whatever they say.
        "certificates": jwk(kid="x", x5c=[SECRET], x5u="http://x/", x5t="x", jku="http://x/"),
        "unknown members": jwk(kid="x", k="x", iat=1, revoked={"reason": None}),
    },
)
def test_a_good_entry_is_used(entry: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7517 section 5: a key for signatures, with a kid."""
    assert kids(parse(entry)) == [entry["kid"]]
    assert logged(caplog) == []


KID = "a kid is a string of at most 256 characters"
NO_KID = "without a kid, beside other keys"
USE = "its use is not sig (RFC 7517 section 4.2)"
OPERATIONS = "its key_ops lack verify (RFC 7517 section 4.3)"
ALGORITHM = "its alg is none that is supported (RFC 7517 section 4.4)"
ALLOWED = "; the allow-list has RS256, ES256"
BASE64 = (
    "its n is standard base64 or has padding or white space; it must be base64url without padding "
    "(RFC 7515 section 2)"
)
NO_TYPE = "it has no kty (RFC 7517 section 4.1)"
TYPE = "its kty is none of EC, OKP, RSA, oct (RFC 7518 section 6.1)"
UNSOUND = "not a sound RSA key (RFC 7518 section 6)"
BAD = {
    "null": (None, "not an object"),
    "a string": (SECRET, "not an object"),
    "a list": ([jwk(kid="x")], "not an object"),
    "no kid": (jwk(), NO_KID),
    "kid null": (jwk(kid=None), NO_KID),
    "kid empty": (jwk(kid=""), NO_KID),
    "kid too long": (jwk(kid=SECRET * 17), KID),
    "kid a number": (jwk(kid=1), KID),
    "kid an object": (jwk(kid={SECRET: 1}), KID),
    "no kty": ({"kid": "x"}, NO_TYPE),
    "unknown kty": (jwk(kid="x", kty=SECRET), TYPE),
    "kty a list": (jwk(kid="x", kty=["RSA"]), TYPE),
    "kty of another case": (jwk(kid="x", kty="rsa"), TYPE),
    "for encryption": (jwk(kid="x", use="enc"), USE),
    "only to sign": (jwk(kid="x", key_ops=["sign"]), OPERATIONS),
    "key_ops a string": (jwk(kid="x", key_ops="verify"), OPERATIONS),
    "another alg": (jwk(kid="x", alg="RS512"), f"an RSA key for RS512{ALLOWED}"),
    "alg none": (jwk(kid="x", alg="none"), ALGORITHM),
    "alg of HMAC": (jwk(kid="x", alg="HS256"), "an RSA key that cannot be used for its alg"),
    "alg a list": (jwk(kid="x", alg=["RS256"]), ALGORITHM),
    "alg of another kty": (jwk(kid="x", alg="ES256"), "an RSA key that cannot be used for its alg"),
    "no algorithm for it": (
        jwk("Ed25519", kid="x"),
        f"an Edwards key for EdDSA, Ed25519{ALLOWED}",
    ),
    "curve for encryption": (
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43, "kid": "x"},
        "a key of a type that no supported algorithm uses",
    ),
    "RSA-1024": (
        jwk(kid="x", n=number(2**1023 + 1)),
        "an RSA key of 1024 bits; 2048 to 8192 are accepted",
    ),
    "RSA-8193": (
        jwk(kid="x", n=number(2**8192 + 1)),
        "an RSA key of 8193 bits; 2048 to 8192 are accepted",
    ),
    "RSA of a megabit": (
        jwk(kid="x", n=number(2**1_000_000 + 1)),
        "an RSA key of 1000001 bits; 2048 to 8192 are accepted",
    ),
    "exponent 1": (jwk(kid="x", e=number(1)), UNSOUND),
    "even exponent": (jwk(kid="x", e=number(65538)), UNSOUND),
    "huge exponent": (
        jwk(kid="x", e=number(2**64 + 1)),
        "an RSA key with an unusable public exponent",
    ),
    "a secret in text": ({"secret": "do-not-tell-this" * 4, "kid": "x"}, NO_TYPE),
    "no modulus": (
        {"kty": "RSA", "e": "AQAB", "kid": "x"},
        "without the member n (RFC 7518 section 6)",
    ),
    "certificate alone": (
        {"kty": "RSA", "x5c": [SECRET], "kid": "x"},
        "without the member n (RFC 7518 section 6); give the certificate in its x5c instead",
    ),
    "modulus with padding": (jwk(kid="x", n=jwk()["n"] + "="), BASE64),
    "modulus in standard base64": (jwk(kid="x", n="+" + jwk()["n"][1:]), BASE64),
    "modulus a number": (jwk(kid="x", n=5), UNSOUND),
    "point not on the curve": (
        jwk("ES256", kid="x", y=jwk("ES256")["x"]),
        "not a sound EC key (RFC 7518 section 6)",
    ),
}


@cases(("entry", "why"), BAD)
def test_a_bad_entry_is_ignored(entry: Any, why: str, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7517 section 5: one line with its number and the reason; the good entry is kept. A key
    for another use is no problem. Without a good entry, the reasons are in the exception."""
    caplog.set_level(logging.INFO)
    level = logging.INFO if why in (USE, OPERATIONS) else logging.WARNING
    assert kids(parse(entry, GOOD)) == ["good"]
    assert logged(caplog) == [(level, f"key 1 of the key set is ignored: {why}")]
    assert kids(parse(GOOD, entry)) == ["good"]
    assert logged(caplog) == [(level, f"key 2 of the key set is ignored: {why}")]
    with pytest.raises(BadKeySet) as caught:
        parse(entry, entry)
    assert str(caught.value) == f"no usable key: key 1: {why}; key 2: {why}"


def test_the_first_reasons_are_in_the_exception() -> None:
    """docs/key_sets.rst: a long set does not make a long message."""
    with pytest.raises(BadKeySet) as caught:
        parse(*[None] * 5)
    causes = "; ".join(f"key {number}: not an object" for number in (1, 2, 3))
    assert str(caught.value) == f"no usable key: {causes}; and 2 more"


@pytest.mark.parametrize("members", [{}, {"kid": None}, {"kid": ""}])
def test_one_key_needs_no_kid(members: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7517 section 4.5, decision 0009: one key is all that can be tried. With several, each
    without a kid would be tried for every token."""
    nameless = jwk(**members)
    assert kids(parse(nameless)) == [None]
    assert logged(caplog) == []
    assert kids(parse(nameless, GOOD)) == ["good"]
    with pytest.raises(BadKeySet, match="without a kid, beside other keys"):
        parse(nameless, jwk("ES256"))


@pytest.mark.parametrize("member", ["use", "key_ops", "alg", "d", "p", "k", "x5c", "crv"])
def test_a_member_that_is_null_is_absent(member: str, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7517 section 4: serialisers write absent members so. Then one that is needed lacks."""
    assert kids(parse(jwk(kid="x", **{member: None}), GOOD)) == ["x", "good"]
    assert logged(caplog) == []
    assert kids(parse(jwk(kid="x", n=None), GOOD)) == ["good"]


@cases(
    "entry",
    {
        "RSA": jwk(kid="x", **PRIVATE),
        **{f"only {name}": jwk(kid="x", **{name: value}) for name, value in PRIVATE.items()},
        "several primes": jwk(kid="x", oth=[]),
        "EC": {**signing_key("ES256").as_dict(private=True), "kid": "x"},
        "OKP": {**signing_key("Ed25519").as_dict(private=True), "kid": "x"},
        # Whatever else is wrong with it.
        "without kid": jwk(**PRIVATE),
        "kid too long": jwk(kid="x" * 257, **PRIVATE),
        "for encryption": jwk(kid="x", use="enc", **PRIVATE),
        "unknown kty": jwk(kid="x", kty="x", d="x"),
        "secret": jwk("HS256", kid="x"),
        "secret for encryption": jwk("HS256", kid="x", use="enc"),
        "secret without a value": {"kty": "oct"},
    },
)
def test_a_private_entry_is_an_error(
    entry: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Its secret is public now: an ERROR in the log. A secret (oct) is never used."""
    for rules in (RULES, KeyRules(("RS256", "ES256", "HS256", "HS512", "Ed25519"))):
        assert kids(parse(entry, GOOD, rules=rules)) == ["good"]
        ((level, text),) = logged(caplog)
        assert level == logging.ERROR
        assert text.startswith("key 1 of the key set is ignored: a ")
        for value in PRIVATE.values():
            assert value not in text


def test_the_same_key_twice_is_one(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7517 section 5: same kid and same thumbprint (RFC 7638), however it is written."""
    again = {**GOOD, "use": "sig", "x5t": "x"}
    assert kids(parse(GOOD, again, GOOD)) == ["good"]
    assert kids(parse(GOOD, again, jwk(kid="next"))) == ["good", "next"]
    assert logged(caplog) == []


def test_the_same_key_for_two_uses_is_two(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7517 section 4.4: one entry for each algorithm means the same as one entry without."""
    rules = KeyRules(("RS256", "PS256"))
    each = [jwk(kid="x", alg=name) for name in rules.algorithms]
    found = parse(*each, *each, rules=rules)
    assert [list(key.algorithms) for key in found] == [["RS256"], ["PS256"]]
    assert len(logged(caplog)) == 1


def test_the_same_key_under_two_names_is_two(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7517 section 4.5: a token may have either."""
    assert kids(parse(jwk(kid="a"), jwk(kid="b"))) == ["a", "b"]
    assert logged(caplog) == []


def test_four_keys_of_one_kid_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    """So many keys are tried for a token; further ones are ignored and logged."""
    each = [jwk("ES256", owner=str(count), kid="x") for count in range(6)]
    shared = (logging.WARNING, "key 2 of the key set has the kid of another key")
    found = parse(*each[:4])
    assert [key.key.as_dict()["x"] for key in found] == [entry["x"] for entry in each[:4]]
    assert logged(caplog) == [shared]
    assert kids(parse(*each, GOOD)) == ["x"] * 4 + ["good"]
    assert logged(caplog) == [
        shared,
        (logging.WARNING, "key 5 of the key set is ignored: more than 4 keys have its kid"),
        (logging.WARNING, "key 6 of the key set is ignored: more than 4 keys have its kid"),
    ]


def test_a_set_has_so_many_entries_and_no_more() -> None:
    """JWKS_MAX_KEYS: counted before any is looked at."""
    assert kids(parse(GOOD, None, None, max_keys=3)) == ["good"]
    with pytest.raises(BadKeySet, match=r"^more than 3 keys \(JWKS_MAX_KEYS\)$"):
        parse(GOOD, None, None, None, max_keys=3)


@cases(
    "body",
    {
        "no keys": b"{}",
        "keys null": b'{"keys":null}',
        "keys an object": json.dumps({"keys": {"0": GOOD}}).encode(),
        "keys a string": b'{"keys":"x"}',
        "one key": json.dumps(GOOD).encode(),
        "KEYS": json.dumps({"KEYS": [GOOD]}).encode(),
    },
)
def test_what_is_no_key_set_is_refused(body: bytes) -> None:
    """RFC 7517 section 5.1: the member keys is a list."""
    with pytest.raises(BadKeySet, match=r"^not a JWK Set$"):
        parse_key_set(body, RULES, 100)


@cases(
    ("document", "why"),
    {
        "discovery": (
            {"issuer": SECRET, "jwks_uri": SECRET},
            "an OpenID discovery document, which has no keys; use its jwks_uri",
        ),
        "certificates": (
            {"a": f"-----BEGIN CERTIFICATE-----\n{SECRET}", "b": "-----BEGIN CERTIFICATE-----"},
            "a map of certificates, which is no JWK Set; use the URL of the issuer's JWK Set, or "
            "configure each certificate as an item of a list",
        ),
    },
)
def test_another_document_is_named(document: dict[str, Any], why: str) -> None:
    """docs/keys.rst: the message says what to use instead."""
    with pytest.raises(BadKeySet) as caught:
        parse_key_set(json.dumps(document).encode(), RULES, 100)
    assert str(caught.value) == why
    assert kids(parse_key_set(json.dumps({**document, "keys": [GOOD]}).encode(), RULES, 100))


def test_an_empty_set_is_of_no_use() -> None:
    """RFC 7517 section 5: no usable key at all is a failed fetch."""
    with pytest.raises(BadKeySet, match=r"^no usable key: the set is empty$"):
        parse()


WITH_MARK = "UTF-8 with BOM"
BODIES_BROKEN = broken_json(json.dumps({"keys": [GOOD]}).encode())


def test_a_byte_order_mark_is_ignored() -> None:
    """RFC 8259 section 8.1: a parser may ignore it, and some servers send it. One is enough."""
    marked = BODIES_BROKEN[WITH_MARK]
    assert kids(parse_key_set(marked, RULES, 100)) == ["good"]
    with pytest.raises(BadKeySet, match=r"^not strict JSON$"):
        parse_key_set(marked[:3] + marked, RULES, 100)


@cases("body", {name: body for name, body in BODIES_BROKEN.items() if name != WITH_MARK})
def test_json_is_strict(body: bytes) -> None:
    """docs/keys.rst: UTF-8, an object, no duplicate member, no depth."""
    with pytest.raises(BadKeySet, match=r"^not (strict JSON|a JSON object)$"):
        parse_key_set(body, RULES, 100)


def test_other_members_of_a_set_are_ignored() -> None:
    """RFC 7517 section 5: the control beside what is refused, white space around it included."""
    body = json.dumps({"next": [1.5, {"x": None}], "keys": [GOOD]}, indent=2).encode()
    assert kids(parse_key_set(b"\r\n\t " + body + b"\n", RULES, 100)) == ["good"]


# Properties

VALUES = st.sampled_from([None, True, 0, -1, 1e300, "", "x", "RSA", "EC", "oct", "AQAB", [], {}])
MEMBERS = ("kty", "kid", "use", "key_ops", "alg", "n", "e", "d", "crv", "x", "y", "k")
ENTRIES = VALUES | st.dictionaries(st.sampled_from(MEMBERS), VALUES | st.text()).map(
    lambda changes: {**GOOD, **changes}
)
BODIES = (
    st.binary()
    | st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(
        lambda value: json.dumps({"keys": value}).encode()
    )
    | st.lists(ENTRIES, max_size=6).map(lambda entries: json.dumps({"keys": entries}).encode())
)


@untimed
@given(BODIES)
def test_any_bytes_are_keys_or_a_bad_key_set(body: bytes) -> None:
    """RFC 8725 section 3.11: nothing that an issuer sends makes anything else of it."""
    try:
        keys = parse_key_set(body, RULES, 5)
    except BadKeySet as bad:
        assert str(bad).partition(":")[0] in {
            *("not strict JSON", "not a JSON object", "not a JWK Set"),
            *("more than 5 keys (JWKS_MAX_KEYS)", "no usable key"),
        }
        assert bad.__suppress_context__ or bad.__context__ is None
    else:
        assert keys
        assert len(keys) == 1 or all(key.kid and len(key.kid) <= 256 for key in keys)


@untimed
@given(st.lists(st.sampled_from(MEMBERS), min_size=1, unique=True), st.booleans())
def test_nothing_of_an_entry_is_quoted(members: list[str], nested: bool) -> None:
    """RFC 8725 section 3.10: neither in a log nor in an exception, whichever member holds it."""
    value = [SECRET] if nested else SECRET
    with Listening() as lines:
        try:
            usable_keys([{**GOOD, **dict.fromkeys(members, value)}], RULES, 5)
        except BadKeySet as bad:
            lines.append(str(bad))
    assert SECRET not in "".join(lines)


class Listening(logging.Handler):
    """What the package logs, as text: a fixture would be shared by all examples."""

    def __enter__(self) -> list[str]:
        self.lines: list[str] = []
        logging.getLogger("flask_connector_auth").addHandler(self)
        return self.lines

    def __exit__(self, *_error: object) -> None:
        logging.getLogger("flask_connector_auth").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))
