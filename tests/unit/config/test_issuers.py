"""The settings of several issuers: what each has of its own, and what is refused at start."""

import json
import logging
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import pytest
from flask import Config
from hypothesis import given, strategies as st

from flask_connector_auth.config import (
    PREFIX,
    ConfigurationError,
    IssuerSchema,
    IssuerSettings,
    Settings,
    load_settings,
)
from flask_connector_auth.core import APP_JWT_CLAIMS
from flask_connector_auth.keys import KeySource, StaticKeys, list_keys, parse_keys, remote_urls
from flask_connector_auth.keys.importing import KeyRules
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import (
    SECRET,
    cases,
    encoded,
    examples,
    jwk,
    load,
    native_key,
    number,
    pem,
    problems,
    signing_key,
)

ONE, TWO = "https://one.example", "https://two.example"
URL = "https://keys.example/jwks"


def load_several(issuers: Any, **settings: Any) -> dict[str, IssuerSettings]:
    """Return the settings of each issuer, without keys for all of them."""
    return dict(load_settings(several(issuers, **settings)).issuers)


def several(issuers: Any, **settings: Any) -> dict[str, Any]:
    """Return a configuration of several issuers."""
    return {PREFIX + name: value for name, value in {"ISSUERS": issuers, **settings}.items()}


def refused(issuers: Any, **settings: Any) -> dict[str, list[str]]:
    """Return what is wrong with several issuers, by the place of the setting."""
    with pytest.raises(ConfigurationError) as caught:
        load_several(issuers, **settings)
    return {place.removeprefix(PREFIX): found for place, found in caught.value.problems.items()}


