"""Several issuers in one app: the nine cells for each, and no token of one passes as the other's.

Both issuers use the same ``kid``, account, install id and consumer ids: only ``iss`` and the keys
tell them apart.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_connector_auth import (
    ConnectorAuth,
    KeySource,
    Reason,
    Unavailable,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing import OMIT, Issuer, KeySetServer
from tests.support.floor_helpers import cases, issuer_of
from tests.support.http_helpers import ACCOUNT, assert_row, headers
from tests.support.types import MakeApp

A, B, UNKNOWN = "https://a.example", "https://b.example", "https://c.example"


def made(name: str, **settings: Any) -> Issuer:
    """Return the issuer of that name, with a key of its own under the common ``kid``."""
    return issuer_of(owner=name, name=name, **settings)


ISSUERS = {name: made(name) for name in (A, B)}
STRANGER = made(UNKNOWN)


@pytest.fixture(params=["remembered", "new"])
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> Flask:
    """An app that accepts the tokens of both, with and without a cache."""
    settings: dict[str, Any] = {} if request.param == "remembered" else {"CACHE_SIZE": 0}
    trusted = {name: {"APP_JWT_KEYS": issuer.key_set()} for name, issuer in ISSUERS.items()}
    app = make_app(clock=ISSUERS[A].clock, ISSUERS=trusted, **settings)

    @app.get("/<account_id>/both")
    @require_app_jwt(scopes="msg.consumer")
    @require_consumer_jws
    def both(account_id: str) -> dict[str, str]:
        return {"app": current_app_jwt.issuer, "consumer": current_consumer_jws.issuer}

    @app.get("/consumer")
    @require_consumer_jws
    def consumer() -> dict[str, str]:
        return {"consumer": current_consumer_jws.issuer}

    @app.get("/call")
    def call() -> dict[str, str]:
        identity = verify_request()
        return {"app": identity.app_jwt.issuer, "consumer": identity.consumer_jws.issuer}

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of that app."""
    return app.test_client()


PATHS = (f"/{ACCOUNT}/both", "/call")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ISSUERS)
def test_the_nine_cells_hold_for_each_issuer(name: str, path: str, client: FlaskClient) -> None:
    """Decision 0002: a token of the other issuer, or of an unknown one, is an invalid one."""
    [other] = ISSUERS.keys() - {name}
    ours, theirs = ISSUERS[name], ISSUERS[other]
    apps: dict[str, list[str | None]] = {
        "missing": [None],
        "invalid": [STRANGER.app_jwt(), STRANGER.app_jwt(iss=name), theirs.app_jwt(iss=name)],
        "valid": [ours.app_jwt()],
    }
    consumers: dict[str, list[str | None]] = {
        "missing": [None],
        "invalid": [
            *(theirs.consumer_jws(), theirs.consumer_jws(iss=name), theirs.consumer_jws(iss=other)),
            *(ours.consumer_jws(iss=other), STRANGER.consumer_jws()),
        ],
        "valid": [ours.consumer_jws(), ours.consumer_jws(iss=name)],
    }
    rows = {"missing": 40105, "invalid": 40102}
    consumer_rows = {"missing": 40104, "invalid": 40103}
    # Twice, so that the second time may find what the first one remembers.
    for app_jwt, consumer_jws, _ in product(apps, consumers, range(2)):
        for texts in product(apps[app_jwt], consumers[consumer_jws]):
            response = client.get(path, headers=headers(*texts))
            row = rows.get(app_jwt, consumer_rows.get(consumer_jws))
            if row is None:
                assert response.json == {"app": name, "consumer": name}
            else:
                assert_row(response, row)


def test_a_consumer_jws_seen_with_one_issuer_is_no_token_of_another(client: FlaskClient) -> None:
    """Row 40103: whatever was remembered of it before."""
    a, b = ISSUERS[A], ISSUERS[B]
    for first, second in ((a, b), (b, a)):
        texts = first.app_jwt(), first.consumer_jws()
        assert client.get("/call", headers=headers(*texts)).status_code == 200
        assert_row(client.get("/call", headers=headers(second.app_jwt(), texts[1])), 40103)
        assert client.get("/call", headers=headers(*texts)).status_code == 200


