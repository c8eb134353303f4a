"""The settings of claim names: what they become, and names by which one token could pass for the
other."""

from typing import Any

import pytest

from flask_connector_auth.config import ConfigurationError, load_settings
from flask_connector_auth.core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, ClaimNames
from tests.support.floor_helpers import SECRET, cases, jwk, load_issuer, problems

APP = {"account_id": "aud", "install_id": "azp"}
CONSUMER = {name: name for name in ("account_id", "ext_consumer_id", "lp_consumer_id")}


def app_jwt(scopes: tuple[str, ...] = ("scope",), is_list: bool = False, **ids: str) -> ClaimNames:
    """Return the claims of an AppJWT, where they are other than the protocol's."""
    return ClaimNames(APP | ids, scopes, is_list, requires_issuer=True)


@cases(
    "claims, loaded",
    {
        "nothing": ({}, APP_JWT_CLAIMS),
        "the protocol's": (APP, APP_JWT_CLAIMS),
        "one": ({"account_id": "tenant"}, app_jwt(account_id="tenant")),
        "all": (
            {"account_id": "tid", "install_id": "sub", "scopes": ["scp", "scope"]},
            app_jwt(("scp", "scope"), True, account_id="tid", install_id="sub"),
        ),
        "scopes that may be a list": ({"scopes": "scope"}, app_jwt(is_list=True)),
        "scopes twice": ({"scopes": ("scp", "scp")}, app_jwt(("scp",), True)),
        **{
            name: ({"account_id": name}, app_jwt(account_id=name))
            for name in (
                *("https://x/y_z.w", "http://schemas.example/a_b/tid", "com.example.tenant_id"),
                *("tenant.example", "custom:tenant_id", "urn:x_y:a.b", "1.2.3", "tenant_id"),
            )
        },
        "a URL": ({"account_id": "https://x/tid"}, app_jwt(account_id="https://x/tid")),
        "two that change places": (
            {"account_id": "azp", "install_id": "aud"},
            app_jwt(account_id="azp", install_id="aud"),
        ),
        "the account of both tokens": (
            {"account_id": "account_id"},
            app_jwt(account_id="account_id"),
        ),
    },
)
def test_the_claims_of_an_app_jwt(claims: Any, loaded: ClaimNames) -> None:
    """What a mapping leaves out keeps its default; scopes that are in it may be a list."""
    assert load_issuer(APP_JWT_CLAIMS=claims).app_jwt.claims == loaded


@cases(
    "claims, loaded",
    {
        "nothing": ({}, CONSUMER_JWS_CLAIMS),
        "one": ({"ext_consumer_id": "sub"}, ClaimNames({**CONSUMER, "ext_consumer_id": "sub"})),
        "the issuer": ({"issuer": "iss"}, ClaimNames(CONSUMER, requires_issuer=True)),
        "the account of both tokens": (
            {"account_id": "aud"},
            ClaimNames({**CONSUMER, "account_id": "aud"}),
        ),
    },
)
def test_the_claims_of_a_consumer_jws(claims: Any, loaded: ClaimNames) -> None:
    """``issuer`` makes ``iss`` mandatory, which is optional without it."""
    assert load_issuer(CONSUMER_JWS_CLAIMS=claims).consumer_jws.claims == loaded


def same(one: str, other: str) -> str:
    """Return the problem of two names for one claim."""
    return f"{one} and {other} are the same claim; each needs one of its own."


