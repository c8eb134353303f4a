"""Which sound keys are accepted: their strength by configuration, their use by their members."""

import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from joserfc.jwk import RSAKey

from flask_connector_auth.keys import (
    ALGORITHMS,
    KeyRules,
    StaticKeys,
    clean_text,
    looks_like_path,
    parse_keys,
    usable_keys,
)
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import APP_JWT, Verifier
from tests.support.floor_helpers import (
    APP,
    NO_KEY_OR_FILE,
    NOW,
    cases,
    der,
    encoded,
    jwk,
    native_key,
    number,
    parsed_keys,
    pem,
    refusal,
    signing_key,
    untimed,
    verifier,
)

RS256 = KeyRules(("RS256",))
LOGGER = "flask_connector_auth.keys.importing"
SET_LOGGER = "flask_connector_auth.keys.key_set"


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, str]]:
    """Return the log records so far, and clear them."""
    records = caplog.record_tuples.copy()
    caplog.clear()
    return records


def test_rsa_1024_is_accepted_by_setting_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Protocol page: its sample keys are RSA-1024. Each accepted key of that size is logged."""
    native = native_key("RSA-1024", "ours")
    weak = RSAKey(native, native)
    issuer = Issuer(weak, clock=lambda: NOW)
    keys, problems = parsed_keys(issuer.key_set(), KeyRules(("RS256",), min_rsa_bits=1024))
    assert problems == []
    assert logged(caplog) == [
        (LOGGER, logging.WARNING, "an RSA key of 1024 bits is accepted, by configuration")
    ]
    judge = Verifier(APP_JWT, verifier(APP).rules, StaticKeys(keys))
    assert refusal(judge, issuer.app_jwt()) is None
    assert parsed_keys(pem(), KeyRules(("RS256",), min_rsa_bits=1024))[1] == []
    assert logged(caplog) == []


def test_a_deployment_may_ask_for_more_bits() -> None:
    """RFC 8725 section 3.2: the setting raises the bound too."""
    assert parsed_keys(pem(), KeyRules(("RS256",), min_rsa_bits=2049)) == (
        [],
        ["an RSA key of 2048 bits; 2049 to 8192 are accepted"],
    )


@pytest.mark.parametrize(
    "members", [{"n": number(2**2047 + 1)}, {"n": number(2**8191 + 1)}, {"e": number(2**64 - 1)}]
)
def test_the_bounds_themselves_are_accepted(members: dict[str, Any]) -> None:
    """RFC 8725 section 3.2: 2048 to 8192 bits, and an exponent of at most 64."""
    assert parsed_keys(jwk(**members), RS256)[1] == []


@pytest.mark.parametrize(("name", "length"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_the_hash(name: str, length: int) -> None:
    """RFC 7518 section 3.2, RFC 8725 section 3.5: for every algorithm of the allow-list."""

    def problems(size: int, *algorithms: str) -> list[str]:
        secret = {"kty": "oct", "k": encoded(b"s" * size)}
        return parsed_keys(secret, KeyRules(algorithms))[1]

    hash_name = "any hash" if length == 32 else f"the hash of {name}"
    short = (
        f"a secret shorter than {hash_name} (RFC 7518 section 3.2); it must have {length} bytes or "
        "more"
    )
    assert problems(length, name) == []
    assert problems(length, "HS256", name) == []
    assert problems(length - 1, name) == [short]
    assert problems(length - 1, "RS256", name) == [short]


@pytest.mark.parametrize("algorithms", [("RS256",), ("ES256", "RS512")])
def test_a_secret_is_for_hmac_alone(algorithms: tuple[str, ...]) -> None:
    """RFC 8725 section 3.1: where no HMAC is allowed, a secret is no key."""
    assert parsed_keys(jwk("HS256"), KeyRules(("HS256",)))[1] == []
    assert parsed_keys(jwk("HS256"), KeyRules(algorithms)) == (
        [],
        [f"a secret for HS256, HS384, HS512; the allow-list has {', '.join(algorithms)}"],
    )


USE = "its use is not sig (RFC 7517 section 4.2)"
OPERATIONS = "its key_ops lack verify (RFC 7517 section 4.3)"
ALGORITHM = "its alg is none that is supported (RFC 7517 section 4.4)"
CURVE = "its crv is not known (RFC 7518 section 6.2.1.1, RFC 8037 section 2)"
TYPE = "its kty is none of EC, OKP, RSA, oct (RFC 7518 section 6.1)"
ALLOWED = "; the allow-list has RS256"
UNFIT = {
    "encryption": (jwk(use="enc"), USE),
    "unknown use": (jwk(use="do-not-tell-this"), USE),
    "use of a wrong type": (jwk(use=["sig"]), USE),
    "signing alone": (jwk(key_ops=["sign"]), OPERATIONS),
    "no operation": (jwk(key_ops=[]), OPERATIONS),
    "operations of a wrong type": (jwk(key_ops="verify"), OPERATIONS),
    "another algorithm": (jwk(alg="RS512"), f"an RSA key for RS512{ALLOWED}"),
    "encryption algorithm": (jwk(alg="RSA-OAEP"), ALGORITHM),
    "algorithm none": (jwk(alg="none"), ALGORITHM),
    "algorithm of a wrong type": (jwk(alg=["RS256"]), ALGORITHM),
    "algorithm in a part of a name": (jwk(alg="RS"), ALGORITHM),
    "unknown type": ({"kty": "AKP", "pub": "do-not-tell-this"}, TYPE),
    "type in another case": (jwk(kty="rsa"), TYPE),
    "type of a wrong type": (jwk(kty=["RSA"]), TYPE),
    "key of another family": (jwk("ES256"), f"an EC key for ES256{ALLOWED}"),
    "secret": (jwk("HS256"), f"a secret for HS256, HS384, HS512{ALLOWED}"),
    "key of another family by alg": (
        jwk("ES256", alg="RS256"),
        "an EC key that cannot be used for its alg",
    ),
    "unknown curve": ({**jwk("ES256"), "crv": "P-999"}, CURVE),
    "unknown Edwards curve": ({"kty": "OKP", "crv": "do-not-tell-this", "x": "AA"}, CURVE),
    "curve of no algorithm": (
        {"kty": "OKP", "crv": "X25519", "x": encoded(bytes([9] + [0] * 31))},
        "a key of a type that no supported algorithm uses",
    ),
}
BROKEN = {
    "no type": ({"kid": "a"}, "it has no kty (RFC 7517 section 4.1)"),
    "null": (None, "not an object"),
    "number": (5, "not an object"),
    "text": ("do-not-tell-this", "not an object"),
    "list": (["a"], "not an object"),
    "malformed": (jwk(e="AA"), "not a sound RSA key (RFC 7518 section 6)"),
    "too small": (
        jwk(n=number(2**1023 + 1)),
        "an RSA key of 1024 bits; 2048 to 8192 are accepted",
    ),
    "private": (
        jwk(d="AQAB"),
        "a private key where a public one belongs; leave out its private members: d",
    ),
    "kid of a wrong type": (jwk(kid=5), "a kid is a string of at most 256 characters"),
}


@pytest.mark.parametrize("place", ["", "item 2: "])
@cases("neighbour, problem", UNFIT | BROKEN)
def test_a_set_is_used_without_a_bad_neighbour(
    neighbour: Any, problem: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 7517 section 5: a set that was saved is read as the issuer's is; what is left out is
    logged: a key for another use as INFO, a private key as ERROR, the others as WARNING."""
    caplog.set_level(logging.INFO)
    value: Any = {"keys": [neighbour, jwk(kid="good")]}
    keys, problems = parse_keys(
        [jwk(owner="other 1"), value] if place else value, RS256, setting="KEYS"
    )
    assert (keys[-1].kid, problems) == ("good", [])
    level = logging.ERROR if "private" in problem else logging.WARNING
    if problem in (USE, OPERATIONS):
        level = logging.INFO
    text = f"KEYS: {place}key 1 of the key set is ignored: {problem}"
    assert logged(caplog) == [(SET_LOGGER, level, text)]