@cases(
    ("token", "row"),
    {
        "both have its kid": (lambda: ISSUERS[A].consumer_jws(), 40103),
        "it names its issuer": (lambda: ISSUERS[A].consumer_jws(iss=A), None),
        "it names another": (lambda: ISSUERS[A].consumer_jws(iss=B), 40103),
        "it names an unknown one": (lambda: ISSUERS[A].consumer_jws(iss=UNKNOWN), 40103),
        "an AppJWT": (lambda: ISSUERS[A].app_jwt(), 40103),
    },
)
def test_a_consumer_jws_alone(
    token: Callable[[], str], row: int | None, client: FlaskClient
) -> None:
    """docs/issuers.rst: of the issuer that it names, else of the only one that has its ``kid``."""
    response = client.get("/consumer", headers=headers(None, token()))
    if row is None:
        assert response.json == {"consumer": A}
    else:
        assert_row(response, row)


@cases(
    ("claims", "own", "settings"),
    {
        "without iss": ({}, B, {}),
        "with iss": ({"iss": A}, 40103, {}),
        "iss required": ({"iss": A}, 40103, {"CONSUMER_JWS_CLAIMS": {"issuer": "iss"}}),
    },
)
def test_a_public_key_that_a_hostile_issuer_publishes_again(
    claims: Any, own: Any, settings: Any, make_app: MakeApp
) -> None:
    """docs/issuers.rst: without ``iss`` a ConsumerJWS can pass as one of the hostile issuer, and
    never the other way round; with ``iss`` it is of that issuer alone."""
    good, hostile = made(A, kid="a"), made(B, kid="b")
    published = {"keys": [key for each in (good, hostile) for key in each.key_set()["keys"]]}
    with KeySetServer(good) as server, KeySetServer(published) as server_of_b:
        trusted = {A: {"APP_JWT_KEYS": server.url}, B: {"APP_JWT_KEYS": server_of_b.url}}
        app = make_app(clock=good.clock, ISSUERS=trusted, **settings)

        @app.get("/")
        @require_app_jwt
        @require_consumer_jws
        def both() -> dict[str, str]:
            return {"consumer": current_consumer_jws.issuer}

        @app.get("/consumer")
        @require_consumer_jws
        def consumer() -> dict[str, str]:
            return {"consumer": current_consumer_jws.issuer}

        client, token = app.test_client(), good.consumer_jws(**claims)
        response = client.get("/", headers=headers(hostile.app_jwt(), token))
        if own is B:
            assert response.json == {"consumer": B}
            # As long as the keys of the other issuer are not at hand.
            assert client.get("/consumer", headers=headers(None, token)).json == {"consumer": B}
        else:
            assert_row(response, own)
        assert client.get("/", headers=headers(good.app_jwt(), token)).json == {"consumer": A}
        forged = hostile.consumer_jws(**claims)
        assert_row(client.get("/", headers=headers(good.app_jwt(), forged)), 40103)
        another = good.consumer_jws(**claims, jti="2")  # which is not remembered
        response = client.get("/consumer", headers=headers(None, another))
        if own is B:
            assert_row(response, 40103)  # two issuers have its key
        else:
            assert response.json == {"consumer": A}


SERVICE = made("https://consumers.example")


@pytest.fixture
def by_service(make_app: MakeApp) -> FlaskClient:
    """A client of an app whose ConsumerJWSs, those of both issuers, are signed by a service."""
    app = make_app(
        clock=ISSUERS[A].clock,
        ISSUERS={name: {"APP_JWT_KEYS": issuer.key_set()} for name, issuer in ISSUERS.items()},
        CONSUMER_JWS_KEYS=SERVICE.key_set(),
        CONSUMER_JWS_CLAIMS={"issuer": "iss"},
    )
    app.add_url_rule("/", "index", lambda: {"of": verify_request().consumer_jws.issuer})
    app.add_url_rule(
        "/alone", "alone", require_consumer_jws(lambda: {"of": current_consumer_jws.issuer})
    )
    return app.test_client()


