"""The settings of keys for both tokens, and of the error table."""

import json
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from flask import Config

from flask_connector_auth.config import ConfigurationError, load_settings
from flask_connector_auth.core import ERROR_ROWS, ErrorRow
from flask_connector_auth.keys import KeySource, VerificationKey
from tests.support.floor_helpers import (
    NO_KEY_OR_FILE,
    SECRET,
    cases,
    encoded,
    jwk,
    load,
    load_issuer,
    native_key,
    number,
    only_issuer,
    pem,
    problems,
    signing_key,
)


def algorithms_by_kid(source: Any) -> dict[str | None, set[str]]:
    """Return what the keys of a fixed source may be used for."""
    return {key.kid: set(key.algorithms) for key in source.keys}


class AppKeys(KeySource):
    """A key source that the app brings."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Find nothing."""
        return ()


def test_a_key_source_is_used_as_it_is() -> None:
    """A KeySource of the app is used as it is; each token type can have its own."""
    first, second = AppKeys(), AppKeys()
    issuer = load_issuer(APP_JWT_KEYS=first)
    assert issuer.app_jwt.keys is issuer.consumer_jws.keys is first
    issuer = load_issuer(APP_JWT_KEYS=first, CONSUMER_JWS_ALGORITHMS=["ES256"])
    assert issuer.app_jwt.keys is issuer.consumer_jws.keys is first
    issuer = load_issuer(APP_JWT_KEYS=first, CONSUMER_JWS_KEYS=second)
    assert (issuer.app_jwt.keys, issuer.consumer_jws.keys) == (first, second)


def test_the_keys_of_the_consumer_jws_default_to_the_app_jwts() -> None:
    """Both token types share one source, unless the ConsumerJWS has its own."""
    issuer = load_issuer(APP_JWT_KEYS=jwk(kid="a"))
    assert issuer.consumer_jws.keys is issuer.app_jwt.keys
    issuer = load_issuer(APP_JWT_KEYS=jwk(kid="a"), CONSUMER_JWS_KEYS=jwk(kid="b"))
    assert algorithms_by_kid(issuer.app_jwt.keys) == {"a": {"RS256"}}
    assert algorithms_by_kid(issuer.consumer_jws.keys) == {"b": {"RS256"}}


def test_the_same_keys_serve_each_token_by_its_own_allow_list() -> None:
    """RFC 8725 section 3.1: the allow-list is per token type, also where the keys are shared."""
    issuer = load_issuer(
        APP_JWT_KEYS={"keys": [jwk(kid="a"), jwk("ES256", kid="b")]},
        CONSUMER_JWS_ALGORITHMS=["RS512", "ES256"],
    )
    assert algorithms_by_kid(issuer.app_jwt.keys) == {"a": {"RS256"}}
    assert algorithms_by_kid(issuer.consumer_jws.keys) == {"a": {"RS512"}, "b": {"ES256"}}
    assert issuer.app_jwt.algorithms == ("RS256",)
    assert issuer.consumer_jws.algorithms == ("RS512", "ES256")


ADVICE = "Set CONNECTOR_AUTH_APP_JWT_ALGORITHMS to what the issuer uses."
MISFIT = "an RSA key for RS256, RS384, RS512, PS256, PS384, PS512; the allow-list has {}."


@cases(
    "settings, setting, text",
    {
        "HS256 with an RSA key": (
            {"APP_JWT_ALGORITHMS": ["HS256"]},
            "APP_JWT_ALGORITHMS",
            f"CONNECTOR_AUTH_APP_JWT_KEYS has no key for it: {MISFIT.format('HS256')}",
        ),
        "the other token's, with shared keys": (
            {"CONSUMER_JWS_ALGORITHMS": ["ES256"]},
            "CONSUMER_JWS_ALGORITHMS",
            f"CONNECTOR_AUTH_APP_JWT_KEYS has no key for it: {MISFIT.format('ES256')}",
        ),
        "the other token's, with keys of its own": (
            {"CONSUMER_JWS_ALGORITHMS": ["ES256"], "CONSUMER_JWS_KEYS": jwk()},
            "CONSUMER_JWS_ALGORITHMS",
            f"CONNECTOR_AUTH_CONSUMER_JWS_KEYS has no key for it: {MISFIT.format('ES256')}",
        ),
        "keys alone": (
            {"APP_JWT_KEYS": pem("ES256")},
            "APP_JWT_KEYS",
            f"an EC key for ES256; the allow-list has RS256. {ADVICE}",
        ),
        "keys of the other token alone": (
            {"CONSUMER_JWS_KEYS": pem("ES256")},
            "CONSUMER_JWS_KEYS",
            f"an EC key for ES256; the allow-list has RS256. {ADVICE}",
        ),
        "a set alone": (
            {"APP_JWT_KEYS": {"keys": [jwk("ES256"), jwk(alg="PS256")]}},
            "APP_JWT_KEYS",
            "no usable key: key 1: an EC key for ES256; the allow-list has RS256; key 2: an RSA "
            f"key for PS256; the allow-list has RS256. {ADVICE}",
        ),
    },
)
def test_algorithms_that_fit_no_key_are_reported(
    settings: dict[str, Any], setting: str, text: str
) -> None:
    """RFC 8725 section 3.1: reported once, under the setting that was set."""
    assert load(APP_JWT_KEYS=pem("ES256"), APP_JWT_ALGORITHMS=["ES256"])
    assert problems(**settings) == {setting: [text]}


