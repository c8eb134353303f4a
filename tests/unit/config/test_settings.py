"""Loading the settings: a frozen object, or one error that lists every problem by its key."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, fields
from operator import attrgetter
from typing import Any

import pytest

from flask_connector_auth.config import (
    PREFIX,
    ConfigurationError,
    IssuerSchema,
    IssuerSettings,
    Settings,
    SettingsSchema,
    TokenSettings,
    load_settings,
)
from flask_connector_auth.config.fields import Number
from flask_connector_auth.core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS
from flask_connector_auth.keys import ALGORITHMS
from tests.support.floor_helpers import (
    NO_KEY_OR_FILE,
    SECRET,
    jwk,
    load,
    only_issuer,
    pem,
    problems,
    signing_key,
)


def test_the_defaults_are_the_documented_ones() -> None:
    """docs/settings.rst: with keys alone, every other setting has its default."""
    settings = load()
    keys: Any = only_issuer(settings).app_jwt.keys
    assert [key.thumbprint for key in keys.keys] == [signing_key().thumbprint()]
    issuer = IssuerSettings(
        name="Sentinel",
        app_jwt=TokenSettings(keys, ("RS256",), APP_JWT_CLAIMS, frozenset({"jwt"})),
        consumer_jws=TokenSettings(keys, ("RS256",), CONSUMER_JWS_CLAIMS, frozenset({"jwt"})),
        audience=None,
        max_lifetime=None,
    )
    assert settings == Settings(
        issuers={"Sentinel": issuer},
        account_argument="account_id",
        consumer_header="X-LP-ON-BEHALF",
        leeway=30,
        min_rsa_bits=2048,
        max_token_bytes=16384,
        max_header_bytes=2048,
        cache_size=4096,
        cache_max_age=300,
        realm="Connector API",
        error_catalogue={},
        missing_parameter_row=False,
        log_limit=1,
        log_burst=10,
        revocation_store=None,
        revocation_max_lag=5,
        revocation_on_outage="closed",
        revocation_keep=None,
    )


def test_every_field_of_the_schema_is_a_setting() -> None:
    """Each field of the schema is an attribute of ``Settings``, with a key and a description.

    Or of its ``issuers``, if an issuer can have its own.
    """
    schema = SettingsSchema()
    # These are combined into the key sources and the store, and tested with them.
    combined = ("jwks_", "revocation_url")
    names = [name for name in schema.fields if not name.startswith(combined)]
    of_all = [name for name in names if name not in IssuerSchema().fields and name != "issuer"]
    assert of_all == [field.name for field in fields(Settings)]
    for name, field in IssuerSchema().fields.items():
        attrgetter(ATTRIBUTES.get(name.upper(), name))(only_issuer(load()))
        assert (field.data_key, field.metadata) == (name.upper(), schema.fields[name].metadata)
    for name, field in schema.fields.items():
        assert field.data_key == PREFIX + name.upper()
        assert field.metadata["doc"].endswith(".")


TEXT = "Must be a non-empty string."
NUMBER = "Must be a finite number."
NULL = "Field may not be null."
NAME = "Must be the name of a view argument."
HEADER = "Must be a header name (RFC 9110 section 5.1) that carries nothing else."
REALM = "Must be printable ASCII without quotes and backslashes."
NAMES = 'Must be a list of algorithm names, such as ["RS256"].'
NO_ID = (
    "Not one account id: it has a comma, a semicolon, white space, a bracket or a quote. A list of "
    """ids is JSON in an environment variable: '["le1", "le2"]'."""
)
FLAG = "Must be true or false."
UNKNOWN = f"Unknown algorithm; the known ones are {', '.join(ALGORITHMS)}."
EMPTY = "Must not be empty: no token would be accepted."
TEXTS = f"{TEXT[:-1]}, or a list of non-empty strings."
NOT_A_STRING = {True: TEXT, 1.5: TEXT, (): TEXT, b"a": TEXT, "": TEXT}
ADVICE = "Write it without quotes, and in the environment as in JSON."
NOT_A_NUMBER = {True: NUMBER, (): NUMBER, float("nan"): NUMBER}
NOT_A_NUMBER |= {float("inf"): NUMBER, float("-inf"): NUMBER}
NOT_WHOLE = dict.fromkeys([*NOT_A_NUMBER, 2048.5, 2048.0], "Must be a whole number.")
for wrong, what in (("30", "text"), ("30s", "text"), ("", "empty text")):
    NOT_A_NUMBER[wrong] = f"Must be a finite number, not {what}. {ADVICE}"
    NOT_WHOLE[wrong] = f"Must be a whole number, not {what}. {ADVICE}"
OUTAGE = 'Must be "closed" or "open".'
AT_LEAST_ONE = "Must be greater than or equal to 1."

NO_ISSUER = (
    "Must be one issuer, a non-empty string without comma and white space. Several, or one with "
    "these, are given in CONNECTOR_AUTH_ISSUERS."
)
TYPES = 'Must be a list of types, such as ["JWT", "at+jwt"].'
TYPE = "item 1: Must be a media type."
#: The attributes of an issuer's settings, where they have another name.
ATTRIBUTES = {
    "ISSUER": "name",
    **{
        f"{token.upper()}_{name.upper()}": f"{token}.{name}"
        for token in ("app_jwt", "consumer_jws")
        for name in ("keys", "algorithms", "claims", "types")
    },
}
#: For each setting: good values with their loaded form; bad values with their problem.
TABLE: dict[str, tuple[Sequence[tuple[Any, Any]], dict[Any, str]]] = {
    "ISSUER": (
        [("Sentinel", "Sentinel"), ("https://x/é;'", "https://x/é;'"), (5, "5"), ("[a]", "[a]")],
        {None: NULL}
        | dict.fromkeys([*NOT_A_STRING, ("a",), frozenset("a")], NO_ISSUER)
        | dict.fromkeys(["a,b", "a, b", "a b", "a\n", " ", '["a", "b"]', "\ud800"], NO_ISSUER),
    ),
    "AUDIENCE": (
        [
            (None, None),
            ("le1", {"le1"}),
            (31457780, {"31457780"}),
            (["le1", 2], {"le1", "2"}),
            (("le1",), {"le1"}),
            ({"le1", "le2"}, {"le1", "le2"}),
            (frozenset({"le1"}), {"le1"}),
            ("urn:le-1/eu.west|x_2@y", {"urn:le-1/eu.west|x_2@y"}),
            (["le1,le2", "le 3"], {"le1,le2", "le 3"}),
        ],
        dict.fromkeys([*NOT_A_STRING, 1e5], TEXTS)
        | dict.fromkeys(["le1,le2", "le1, le2", "le1 le2", "le1;le2", "le1\n", " "], NO_ID)
        | dict.fromkeys(["[le1, le2]", "['le1']", '["le1",]', "[]", "'le1'", '"le1'], NO_ID)
        | dict.fromkeys([(None,), ("",), (("le1",),), ("le1", True)], TEXTS),
    ),
    "ACCOUNT_ARGUMENT": (
        [("account_id", "account_id"), ("brand", "brand"), ("_x1", "_x1"), ("größe", "größe")],
        NOT_A_STRING
        | {None: NULL, "account-id": NAME, "1a": NAME, 5: NAME, "a b": NAME, "a\n": NAME},
    ),
    "CONSUMER_HEADER": (
        [("LP-On-Behalf", "LP-On-Behalf"), ("x-lp-on-behalf", "x-lp-on-behalf"), (5, "5")],
        NOT_A_STRING
        | {None: NULL, "Authorization": HEADER, "AUTHORIZATION": HEADER, "content-type": HEADER}
        | {"Content-Length": HEADER, "X Y": HEADER, "X_Y": HEADER, "X:Y": HEADER, "X\n": HEADER}
        | {"Käse": HEADER, "X,Y": HEADER, "Cookie": HEADER, "host": HEADER},
    ),
    "LEEWAY": (
        [(0, 0), (30, 30), (0.5, 0.5), (3600, 3600)],
        NOT_A_NUMBER
        | {
            None: NULL,
            -1: "Must be greater than or equal to 0 and less than or equal to 3600.",
            3601: "Must be greater than or equal to 0 and less than or equal to 3600.",
        },
    ),
    "MAX_LIFETIME": (
        [(None, None), (3600, 3600), (0.5, 0.5)],
        NOT_A_NUMBER | {0: "Must be greater than 0.", -1: "Must be greater than 0."},
    ),
    "MIN_RSA_BITS": (
        [(1024, 1024), (2048, 2048)],
        NOT_WHOLE
        | {
            None: NULL,
            1023: "Must be greater than or equal to 1024 and less than or equal to 8192.",
            8193: "Must be greater than or equal to 1024 and less than or equal to 8192.",
        },
    ),
    "MAX_TOKEN_BYTES": (
        [(1, 1), (10**6, 10**6)],
        NOT_WHOLE | {None: NULL, 0: AT_LEAST_ONE, -1: AT_LEAST_ONE},
    ),
    "MAX_HEADER_BYTES": (
        [(1, 1), (10**6, 10**6)],
        NOT_WHOLE | {None: NULL, 0: AT_LEAST_ONE, -1: AT_LEAST_ONE},
    ),
    "CACHE_SIZE": (
        [(0, 0), (1, 1), (10**6, 10**6)],
        NOT_WHOLE | {None: NULL, -1: "Must be greater than or equal to 0."},
    ),
    "CACHE_MAX_AGE": (
        [(0, 0), (0.5, 0.5), (86400, 86400)],
        NOT_A_NUMBER | {None: NULL, -1: "Must be greater than or equal to 0."},
    ),
    "REALM": (
        [("Connector API", "Connector API"), ("a-~'", "a-~'"), (5, "5")],
        NOT_A_STRING | {None: NULL, 'a"b': REALM, "a\\b": REALM, "é": REALM, "a\n": REALM},
    ),
    "REVOCATION_MAX_LAG": (
        [(1, 1), (2.5, 2.5), (86400, 86400)],
        NOT_A_NUMBER | {None: NULL, 0.9: AT_LEAST_ONE, -1: AT_LEAST_ONE},
    ),
    "REVOCATION_ON_OUTAGE": (
        [("closed", "closed"), ("open", "open")],
        {None: NULL, "": TEXT, "OPEN": OUTAGE, "fail": OUTAGE, True: TEXT},
    ),
    "REVOCATION_KEEP": (
        [(None, None), (0.5, 0.5), (2592000, 2592000)],
        NOT_A_NUMBER | {0: "Must be greater than 0.", -1: "Must be greater than 0."},
    ),
    "MISSING_PARAMETER_ROW": (
        [(True, True), (False, False)],
        {None: NULL, 1: FLAG, 0: FLAG, (): FLAG}
        | dict.fromkeys(("true", "True", "no"), f"{FLAG[:-1]}, not text. {ADVICE}")
        | {"": f"{FLAG[:-1]}, not empty text. {ADVICE}"},
    ),
    "LOG_LIMIT": (
        [(None, None), (0, 0), (0.5, 0.5), (100, 100)],
        NOT_A_NUMBER | {-1: "Must be greater than or equal to 0."},
    ),
    "LOG_BURST": (
        [(1, 1), (1000, 1000)],
        NOT_WHOLE | {None: NULL, 0: AT_LEAST_ONE, -1: AT_LEAST_ONE},
    ),
    "APP_JWT_ALGORITHMS": (
        [
            (["RS256"], ("RS256",)),
            (("PS512", "RS256"), ("PS512", "RS256")),
            ([*ALGORITHMS], ALGORITHMS),
        ],
        {None: NULL, "RS256": NAMES, "": NAMES, True: NAMES, 256: NAMES, (): EMPTY}
        | {
            ("none",): f"item 1: {UNKNOWN}",
            ("RS256", "rs256"): f"item 2: {UNKNOWN}",
        }
        | {("ES256K",): f"item 1: {UNKNOWN}", (5,): "item 1: Not a valid string."},
    ),
    "CONSUMER_JWS_ALGORITHMS": (
        [(None, ("RS256",)), (["RS384"], ("RS384",))],
        {"RS256": NAMES, "": NAMES, (): EMPTY, ("RS257",): f"item 1: {UNKNOWN}"},
    ),
    **dict.fromkeys(
        ("APP_JWT_TYPES", "CONSUMER_JWS_TYPES"),
        (
            [
                (["JWT"], {"jwt"}),
                (("application/AT+JWT", "at+jwt", "jwt"), {"at+jwt", "jwt"}),
                (["logout+jwt", "text/x.y"], {"logout+jwt", "text/x.y"}),
            ],
            {None: NULL, "JWT": TYPES, 5: TYPES, (): EMPTY, (None,): "item 1: " + NULL}
            | {("",): f"item 1: {TEXT}", ("a b",): TYPE, ("a\n",): TYPE, ("é",): TYPE}
            | {("application/",): TYPE},
        ),
    ),
}
NO_KEY = f"{NO_KEY_OR_FILE}."
GOOD = [(name, value, loaded) for name, (good, _) in TABLE.items() for value, loaded in good]
BAD = [(name, value, text) for name, (_, bad) in TABLE.items() for value, text in bad.items()]


@pytest.mark.parametrize(("name", "value", "loaded"), GOOD)
def test_a_good_value_is_loaded(name: str, value: Any, loaded: Any) -> None:
    """Each accepted value, and its loaded form."""
    settings = load(**{name: value})
    owner: Any = settings if hasattr(settings, name.lower()) else only_issuer(settings)
    assert attrgetter(ATTRIBUTES.get(name, name.lower()))(owner) == loaded


@pytest.mark.parametrize(("name", "value", "text"), BAD)
def test_a_bad_value_is_reported(name: str, value: Any, text: Any) -> None:
    """Under its key, with a sentence that says which values are accepted."""
    assert problems(**{name: value}) == {name: [text]}


@pytest.mark.parametrize(
    "name",
    [name.upper() for name, field in SettingsSchema().fields.items() if isinstance(field, Number)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_no_float_holds_is_reported(name: str, sign: int) -> None:
    """Such as 10**400: with it, no time could be reckoned."""
    assert problems(**{name: sign * 10**400}) == {name: [NUMBER]}


@pytest.mark.parametrize(
    ("name", "text"), [("AUDIENCE", TEXTS), ("REALM", TEXT), ("JWKS_BACKUP", TEXT)]
)
def test_a_number_that_python_cannot_write_is_reported(name: str, text: str) -> None:
    """By default it writes at most 4300 digits."""
    assert problems(**{name: 10**5000}) == {name: [text]}


def test_every_setting_is_in_the_tables() -> None:
    """Each setting has good and bad values in the table."""
    elsewhere = {"APP_JWT_KEYS", "CONSUMER_JWS_KEYS", "ERROR_CATALOGUE"}
    elsewhere |= {"REVOCATION_URL", "REVOCATION_STORE"}
    # In test_claim_settings.py and test_issuers.py.
    elsewhere |= {"APP_JWT_CLAIMS", "CONSUMER_JWS_CLAIMS", "ISSUERS"}
    names = {name.upper() for name in SettingsSchema().fields if not name.startswith("jwks_")}
    assert TABLE.keys() | elsewhere == names


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ISUER", "Unknown setting. Did you mean CONNECTOR_AUTH_ISSUER?"),
        ("APP_JWT_KEY", "Unknown setting. Did you mean CONNECTOR_AUTH_APP_JWT_KEYS?"),
        ("issuer", "Unknown setting. Did you mean CONNECTOR_AUTH_ISSUER?"),
        ("CONSUMER_KEYS", "Unknown setting. Did you mean CONNECTOR_AUTH_CONSUMER_JWS_KEYS?"),
        *(
            (name, "Unknown setting. Did you mean CONNECTOR_AUTH_APP_JWT_KEYS?")
            for name in (
                *("JWKS", "JWKS_URL", "JWKS_URI", "JWK_SET_URL", "JWK_SET_URI", "KEY", "KEYS"),
                *("PUBLIC_KEY", "PUBLIC_KEYS", "SECRET", "SECRET_KEY", "jwks_url"),
            )
        ),
        ("ALGORITHM", "Unknown setting. Did you mean CONNECTOR_AUTH_APP_JWT_ALGORITHMS?"),
        ("ALGORITHMS", "Unknown setting. Did you mean CONNECTOR_AUTH_APP_JWT_ALGORITHMS?"),
        ("APP_JWT_ISSUER", "Unknown setting. Did you mean CONNECTOR_AUTH_ISSUER?"),
        ("ISS", "Unknown setting. Did you mean CONNECTOR_AUTH_ISSUER?"),
        ("AUD", "Unknown setting. Did you mean CONNECTOR_AUTH_AUDIENCE?"),
        ("CLOCK_SKEW", "Unknown setting. Did you mean CONNECTOR_AUTH_LEEWAY?"),
        ("HEADER", "Unknown setting. Did you mean CONNECTOR_AUTH_CONSUMER_HEADER?"),
        ("JWKS_BACKUPS", "Unknown setting. Did you mean CONNECTOR_AUTH_JWKS_BACKUP?"),
        ("COLOUR", "Unknown setting."),
        ("", "Unknown setting."),
    ],
)
def test_an_unknown_setting_is_reported_with_the_nearest_name(name: str, text: Any) -> None:
    """A mistyped name is an error, so the default is never used silently."""
    assert problems(**{name: SECRET})[name] == [text]


def test_other_configuration_is_ignored() -> None:
    """Only keys with the prefix are read."""
    config = {"SECRET_KEY": SECRET, "CONNECTOR_AUTHOR": 1, "connector_auth_issuer": 1}
    assert [*load_settings({**config, f"{PREFIX}APP_JWT_KEYS": pem()}).issuers] == ["Sentinel"]


def test_all_problems_are_reported_at_once() -> None:
    """One error lists them by key, in its text and in ``problems``."""
    with pytest.raises(ConfigurationError) as caught:
        load(
            APP_JWT_KEYS=[SECRET, jwk(e="AQ")],
            CONSUMER_JWS_KEYS={"kty": "oct", "k": SECRET},
            LEEWAY="30",
            ISUER=SECRET,
            APP_JWT_ALGORITHMS=["RS256", "none"],
            ERROR_CATALOGUE={40199: {"title": SECRET}},
        )
    expected = {
        "APP_JWT_KEYS": [
            f"item 1: {NO_KEY}",
            "item 2: not a sound RSA key (RFC 7518 section 6).",
        ],
        "CONSUMER_JWS_KEYS": [
            "its k is standard base64 or has padding or white space; it must be base64url without "
            "padding (RFC 7515 section 2)."
        ],
        "LEEWAY": [f"{NUMBER[:-1]}, not text. {ADVICE}"],
        "ISUER": ["Unknown setting. Did you mean CONNECTOR_AUTH_ISSUER?"],
        "APP_JWT_ALGORITHMS": [f"item 2: {UNKNOWN}"],
        "ERROR_CATALOGUE": ["40199: Not a code of the error table."],
    }
    assert caught.value.problems == {PREFIX + key: texts for key, texts in expected.items()}
    lines = [f"{PREFIX}{key}: {text}" for key in sorted(expected) for text in expected[key]]
    assert str(caught.value) == "\n  ".join(["flask-connector-auth cannot start:", *lines])


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, "Missing: tokens cannot be verified without keys."),
        (
            {"APP_JWT_KEYS": None},
            "Must not be empty: give a key, the path of its file, or a URL.",
        ),
        ({"APP_JWT_KEYS": []}, "no usable key: the list is empty."),
        ({"APP_JWT_KEYS": ""}, "an empty value; give a key, the path of its file, or a URL."),
        ({"APP_JWT_KEYS": 5}, "a key cannot be given as int."),
    ],
)
def test_there_is_no_start_without_keys(config: dict[str, Any], text: Any) -> None:
    """Decision 0007: neither a setting nor missing keys turn authentication off."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({PREFIX + key: value for key, value in config.items()})
    assert caught.value.problems == {f"{PREFIX}APP_JWT_KEYS": [text]}


def test_the_settings_cannot_be_changed() -> None:
    """Settings are read once and never change."""
    with pytest.raises(FrozenInstanceError):
        load().leeway = 3600


def test_the_settings_show_no_key() -> None:
    """A settings object can be logged, so its repr shows no key."""
    assert jwk()["n"][:20] not in repr(load(APP_JWT_KEYS=jwk()))
