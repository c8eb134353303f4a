"""Which sound keys are accepted: their strength by configuration, their use by their members."""

import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from joserfc.jwk import RSAKey

from flask_connector_auth.keys import ALGORITHMS, KeyRules, StaticKeys, parse_keys
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import APP_JWT, Verifier
from tests.support.floor_helpers import (
    APP,
    NOW,
    cases,
    der,
    encoded,
    jwk,
    native_key,
    number,
    pem,
    refusal,
    signing_key,
    untimed,
    verifier,
)

RS256 = KeyRules(("RS256",))
LOGGER = "flask_connector_auth.keys.importing"


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
    keys, problems = parse_keys(issuer.key_set(), KeyRules(("RS256",), min_rsa_bits=1024))
    assert problems == []
    assert logged(caplog) == [
        (LOGGER, logging.WARNING, "an RSA key of 1024 bits is accepted, by configuration")
    ]
    judge = Verifier(APP_JWT, verifier(APP).rules, StaticKeys(keys))
    assert refusal(judge, issuer.app_jwt()) is None
    assert parse_keys(pem(), KeyRules(("RS256",), min_rsa_bits=1024))[1] == []
    assert logged(caplog) == []


def test_a_deployment_may_ask_for_more_bits() -> None:
    """RFC 8725 section 3.2: the setting raises the bound too."""
    assert parse_keys(pem(), KeyRules(("RS256",), min_rsa_bits=2049)) == (
        [],
        ["an RSA key of 2048 bits; 2049 to 8192 are accepted"],
    )


@pytest.mark.parametrize(
    "members", [{"n": number(2**2047 + 1)}, {"n": number(2**8191 + 1)}, {"e": number(2**64 - 1)}]
)
def test_the_bounds_themselves_are_accepted(members: dict[str, Any]) -> None:
    """RFC 8725 section 3.2: 2048 to 8192 bits, and an exponent of at most 64."""
    assert parse_keys(jwk(**members), RS256)[1] == []


