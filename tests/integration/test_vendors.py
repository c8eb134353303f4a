"""docs/claims.rst: the settings of the page, by which the access token of an app passes and every
other token of four vendors is refused."""

import runpy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from flask import Flask
from joserfc.jwk import OctKey

from flask_connector_auth import (
    ConnectorAuth,
    Reason,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)
from flask_connector_auth.testing import OMIT, ConnectorClient, Issuer, KeySetServer, Signer
from tests.support.floor_helpers import signing_key
from tests.support.http_helpers import assert_row
from tests.support.project import files_of, write_files
from tests.support.vendors import (
    APP,
    COGNITO,
    ENTRA,
    KEYCLOAK,
    OKTA,
    TENANT,
    VENDORS,
    Claims,
    Vendor,
    plain_key,
    signer,
)

URL = f"/account/{TENANT}"
SCOPES = ["msg.consumer", "connector-api/msg.consumer"]


def add_view(app: Flask) -> None:
    """Add the view that all apps here have."""

    @app.get("/account/<account_id>")
    @require_app_jwt(any_scope=SCOPES)
    @require_consumer_jws
    def view(account_id: str) -> Any:
        return [current_app_jwt.to_dict(), current_consumer_jws.to_dict()]


@pytest.fixture(scope="module")
def consumers() -> Issuer:
    """The service that signs ConsumerJWSs: its key is not the vendor's."""
    return Issuer(signing_key(owner="consumers"), kid="consumers-1", account_id=TENANT)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the blocks of docs/claims.rst define."""
    folder = tmp_path_factory.mktemp("page")
    write_files(files_of("docs/claims.rst"), folder)
    return runpy.run_path(str(folder / "page.py"))


def token_of(
    vendor: Vendor,
    claims: Claims,
    now: int,
    header: Claims | None = None,
    signed_by: Signer | None = None,
) -> str:
    """Return a token of *vendor* with these *claims*, and the times that all vendors have."""
    times = {"iss": vendor.iss, "iat": now, "exp": now + 3600}
    moved = {name: now for name in ("nbf", "auth_time") if name in claims}
    return (signed_by or signer()).sign({**times, **claims, **moved}, header or vendor.header)


class Stage:
    """An app with the settings of the page, and the tokens of a vendor, whose keys are served."""

    def __init__(self, vendor: Vendor, server: KeySetServer, consumers: Issuer) -> None:
        self.vendor, self.server, self.consumers = vendor, server, consumers
        self.now = int(consumers.clock())

    def make_app(self, name: str, page: dict[str, Any], **settings: Any) -> None:
        """Make the app, whose keys are those of this stage."""
        app = Flask("an_app")
        app.config.update(page[name].config)
        app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = self.server.url
        app.config["CONNECTOR_AUTH_CONSUMER_JWS_KEYS"] = self.consumers.key_set()
        app.config.update({f"CONNECTOR_AUTH_{key}": value for key, value in settings.items()})
        connector_auth = ConnectorAuth()
        check = page[f"{name}_check"]
        connector_auth.claim_check(token="app_jwt", claims_only=True)(check)
        connector_auth.init_app(app)
        add_view(app)
        self.client = ConnectorClient(app, self.consumers)

    def token(
        self, claims: Claims, header: Claims | None = None, signer: Signer | None = None
    ) -> str:
        """Return a token with these *claims* and the times that all vendors have."""
        return token_of(self.vendor, claims, self.now, header, signer)

    def get(self, token: str, **sent: Any) -> Any:
        """Return the answer to a request with *token* as AppJWT."""
        return self.client.get(URL, app_jwt=token, **sent)


@pytest.fixture(params=VENDORS)
def stage(
    request: pytest.FixtureRequest, page: dict[str, Any], consumers: Issuer
) -> Iterator[Stage]:
    """One for each vendor."""
    with stage_of(request.param, page, consumers) as made:
        yield made


@contextmanager
def stage_of(
    name: str, page: dict[str, Any], consumers: Issuer, **settings: Any
) -> Iterator[Stage]:
    """Serve the keys of the vendor of that *name*, and yield its stage."""
    vendor = VENDORS[name]
    # Keycloak publishes its key for encryption in the same set.
    encrypting = {**plain_key(signer("enc-1")), "use": "enc", "alg": "RSA-OAEP"}
    keys = [vendor.key(signer()), *([encrypting] if vendor is KEYCLOAK else [])]
    with KeySetServer({"keys": keys}) as server:
        stage = Stage(vendor, server, consumers)
        stage.make_app(name, page, **settings)
        yield stage


def test_an_app_token_of_the_vendor_passes(stage: Stage) -> None:
    """docs/claims.rst: account, install and scopes are the claims of the table."""
    vendor = stage.vendor
    app_jwt, consumer_jws = stage.get(stage.token(vendor.app_token)).json
    claims = vendor.app_token
    assert app_jwt["account_id"] == TENANT
    assert app_jwt["install_id"] in (claims.get("azp"), claims.get("client_id"), claims.get("cid"))
    assert (set(app_jwt["scopes"]), app_jwt["issuer"]) == (vendor.scopes, vendor.iss)
    assert consumer_jws["account_id"] == TENANT
    assert len(stage.server.requests) == 1


def test_an_id_token_is_refused(stage: Stage, refusals: list[Reason | str]) -> None:
    """docs/claims.rst: by its type at Keycloak, for want of the app elsewhere (OpenID Connect Core
    section 2), though it has the account and a good signature."""
    vendor = stage.vendor
    assert_row(stage.get(stage.token(vendor.id_token, vendor.id_header)), 40102)
    by_type = vendor is KEYCLOAK
    assert refusals == [Reason.BAD_PARAMETER if by_type else Reason.MISSING_CLAIM]


def test_the_users_tokens_are_no_consumer_jws(stage: Stage, refusals: list[Reason | str]) -> None:
    """docs/claims.rst: the ConsumerJWS is signed by a service of one's own."""
    vendor = stage.vendor
    app_jwt = stage.token(vendor.app_token)
    tokens = [
        stage.token(vendor.user_token, {**vendor.header, "typ": OMIT}),
        stage.token(vendor.id_token, vendor.id_header),
    ]
    for token in tokens:
        assert_row(stage.get(app_jwt, consumer_jws=token), 40103)
    assert refusals == [Reason.UNKNOWN_KEY] * 2
    assert stage.get(app_jwt).status_code == 200