PRIVATE = signing_key().as_pem(private=True).decode()  # type: ignore[attr-defined]
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "empty": ({"APP_JWT_KEYS": ""}, "APP_JWT_KEYS: an empty value; give a key, the path"),
    "null": ({"APP_JWT_KEYS": None}, "APP_JWT_KEYS: Must not be empty: give a key, the path"),
    "no scheme": (
        {"APP_JWT_KEYS": "issuer.example/jwks.json"},
        "if it is a URL, put https:// before it",
    ),
    "discovery": ({"APP_JWT_KEYS": {"issuer": "x", "jwks_uri": "x"}}, "use its jwks_uri"),
    "certificates by kid": (
        {"APP_JWT_KEYS": {"a": "-----BEGIN CERTIFICATE-----"}},
        "APP_JWT_KEYS: a map of certificates, which is no JWK Set; use the URL of the issuer's",
    ),
    "x5c alone": (
        {"APP_JWT_KEYS": {"kty": "RSA", "x5c": ["x"]}},
        "APP_JWT_KEYS: without the member n (RFC 7518 section 6); give the certificate in its x5c",
    ),
    "private": (
        {"CONSUMER_JWS_KEYS": PRIVATE},
        "CONSUMER_JWS_KEYS: a private key where a public one belongs; take its public half, which "
        "this prints: openssl pkey -pubout -in FILE",
    ),
    "missing file": (
        {"APP_JWT_KEYS": "/run/no-such-secrets/issuer.pem"},
        "APP_JWT_KEYS: the file '/run/no-such-secrets/issuer.pem' cannot be read (No such file or "
        "directory)",
    ),
    "HS256": (
        {"APP_JWT_ALGORITHMS": ["HS256"]},
        "APP_JWT_ALGORITHMS: CONNECTOR_AUTH_APP_JWT_KEYS has no key for it: an RSA key for RS256",
    ),
    "unknown algorithm": (
        {"CONSUMER_JWS_ALGORITHMS": ["rs256"]},
        "CONSUMER_JWS_ALGORITHMS: item 1: Unknown algorithm; the known ones are RS256, RS384,",
    ),
    "text for a number": (
        {"LEEWAY": "30s"},
        "LEEWAY: Must be a finite number, not text. Write it without quotes",
    ),
    "a set of nothing": (
        {"APP_JWT_KEYS": {"keys": [jwk(use="enc"), None]}},
        "APP_JWT_KEYS: no usable key: key 1: its use is not sig (RFC 7517 section 4.2); key 2: not "
        "an object",
    ),
    "padding": (
        {"APP_JWT_KEYS": jwk(n="AAAA=")},
        "APP_JWT_KEYS: its n is standard base64 or has padding or white space; it must be",
    ),
}


@cases("settings, text", WRONG)
def test_a_wrong_setting_is_explained(settings: dict[str, Any], text: str) -> None:
    """docs/keys.rst: the message names the setting, what was found, and what to do."""
    with pytest.raises(ConfigurationError) as caught:
        load(**settings)
    lines = str(caught.value).split("\n  ")
    assert len(lines) == 2
    assert lines[1].startswith("CONNECTOR_AUTH_")
    assert text in lines[1]
    assert PRIVATE[40:60] not in lines[1]


def test_a_problem_of_shared_keys_is_reported_once() -> None:
    """Keys that are loaded for both tokens are one setting."""
    assert problems(APP_JWT_KEYS=5, CONSUMER_JWS_ALGORITHMS=["RS512"]) == {
        "APP_JWT_KEYS": ["a key cannot be given as int."]
    }