@pytest.mark.parametrize(("name", "length"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_the_hash(name: str, length: int) -> None:
    """RFC 7518 section 3.2, RFC 8725 section 3.5: for every algorithm of the allow-list."""

    def problems(size: int, *algorithms: str) -> list[str]:
        secret = {"kty": "oct", "k": encoded(b"s" * size)}
        return parse_keys(secret, KeyRules(algorithms))[1]

    short = (
        "a secret shorter than any hash (RFC 7518 section 3.2)"
        if length == 32
        else f"a secret shorter than the hash of {name} (RFC 7518 section 3.2)"
    )
    assert problems(length, name) == []
    assert problems(length, "HS256", name) == []
    assert problems(length - 1, name) == [short]
    assert problems(length - 1, "RS256", name) == [short]


@pytest.mark.parametrize("algorithms", [("RS256",), ("ES256", "RS512")])
def test_a_secret_is_for_hmac_alone(algorithms: tuple[str, ...]) -> None:
    """RFC 8725 section 3.1: where no HMAC is allowed, a secret is no key."""
    assert parse_keys(jwk("HS256"), KeyRules(("HS256",)))[1] == []
    assert parse_keys(jwk("HS256"), KeyRules(algorithms)) == (
        [],
        ["no algorithm of the allow-list can use it"],
    )


USE = "its use is not sig (RFC 7517 section 4.2)"
OPERATIONS = "its key_ops lack verify (RFC 7517 section 4.3)"
ALGORITHM = "its alg is not on the allow-list (RFC 7517 section 4.4)"
CURVE = "its crv is not known (RFC 7518 section 6.2.1.1, RFC 8037 section 2)"
TYPE = "its kty is not known (RFC 7518 section 6.1)"
NO_ALGORITHM = "no algorithm of the allow-list can use it"
UNFIT = {
    "encryption": (jwk(use="enc"), USE),
    "unknown use": (jwk(use="do-not-tell-this"), USE),
    "use of a wrong type": (jwk(use=["sig"]), USE),
    "use null": (jwk(use=None), USE),
    "signing alone": (jwk(key_ops=["sign"]), OPERATIONS),
    "no operation": (jwk(key_ops=[]), OPERATIONS),
    "operations of a wrong type": (jwk(key_ops="verify"), OPERATIONS),
    "operations null": (jwk(key_ops=None), OPERATIONS),
    "another algorithm": (jwk(alg="RS512"), ALGORITHM),
    "encryption algorithm": (jwk(alg="RSA-OAEP"), ALGORITHM),
    "algorithm none": (jwk(alg="none"), ALGORITHM),
    "algorithm of a wrong type": (jwk(alg=["RS256"]), ALGORITHM),
    "algorithm in a part of a name": (jwk(alg="RS"), ALGORITHM),
    "unknown type": ({"kty": "AKP", "pub": "do-not-tell-this"}, TYPE),
    "no type": ({"kid": "a"}, TYPE),
    "type in another case": (jwk(kty="rsa"), TYPE),
    "type of a wrong type": (jwk(kty=["RSA"]), TYPE),
    "key of another family": (jwk("ES256"), NO_ALGORITHM),
    "secret": (jwk("HS256"), NO_ALGORITHM),
    "key of another family by alg": (jwk("ES256", alg="RS256"), NO_ALGORITHM),
    "unknown curve": ({**jwk("ES256"), "crv": "P-999"}, CURVE),
    "unknown Edwards curve": ({"kty": "OKP", "crv": "do-not-tell-this", "x": "AA"}, CURVE),
    "curve of no algorithm": (
        {"kty": "OKP", "crv": "X25519", "x": encoded(bytes([9] + [0] * 31))},
        "a key of a type that no supported algorithm uses",
    ),
}


@cases("unfit, problem", UNFIT)
def test_a_key_for_something_else_is_left_out_of_a_set(
    unfit: Any, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 7517 section 5: a set may hold keys for others; each that is left out is logged."""
    (key,), problems = parse_keys({"keys": [unfit, jwk(kid="good")]}, RS256)
    assert (key.kid, problems) == ("good", [])
    assert logged(caplog) == [
        (LOGGER, logging.WARNING, f"key left out: key 1 of the set: {problem}")
    ]


@cases("unfit, problem", UNFIT)
def test_a_key_for_something_else_is_refused_where_it_was_meant(
    unfit: Any, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """docs/keys.rst: a key given alone or in a list was given to be used."""
    assert parse_keys(unfit, RS256) == ([], [problem])
    assert parse_keys([pem(), unfit], RS256)[1] == [f"item 2: {problem}"]
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
    assert parse_keys(forms[name], KeyRules(("ES256",)))[1] == []
    assert parse_keys([pem(), forms[name]], RS256)[1] == [f"item 2: {NO_ALGORITHM}"]
    assert logged(caplog) == []


def test_a_set_of_keys_for_others_is_of_no_use(caplog: pytest.LogCaptureFixture) -> None:
    """docs/keys.rst: a setting without any usable key is an error."""
    assert parse_keys({"keys": [unfit for unfit, _ in UNFIT.values()]}, RS256) == (
        [],
        ["no usable key"],
    )
    assert len(logged(caplog)) == len(UNFIT)


@pytest.mark.parametrize(
    "broken", [None, 5, "do-not-tell-this", ["a"], {"kty": "RSA"}, jwk(d="AQAB"), jwk(kid=5)]
)
def test_a_broken_key_in_a_set_is_an_error(broken: Any, caplog: pytest.LogCaptureFixture) -> None:
    """docs/keys.rst: a broken key in a configured set is an error, not a warning at each start."""
    keys, (problem,) = parse_keys({"keys": [jwk(), broken]}, RS256)
    assert len(keys) == 1
    assert problem.startswith("key 2 of the set: ")
    assert "do-not-tell-this" not in problem
    assert logged(caplog) == []


def test_every_problem_is_reported_with_its_place() -> None:
    """All problems are reported at once, also with good keys between them."""
    broken = {"kty": "RSA", "n": "do-not-tell-this"}
    value = [pem(), {"keys": [jwk(), broken, broken]}, "do-not-tell-this", broken, 5]
    keys, problems = parse_keys(value, KeyRules(ALGORITHMS))
    assert len(keys) == 2
    assert problems == [
        "item 2: key 2 of the set: not a sound RSA key (RFC 7518 section 6)",
        "item 2: key 3 of the set: not a sound RSA key (RFC 7518 section 6)",
        "item 3: neither a key nor a readable file (No such file or directory); a text secret is "
        'given as {"secret": "..."}',
        "item 4: not a sound RSA key (RFC 7518 section 6)",
        "item 5: a key cannot be given as int",
    ]


def test_a_skipped_item_still_counts() -> None:
    """docs/keys.rst, list: URLs and key sources are skipped, and count in the item numbers."""
    value = ["elsewhere", pem(), "elsewhere", 5, "elsewhere"]
    keys, problems = parse_keys(value, RS256, lambda item: item == "elsewhere")
    assert [key.thumbprint for key in keys] == [signing_key().thumbprint()]
    assert problems == ["item 4: a key cannot be given as int"]
    assert parse_keys("elsewhere", RS256, lambda item: item == "elsewhere") == ([], [])
    assert parse_keys([], RS256, lambda item: True) == ([], ["no usable key"])


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


@untimed
@given(json_values | jwks | st.lists(jwks).map(lambda keys: {"keys": keys}))
def test_any_json_value_is_keys_or_problems(value: Any) -> None:
    """Nothing is raised, and no problem quotes the value."""
    keys, problems = parse_keys(value, KeyRules(ALGORITHMS))
    assert keys or problems
    assert all(type(problem) is str and "hush-hush" not in problem for problem in problems)


@untimed
@given(
    hushed, st.sampled_from(["", "{", '{"keys":[', "-----BEGIN PUBLIC KEY-----\n", "MIIB", "a:/"])
)
def test_any_text_is_keys_or_problems(text: str, start: str) -> None:
    """Whatever a text starts with, it is not quoted."""
    keys, (problem,) = parse_keys(start + text, KeyRules(ALGORITHMS))
    assert keys == []
    assert "hush-hush" not in problem