def test_the_consumer_jws_is_no_app_token(stage: Stage, refusals: list[Reason | str]) -> None:
    """RFC 8725 section 3.12: each type of token has keys of its own here."""
    assert_row(stage.get(stage.consumers.consumer_jws(iss=stage.vendor.iss, iat=1)), 40102)
    typed = stage.vendor is KEYCLOAK
    assert refusals == [Reason.BAD_PARAMETER if typed else Reason.UNKNOWN_KEY]


def test_a_token_without_the_account_is_refused(stage: Stage, refusals: list[Reason | str]) -> None:
    """docs/claims.rst: as long as the mapper, the claim or the trigger is not there."""
    claim = "tid" if stage.vendor is ENTRA else "tenant"
    assert_row(stage.get(stage.token({**stage.vendor.app_token, claim: OMIT})), 40102)
    assert_row(stage.get(stage.token({**stage.vendor.app_token, claim: "another"})), 40102)
    assert refusals == [Reason.MISSING_CLAIM, Reason.WRONG_ACCOUNT]


def test_a_token_of_another_issuer_of_the_vendor_is_refused(
    stage: Stage, refusals: list[Reason | str]
) -> None:
    """RFC 8725 section 3.8: another realm, tenant, pool or server, even with the same key."""
    for iss in (f"{stage.vendor.iss}/", stage.vendor.iss.rpartition("/")[0] + "/another"):
        assert_row(stage.get(stage.token({**stage.vendor.app_token, "iss": iss})), 40102)
    assert refusals == [Reason.WRONG_ISSUER] * 2