@cases(
    ("app_jwt", "signer", "claims", "of"),
    {
        "of A": (A, SERVICE, {"iss": A}, A),
        "of B": (B, SERVICE, {"iss": B}, B),
        "of B beside A": (A, SERVICE, {"iss": B}, None),
        "without iss": (A, SERVICE, {}, None),
        "by the vendor": (A, ISSUERS[A], {"iss": A}, None),
        "alone, of A": (None, SERVICE, {"iss": A}, A),
        "alone, of B": (None, SERVICE, {"iss": B}, B),
        "alone, of the service": (None, SERVICE, {"iss": SERVICE.name}, None),
        "alone, without iss": (None, SERVICE, {}, None),
        "alone, by the vendor": (None, ISSUERS[A], {"iss": A}, None),
    },
)
def test_one_key_for_the_consumers_of_both(
    by_service: FlaskClient, app_jwt: str | None, signer: Issuer, claims: Any, of: str | None
) -> None:
    """docs/settings.rst: each ConsumerJWS names its issuer, and passes as that of no other; the
    keys of the AppJWTs do not verify it.
    """
    text, first = signer.consumer_jws(**claims), app_jwt and ISSUERS[app_jwt].app_jwt()
    for _ in ("new", "remembered"):
        response = by_service.get("/" if first else "/alone", headers=headers(first, text))
        if of:
            assert response.json == {"of": of}
        else:
            assert_row(response, 40103)


def test_a_token_of_the_service_is_no_app_jwt(by_service: FlaskClient) -> None:
    """Its key verifies ConsumerJWSs alone."""
    for name in (A, B):
        stranger = SERVICE.app_jwt(iss=name)
        consumer = SERVICE.consumer_jws(iss=name)
        assert_row(by_service.get("/", headers=headers(stranger, consumer)), 40102)


def test_a_key_for_the_app_of_one_and_the_consumers_of_another(make_app: MakeApp) -> None:
    """RFC 8725 section 3.12: with ``iss`` required, no token passes as what it is not."""
    a, b = ISSUERS[A], ISSUERS[B]
    app = make_app(
        clock=a.clock,
        ISSUERS={
            A: {"APP_JWT_KEYS": a.key_set(), "CONSUMER_JWS_KEYS": SERVICE.key_set()},
            B: {
                "APP_JWT_KEYS": b.key_set(),
                "CONSUMER_JWS_KEYS": a.key_set(),
                "CONSUMER_JWS_CLAIMS": {"issuer": "iss"},
            },
        },
    )
    app.add_url_rule("/", "index", lambda: {"of": verify_request().consumer_jws.issuer})
    client = app.test_client()
    of_a, of_b = SERVICE.consumer_jws(), a.consumer_jws(iss=B)
    assert client.get("/", headers=headers(a.app_jwt(), of_a)).json == {"of": A}
    assert client.get("/", headers=headers(b.app_jwt(), of_b)).json == {"of": B}
    for app_jwt, consumer, row in (
        (a.app_jwt(), of_b, 40103),
        (a.app_jwt(), a.consumer_jws(iss=A), 40103),
        (b.app_jwt(), of_a, 40103),
        (b.app_jwt(), a.consumer_jws(), 40103),
        (b.app_jwt(), a.app_jwt(), 40103),
        (of_b, of_b, 40102),
        (a.app_jwt(iss=B), of_b, 40102),
    ):
        assert_row(client.get("/", headers=headers(app_jwt, consumer)), row)


