"""Other names of claims, and other types: an issuer's tokens are as an app's settings ask for."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from authlib.oauth2.rfc6749 import ClientMixin
from flask import Flask

from flask_connector_auth import (
    ConnectorAuth,
    Reason,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)
from flask_connector_auth.core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, ClaimNames
from flask_connector_auth.testing import OMIT, AppJWTGenerator, Clock, ConnectorClient, Issuer
from flask_connector_auth.testing.tampering import TOKEN_FAULTS, TokenKind
from tests.support.floor_helpers import cases, parts
from tests.support.http_helpers import INVALID, assert_row

NAME = "https://issuer.example"
URL = "/account/le81823118"
CLAIMS = {"account_id": "urn:tenant", "install_id": "client_id", "scopes": ["scp", "roles"]}
CONSUMER_CLAIMS = {
    **{"account_id": "urn:tenant", "ext_consumer_id": "sub", "lp_consumer_id": "oid"},
    "issuer": "iss",
}
MAPPED: dict[str, Any] = {
    **{"name": NAME, "claims": CLAIMS, "consumer_claims": CONSUMER_CLAIMS},
    **{"type": "at+jwt", "consumer_type": "application/consumer+jwt"},
}
#: The same as settings.
SETTINGS = {
    **{"ISSUER": NAME, "APP_JWT_CLAIMS": CLAIMS, "CONSUMER_JWS_CLAIMS": CONSUMER_CLAIMS},
    **{"APP_JWT_TYPES": ["at+jwt"], "CONSUMER_JWS_TYPES": ["consumer+jwt"]},
}
FAULTS = [
    (kind, name)
    for kind in INVALID
    for name, fault in TOKEN_FAULTS.items()
    if kind == "app_jwt" or not fault.app_jwt_only or name == "wrong_issuer"
]


@pytest.fixture(scope="module")
def mapped(connector_clock: Clock) -> Issuer:
    """An issuer whose every claim has another name, and whose tokens have types of their own."""
    return Issuer(clock=connector_clock, **MAPPED)


@pytest.fixture(params=["one issuer", "two issuers"])
def client(request: pytest.FixtureRequest, mapped: Issuer, issuer: Issuer) -> ConnectorClient:
    """A client of an app with the settings of that issuer, alone or beside those of another."""
    own = {**SETTINGS, "APP_JWT_KEYS": mapped.key_set(), "MAX_LIFETIME": 7200}
    if request.param == "two issuers":
        del own["ISSUER"]
        own = {"ISSUERS": {NAME: own, issuer.name: {"APP_JWT_KEYS": issuer.key_set()}}}
    app = Flask("an_app")
    app.config.update({f"CONNECTOR_AUTH_{name}": value for name, value in own.items()})
    ConnectorAuth(app)

    @app.get("/account/<account_id>")
    @require_app_jwt(scopes="msg.consumer")
    @require_consumer_jws
    def view(account_id: str) -> Any:
        tokens = current_app_jwt.to_dict(), current_consumer_jws.to_dict()
        return {name: value for token in tokens for name, value in token.items()}

    return ConnectorClient(app, mapped)


def test_the_tokens_have_the_claims_by_their_other_names(mapped: Issuer) -> None:
    """docs/testing.rst: the values are the usual ones; none has its usual name."""
    header, claims = parts(mapped.app_jwt())
    assert header == {"kid": "dev-1", "typ": "at+jwt", "alg": "RS256"}
    assert claims.keys() == {"urn:tenant", "client_id", "scp", "iss", "exp", "iat"}
    plain = parts(Issuer().app_jwt())[1]
    assert [claims[name] for name in ("urn:tenant", "client_id", "scp", "iss")] == [
        *(plain[name] for name in ("aud", "azp", "scope")),
        NAME,
    ]
    header, claims = parts(mapped.consumer_jws())
    assert header["typ"] == "application/consumer+jwt"
    plain = parts(Issuer().consumer_jws())[1]
    names = ("urn:tenant", "sub", "oid", "iss")
    assert claims == dict(zip(names, [*plain.values(), NAME], strict=True)) | {
        "urn:tenant": plain["account_id"],
        "sub": plain["ext_consumer_id"],
        "oid": plain["lp_consumer_id"],
    }


def test_an_app_with_these_settings_accepts_them(client: ConnectorClient) -> None:
    """CONNECTOR_AUTH_APP_JWT_CLAIMS: the attributes of the tokens keep their names."""
    answer = client.get(URL).json
    assert answer["install_id"] == "75588e18-0000-4000-8000-000000000000"
    assert (answer["account_id"], answer["ext_consumer_id"]) == ("le81823118", "consumer-1")
    assert (answer["scopes"], answer["issuer"]) == (["msg.consumer"], NAME)
    assert len(bytes.fromhex(answer["lp_consumer_id"])) == 32


def test_an_app_with_other_settings_does_not(mapped: Issuer, issuer: Issuer) -> None:
    """CONNECTOR_AUTH_APP_JWT_TYPES: the protocol's names and type are the default."""
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    ConnectorAuth(app)
    app.add_url_rule("/", view_func=require_app_jwt(lambda: {}), endpoint="view")
    assert ConnectorClient(app, issuer).get("/").status_code == 200
    assert_row(ConnectorClient(app, mapped).get("/"), 40102)