@pytest.mark.parametrize(
    "audience",
    ["another-api", ["another-api"], [], None, OMIT],
    ids=["another", "a list", "an empty list", "null", "none"],
)
def test_a_token_for_another_service_is_refused(
    stage: Stage, audience: Any, refusals: list[Reason | str]
) -> None:
    """RFC 8725 section 3.9: by the function of the page, since no setting reads ``aud`` here; of a
    pool of Cognito, by the scopes."""
    claims = {**stage.vendor.app_token, "aud": audience}
    expected: Reason | str = "wrong_audience"
    if stage.vendor is COGNITO:
        claims |= {"aud": OMIT, "scope": "another-api/msg.consumer"}
        expected = Reason.MISSING_SCOPE
    assert_row(stage.get(stage.token(claims)), 40102)
    assert refusals == [expected]


def test_what_a_user_has_granted_is_what_scp_says(page: dict[str, Any], consumers: Issuer) -> None:
    """docs/claims.rst, Microsoft Entra ID: the roles of the user are no scopes of the app."""
    with stage_of("entra", page, consumers) as stage:
        app_jwt, _ = stage.get(stage.token(ENTRA.user_token)).json
        assert app_jwt["scopes"] == ["msg.consumer", "msg.read"]


def test_a_token_of_version_1_is_refused(
    page: dict[str, Any], consumers: Issuer, refusals: list[Reason | str]
) -> None:
    """docs/claims.rst, Microsoft Entra ID: ``appid`` in place of ``azp``, and another ``iss``."""
    with stage_of("entra", page, consumers) as stage:
        iss = f"https://sts.windows.net/{TENANT}/"
        old = {**ENTRA.app_token, "iss": iss, "ver": "1.0", "azp": OMIT, "appid": APP}
        assert_row(stage.get(stage.token(old)), 40102)
        assert_row(stage.get(stage.token({**ENTRA.app_token, "iss": iss})), 40102)
    assert refusals == [Reason.MISSING_CLAIM, Reason.WRONG_ISSUER]


def test_a_refresh_token_of_keycloak_is_refused(
    page: dict[str, Any], consumers: Issuer, refusals: list[Reason | str]
) -> None:
    """docs/claims.rst, Keycloak: it is signed with a secret of the realm, by HS512."""
    secret = Signer(OctKey.generate_key(512), kid="realm-secret", algorithm="HS512")
    with stage_of("keycloak", page, consumers) as stage:
        claims = {**KEYCLOAK.user_token, "typ": "Refresh", "aud": KEYCLOAK.iss}
        assert_row(stage.get(stage.token(claims, {"typ": "JWT"}, secret)), 40102)
    assert refusals == [Reason.BAD_ALGORITHM]


def test_keycloak_without_the_type_of_access_tokens(
    page: dict[str, Any], consumers: Issuer, refusals: list[Reason | str]
) -> None:
    """docs/claims.rst, Keycloak: an ID token with the account has all claims of an AppJWT; its
    ``aud`` is the app that the user has signed in to."""
    plain = {"typ": "JWT"}
    with stage_of("keycloak", page, consumers) as stage:
        assert_row(stage.get(stage.token(KEYCLOAK.app_token, plain)), 40102)
    with stage_of("keycloak", page, consumers, APP_JWT_TYPES=["JWT"]) as stage:
        assert stage.get(stage.token(KEYCLOAK.app_token, plain)).status_code == 200
        id_token = {**KEYCLOAK.id_token, "scope": "msg.consumer"}
        assert_row(stage.get(stage.token(id_token, plain)), 40102)
    assert refusals == [Reason.BAD_PARAMETER, "wrong_audience"]