NO_KEY = f"{NO_KEY_OR_FILE}."


def test_the_consumer_jws_may_have_keys_where_the_app_jwts_are_missing() -> None:
    """The keys of each token type are checked independently."""
    assert problems(APP_JWT_KEYS=None, CONSUMER_JWS_KEYS=SECRET) == {
        "APP_JWT_KEYS": ["Must not be empty: give a key, the path of its file, or a URL."],
        "CONSUMER_JWS_KEYS": [NO_KEY],
    }


def test_a_mistake_in_one_setting_is_reported_once() -> None:
    """Keys are not reported for a mistake in an allow-list or a bound."""
    weak = {"kty": "RSA", "n": number(2**1023 + 1), "e": "AQAB"}
    assert problems(APP_JWT_KEYS=pem("ES256"), APP_JWT_ALGORITHMS="ES256").keys() == {
        "APP_JWT_ALGORITHMS"
    }
    assert problems(APP_JWT_KEYS=weak, MIN_RSA_BITS="1024").keys() == {"MIN_RSA_BITS"}
    assert problems(CONSUMER_JWS_ALGORITHMS=["none"]).keys() == {"CONSUMER_JWS_ALGORITHMS"}


def test_more_than_four_keys_for_a_kid_are_reported() -> None:
    """At most four keys are tried for one token."""
    keys = [jwk("ES256", owner=f"other {number}", kid="a") for number in range(5)]
    allowed = {"APP_JWT_ALGORITHMS": ["ES256"]}
    assert load(APP_JWT_KEYS=keys[:4], **allowed)
    assert problems(APP_JWT_KEYS=keys, **allowed) == {
        "APP_JWT_KEYS": ["5 keys for the kid 'a': at most 4 are tried."]
    }


def test_rsa_1024_needs_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    """A key of 1024 bits is refused, or accepted by the setting with a warning."""
    n = native_key("RSA-1024", "ours").public_key().public_numbers().n
    weak = {"kty": "RSA", "n": number(n), "e": "AQAB"}
    assert problems(APP_JWT_KEYS=weak) == {
        "APP_JWT_KEYS": ["an RSA key of 1024 bits; 2048 to 8192 are accepted."]
    }
    assert caplog.records == []
    assert load(APP_JWT_KEYS=weak, MIN_RSA_BITS=1024).min_rsa_bits == 1024
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.WARNING, "an RSA key of 1024 bits is accepted, by configuration")
    ]


CODE_STAYS = "{}: errorCode must keep its first three digits, the HTTP status."


@pytest.mark.parametrize(
    ("override", "row"),
    [
        ({"title": "No"}, ErrorRow(40104, "No", "X_ON_BEHALF_HEADER is not present")),
        ({"details": "é"}, ErrorRow(40104, "ConsumerJWS is missing", "é")),
        (
            {"errorCode": 40105},
            ErrorRow(40105, "ConsumerJWS is missing", "X_ON_BEHALF_HEADER is not present"),
        ),
        ({"title": 5, "details": "b", "errorCode": 40199}, ErrorRow(40199, "5", "b")),
        ({}, ERROR_ROWS[40104]),
    ],
)
@pytest.mark.parametrize("code", [40104, "40104"], ids=["int", "as from the environment"])
def test_a_row_may_be_overridden(code: int, override: dict[str, Any], row: ErrorRow) -> None:
    """Code, title and details can be changed, by the documented code; the rest stays."""
    assert load(ERROR_CATALOGUE={code: override}).error_catalogue == {40104: row}


CODES = 'Must be a mapping of codes, such as {"40102": {"title": "Invalid token"}}.'