@pytest.mark.parametrize(("kind", "name"), FAULTS)
def test_a_broken_token_is_refused_for_what_its_name_says(
    kind: TokenKind,
    name: str,
    client: ConnectorClient,
    mapped: Issuer,
    refusals: list[Reason | str],
) -> None:
    """Rows 40102 and 40103: the documented reason, whatever the names of the claims."""
    token: Any = {kind: mapped.broken(name, kind)}
    assert_row(client.get(URL, **token), INVALID[kind])
    assert refusals == [TOKEN_FAULTS[name].reason]
    assert client.get(URL).status_code == 200


def test_a_consumer_jws_names_its_issuer_only_where_it_must(issuer: Issuer, mapped: Issuer) -> None:
    """CONNECTOR_AUTH_CONSUMER_JWS_CLAIMS: ``iss`` is not read otherwise, so it breaks nothing."""
    assert parts(mapped.broken("wrong_issuer", "consumer_jws"))[1]["iss"] == "another issuer"
    needed = r"needs a mandatory iss for it: consumer_claims=.*CONNECTOR_AUTH_CONSUMER_JWS_CLAIMS"
    with pytest.raises(ValueError, match=needed):
        issuer.broken("wrong_issuer", "consumer_jws")


@pytest.fixture(scope="module")
def consumer_issuer(connector_clock: Clock) -> Issuer:
    """A signing service, for all issuers of an app."""
    names = {"account_id": "tenant", "issuer": "iss"}
    return Issuer(clock=connector_clock, kid="consumers-1", consumer_claims=names)


def app_of(issuer: Issuer, consumer_issuer: Issuer) -> Flask:
    """Return an app of *issuer* with that signing service."""
    app = Flask("an_app")
    app.config.update(
        CONNECTOR_AUTH_APP_JWT_KEYS=issuer.key_set(),
        CONNECTOR_AUTH_CONSUMER_JWS_KEYS=consumer_issuer.key_set(),
        CONNECTOR_AUTH_CONSUMER_JWS_CLAIMS={"account_id": "tenant", "issuer": "iss"},
    )
    ConnectorAuth(app)

    @app.get("/")
    @require_app_jwt
    @require_consumer_jws
    def view() -> Any:
        return current_app_jwt.claims

    return app


@pytest.fixture
def app(issuer: Issuer, consumer_issuer: Issuer) -> Flask:
    """The app of the kit's issuer."""
    return app_of(issuer, consumer_issuer)