@cases("neighbour, problem", UNFIT | BROKEN)
def test_a_set_without_a_good_key_is_refused(neighbour: Any, problem: str) -> None:
    """docs/keys.rst: the reasons are in the exception."""
    for place, value in (("", {"keys": [neighbour]}), ("item 2: ", [pem(), {"keys": [neighbour]}])):
        assert parsed_keys(value, RS256)[1] == [f"{place}no usable key: key 1: {problem}"]


def test_five_keys_of_one_kid_are_as_from_a_url(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 7517 section 5: the first four are used."""
    entries = [jwk("ES256", owner=f"other {count}", kid="a") for count in range(5)]
    rules = KeyRules(("ES256",))
    keys, problems = parse_keys({"keys": entries}, rules)
    local = logged(caplog)
    fetched = usable_keys(entries, rules, 100)
    assert ([key.thumbprint for key in keys], problems) == (
        [key.thumbprint for key in fetched],
        [],
    )
    assert len(keys) == 4
    assert local == logged(caplog) != []


@pytest.mark.parametrize(
    "secret", [b"s" * 31, pem().encode()], ids=["shorter than the hash", "public"]
)
def test_a_secret_that_others_know_is_refused_in_a_set_too(secret: bytes) -> None:
    """RFC 8725 sections 2.1 and 3.5: no issuer publishes secrets, so the set is the app's own."""
    entries = [jwk(), {"kty": "oct", "k": encoded(secret)}]
    rules = KeyRules(("RS256", "HS256"))
    assert parsed_keys({"keys": [jwk(), jwk("HS256")]}, rules)[1] == []
    (problem,) = parsed_keys({"keys": entries}, rules)[1]
    assert problem.startswith("key 2: a ")


@cases("unfit, problem", UNFIT)
def test_a_key_for_something_else_is_refused_where_it_was_meant(
    unfit: Any, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """docs/keys.rst: a key given alone or in a list was given to be used."""
    assert parsed_keys(unfit, RS256) == ([], [problem])
    assert parsed_keys([pem(), unfit], RS256)[1] == [f"item 2: {problem}"]
    assert logged(caplog) == []


@pytest.mark.parametrize("name", ["PEM", "base64 DER", "DER file"])
def test_a_key_outside_a_set_is_meant(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """docs/keys.rst: whatever its form, a key for another use is an error outside a set."""
    (tmp_path / "key.der").write_bytes(der("ES256"))
    forms = {
        "PEM": pem("ES256"),
        "base64 DER": b64encode(der("ES256")).decode(),
        "DER file": tmp_path / "key.der",
    }
    assert parsed_keys(forms[name], KeyRules(("ES256",)))[1] == []
    assert parsed_keys([pem(), forms[name]], RS256)[1] == [f"item 2: an EC key for ES256{ALLOWED}"]
    assert logged(caplog) == []


def test_every_problem_is_reported_with_its_place() -> None:
    """All problems are reported at once, also with good keys between them."""
    broken = {"kty": "RSA", "n": "do-not-tell-this", "e": "AA"}
    value = [pem(), {"keys": [broken, broken]}, "do-not-tell-this", broken, 5]
    keys, problems = parsed_keys(value, KeyRules(ALGORITHMS))
    assert len(keys) == 1
    assert problems == [
        "item 2: no usable key: key 1: not a sound RSA key (RFC 7518 section 6); key 2: not a "
        "sound RSA key (RFC 7518 section 6)",
        f"item 3: {NO_KEY_OR_FILE}",
        "item 4: not a sound RSA key (RFC 7518 section 6)",
        "item 5: a key cannot be given as int",
    ]


def test_a_skipped_item_still_counts() -> None:
    """docs/keys.rst, list: URLs and key sources are skipped, and count in the item numbers."""
    value = ["elsewhere", pem(), "elsewhere", 5, "elsewhere"]
    keys, problems = parsed_keys(value, RS256, lambda item: item == "elsewhere")
    assert [key.thumbprint for key in keys] == [signing_key().thumbprint()]
    assert problems == ["item 4: a key cannot be given as int"]
    assert parsed_keys("elsewhere", RS256, lambda item: item == "elsewhere") == ([], [])
    assert parsed_keys([], RS256) == ([], ["no usable key: the list is empty"])


hushed = st.text().map(lambda text: f"hush-hush{text}")
members = st.sampled_from(["kty", "n", "e", "k", "crv", "x", "y", "kid", "use", "alg", "key_ops"])
words = st.sampled_from(["RSA", "EC", "OKP", "oct", "AQAB", "P-256", "Ed25519", "sig", "RS256"])
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | hushed,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(members | st.sampled_from(["keys", "d"]) | st.text(), inner, max_size=6)
    ),
    max_leaves=12,
)
jwks = st.fixed_dictionaries(
    {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct"])},
    optional=dict.fromkeys(("n", "e", "crv", "x", "y", "k", "d"), words | hushed | json_values),
)


def is_path(value: Any) -> bool:
    """Return whether *value* or an item of it looks like a path, which a message may quote."""
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, str) and looks_like_path(clean_text(item)) for item in items)


@untimed
@given(json_values | jwks | st.lists(jwks).map(lambda keys: {"keys": keys}))
def test_any_json_value_is_keys_or_problems(value: Any) -> None:
    """Nothing is raised, and no problem quotes the value."""
    keys, problems = parsed_keys(value, KeyRules(ALGORITHMS))
    assert keys or problems
    assert all(type(problem) is str for problem in problems)
    assert is_path(value) or "hush-hush" not in " ".join(problems)


@untimed
@given(
    hushed, st.sampled_from(["", "{", '{"keys":[', "-----BEGIN PUBLIC KEY-----\n", "MIIB", "a:/"])
)
def test_any_text_is_keys_or_problems(text: str, start: str) -> None:
    """Whatever a text starts with, it is not quoted."""
    keys, (problem,) = parsed_keys(start + text, KeyRules(ALGORITHMS))
    assert keys == []
    assert is_path(start + text) or "hush-hush" not in problem