@cases(
    "catalogue, texts",
    {
        "null": (None, ["Field may not be null."]),
        "list": ([], [CODES]),
        "text": ("{}", [CODES]),
        "text for a row": (
            {"40102": "No"},
            ['40102: Must be a mapping, such as {"title": "Invalid token"}.'],
        ),
        "unknown row": ({40199: {}}, ["40199: Not a code of the error table."]),
        "no code": ({"missing": {}}, ["missing: Not a valid integer."]),
        "row null": ({40102: None}, ["40102: Field may not be null."]),
        "unknown member": ({40102: {"titel": SECRET}}, ["40102: titel: Unknown field."]),
        "empty title": ({40102: {"title": ""}}, ["40102: title: Must be a non-empty string."]),
        "code as text": (
            {40102: {"errorCode": "40199"}},
            ["40102: errorCode: Not a valid integer."],
        ),
        "code true": ({40102: {"errorCode": True}}, ["40102: errorCode: Not a valid integer."]),
        "an endless code": (
            {40102: {"errorCode": 10**5000}, 40103: {"errorCode": -1}},
            [f"{code}: errorCode: Must have five digits." for code in (40102, 40103)],
        ),
        "an endless row": (
            {10**5000: {}, "9" * 5000: {}, SECRET: {}},
            ["a name: Not a code of the error table.", "a name: Not a valid integer."],
        ),
        "an endless member": (
            {40102: {10**5000: "x", SECRET: "y"}},
            ["40102: a name: Unknown field."],
        ),
        "another status": ({40102: {"errorCode": 40302}}, [CODE_STAYS.format(40102)]),
        "success": (
            {50301: {"errorCode": 20000}},
            ["50301: errorCode 20000 does not start with an HTTP error status."],
        ),
        "four digits": (
            {40102: {"errorCode": 4010}},
            ["40102: errorCode 4010 does not start with an HTTP error status."],
        ),
        "several": (
            {40102: {"errorCode": 40302}, 40103: {"errorCode": 1}},
            [
                CODE_STAYS.format(40102),
                "40103: errorCode 1 does not start with an HTTP error status.",
            ],
        ),
        "several of no status": (
            {40102: {"errorCode": 1}, 40103: {"errorCode": 2}},
            [
                "40102: errorCode 1 does not start with an HTTP error status.",
                "40103: errorCode 2 does not start with an HTTP error status.",
            ],
        ),
        "a readable and an unreadable one": (
            {40102: {"errorCode": 40302, "title": 1.5}},
            ["40102: title: Must be a non-empty string.", CODE_STAYS.format(40102)],
        ),
    },
)
def test_a_bad_override_is_reported(catalogue: Any, texts: list[str]) -> None:
    """Decision 0004: the HTTP status of a row cannot change, so a row stays an error."""
    assert problems(ERROR_CATALOGUE=catalogue) == {"ERROR_CATALOGUE": texts}


def test_all_settings_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values that ``from_prefixed_env`` makes of strings load as Python values do."""
    environment = {
        "APP_JWT_KEYS": json.dumps({"keys": [jwk(kid="a"), jwk("HS256", kid="b")]}),
        "CONSUMER_JWS_KEYS": pem("ES256"),
        "APP_JWT_ALGORITHMS": '["RS256", "HS256"]',
        "CONSUMER_JWS_ALGORITHMS": '["ES256"]',
        "AUDIENCE": "31457780",
        "ISSUER": "https://issuer.example",
        "LEEWAY": "2.5",
        "MAX_LIFETIME": "null",
        "MISSING_PARAMETER_ROW": "true",
        "ERROR_CATALOGUE__40104__errorCode": "40105",
        "ERROR_CATALOGUE__40102__title": "No",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"FLASK_CONNECTOR_AUTH_{name}", value)
    config = Config("")
    config.from_prefixed_env()
    settings = load_settings(config)
    issuer = only_issuer(settings)
    assert algorithms_by_kid(issuer.app_jwt.keys) == {"a": {"RS256"}, "b": {"HS256"}}
    assert [key.thumbprint for key in issuer.consumer_jws.keys.keys] == [
        signing_key("ES256").thumbprint()
    ]
    assert issuer.audience == {"31457780"}
    assert issuer.name == "https://issuer.example"
    assert (settings.leeway, issuer.max_lifetime) == (2.5, None)
    assert settings.missing_parameter_row is True
    assert settings.error_catalogue[40104].error_code == 40105
    assert settings.error_catalogue[40102].title == "No"


@cases(
    "keys",
    {
        "text": SECRET,
        "encoded": encoded(SECRET.encode()),
        "JWK of another type": {"kty": SECRET},
        "short JWK": {"kty": "oct", "k": encoded(SECRET[:16].encode())},
        "JWK in a list": [{"kty": "oct", "k": SECRET}],
        "kid": {"kty": "RSA", "kid": SECRET, "n": SECRET, "e": "AQAB"},
    },
)
def test_a_secret_is_never_quoted(keys: Any) -> None:
    """Configuration errors are logged when an app fails to start, so they quote no secret."""
    (text,) = problems(APP_JWT_KEYS=keys)["APP_JWT_KEYS"]
    for hidden in (SECRET, encoded(SECRET.encode())[:20], encoded(SECRET[:16].encode())):
        assert hidden not in text