MAPPING = 'Must be a mapping of names to claims, such as {"account_id": "sub"}.'
NOT_JSON = "Not JSON (line 1, column {}): names and texts need double quotes."
FIRST = "The name comes first, then its claim: "
SPACED = "{}: Must not have a comma or white space."
LIST = ' Several claims are a list, such as ["scp", "scope"].'
PATH = "scopes: A path into an object, such as realm_access.roles, is not supported."
UNKNOWN = "Unknown name; the names are account_id, install_id, scopes."
CONSUMER_UNKNOWN = (
    "Unknown name; the names are account_id, ext_consumer_id, lp_consumer_id, issuer."
)
RESERVED = "{}: Must not be iss, exp, iat, nbf, which have a meaning of their own."
CLAIM = "{}: Must be the name of a claim."
CLAIMS = "scopes: Must be the name of a claim or a list."
ISSUER = 'issuer: Must be "iss"; then a token must have this claim.'
ACCOUNT, INSTALL, SCOPES = (
    f"{name} of an AppJWT" for name in ("account_id", "install_id", "scopes")
)
CONSUMER_ACCOUNT, EXT, LP = (f"{name} of a ConsumerJWS" for name in CONSUMER)


@cases(
    "claims, texts",
    {
        "null": (None, ["Field may not be null."]),
        "text": ("aud", [f"{NOT_JSON.format(1)} {MAPPING}"]),
        "text that is nearly JSON": ("{account_id: sub}", [f"{NOT_JSON.format(2)} {MAPPING}"]),
        "JSON in a text": ('{"account_id": "sub"}', [MAPPING]),
        "list": (["aud"], [MAPPING]),
        "unknown": ({"tenant": "tid", SECRET: "x", 5: "y"}, [f"tenant: {UNKNOWN}", UNKNOWN]),
        "the issuer, which is mandatory": ({"issuer": "iss"}, [f"issuer: {UNKNOWN}"]),
        "no text": ({"account_id": 5, "install_id": None}, [CLAIM.format(name) for name in APP]),
        "empty": ({"account_id": ""}, [CLAIM.format("account_id")]),
        "a list": ({"account_id": ["aud"]}, [CLAIM.format("account_id")]),
        "no scopes": ({"scopes": []}, [CLAIMS]),
        "scopes that are null": ({"scopes": None}, [CLAIMS]),
        "a scope that is no text": ({"scopes": ["scp", 5]}, [CLAIMS]),
        "an empty scope": ({"scopes": ["scp", ""]}, [CLAIMS]),
        **{
            claim: ({"install_id": claim}, [RESERVED.format("install_id")])
            for claim in ("iss", "exp", "iat", "nbf")
        },
        "iss for scopes": ({"scopes": ["scp", "iss"]}, [RESERVED.format("scopes")]),
        "the wrong way round": (
            {"tenant": "account_id", "scp": "scopes", SECRET: "install_id"},
            [
                f"tenant: {FIRST}" + '{"account_id": "tenant"}.',
                f"scp: {FIRST}" + '{"scopes": "scp"}.',
                FIRST + '{"install_id": "..."}.',
            ],
        ),
        "a comma": ({"account_id": "tid,tenant"}, [SPACED.format("account_id")]),
        "white space": ({"account_id": " tid"}, [SPACED.format("account_id")]),
        "scopes with a comma": ({"scopes": "scp,scope"}, [SPACED.format("scopes") + LIST]),
        "scopes with white space": ({"scopes": ["scp scope"]}, [SPACED.format("scopes") + LIST]),
        **{
            path: ({"scopes": ["scp", path]}, [PATH])
            for path in (*("realm_access.roles", "resource_access.api.roles", "$.scp", "$['scp']"),)
        },
        "several": (
            {"account_id": "exp", "install_id": 5, "tenant": "tid"},
            [RESERVED.format("account_id"), CLAIM.format("install_id"), f"tenant: {UNKNOWN}"],
        ),
        "two names, one claim": ({"account_id": "x", "install_id": "x"}, [same(ACCOUNT, INSTALL)]),
        "a default": ({"account_id": "azp"}, [same(ACCOUNT, INSTALL)]),
        "an id among the scopes": ({"scopes": ["scp", "aud"]}, [same(ACCOUNT, SCOPES)]),
        "the install as the consumer": (
            {"install_id": "ext_consumer_id"},
            [same(INSTALL, EXT)],
        ),
        "the install as the consumer's account": (
            {"install_id": "account_id"},
            [same(INSTALL, CONSUMER_ACCOUNT)],
        ),
        "scopes as the consumer": ({"scopes": ["scp", "lp_consumer_id"]}, [same(SCOPES, LP)]),
        "scopes as the consumer's account": (
            {"scopes": "account_id"},
            [same(SCOPES, CONSUMER_ACCOUNT)],
        ),
        "the account as the consumer": ({"account_id": "lp_consumer_id"}, [same(ACCOUNT, LP)]),
    },
)
def test_claims_of_an_app_jwt_that_are_refused(claims: Any, texts: list[str]) -> None:
    """RFC 8725 section 3.12: no token of one type may pass for the other."""
    found = problems(APP_JWT_CLAIMS=claims)
    assert set(found) == {"APP_JWT_CLAIMS"}
    assert found["APP_JWT_CLAIMS"] == list(dict.fromkeys(texts))