def two(one: Mapping[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Return two issuers with a key each, and settings of their own."""
    return {
        ONE: {"APP_JWT_KEYS": jwk(owner="one", kid="1"), **(one or {})},
        TWO: {"APP_JWT_KEYS": jwk(owner="two", kid="1"), **other},
    }


def thumbprints(source: KeySource) -> list[str]:
    """Return the thumbprints of the keys of a source."""
    return [key.thumbprint for key, *_ in list_keys(source)]


def test_each_issuer_has_its_own_keys() -> None:
    """In the order of configuration; both tokens of an issuer are verified by its keys."""
    issuers = load_several(two())
    assert [*issuers] == [issuer.name for issuer in issuers.values()] == [ONE, TWO]
    for issuer, owner in zip(issuers.values(), ("one", "two"), strict=True):
        assert thumbprints(issuer.app_jwt.keys) == [signing_key(owner=owner).thumbprint()]
        assert issuer.consumer_jws.keys is issuer.app_jwt.keys


OWN: dict[str, tuple[Any, Any, Any]] = {
    "APP_JWT_ALGORITHMS": (["RS512"], ("RS512",), lambda issuer: issuer.app_jwt.algorithms),
    "CONSUMER_JWS_ALGORITHMS": (
        ["PS256"],
        ("PS256",),
        lambda issuer: issuer.consumer_jws.algorithms,
    ),
    "APP_JWT_CLAIMS": (
        {"account_id": "tenant"},
        {"account_id": "tenant", "install_id": "azp"},
        lambda issuer: issuer.app_jwt.claims.ids,
    ),
    "CONSUMER_JWS_CLAIMS": (
        {"issuer": "iss"},
        True,
        lambda issuer: issuer.consumer_jws.claims.requires_issuer,
    ),
    "APP_JWT_TYPES": (["at+jwt"], {"at+jwt"}, lambda issuer: issuer.app_jwt.types),
    "CONSUMER_JWS_TYPES": (["c+jwt"], {"c+jwt"}, lambda issuer: issuer.consumer_jws.types),
    "AUDIENCE": ("le9", {"le9"}, lambda issuer: issuer.audience),
    "MAX_LIFETIME": (60, 60, lambda issuer: issuer.max_lifetime),
}


@pytest.mark.parametrize("name", OWN)
def test_what_an_issuer_leaves_out_comes_from_the_settings_for_all(name: str) -> None:
    """Its own setting counts for it alone; that for all counts for the others, and for one only."""
    value, loaded, read = OWN[name]
    default = read(load_several(two())[ONE])
    assert default != loaded
    assert [*map(read, load_several(two({name: value})).values())] == [loaded, default]
    assert [*map(read, load_several(two(), **{name: value}).values())] == [loaded, loaded]
    assert [*map(read, load(**{name: value}).issuers.values())] == [loaded]


def test_every_setting_of_an_issuer_is_tested() -> None:
    """The keys have tests of their own."""
    assert {name.upper() for name in IssuerSchema().fields} == {
        *OWN,
        *("APP_JWT_KEYS", "CONSUMER_JWS_KEYS"),
    }


@pytest.mark.parametrize("name", OWN)
def test_null_is_absent(name: str) -> None:
    """A variable that is unset, in place of a value, lifts no restriction that holds for all."""
    value, loaded, read = OWN[name]
    own = two({name: None})
    assert [*map(read, load_several(own, **{name: value}).values())] == [loaded, loaded]
    assert [*map(read, load_several(own).values())] == [*map(read, load_several(two()).values())]


def test_an_empty_mapping_of_claims_is_that_of_the_protocol() -> None:
    """A mapping for all is replaced as a whole."""
    for_all = {"APP_JWT_CLAIMS": {"account_id": "sub"}}
    one, other = load_several(two({"APP_JWT_CLAIMS": {}}), **for_all).values()
    assert one.app_jwt.claims == APP_JWT_CLAIMS
    assert other.app_jwt.claims.ids["account_id"] == "sub"


@cases(
    "own, for_all, app_jwt, consumer_jws",
    {
        "none of its own": ({}, {"APP_JWT_KEYS": "a"}, "a", "a"),
        "none of its own, two for all": (
            {},
            {"APP_JWT_KEYS": "a", "CONSUMER_JWS_KEYS": "c"},
            "a",
            "c",
        ),
        "AppJWTs of its own": ({"APP_JWT_KEYS": "o"}, {"APP_JWT_KEYS": "a"}, "o", "o"),
        # The vendor that signs the AppJWTs is not trusted with the ConsumerJWSs.
        "AppJWTs of its own, two for all": (
            {"APP_JWT_KEYS": "o"},
            {"APP_JWT_KEYS": "a", "CONSUMER_JWS_KEYS": "c"},
            "o",
            "c",
        ),
        "AppJWTs of its own, ConsumerJWSs for all": (
            {"APP_JWT_KEYS": "o"},
            {"CONSUMER_JWS_KEYS": "c"},
            "o",
            "c",
        ),
        "AppJWTs of its own for both, two for all": (
            {"APP_JWT_KEYS": "o", "CONSUMER_JWS_KEYS": "o"},
            {"APP_JWT_KEYS": "a", "CONSUMER_JWS_KEYS": "c"},
            "o",
            "o",
        ),
        "ConsumerJWSs of its own": (
            {"CONSUMER_JWS_KEYS": "o"},
            {"APP_JWT_KEYS": "a", "CONSUMER_JWS_KEYS": "c"},
            "a",
            "o",
        ),
        "both of its own": (
            {"APP_JWT_KEYS": "o", "CONSUMER_JWS_KEYS": "p"},
            {"CONSUMER_JWS_KEYS": "c"},
            "o",
            "p",
        ),
        "null for ConsumerJWSs": (
            {"APP_JWT_KEYS": "o", "CONSUMER_JWS_KEYS": None},
            {"CONSUMER_JWS_KEYS": "c"},
            "o",
            "c",
        ),
        "null for ConsumerJWSs, none for all": (
            {"APP_JWT_KEYS": "o", "CONSUMER_JWS_KEYS": None},
            {"APP_JWT_KEYS": "a"},
            "o",
            "o",
        ),
        "null for ConsumerJWSs, two for all": (
            {"CONSUMER_JWS_KEYS": None},
            {"APP_JWT_KEYS": "a", "CONSUMER_JWS_KEYS": "c"},
            "a",
            "c",
        ),
    },
)
def test_whose_keys_verify_each_token(
    own: dict[str, Any], for_all: dict[str, Any], app_jwt: str, consumer_jws: str
) -> None:
    """What an issuer leaves out comes from beside ISSUERS; only without it do its own keys verify
    both.
    """

    def keys(owners: dict[str, Any]) -> dict[str, Any]:
        return {name: owner and jwk(owner=owner) for name, owner in owners.items()}

    [issuer] = load_several({ONE: keys(own)}, **keys(for_all)).values()
    assert thumbprints(issuer.app_jwt.keys) == [signing_key(owner=app_jwt).thumbprint()]
    assert thumbprints(issuer.consumer_jws.keys) == [signing_key(owner=consumer_jws).thumbprint()]


def test_the_keys_for_all_are_one_source() -> None:
    """So their key set is fetched once; an issuer with the same URL of its own has its own."""
    own = {"CONSUMER_JWS_KEYS": URL}
    one, other, third = load_several(
        {**two(), "three": {"APP_JWT_KEYS": jwk(owner="three"), **own}}, **own, **BOUND
    ).values()
    assert one.consumer_jws.keys is other.consumer_jws.keys is not third.consumer_jws.keys
    assert remote_urls(third.consumer_jws.keys) == [URL]
    # With an allow-list of its own, it has other keys.
    one, other = load_several(two({"CONSUMER_JWS_ALGORITHMS": ["ES256"]}), **own, **BOUND).values()
    assert one.consumer_jws.keys is not other.consumer_jws.keys


class AppKeys(KeySource):
    """A key source that the app brings."""

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Find nothing."""
        return ()


MAPPING = (
    "Must be a mapping of each issuer to its settings, such as "
    '{"https://issuer.example": {"APP_JWT_KEYS": "https://issuer.example/jwks.json"}}.'
)
NOT_JSON = "Not JSON (line {}, column {}): names and texts need double quotes."
SETTINGS = 'Must be a mapping of settings, such as {"APP_JWT_KEYS": "https://..."}.'
TWIN = f"Differs from {ONE} only in trailing slashes or white space around the name."
NAME = "The name of an issuer must be a non-empty string."
MISSING = "Missing: tokens cannot be verified without keys."
MISFIT = "an EC key for ES256; the allow-list has {}."
SHARED, SOURCE = jwk(owner="shared"), AppKeys()
STATIC = StaticKeys(parse_keys(SHARED, KeyRules(("RS256",)))[0])
HMAC = {"APP_JWT_ALGORITHMS": ["HS256", "RS256"]}
SAME = (
    "Shares {} with https://one.example: APP_JWT_KEYS, so each could sign the tokens of the other. "
    "Give each issuer a key of its own."
)
OR_ISS = ', or require iss in their ConsumerJWSs: CONSUMER_JWS_CLAIMS = {"issuer": "iss"}.'
BOUND = {"CONSUMER_JWS_CLAIMS": {"issuer": "iss"}}
FAILOVER = (
    "Must not be set, because these issuers have key sets at different URLs: "
    "https://one.example, https://two.example. An issuer cannot have further URLs of its own."
)
MODULUS, OTHER_MODULUS = (
    number(native_key("RSA", owner).public_key().public_numbers().n) for owner in ("one", "nobody")
)


def only(**settings: Any) -> dict[str, Any]:
    """Return two issuers of which the first has a key, and the second these settings."""
    return {ONE: {"APP_JWT_KEYS": jwk(owner="one")}, TWO: settings}


def oct_jwk(secret: str | bytes) -> dict[str, str]:
    """Return the JWK of a secret."""
    return {"kty": "oct", "k": encoded(secret.encode() if isinstance(secret, str) else secret)}


def of_two(name: str) -> str:
    """Return the place of a setting of the second issuer."""
    return f"ISSUERS: {TWO}: {name}"


def with_iss(what: str, setting: str = "CONSUMER_JWS_KEYS") -> str:
    """Return the problem of what a token that names its issuer could share."""
    return SAME[:-1].format(what).replace("APP_JWT_KEYS", setting) + OR_ISS


REFUSED: dict[str, tuple[Any, dict[str, Any], dict[str, list[str]]]] = {
    "beside ISSUER": (
        two(),
        {"ISSUER": ONE},
        {"ISSUER": ["Cannot be combined with CONNECTOR_AUTH_ISSUERS."]},
    ),
    "empty": ({}, {"APP_JWT_KEYS": SHARED}, {"ISSUERS": [MAPPING]}),
    # Whether there are keys is not known.
    "empty, without keys": ({}, {}, {"ISSUERS": [MAPPING]}),
    "a list": ([ONE], {}, {"ISSUERS": [MAPPING]}),
    "a text": (f"{ONE},{TWO}", {}, {"ISSUERS": [f"{NOT_JSON.format(1, 1)} {MAPPING}"]}),
    "nearly JSON": ("{'a': {}}", {}, {"ISSUERS": [f"{NOT_JSON.format(1, 2)} {MAPPING}"]}),
    "nearly JSON, with a secret": (
        f'{{"{ONE}":\n  {{"APP_JWT_KEYS": {SECRET}}}}}',
        {},
        {"ISSUERS": [f"{NOT_JSON.format(2, 20)} {MAPPING}"]},
    ),
    "JSON in a text": (json.dumps(two()), {}, {"ISSUERS": [MAPPING]}),
    "a text of brackets": ("[" * 10**5, {}, {"ISSUERS": [MAPPING]}),
    "a text of digits": ("9" * 5000, {}, {"ISSUERS": [MAPPING]}),
    "the issuer in its mapping": (
        two(ISSUER=TWO, ISS=TWO),
        {},
        {
            of_two(name): ["Unknown setting. The issuer is the key of this mapping in ISSUERS."]
            for name in ("ISSUER", "ISS")
        },
    ),
    "an empty name": ({**two(), "": {"APP_JWT_KEYS": pem()}}, {}, {"ISSUERS: item 3": [NAME]}),
    "half a character": ({**two(), "\ud800": {}}, {}, {"ISSUERS: item 3": [NAME]}),
    "no text for a name": (
        {**two(), None: {"APP_JWT_KEYS": pem()}, 5: {}},
        {},
        {"ISSUERS: item 3": [NAME], "ISSUERS: item 4": [NAME]},
    ),
    "a twin": (
        {**two(), f"{ONE}//": {"APP_JWT_KEYS": pem()}},
        {},
        {f"ISSUERS: {ONE}//": [TWIN]},
    ),
    "twins by white space": (
        {**two(), f" {ONE}/\n": {"APP_JWT_KEYS": pem()}},
        {},
        {"ISSUERS: item 3": [TWIN]},
    ),
    "settings that are a text": ({**two(), "x": URL}, {}, {"ISSUERS: item 3": [SETTINGS]}),
    "settings that are null": ({**two(), "x": None}, {}, {"ISSUERS: item 3": [SETTINGS]}),
    "no keys anywhere": (only(), {}, {of_two("APP_JWT_KEYS"): [MISSING]}),
    "keys of ConsumerJWSs alone": (
        only(CONSUMER_JWS_KEYS=pem()),
        {},
        {of_two("APP_JWT_KEYS"): [MISSING]},
    ),
    "keys that are null": (
        two(APP_JWT_KEYS=None),
        {"APP_JWT_KEYS": pem()},
        {
            of_two("APP_JWT_KEYS"): [
                "Must not be empty: give a key, the path of its file, or a URL."
            ]
        },
    ),
    "keys for all, of two": (
        {ONE: {}, TWO: {}},
        {"APP_JWT_KEYS": SHARED},
        {of_two("APP_JWT_KEYS"): [SAME.format("a key")]},
    ),
    "a key in two forms": (
        two({"APP_JWT_KEYS": [jwk(owner="a"), SHARED]}, APP_JWT_KEYS=pem(owner="shared")),
        {},
        {of_two("APP_JWT_KEYS"): [SAME.format("a key")]},
    ),
    "a key of the other token": (
        two({"APP_JWT_KEYS": SHARED}, CONSUMER_JWS_KEYS=SHARED),
        {},
        {of_two("CONSUMER_JWS_KEYS"): [with_iss("a key", "APP_JWT_KEYS")]},
    ),
    "a key of the other token, where one requires iss": (
        two({"APP_JWT_KEYS": SHARED}, CONSUMER_JWS_KEYS=SHARED, **BOUND),
        {},
        {of_two("CONSUMER_JWS_KEYS"): [with_iss("a key", "APP_JWT_KEYS")]},
    ),
    "keys of AppJWTs, where both require iss": (
        two({"APP_JWT_KEYS": SHARED}, APP_JWT_KEYS=SHARED),
        BOUND,
        {of_two("APP_JWT_KEYS"): [SAME.format("a key")]},
    ),
    "ConsumerJWSs for all": (
        two(),
        {"CONSUMER_JWS_KEYS": SHARED},
        {of_two("CONSUMER_JWS_KEYS"): [with_iss("a key")]},
    ),
    "ConsumerJWSs for all, where one requires iss": (
        two(BOUND),
        {"CONSUMER_JWS_KEYS": SHARED},
        {of_two("CONSUMER_JWS_KEYS"): [with_iss("a key")]},
    ),
    "ConsumerJWSs for all of three": (
        {**two(), "three": {"APP_JWT_KEYS": jwk(owner="three")}},
        {"CONSUMER_JWS_KEYS": SHARED},
        {
            of_two("CONSUMER_JWS_KEYS"): [with_iss("a key")],
            "ISSUERS: three: CONSUMER_JWS_KEYS": [with_iss("a key")],
        },
    ),
    "a URL of ConsumerJWSs": (
        two({"CONSUMER_JWS_KEYS": URL}, CONSUMER_JWS_KEYS=URL),
        {},
        {of_two("CONSUMER_JWS_KEYS"): [with_iss("a URL of key sets")]},
    ),
    "a KeySource of ConsumerJWSs": (
        two(),
        {"CONSUMER_JWS_KEYS": [SOURCE, SHARED]},
        {of_two("CONSUMER_JWS_KEYS"): [with_iss("a key"), with_iss("a KeySource")]},
    ),
    "claims that cannot be read, beside a shared key": (
        two(),
        {"CONSUMER_JWS_KEYS": SHARED, "CONSUMER_JWS_CLAIMS": {"issuer": 5}},
        {"CONSUMER_JWS_CLAIMS": ['issuer: Must be "iss"; then a token must have this claim.']},
    ),
    "keys for all that cannot be used": (
        two(),
        {"CONSUMER_JWS_KEYS": 5},
        {
            f"ISSUERS: {iss}: CONSUMER_JWS_KEYS": ["a key cannot be given as int."]
            for iss in (ONE, TWO)
        },
    ),
    "a secret in two forms": (
        two({"APP_JWT_KEYS": {"secret": SECRET}}, APP_JWT_KEYS=oct_jwk(SECRET)),
        HMAC,
        {of_two("APP_JWT_KEYS"): [SAME.format("a key")]},
    ),
    "a secret that HMAC fills with a zero": (
        two({"APP_JWT_KEYS": {"secret": SECRET[:40]}}, APP_JWT_KEYS=oct_jwk(f"{SECRET[:40]}\0")),
        HMAC,
        {of_two("APP_JWT_KEYS"): [SAME.format("a key")]},
    ),
    "a secret that HMAC hashes": (
        two(
            {"APP_JWT_KEYS": {"secret": f"{SECRET}+"}},
            APP_JWT_KEYS=oct_jwk(sha256(f"{SECRET}+".encode()).digest()),
        ),
        HMAC,
        {of_two("APP_JWT_KEYS"): [SAME.format("a key")]},
    ),
    "a key in a source of the package": (
        two({"APP_JWT_KEYS": SHARED}, APP_JWT_KEYS=STATIC),
        {},
        {of_two("APP_JWT_KEYS"): [SAME.format("a key")]},
    ),
    "a URL": (
        two({"APP_JWT_KEYS": [jwk(owner="a"), URL]}, APP_JWT_KEYS="HTTPS://Keys.Example:443/jwks"),
        {},
        {of_two("APP_JWT_KEYS"): [SAME.format("a URL of key sets")]},
    ),
    "a URL with the dot of the root": (
        two({"APP_JWT_KEYS": URL}, APP_JWT_KEYS="https://keys.example./jwks"),
        {},
        {of_two("APP_JWT_KEYS"): [SAME.format("a URL of key sets")]},
    ),
    "a URL with the port of http": (
        two({"APP_JWT_KEYS": "http://localhost/"}, APP_JWT_KEYS="http://localhost:80"),
        {},
        {of_two("APP_JWT_KEYS"): [SAME.format("a URL of key sets")]},
    ),
    "a URL by http and https": (
        two({"APP_JWT_KEYS": "http://localhost/"}, APP_JWT_KEYS="https://localhost/"),
        {},
        {of_two("APP_JWT_KEYS"): [SAME.format("a URL of key sets")]},
    ),
    "failover of two": (
        two({"APP_JWT_KEYS": f"{URL}?1"}, CONSUMER_JWS_KEYS=[f"{URL}?2"]),
        {"JWKS_FAILOVER": [URL]},
        {"JWKS_FAILOVER": [FAILOVER]},
    ),
    "failover by the URL of the other": (
        two({"APP_JWT_KEYS": f"{URL}?1"}, APP_JWT_KEYS=URL),
        {"JWKS_FAILOVER": [URL]},
        {"JWKS_FAILOVER": [FAILOVER]},
    ),
    "failover of two that share a URL": (
        two({"APP_JWT_KEYS": URL}, APP_JWT_KEYS=URL),
        {"JWKS_FAILOVER": [URL]},
        {
            of_two("APP_JWT_KEYS"): [SAME.format("a URL of key sets")],
            "JWKS_FAILOVER": [FAILOVER],
        },
    ),
    "a KeySource": (
        two({"APP_JWT_KEYS": SOURCE}, APP_JWT_KEYS=[jwk(owner="two"), SOURCE]),
        {},
        {of_two("APP_JWT_KEYS"): [SAME.format("a KeySource")]},
    ),
    "a secret that is a number of the other's key": (
        two(APP_JWT_KEYS={"kty": "oct", "k": MODULUS}, APP_JWT_ALGORITHMS=["HS256"]),
        {},
        {of_two("APP_JWT_KEYS"): ["a public key, which is no secret (RFC 8725 section 2.1)."]},
    ),
    "a secret that is a number of a later key": (
        {
            TWO: {"APP_JWT_KEYS": {"kty": "oct", "k": MODULUS}, "APP_JWT_ALGORITHMS": ["HS256"]},
            ONE: {"APP_JWT_KEYS": pem(), "CONSUMER_JWS_KEYS": jwk(owner="one")},
        },
        {},
        {of_two("APP_JWT_KEYS"): ["a public key, which is no secret (RFC 8725 section 2.1)."]},
    ),
    "an unknown setting": (
        two(APP_JWT_KEY=SECRET),
        {},
        {of_two("APP_JWT_KEY"): ["Unknown setting. Did you mean APP_JWT_KEYS?"]},
    ),
    "a setting with its prefix": (
        two(CONNECTOR_AUTH_AUDIENCE="le1"),
        {},
        {of_two("CONNECTOR_AUTH_AUDIENCE"): ["Unknown setting. Did you mean AUDIENCE?"]},
    ),
    "a setting in small letters": (
        two(audience="le1"),
        {},
        {of_two("audience"): ["Unknown setting. Did you mean AUDIENCE?"]},
    ),
    "a setting for all issuers": (
        two(LEEWAY=5),
        {},
        {of_two("LEEWAY"): ["Unknown setting. CONNECTOR_AUTH_LEEWAY is for all issuers."]},
    ),
    "an unknown setting that is null": (
        two(AUDIENCES=None),
        {},
        {of_two("AUDIENCES"): ["Unknown setting. Did you mean AUDIENCE?"]},
    ),
    "a number that no float holds": (
        two(MAX_LIFETIME=10**400),
        {},
        {of_two("MAX_LIFETIME"): ["Must be a finite number."]},
    ),
    "a name that is none": (
        {ONE: {"APP_JWT_KEYS": pem(), f"{{{SECRET}}}": 1, 5: 1}},
        {},
        {f"ISSUERS: {ONE}: a name": ["Unknown setting."]},
    ),
    "a key that is none": (
        two(APP_JWT_KEYS=5, CONSUMER_JWS_ALGORITHMS=["RS512"]),
        {},
        {of_two("APP_JWT_KEYS"): ["a key cannot be given as int."]},
    ),
    "a key that is of another algorithm": (
        two(APP_JWT_KEYS=pem("ES256")),
        {},
        {
            of_two("APP_JWT_KEYS"): [
                f"{MISFIT.format('RS256')} Set CONNECTOR_AUTH_{of_two('APP_JWT_ALGORITHMS')} to "
                "what the issuer uses."
            ]
        },
    ),
    "an allow-list for another key": (
        two(APP_JWT_KEYS=pem("ES256"), APP_JWT_ALGORITHMS=["PS256"]),
        {},
        {
            of_two("APP_JWT_ALGORITHMS"): [
                f"CONNECTOR_AUTH_{of_two('APP_JWT_KEYS')} has no key for it: "
                f"{MISFIT.format('PS256')}"
            ]
        },
    ),
    "bad values": (
        two(
            AUDIENCE="le1,le2",
            MAX_LIFETIME="60",
            APP_JWT_TYPES=[],
            APP_JWT_ALGORITHMS=["none"],
            CONSUMER_JWS_CLAIMS=5,
        ),
        {"LEEWAY": -1},
        {
            of_two("AUDIENCE"): problems(AUDIENCE="le1,le2")["AUDIENCE"],
            of_two("MAX_LIFETIME"): problems(MAX_LIFETIME="60")["MAX_LIFETIME"],
            of_two("APP_JWT_TYPES"): ["Must not be empty: no token would be accepted."],
            of_two("APP_JWT_ALGORITHMS"): problems(APP_JWT_ALGORITHMS=["none"])[
                "APP_JWT_ALGORITHMS"
            ],
            of_two("CONSUMER_JWS_CLAIMS"): [
                'Must be a mapping of names to claims, such as {"account_id": "sub"}.'
            ],
            "LEEWAY": ["Must be greater than or equal to 0 and less than or equal to 3600."],
        },
    ),
}


@cases("issuers, settings, expected", REFUSED)
def test_what_is_refused_at_start(
    issuers: Any, settings: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    """All problems at once, each at its place, in which no key and no secret is quoted."""
    assert refused(issuers, **settings) == expected
    lines = [f"{PREFIX}{place}: {text}" for place in sorted(expected) for text in expected[place]]
    with pytest.raises(ConfigurationError) as caught:
        load_several(issuers, **settings)
    assert str(caught.value).split("\n  ")[1:] == lines
    assert SECRET not in str(caught.value)


@cases(
    "issuers, settings",
    {
        "ISSUERS alone": (two(), {}),
        "any kind of mapping": (MappingProxyType(two()), {}),
        "null": (None, {"ISSUER": ONE, "APP_JWT_KEYS": pem()}),
        "names that differ": ({**two(), f"{ONE}/x/": {"APP_JWT_KEYS": pem()}}, {}),
        "a name with white space and comma": ({"a, b": {"APP_JWT_KEYS": pem()}}, {}),
        "keys for all, of one": (only(), {"APP_JWT_KEYS": pem()}),
        "keys for all, of nobody": (two(), {"APP_JWT_KEYS": pem()}),
        "the same kid": (two(), {}),
        "one key for both tokens": (two(CONSUMER_JWS_KEYS=pem(owner="two")), {}),
        "two secrets": (
            two({"APP_JWT_KEYS": {"secret": SECRET}}, APP_JWT_KEYS={"secret": SECRET[::-1]}),
            HMAC,
        ),
        "a secret of one block, and its hash": (
            two(
                {"APP_JWT_KEYS": {"secret": SECRET[:64]}},
                APP_JWT_KEYS=oct_jwk(sha256(SECRET[:64].encode()).digest()),
            ),
            HMAC,
        ),
        "a secret that another hash makes equal": (
            two(
                {"APP_JWT_KEYS": {"secret": SECRET}, "APP_JWT_ALGORITHMS": ["HS512"]},
                APP_JWT_KEYS=oct_jwk(sha256(SECRET.encode()).digest()),
            ),
            HMAC,
        ),
        "two URLs of one host": (
            two({"APP_JWT_KEYS": f"{URL}?1"}, APP_JWT_KEYS=f"{URL}?2"),
            {},
        ),
        "two ports of one host": (
            two({"APP_JWT_KEYS": "http://localhost/"}, APP_JWT_KEYS="http://localhost:443/"),
            {},
        ),
        "failover of one": (two({"APP_JWT_KEYS": f"{URL}?1"}), {"JWKS_FAILOVER": [URL]}),
        "two sources": (two({"APP_JWT_KEYS": AppKeys()}, APP_JWT_KEYS=AppKeys()), {}),
        "ConsumerJWSs for all": (two(), {"CONSUMER_JWS_KEYS": [SHARED, URL, SOURCE], **BOUND}),
        "a key of ConsumerJWSs": (
            two({"CONSUMER_JWS_KEYS": SHARED, **BOUND}, CONSUMER_JWS_KEYS=SHARED, **BOUND),
            {},
        ),
        "a URL of ConsumerJWSs": (
            two({"CONSUMER_JWS_KEYS": URL}, CONSUMER_JWS_KEYS=[URL]),
            BOUND,
        ),
        "a key of the other token": (
            two(
                {"APP_JWT_KEYS": SHARED, "CONSUMER_JWS_KEYS": jwk(owner="consumers")},
                CONSUMER_JWS_KEYS=SHARED,
                **BOUND,
            ),
            {},
        ),
        "failover of the ConsumerJWSs for all": (
            two(),
            {"CONSUMER_JWS_KEYS": URL, "JWKS_FAILOVER": [f"{URL}?2"], **BOUND},
        ),
        "one source for both tokens": (
            two({"APP_JWT_KEYS": SOURCE, "CONSUMER_JWS_KEYS": SOURCE}),
            {},
        ),
        "a secret that is no number of a key": (
            two(APP_JWT_KEYS={"kty": "oct", "k": OTHER_MODULUS}, **HMAC),
            {},
        ),
        "its own algorithm": (two(APP_JWT_KEYS=pem("ES256"), APP_JWT_ALGORITHMS=["ES256"]), {}),
        "the algorithm for all": (
            two({"APP_JWT_ALGORITHMS": ["RS256"]}, APP_JWT_KEYS=pem("ES256")),
            {"APP_JWT_ALGORITHMS": ["ES256"]},
        ),
    },
)
def test_what_is_accepted(issuers: Any, settings: dict[str, Any]) -> None:
    """The nearest good configuration to each that is refused."""
    loaded = load_several(issuers, **settings)
    assert [*loaded] == [*(issuers or [ONE])]


SETTING = {"LEEWAY": 5}
WORD = "deadbeef" * 8


@cases(
    "issuers, hidden",
    {
        "a PEM": ({pem(): ONE}, "BEGIN"),
        "user and password": ({"https://user:pw@i.example/jwks": ONE}, "pw"),
        "user and password, to settings": ({"https://user:pw@i.example/jwks": SETTING}, "pw"),
        "a query": ({"https://i.example/jwks?token=s3cret": ONE}, "s3cret"),
        "a query, to settings": ({"https://i.example/jwks?token=s3cret": SETTING}, "s3cret"),
        "a fragment, to settings": ({"https://i.example/jwks#s3cret": SETTING}, "s3cret"),
        "a short word": ({"s3cret": ONE}, "s3cret"),
        "hexadecimal": ({WORD: ONE}, WORD),
        "hexadecimal, to settings": ({WORD: SETTING}, WORD),
        "hexadecimal in a URL": ({f"https://i.example/{WORD}": SETTING}, WORD),
        "base64": ({"abcdefghij+lmnop/rstuvwxyzABCDEF": SETTING}, "abcdef"),
        "a token": ({Issuer(algorithm="ES256").sign({"a": 1}): SETTING}, "eyJ"),
        "the name of a setting": ({ONE: {WORD: "APP_JWT_KEYS"}}, WORD),
        "a URL as the name of a setting": ({ONE: {"https://pw@i": 1}}, "pw@i"),
    },
)
def test_a_mapping_the_wrong_way_round_quotes_no_secret(issuers: Any, hidden: str) -> None:
    """An issuer is called by its number unless it has settings and a name that is no secret."""
    found = refused(issuers)
    assert hidden not in str(found)
    assert all(place.startswith(("ISSUERS: item 1", f"ISSUERS: {ONE}: ")) for place in found)


@pytest.mark.parametrize(
    "iss",
    [
        "Sentinel",
        "urn:example:issuer",
        "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI",
        "https://dev-123456.okta.com/oauth2/aus1abcdefGHIJKLMN357",
        "https://keycloak.example:8443/auth/realms/a%20realm/of-ours/and-another-one",
    ],
)
def test_an_issuer_is_called_by_its_name(iss: str) -> None:
    """The names of common providers have no part that is as long as a secret."""
    assert refused({iss: {"LEEWAY": 5, "APP_JWT_KEYS": pem()}}) == {
        f"ISSUERS: {iss}: LEEWAY": ["Unknown setting. CONNECTOR_AUTH_LEEWAY is for all issuers."]
    }


@pytest.mark.parametrize("issuer", ["a,b", ["a", "b"], "a b"])
def test_several_in_issuer_are_a_problem_that_names_the_right_setting(issuer: Any) -> None:
    """``ISSUER=a,b`` in the environment is one text, which no token would have."""
    [text] = problems(ISSUER=issuer)["ISSUER"]
    assert "CONNECTOR_AUTH_ISSUERS" in text


@cases(
    "lifetimes, for_all, keep, is_kept",
    {
        "of none": ((None, None), None, 1, True),
        "of one, too short": ((100, None), None, 129, False),
        "of one": ((100, None), None, 130, True),
        "of both, too short": ((100, 300), None, 329, False),
        "of both": ((300, 100), None, 330, True),
        "of all, too short": ((100, None), 1000, 1029, False),
        "of all": ((100, None), 1000, 1030, True),
        # No issuer uses the MAX_LIFETIME for all.
        "longer for all": ((100, 100), 1000, 130, True),
    },
)
def test_revocations_are_kept_for_the_longest_life(
    lifetimes: tuple[Any, Any], for_all: int | None, keep: int, is_kept: bool
) -> None:
    """REVOCATION_KEEP covers MAX_LIFETIME + LEEWAY of each issuer."""
    one, other = lifetimes
    issuers = two({"MAX_LIFETIME": one}, MAX_LIFETIME=other)
    settings = {"REVOCATION_KEEP": keep, "MAX_LIFETIME": for_all}
    # The one that counts is named: of an issuer, or for all.
    name = "MAX_LIFETIME" if not other and for_all else of_two("MAX_LIFETIME")
    if not other and not for_all:
        name = f"ISSUERS: {ONE}: MAX_LIFETIME"
    text = (
        f"Must be at least CONNECTOR_AUTH_{name} + CONNECTOR_AUTH_LEEWAY: an AppJWT can be "
        "accepted for that long."
    )
    if is_kept:
        assert load_several(issuers, **settings)
    else:
        assert refused(issuers, **settings) == {"REVOCATION_KEEP": [text]}


def test_a_key_set_by_plain_http_is_reported_for_each_issuer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Anyone on the way can forge tokens of that issuer."""
    hosts = ["a", "b", "c"]
    load_several(
        two(
            {"APP_JWT_KEYS": "http://b/1"},
            APP_JWT_KEYS="http://a/2",
            CONSUMER_JWS_KEYS="http://c/3",
        ),
        JWKS_HTTP_HOSTS=hosts,
    )
    text = "key set of {} is fetched by http: anyone on the way can forge tokens"
    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [
        (logging.WARNING, text.format(host)) for host in hosts
    ]


def test_the_issuers_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON in one variable, or a part of it in one of its own, as Flask reads them."""
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_ISSUERS", json.dumps(two(AUDIENCE=["le1", "le2"])))
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_ISSUERS__Sentinel__APP_JWT_KEYS", URL)
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_ISSUERS__Sentinel__AUDIENCE", "31457780")
    config = Config("")
    config.from_prefixed_env()
    one, other, sentinel = load_settings(config).issuers.values()
    assert (one.audience, other.audience) == (None, {"le1", "le2"})
    assert remote_urls(sentinel.app_jwt.keys) == [URL]
    assert sentinel.audience == {"31457780"}


#: Key material in every form, which no message may quote.
MATERIAL: list[Any] = [
    pem(),
    json.dumps(jwk()),
    jwk("HS256"),
    {"secret": SECRET},
    encoded(SECRET.encode()),
    SECRET,
]
TEXTS = [each for each in MATERIAL if isinstance(each, str)]
VALUES = st.one_of(
    st.sampled_from(
        [*MATERIAL, jwk(), pem("ES256"), URL, ONE, ["RS256", "HS256"], {"issuer": "iss"}]
    ),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
)
NAMES = st.one_of(
    st.sampled_from([name.upper() for name in IssuerSchema().fields]),
    st.sampled_from(TEXTS),
    st.none() | st.integers() | st.text(max_size=9) | st.binary(max_size=3),
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return lists, tuples and mappings of what *inner* makes."""
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(NAMES, inner, max_size=4),
    )


ANYTHING = st.recursive(VALUES, nested, max_leaves=8)
GOOD = {name: value for name, (value, *_) in OWN.items()}


def likely(owner: str) -> st.SearchStrategy[Any]:
    """Return settings of an issuer of which most can be used."""
    keys = st.sampled_from([jwk(owner=owner), pem(owner=owner), [pem(owner=owner), URL]])
    changes = st.dictionaries(st.sampled_from(list(GOOD)), ANYTHING, max_size=1)
    good = st.sets(st.sampled_from(list(GOOD)), max_size=3)
    return st.builds(
        lambda keys, good, changes: {
            "APP_JWT_KEYS": keys,
            **{name: GOOD[name] for name in good},
            **changes,
        },
        *(keys, good, changes),
    )


LIKELY = st.fixed_dictionaries(
    {ONE: likely("one")}, optional={TWO: likely("two"), "three": likely("three")}
)
HIDDEN = ("-----BEGIN", pem()[40:60], SECRET[:20], encoded(SECRET.encode())[:20], jwk()["n"][:20])


@examples(200)
@given(ANYTHING | LIKELY, st.booleans())
def test_any_value_is_loaded_or_refused(issuers: Any, has_keys: bool) -> None:
    """A Settings with keys for each issuer, or a ConfigurationError that quotes no key."""
    try:
        settings = load_settings(several(issuers, **({"APP_JWT_KEYS": pem()} if has_keys else {})))
    except ConfigurationError as error:
        assert error.problems
        for hidden in HIDDEN:
            assert hidden not in str(error)
    else:
        assert isinstance(settings, Settings)
        assert settings.issuers
        for name, issuer in settings.issuers.items():
            assert issuer.name == name != ""
            for token in (issuer.app_jwt, issuer.consumer_jws):
                assert isinstance(token.keys, KeySource)
                assert token.algorithms
                assert token.types
        # The name of an issuer is anything, as in its tokens.
        shown = repr({**settings.issuers}.values())
        if settings.issuers.keys().isdisjoint(TEXTS):
            assert not any(hidden in shown for hidden in HIDDEN)