def test_one_issuer_stays_as_it_is(make_app: MakeApp) -> None:
    """``iss`` of a ConsumerJWS is not read where there is one issuer: protocol page."""
    only = made("Sentinel")
    app = make_app(clock=only.clock, APP_JWT_KEYS=only.key_set())

    @app.get("/")
    @require_app_jwt
    @require_consumer_jws
    def view() -> dict[str, str]:
        return {"app": current_app_jwt.issuer, "consumer": current_consumer_jws.issuer}

    texts = only.app_jwt(), only.consumer_jws(iss="whoever")
    response = app.test_client().get("/", headers=headers(*texts))
    assert response.json == {"app": "Sentinel", "consumer": "Sentinel"}


def test_the_audience_and_the_lifetime_of_an_issuer_are_its_own(make_app: MakeApp) -> None:
    """Row 40102: AUDIENCE and MAX_LIFETIME of one issuer do not hold for the other."""
    trusted = {
        A: {"APP_JWT_KEYS": ISSUERS[A].key_set(), "AUDIENCE": "le1", "MAX_LIFETIME": 60},
        B: {"APP_JWT_KEYS": ISSUERS[B].key_set()},
    }
    app = make_app(clock=ISSUERS[A].clock, ISSUERS=trusted, MAX_LIFETIME=7200)
    app.add_url_rule("/", "view", require_app_jwt(lambda: "seen"))
    app.add_url_rule("/on-behalf", "other", require_consumer_jws(lambda: "seen"))
    client, now = app.test_client(), int(ISSUERS[A].clock())

    def row(name: str, **claims: Any) -> int | None:
        response = client.get("/", headers=headers(ISSUERS[name].app_jwt(**claims)))
        return None if response.status_code == 200 else response.json["body"]["errorCode"]

    assert row(A, aud="le1", exp=now + 60) is None
    assert row(A, aud="le2", exp=now + 60) == row(A, aud="le1", exp=now + 61) == 40102
    assert row(B, aud="le2", exp=now + 7200) is None
    assert row(B, exp=now + 7201) == 40102
    for name, account, status in ((A, "le1", 200), (A, "le2", 401), (B, "le2", 200)):
        text = ISSUERS[name].consumer_jws(account_id=account, iss=name)
        assert client.get("/on-behalf", headers=headers(None, text)).status_code == status


class Unreached(KeySource):
    """Keys that cannot be had."""

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Have none."""
        raise Unavailable(Reason.KEYS_UNAVAILABLE)

    def health(self) -> dict[str, Any]:
        """Not ready."""
        return {"ready": False}


@cases(
    ("unreached", "status"),
    {"none": ((), 200), "one": ((B,), 200), "both": ((A, B), 503)},
)
def test_an_outage_of_one_issuer_is_its_own(
    unreached: tuple[str, ...], status: int, make_app: MakeApp
) -> None:
    """Row 50301 for its tokens alone; the app is ready as long as one issuer's are verified."""
    trusted = {
        name: {"APP_JWT_KEYS": Unreached() if name in unreached else issuer.key_set()}
        for name, issuer in ISSUERS.items()
    }
    app = make_app(clock=ISSUERS[A].clock, ISSUERS=trusted)
    app.add_url_rule("/", "view", require_app_jwt(lambda: "seen"))
    app.register_blueprint(ConnectorAuth().health_blueprint())
    client = app.test_client()
    assert client.get("/health").status_code == status
    for name, issuer in ISSUERS.items():
        response = client.get("/", headers=headers(issuer.app_jwt()))
        if name in unreached:
            assert_row(response, 50301)
        else:
            assert response.status_code == 200


# Claim names and types

TENANT = {"account_id": "tenant", "install_id": "sub", "scopes": ["scp", "scope"]}
PERSON = {"account_id": "tenant", "ext_consumer_id": "email", "lp_consumer_id": "oid"}