@cases(
    "claims, texts",
    {
        "unknown": ({"scopes": "scope"}, [f"scopes: {CONSUMER_UNKNOWN}"]),
        "another issuer": ({"issuer": "azp"}, [ISSUER]),
        "issuer true": ({"issuer": True}, [ISSUER]),
        "iss": ({"lp_consumer_id": "iss"}, [RESERVED.format("lp_consumer_id")]),
        "two names, one claim": (
            {"ext_consumer_id": "sub", "lp_consumer_id": "sub"},
            [same(EXT, LP)],
        ),
        "the consumer as the account": (
            {"ext_consumer_id": "account_id"},
            [same(CONSUMER_ACCOUNT, EXT)],
        ),
        "the consumer as the AppJWT's account": ({"ext_consumer_id": "aud"}, [same(ACCOUNT, EXT)]),
        "the consumer as the install": ({"lp_consumer_id": "azp"}, [same(INSTALL, LP)]),
        "the account as the install": ({"account_id": "azp"}, [same(INSTALL, CONSUMER_ACCOUNT)]),
        "the consumer as the scopes": ({"lp_consumer_id": "scope"}, [same(SCOPES, LP)]),
    },
)
def test_claims_of_a_consumer_jws_that_are_refused(claims: Any, texts: list[str]) -> None:
    """RFC 8725 section 3.12: no token of one type may pass for the other."""
    assert problems(CONSUMER_JWS_CLAIMS=claims) == {"CONSUMER_JWS_CLAIMS": texts}


def test_claims_collide_as_an_issuer_has_them() -> None:
    """Its own and those for all together; reported for that issuer, once."""
    config: dict[str, Any] = {
        "APP_JWT_CLAIMS": {"install_id": "sub"},
        "ISSUERS": {
            "one": {"APP_JWT_KEYS": jwk(owner="one")},
            "two": {
                "APP_JWT_KEYS": jwk(owner="two"),
                "CONSUMER_JWS_CLAIMS": {"lp_consumer_id": "sub"},
            },
        },
    }
    settings = {f"CONNECTOR_AUTH_{name}": value for name, value in config.items()}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(settings)
    place = "CONNECTOR_AUTH_ISSUERS: two: CONSUMER_JWS_CLAIMS"
    assert caught.value.problems == {place: [same(INSTALL, LP)]}
    config["ISSUERS"]["two"]["APP_JWT_CLAIMS"] = {}
    assert load_settings(settings).issuers["two"].app_jwt.claims == APP_JWT_CLAIMS


def test_claims_that_cannot_be_read_collide_with_nothing() -> None:
    """A mistake is reported once."""
    found = problems(
        APP_JWT_CLAIMS={"account_id": 5}, CONSUMER_JWS_CLAIMS={"lp_consumer_id": "aud"}
    )
    assert found == {"APP_JWT_CLAIMS": [CLAIM.format("account_id")]}