def test_a_signing_service_signs_for_the_issuer(
    app: Flask,
    issuer: Issuer,
    consumer_issuer: Issuer,
    connector_client: ConnectorClient,
    refusals: list[Reason | str],
) -> None:
    """docs/claims.rst: the ConsumerJWS has the ``iss`` and the account of the AppJWT."""
    assert connector_client.get("/").status_code == 200
    assert_row(ConnectorClient(app, issuer).get("/"), 40103)
    own = consumer_issuer.consumer_jws(iss="consumers")
    assert_row(connector_client.get("/", consumer_jws=own), 40103)
    assert refusals == [Reason.UNKNOWN_KEY, Reason.WRONG_ISSUER]


def test_an_issuer_has_further_claims_in_each_app_jwt(consumer_issuer: Issuer) -> None:
    """docs/claims.rst, What a mapping does not check: what a check reads; no ConsumerJWS has it."""
    given = {"env": "staging", "azp": "install-2", "scope": OMIT}
    more = Issuer(account_id="le1", extra_claims=given)
    client = ConnectorClient(app_of(more, consumer_issuer), more, consumer_issuer)
    claims = client.get("/").json
    assert (claims["aud"], claims["env"], claims["azp"]) == ("le1", "staging", "install-2")
    assert "scope" not in claims
    assert parts(more.app_jwt(env="test"))[1]["env"] == "test"
    assert parts(more.broken("expired"))[1]["env"] == "staging"
    assert "env" not in parts(more.consumer_jws())[1]
    with pytest.raises(TypeError, match="no claim account_id: give it as aud"):
        Issuer(extra_claims={"account_id": "le1"}).app_jwt()


def test_a_token_of_the_wrong_type_names_its_issuer(issuer: Issuer) -> None:
    """RFC 8725 section 3.8: so one of several issuers is found, and the type is what is wrong."""
    assert parts(issuer.broken("wrong_type"))[1]["iss"] == "Sentinel"
    assert "iss" not in parts(issuer.broken("wrong_type", iss=OMIT))[1]
    assert parts(issuer.broken("wrong_type", "consumer_jws"))[1]["iss"] == "Sentinel"


@cases(
    ("scopes", "granted"),
    {
        "a list": ({"scp": ["msg.consumer", "a"]}, ["a", "msg.consumer"]),
        "the second name": ({"scp": OMIT, "roles": ["msg.consumer"]}, ["msg.consumer"]),
        "both": ({"scp": "msg.consumer", "roles": ["b"]}, ["msg.consumer"]),
    },
)
def test_scopes_may_have_another_form(
    scopes: Mapping[str, Any], granted: list[str], client: ConnectorClient, mapped: Issuer
) -> None:
    """CONNECTOR_AUTH_APP_JWT_CLAIMS: a list as well as a text; the first name that is there."""
    assert client.get(URL, app_jwt=mapped.app_jwt(**scopes)).json["scopes"] == granted


def test_a_type_may_be_absent() -> None:
    """RFC 7519 section 5.1: ``typ`` is optional; such a token counts as ``JWT``."""
    header, _ = parts(Issuer(type=OMIT).app_jwt())
    assert header == {"kid": "dev-1", "alg": "RS256"}
    header, _ = parts(Issuer(consumer_type=OMIT).consumer_jws())
    assert header == {"kid": "dev-1", "alg": "RS256"}


@cases(
    ("make", "given", "claim"),
    {
        "account": (Issuer.app_jwt, "account_id", "urn:tenant"),
        "install": (Issuer.app_jwt, "install_id", "client_id"),
        "scopes": (Issuer.app_jwt, "scopes", "scp"),
        "consumer's account": (Issuer.consumer_jws, "account_id", "urn:tenant"),
        "ext": (Issuer.consumer_jws, "ext_consumer_id", "sub"),
        "lp": (Issuer.consumer_jws, "lp_consumer_id", "oid"),
    },
)
def test_a_claim_is_given_by_its_own_name(
    make: Callable[..., str], given: str, claim: str, mapped: Issuer
) -> None:
    """The name of the attribute would be one claim more, and the token another one than meant."""
    with pytest.raises(TypeError, match=f"has no claim {given}: give it as {claim}"):
        make(mapped, **{given: "x"})
    assert parts(make(mapped, **{claim: "x"}))[1][claim] == "x"