def renamed_app(make_app: MakeApp, **settings: Any) -> FlaskClient:
    """Return a client of an app whose second issuer has names and types of its own."""
    theirs = {
        "APP_JWT_KEYS": ISSUERS[B].key_set(),
        "APP_JWT_CLAIMS": TENANT,
        "CONSUMER_JWS_CLAIMS": PERSON,
        "APP_JWT_TYPES": ["at+jwt"],
        **settings,
    }
    trusted = {A: {"APP_JWT_KEYS": ISSUERS[A].key_set()}, B: theirs}
    app = make_app(clock=ISSUERS[A].clock, ISSUERS=trusted)

    @app.get("/<account_id>")
    @require_app_jwt(scopes="msg.consumer")
    @require_consumer_jws
    def view(account_id: str) -> dict[str, Any]:
        return {
            "app": [current_app_jwt.install_id, *sorted(current_app_jwt.scopes)],
            "consumer": [current_consumer_jws.ext_consumer_id, current_consumer_jws.lp_consumer_id],
        }

    return app.test_client()


def kit(**settings: Any) -> Issuer:
    """Return the second issuer, which writes those names."""
    names = {"claims": TENANT, "consumer_claims": PERSON, "type": "at+jwt", **settings}
    return made(B, **names)


@cases(
    ("claims", "scopes"),
    {
        "a string": ({"scp": "a msg.consumer"}, ["a", "msg.consumer"]),
        "a list": ({"scp": ["a", "msg.consumer"]}, ["a", "msg.consumer"]),
        "the second name": ({"scp": OMIT, "scope": "msg.consumer"}, ["msg.consumer"]),
        "the first name wins": ({"scp": "msg.consumer", "scope": "b"}, ["msg.consumer"]),
        "an empty text in a list": ({"scp": ["", "msg.consumer"]}, ["msg.consumer"]),
        "a space in a list": ({"scp": ["a b", "msg.consumer"]}, ["a b", "msg.consumer"]),
    },
)
def test_each_issuer_has_claim_names_and_types_of_its_own(
    claims: Any, scopes: list[str], make_app: MakeApp
) -> None:
    """docs/claims.rst: the names of the token's attributes stay; RFC 9068 section 2.1 for typ."""
    client, theirs = renamed_app(make_app), kit()
    texts = theirs.app_jwt(sub="install-1", **claims), theirs.consumer_jws(email="anna", oid="1")
    response = client.get(f"/{ACCOUNT}", headers=headers(*texts))
    assert response.json == {"app": ["install-1", *scopes], "consumer": ["anna", "1"]}
    ours = ISSUERS[A].app_jwt(), ISSUERS[A].consumer_jws()
    assert client.get(f"/{ACCOUNT}", headers=headers(*ours)).status_code == 200


@cases(
    "token",
    {
        "the protocol's names": lambda: made(B, type="at+jwt").app_jwt(),
        "typ JWT": lambda: kit(type="JWT").app_jwt(),
        "no typ": lambda: kit().sign(kit()._app_jwt_claims({}), {"typ": OMIT}),
        "a list of numbers as scopes": lambda: kit().app_jwt(scp=["msg.consumer", 1]),
        "an object as scopes": lambda: kit().app_jwt(scp={"msg.consumer": True}),
        "a scope in a longer one": lambda: kit().app_jwt(scp=["a msg.consumer"]),
        "an empty account": lambda: kit().app_jwt(tenant=""),
        "two accounts": lambda: kit().app_jwt(tenant=[ACCOUNT, "le2"]),
        "no account": lambda: kit().app_jwt(tenant=OMIT),
        "another account": lambda: kit().app_jwt(tenant="le2"),
        "no install": lambda: kit().app_jwt(sub=OMIT),
        "a claim of a ConsumerJWS": lambda: kit().app_jwt(oid="1"),
        "the other claim of a ConsumerJWS": lambda: kit().app_jwt(email="anna"),
        "a ConsumerJWS": lambda: kit().sign(
            kit()._consumer_jws_claims({"iss": B}), {"typ": "at+jwt"}
        ),
    },
)
def test_what_is_no_app_jwt_by_those_names_is_refused(
    token: Callable[[], str], make_app: MakeApp
) -> None:
    """Row 40102, RFC 8725 section 3.12: the rules that tell the tokens apart follow the names."""
    client = renamed_app(make_app)
    good = kit().app_jwt(), kit().consumer_jws()
    assert client.get(f"/{ACCOUNT}", headers=headers(*good)).status_code == 200
    assert_row(client.get(f"/{ACCOUNT}", headers=headers(token(), good[1])), 40102)