def test_a_second_token_of_the_vendor_is_no_consumer_jws(
    page: dict[str, Any], consumers: Issuer, refusals: list[Reason | str]
) -> None:
    """docs/claims.rst: a user's access token has the app and scopes, as an AppJWT does; and where
    ``sub`` is the consumer, each access token names one."""
    claims = {"account_id": "tenant", "ext_consumer_id": "sid", "lp_consumer_id": "session_state"}
    settings = {"CONSUMER_JWS_KEYS": None, "CONSUMER_JWS_CLAIMS": claims}
    with stage_of("keycloak", page, consumers, **settings) as stage:
        app_jwt = stage.token(KEYCLOAK.app_token)
        user_token = {**KEYCLOAK.user_token, "session_state": "1"}
        sent = stage.token(user_token, {"typ": "JWT"})
        assert_row(stage.get(app_jwt, consumer_jws=sent), 40103)
        bare = {name: user_token[name] for name in ("tenant", "sid", "session_state")}
        sent = stage.token(bare, {"typ": "JWT"})
        assert stage.get(app_jwt, consumer_jws=sent).status_code == 200
    settings["CONSUMER_JWS_CLAIMS"] = {"account_id": "tenant", "ext_consumer_id": "sub"}
    with stage_of("keycloak", page, consumers, **settings) as stage:
        assert_row(stage.get(stage.token(KEYCLOAK.app_token)), 40102)
    assert refusals == [Reason.WRONG_TYPE] * 2


def test_an_access_token_of_cognito_says_so(
    page: dict[str, Any], consumers: Issuer, refusals: list[Reason | str]
) -> None:
    """docs/claims.rst, Amazon Cognito: ``token_use``; and the token of a user lacks the scope."""
    with stage_of("cognito", page, consumers) as stage:
        assert_row(stage.get(stage.token({**COGNITO.app_token, "token_use": "id"})), 40102)
        assert_row(stage.get(stage.token(COGNITO.user_token)), 40102)
    assert refusals == ["wrong_use", Reason.MISSING_SCOPE]


def test_a_token_of_the_org_authorization_server_is_refused(
    page: dict[str, Any], consumers: Issuer, refusals: list[Reason | str]
) -> None:
    """docs/claims.rst, Okta: its ``iss`` is the organization's URL."""
    with stage_of("okta", page, consumers) as stage:
        org = "https://shop.okta.com"
        assert_row(stage.get(stage.token({**OKTA.app_token, "iss": org, "aud": org})), 40102)
    assert refusals == [Reason.WRONG_ISSUER]


def test_all_four_in_one_app(page: dict[str, Any], refusals: list[Reason | str]) -> None:
    """docs/issuers.rst: each has its settings, keys and checks, though all keys have one ``kid``,
    and all tokens one account; no token is good with the ``iss`` of another."""
    own_keys = ("CONNECTOR_AUTH_APP_JWT_KEYS", "CONNECTOR_AUTH_CONSUMER_JWS_KEYS")
    app, connector_auth, issuers = Flask("an_app"), ConnectorAuth(), {}
    signers = {name: Signer(signing_key(owner=name), kid="vendor-1") for name in VENDORS}
    consumers = {
        name: Issuer(signing_key("ES256", name), algorithm="ES256", account_id=TENANT)
        for name in VENDORS
    }
    with ExitStack() as stack:
        for name, vendor in VENDORS.items():
            server = stack.enter_context(KeySetServer({"keys": [vendor.key(signers[name])]}))
            settings = {
                key.removeprefix("CONNECTOR_AUTH_"): value
                for key, value in page[name].config.items()
                if key.startswith("CONNECTOR_AUTH_") and key not in own_keys
            }
            issuer = settings.pop("ISSUER")
            issuers[issuer] = settings | {
                "APP_JWT_KEYS": server.url,
                "CONSUMER_JWS_KEYS": consumers[name].key_set(),
                "CONSUMER_JWS_ALGORITHMS": ["ES256"],
            }
            connector_auth.claim_check(token="app_jwt", issuer=vendor.iss)(page[f"{name}_check"])
        app.config["CONNECTOR_AUTH_ISSUERS"] = issuers
        connector_auth.init_app(app)
        add_view(app)
        client = app.test_client()

        def get(claimed: str, signed_by: str, consumer: str) -> Any:
            vendor, now = VENDORS[claimed], int(consumers[consumer].clock())
            token = token_of(vendor, vendor.app_token, now, None, signers[signed_by])
            sent = {"Authorization": token, "X-LP-ON-BEHALF": consumers[consumer].consumer_jws()}
            return client.get(URL, headers=sent)

        for name, vendor in VENDORS.items():
            assert [each["issuer"] for each in get(name, name, name).json] == [vendor.iss] * 2
            for other in VENDORS.keys() - {name}:
                assert_row(get(name, other, name), 40102)
                assert_row(get(name, name, other), 40103)
    assert refusals == [Reason.BAD_SIGNATURE] * 24