@pytest.mark.parametrize("argument", ["claims", "consumer_claims"])
@pytest.mark.parametrize(
    "mapping",
    [
        *([], "aud", 1, {"tenant": "aud"}, {"account_id": ""}, {"account_id": ["aud"]}),
        *({"account_id": "iss"}, {"account_id": None}, {1: "aud"}),
    ],
    ids=repr,
)
def test_a_mapping_that_no_setting_could_be_is_an_error(argument: str, mapping: Any) -> None:
    """CONNECTOR_AUTH_APP_JWT_CLAIMS: the same rules as at start."""
    with pytest.raises(ValueError, match="no names of claims: "):
        Issuer(**{argument: mapping})
    assert Issuer(**{argument: {"account_id": "tenant"}})


@cases(
    ("mapping", "text"),
    {
        "the same claim": ({"claims": {"account_id": "azp"}}, "two are the same claim: azp, azp,"),
        "account and scopes": ({"claims": {"scopes": ["scp", "aud"]}}, "two are the same claim"),
        "both ids": (
            {"consumer_claims": {"ext_consumer_id": "lp_consumer_id"}},
            "two are the same",
        ),
        "of the other token": ({"claims": {"lp_consumer_id": "sub"}}, "Unknown name"),
        "the issuer of an AppJWT": ({"claims": {"issuer": "iss"}}, "Unknown name"),
        "scopes of a consumer": ({"consumer_claims": {"scopes": "scp"}}, "Unknown name"),
        "another issuer": ({"consumer_claims": {"issuer": "sub"}}, 'Must be "iss"'),
    },
)
def test_the_error_says_what_is_wrong(mapping: Any, text: str) -> None:
    """As the error of the setting does."""
    with pytest.raises(ValueError, match=text):
        Issuer(**mapping)


def test_names_may_be_those_that_were_read() -> None:
    """``ClaimNames``, as in the settings of an app."""
    names = ClaimNames({"account_id": "tenant", "install_id": "sub"}, ("scp",))
    issuer = Issuer(claims=names)
    assert issuer.names is names
    assert {"tenant", "sub", "scp"} <= parts(issuer.app_jwt())[1].keys()
    plain = Issuer(claims={}, consumer_claims={})
    assert (plain.names.ids, plain.consumer_names.ids) == (
        APP_JWT_CLAIMS.ids,
        CONSUMER_JWS_CLAIMS.ids,
    )


class Install(ClientMixin):
    """A client of a token endpoint."""

    def get_client_id(self) -> str:
        """Return the install id."""
        return "install-1"

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return what was requested."""
        return scope or ""


@cases(
    ("scope", "claims"),
    {"scopes": ("a b", {"scp": "a b"}), "none": (None, {})},
)
def test_a_token_endpoint_issues_them_too(
    scope: str | None, claims: dict[str, str], mapped: Issuer
) -> None:
    """RFC 6749 section 5.1: ``AppJWTGenerator`` goes by the issuer."""
    generate = AppJWTGenerator(mapped, lambda client: "le1")
    answer = generate("client_credentials", Install(), scope=scope)
    header, found = parts(answer["access_token"])
    assert header["typ"] == "at+jwt"
    times = {name: found.pop(name) for name in ("iat", "exp")}
    assert times["exp"] - times["iat"] == answer["expires_in"]
    assert found == {"urn:tenant": "le1", "client_id": "install-1", "iss": NAME, **claims}