@cases(
    "token",
    {
        "the protocol's names": lambda: made(B).consumer_jws(),
        "a claim of an AppJWT": lambda: kit().consumer_jws(sub="install-1"),
        "the scopes of an AppJWT": lambda: kit().consumer_jws(scp="a"),
        "the scopes of an AppJWT by the second name": lambda: kit().consumer_jws(scope="a"),
        "an AppJWT": lambda: kit(type="JWT").app_jwt(),
        "no consumer": lambda: kit().consumer_jws(oid=OMIT),
        "an account in a list": lambda: kit().consumer_jws(tenant=[ACCOUNT]),
        "typ of an AppJWT": lambda: kit(consumer_type="at+jwt").consumer_jws(),
    },
)
def test_what_is_no_consumer_jws_by_those_names_is_refused(
    token: Callable[[], str], make_app: MakeApp
) -> None:
    """Row 40103, RFC 8725 section 3.12."""
    client = renamed_app(make_app)
    good = kit().app_jwt(), kit().consumer_jws()
    assert client.get(f"/{ACCOUNT}", headers=headers(*good)).status_code == 200
    assert_row(client.get(f"/{ACCOUNT}", headers=headers(good[0], token())), 40103)


def test_names_and_types_hold_for_one_issuer_too(make_app: MakeApp) -> None:
    """docs/claims.rst: at the top level, beside ISSUER."""
    theirs = kit()
    app = make_app(
        clock=theirs.clock,
        ISSUER=B,
        APP_JWT_KEYS=theirs.key_set(),
        APP_JWT_CLAIMS=TENANT,
        CONSUMER_JWS_CLAIMS={**PERSON, "issuer": "iss"},
        APP_JWT_TYPES=["AT+JWT", "application/x"],
    )
    ConnectorAuth().protect(app)
    app.add_url_rule("/", "view", lambda: "seen")
    client = app.test_client()
    pairs = {
        200: (theirs.app_jwt(), theirs.consumer_jws(iss=B)),
        40102: (theirs.sign(theirs._app_jwt_claims({})), theirs.consumer_jws(iss=B)),
        40103: (theirs.app_jwt(), theirs.consumer_jws()),
    }
    for expected, texts in pairs.items():
        response = client.get("/", headers=headers(*texts))
        assert (
            response.status_code == 200
            if expected == 200
            else assert_row(response, expected) is None
        )


def test_an_issuer_that_hangs_keeps_no_token_of_another_waiting(make_app: MakeApp) -> None:
    """docs/issuers.rst: a ConsumerJWS alone, without ``iss``, whose key no issuer has at hand yet:
    all key sets are fetched beside each other, and the first that has its ``kid`` decides."""
    slow, quick, other = (made(f"https://{kid}.example", kid=kid) for kid in "abc")
    with KeySetServer(slow) as server, KeySetServer(quick) as one, KeySetServer(other) as two:
        server.fail("hang")
        urls = {slow: server.url, quick: one.url, other: two.url}
        trusted = {each.name: {"APP_JWT_KEYS": url} for each, url in urls.items()}
        app = make_app(clock=quick.clock, ISSUERS=trusted, JWKS_TIMEOUT=60)

        @app.get("/consumer")
        @require_consumer_jws
        def consumer() -> dict[str, str]:
            return {"consumer": current_consumer_jws.issuer}

        for issuer in (other, quick):
            answer = app.test_client().get(
                "/consumer", headers={"X-LP-ON-BEHALF": issuer.consumer_jws()}
            )
            assert answer.json == {"consumer": issuer.name}
        stranger = made(UNKNOWN, kid="x").consumer_jws()
        answer = app.test_client().get("/consumer", headers={"X-LP-ON-BEHALF": stranger})
        assert_row(answer, 50301)
        ConnectorAuth().close(app)