def test_two_vendors_with_one_signing_service(
    page: dict[str, Any], refusals: list[Reason | str]
) -> None:
    """docs/claims.rst: the page's settings and checks; ``iss`` tells whose ConsumerJWS it is."""
    app, vendors, other = Flask("an_app"), {"keycloak": KEYCLOAK, "entra": ENTRA}, "another-api"
    signers = {name: Signer(signing_key(owner=name), kid="vendor-1") for name in vendors}
    service = Issuer(
        signing_key(owner="consumers"), account_id=TENANT, consumer_claims={"issuer": "iss"}
    )
    now = int(service.clock())
    with ExitStack() as stack:
        servers = [
            stack.enter_context(KeySetServer(keys))
            for keys in (
                service,
                *({"keys": [vendors[name].key(signers[name])]} for name in vendors),
            )
        ]
        issuers = page["two_vendors"].config["CONNECTOR_AUTH_ISSUERS"]
        assert [*issuers] == [vendor.iss for vendor in vendors.values()]
        app.config.update(page["two_vendors"].config)
        app.config["CONNECTOR_AUTH_CONSUMER_JWS_KEYS"] = servers[0].url
        app.config["CONNECTOR_AUTH_ISSUERS"] = {
            iss: {**own, "APP_JWT_KEYS": server.url}
            for (iss, own), server in zip(issuers.items(), servers[1:], strict=True)
        }
        page["connector_auth"].init_app(app)  # with the checks of the page
        add_view(app)
        client = app.test_client()

        def get(name: str, iss: Any, **claims: Any) -> Any:
            vendor = vendors[name]
            token = token_of(vendor, {**vendor.app_token, **claims}, now, None, signers[name])
            consumer_jws = service.consumer_jws(iss=iss)
            sent = {"Authorization": token, "X-LP-ON-BEHALF": consumer_jws}
            return client.get(URL, headers=sent)

        for name, another in (("keycloak", ENTRA), ("entra", KEYCLOAK)):
            iss = vendors[name].iss
            assert [each["issuer"] for each in get(name, iss).json] == [iss] * 2
            assert_row(get(name, another.iss), 40103)
            assert_row(get(name, OMIT), 40103)
            assert_row(get(name, iss, aud=other), 40102)
            assert_row(get(name, iss, aud=another.app_token["aud"]), 40102)
    own = [Reason.WRONG_ISSUER, Reason.MISSING_CLAIM, *["wrong_audience"] * 2]
    assert refusals == own * 2


def test_the_key_sets_have_the_documented_members() -> None:
    """RFC 7517 section 4: as the vendors' pages show them."""
    made = {name: {*vendor.key(signer())} for name, vendor in VENDORS.items()}
    plain = {"alg", "e", "kid", "kty", "n", "use"}
    assert made["cognito"] == made["okta"] == plain
    assert made["keycloak"] == plain | {"x5c", "x5t", "x5t#S256"}
    extra = {"x5c", "x5t", "issuer", "cloud_instance_name"}
    assert made["entra"] == plain - {"alg"} | extra
