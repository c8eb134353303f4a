"""The pages on moving here: each table is held against what both packages really do."""

import inspect
import re
from collections.abc import Callable
from functools import cache
from inspect import iscoroutinefunction
from itertools import pairwise
from textwrap import dedent
from typing import Any, NamedTuple

import flask_httpauth
import flask_jwt_extended
import jwt
import pytest
from authlib.integrations import flask_oauth2
from authlib.integrations.flask_oauth2 import signals
from authlib.oauth2 import rfc6749
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask_httpauth import HTTPTokenAuth
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt_identity,
    jwt_required,
)

import flask_connector_auth
from flask_connector_auth import AppJWT, ConnectorAuth, current_app_jwt, require_app_jwt
from flask_connector_auth.config import SettingsSchema
from flask_connector_auth.integrations.authlib import AppJWTValidator
from flask_connector_auth.testing import OMIT, Issuer, KeySetServer
from flask_connector_auth.web import audit
from tests.support.http_helpers import assert_row, headers
from tests.support.project import PAGES
from tests.support.types import MakeApp

MAIN, AUTHLIB, PYJWT = (f"docs/moving{name}.rst" for name in ("", "_authlib", "_pyjwt"))
RAN = "the view runs"
MESSAGES, GREETING = "/account/le81823118/messages", "/greeting"


def bearer(text: str) -> str:
    """Return the header value that all of them read."""
    return f"Bearer {text}"


#: What the tables call a request: the value of ``Authorization``, and where it is sent.
REQUESTS: dict[str, tuple[Callable[[Issuer], str | None], str]] = {
    "no token": (lambda _: None, MESSAGES),
    "an expired token": (lambda i: bearer(i.broken("expired")), MESSAGES),
    "a token that expired 20 seconds ago": (
        lambda i: bearer(i.app_jwt(exp=int(i.clock()) - 20)),
        MESSAGES,
    ),
    "a forged token": (lambda i: bearer(i.broken("forged")), MESSAGES),
    "a token of another account": (lambda i: bearer(i.broken("wrong_account")), MESSAGES),
    "a token of two accounts": (
        lambda i: bearer(i.app_jwt(aud=[i.account_id, "another"])),
        MESSAGES,
    ),
    "a token without the scope": (lambda i: bearer(i.app_jwt(scope="other")), MESSAGES),
    "a token without ``azp``": (lambda i: bearer(i.broken("missing_claim")), MESSAGES),
    "a refresh token with ``aud`` and ``azp``": (
        lambda i: bearer(i.app_jwt(type="refresh")),
        MESSAGES,
    ),
    "a token without ``exp``": (lambda i: bearer(i.app_jwt(exp=OMIT)), MESSAGES),
    "a token with a claim twice": (lambda i: bearer(i.broken("bad_json")), MESSAGES),
    "a token over 16 KiB": (lambda i: bearer(i.broken("too_large")), MESSAGES),
    "the bare token, without ``Bearer``": (lambda i: i.app_jwt(), MESSAGES),
    "the token behind ``JWT``": (lambda i: f"JWT {i.app_jwt()}", MESSAGES),
    "the token behind ``bearer``": (lambda i: f"bearer {i.app_jwt()}", MESSAGES),
    "the token, and after a comma another scheme": (
        lambda i: f"{bearer(i.app_jwt())}, Basic dTpw",
        MESSAGES,
    ),
    "another scheme": (lambda _: "Basic dTpw", MESSAGES),
    "another scheme, where the token is optional": (lambda _: "Basic dTpw", GREETING),
    "spaces alone, where the token is optional": (lambda _: "  ", GREETING),
    "a forged token, where the token is optional": (
        lambda i: bearer(i.broken("forged")),
        GREETING,
    ),
}


class Ran(NamedTuple):
    """What the examples of a page have made, at the end of one of its sections."""

    apps: list[Flask]  #: before, in between if there is such a state, and after
    issuer: Issuer


def sections(page: str) -> dict[str, str]:
    """Return the sections of *page* by their titles."""
    marks = [*re.finditer(r"^(.+)\n(?:-+|=+)\n", PAGES[page], re.M)]
    ends = pairwise([*(mark.start() for mark in marks), len(PAGES[page])])
    return {mark[1]: PAGES[page][slice(*part)] for mark, part in zip(marks, ends, strict=True)}


@cache
def run(page: str) -> dict[str, Ran]:
    """Run the examples of *page* in order, and return what there is at the end of each section."""
    ran, space = {}, dict[str, Any]()
    for title, text in sections(page).items():
        for block in re.findall(r"^\.\. code-block:: python\n\n((?: +.*\n|\n)+)", text, re.M):
            exec(dedent(block), space)  # noqa: S102
        apps = [space[name] for name in ("old", "between", "new") if name in space]
        for app in apps:
            app.config["PROPAGATE_EXCEPTIONS"] = False
        if apps:
            ran[title] = Ran(apps, space["issuer"])
    return ran


def tables(text: str) -> list[list[list[str]]]:
    """Return the tables of *text*, of both forms: rows of cells, the head first."""
    listed = [
        [
            [" ".join(cell.split()) for cell in row.split("\n     - ")]
            for row in re.split(r"^   \* - ", table.partition("\n\n")[0], flags=re.M)[1:]
        ]
        for table in text.split(".. list-table::\n   :header-rows: 1\n\n")[1:]
    ]
    border = r"^=+(?:  =+)+\n"
    simple = [
        [re.split("  +", line) for line in "".join(parts).splitlines()]
        for parts in re.findall(rf"{border}(.+\n){border}((?:[^=\n].*\n)+){border}", text, re.M)
    ]
    return [*listed, *simple]


def rows(head: str) -> list[Any]:
    """Return page, section and cells of each row of the tables whose first head matches."""
    return [
        pytest.param(page, title, row, id=f"{title}: {row[0]}")
        for page in (MAIN, AUTHLIB, PYJWT)
        for title, text in sections(page).items()
        for (first, *_), *rest in tables(text)
        if re.fullmatch(head, first)
        for row in rest
    ]


AUTHLIB_ERRORS = (
    *("missing_authorization", "unsupported_token_type", "invalid_token", "insufficient_scope"),
)


def told(answer: Any) -> str:
    """Return what a table says of *answer*."""
    if answer.status_code == 200:
        return RAN
    body = answer.get_json(silent=True) or {}
    if "body" in body:
        assert_row(answer, body["body"]["errorCode"])
        return str(body["body"]["errorCode"])
    error, status = body.get("error"), str(answer.status_code)
    return f"{error}, {status}" if error in AUTHLIB_ERRORS else status


@pytest.mark.parametrize(("page", "title", "row"), rows("Request"))
def test_a_request_is_answered_as_the_table_says(page: str, title: str, row: list[str]) -> None:
    """What a client will see of the move, by the example's own apps."""
    apps, issuer = run(page)[title]
    name, *cells = row
    value, url = REQUESTS[name]
    sent, good = headers(value(issuer)), headers(bearer(issuer.app_jwt()))
    assert [told(app.test_client().get(url, headers=sent)) for app in apps] == cells
    assert {told(app.test_client().get(url, headers=good)) for app in apps} == {RAN}


def known(*places: Any) -> set[str]:
    """Return the names that are found in *places*."""
    return {name for place in places for name in (place if isinstance(place, dict) else dir(place))}


def settings_of_jwt_extended() -> dict[str, Any]:
    """Return the settings that the manager gives an app, and the one that is read if set."""
    app = Flask("an_app")
    JWTManager(app)
    return dict(app.config)


THERE = {
    "Flask-JWT-Extended": known(
        *(flask_jwt_extended, JWTManager, settings_of_jwt_extended()),
        dict.fromkeys(("aud", "sub")),
    ),
    "A decorator by hand over PyJWT": known(jwt, {"aud": None}),
    "Flask-HTTPAuth": known(flask_httpauth, HTTPTokenAuth),
    "The names side by side": known(
        *(flask_oauth2, flask_oauth2.ResourceProtector, signals, rfc6749, rfc6749.TokenMixin),
        {"require_oauth": None},
    ),
}
HERE = known(
    *(flask_connector_auth, ConnectorAuth, AppJWT, flask_connector_auth.testing, Issuer),
    {field.data_key: None for field in SettingsSchema().fields.values()},
    dict.fromkeys(("aud", "azp", "exp", "iat", "iss", "jti", "sub", "type", "Sentinel")),
    dict.fromkeys(("error", "reason", "Authorization", "Bearer")),
)


@pytest.mark.parametrize(("page", "title", "row"), rows("Flask-.*|PyJWT|Authlib"))
def test_the_names_in_a_table_are_those_of_the_packages(
    page: str, title: str, row: list[str]
) -> None:
    """A name that is set side by side with another is there, on either side."""
    for cell, names in zip(row, (THERE[title], HERE), strict=True):
        for literal in re.findall(r"``([\w.]+)", cell):
            assert {*literal.split(".")} <= names, literal


def test_the_keywords_in_the_tables_are_those_of_the_functions() -> None:
    """What a literal gives a function by name is one of its parameters."""
    given = re.findall(r"``(\w+)\(([a-z]\w+)=", PAGES[MAIN] + PAGES[PYJWT])
    functions = {
        "decode": jwt.decode,
        "jwt_required": jwt_required,
        "verify_request": flask_connector_auth.verify_request,
        "require_app_jwt": require_app_jwt,
        "HTTPTokenAuth": HTTPTokenAuth,
        "login_required": HTTPTokenAuth.login_required,
    }
    assert {name for name, _ in given} == functions.keys()
    for name, keyword in given:
        assert keyword in inspect.signature(functions[name]).parameters


def test_the_defaults_that_are_shown() -> None:
    """Leeway, issuer and the claim of the identity, there and here."""
    config = settings_of_jwt_extended()
    assert (config["JWT_DECODE_LEEWAY"], config["JWT_DECODE_ISSUER"]) == (0, None)
    assert config["JWT_IDENTITY_CLAIM"] == "sub"
    assert inspect.signature(jwt.decode).parameters["leeway"].default == 0
    fields = SettingsSchema().fields
    assert (fields["leeway"].load_default, fields["issuer"].load_default) == (30, "Sentinel")


SECRET = "a text secret of more than sixty-four bytes, as long as HS512 needs it to be"
#: The claims of an AppJWT that ``create_access_token()`` does not set by itself.
CLAIMS = {"azp": "install-1", "aud": "le81823118"}


def token_of_jwt_extended(
    create: Callable[..., str] = create_access_token,
    algorithm: str = "HS256",
    secret: str = SECRET,
    **options: Any,
) -> str:
    """Return a token that an app on Flask-JWT-Extended issues."""
    app = Flask("login")
    app.config.update(JWT_SECRET_KEY=secret, JWT_ALGORITHM=algorithm, JWT_ENCODE_ISSUER="login")
    JWTManager(app)
    with app.app_context():
        return create("user-1", **{"additional_claims": CLAIMS, **options})


def answer_to(token: str, make_app: MakeApp, **settings: Any) -> Any:
    """Return the answer of an app that verifies by the secret."""
    settings = {"APP_JWT_ALGORITHMS": ["HS256"], "ISSUER": "login", **settings}
    app = make_app(**{"APP_JWT_KEYS": {"secret": SECRET}, **settings})
    app.add_url_rule(
        "/<account_id>", "view", require_app_jwt(lambda account_id: {"who": account_id})
    )
    return app.test_client().get("/le81823118", headers=headers(bearer(token)))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("secret", [SECRET, "é" * 32, f" {SECRET}\n"], ids=["text", "é", "blanks"])
def test_a_token_of_create_access_token_passes(
    algorithm: str, secret: str, make_app: MakeApp
) -> None:
    """docs/moving_tokens.rst: by the same text as secret, and by no other."""
    token = token_of_jwt_extended(algorithm=algorithm, secret=secret)
    settings = {"APP_JWT_ALGORITHMS": [algorithm], "APP_JWT_KEYS": {"secret": secret}}
    assert answer_to(token, make_app, **settings).json == {"who": "le81823118"}
    settings["APP_JWT_KEYS"] = {"secret": f"{secret} "}
    assert_row(answer_to(token, make_app, **settings), 40102)


@pytest.mark.parametrize(
    "options",
    [
        *({"additional_claims": {**CLAIMS, name: None}} for name in CLAIMS),
        *({"additional_claims": {name: CLAIMS[name]}} for name in CLAIMS),
        {"expires_delta": False},
        {"additional_claims": {**CLAIMS, "iss": "Login"}},
        {"additional_claims": {**CLAIMS, "aud": ["le81823118", "le1"]}},
    ],
)
def test_a_token_without_the_claims_of_an_app_jwt_does_not_pass(
    options: Any, make_app: MakeApp
) -> None:
    """docs/moving_tokens.rst, Can you move: row 40102."""
    assert_row(answer_to(token_of_jwt_extended(**options), make_app), 40102)


def test_a_refresh_token_is_kept_out_by_its_lifetime(make_app: MakeApp) -> None:
    """docs/moving_tokens.rst, Keep refresh tokens out: ``type`` is not looked at."""
    access, refresh = map(token_of_jwt_extended, (create_access_token, create_refresh_token))
    bare = token_of_jwt_extended(create_refresh_token, additional_claims={})
    assert answer_to(refresh, make_app).status_code == 200
    assert_row(answer_to(bare, make_app), 40102)
    assert_row(answer_to(refresh, make_app, MAX_LIFETIME=15 * 60), 40102)
    assert answer_to(access, make_app, MAX_LIFETIME=15 * 60).status_code == 200


NAMED = {"account_id": "tenant", "install_id": "sub"}


def test_no_setting_reads_the_claim_type(make_app: MakeApp) -> None:
    """docs/moving.rst, Can you move: a refresh token passes; the pages show the claim check."""
    claims = {"tenant": "le81823118"}
    refresh = token_of_jwt_extended(create_refresh_token, additional_claims=claims)
    assert answer_to(refresh, make_app, APP_JWT_CLAIMS=NAMED).status_code == 200


@pytest.mark.parametrize(
    ("claims", "settings", "passes"),
    [
        ({"tenant": "le81823118", "aud": "shop-api"}, {}, True),
        ({"tenant": "le81823118", "aud": "another-api"}, {}, True),
        ({"tenant": "le81823118"}, {}, True),
        ({"tenant": "le81823118", "aud": "shop-api"}, {"AUDIENCE": "shop-api"}, False),
        ({"tenant": "le81823118", "aud": "shop-api"}, {"AUDIENCE": "le81823118"}, True),
        ({"tenant": 7}, {}, False),
    ],
    ids=["audience", "another", "none", "in_the_setting", "account_in_the_setting", "number"],
)
def test_the_audience_is_not_read_where_the_account_is_another_claim(
    claims: Any, settings: Any, passes: bool, make_app: MakeApp
) -> None:
    """docs/moving.rst, ``JWT_DECODE_AUDIENCE``: AUDIENCE is compared with the account."""
    token = token_of_jwt_extended(additional_claims=claims)
    answer = answer_to(token, make_app, APP_JWT_CLAIMS=NAMED, **settings)
    assert answer.status_code == (200 if passes else 401)


@pytest.mark.parametrize(("audience", "passes"), [("shop-api", True), ("another-api", False)])
def test_an_app_without_accounts(audience: str, passes: bool, make_app: MakeApp) -> None:
    """docs/moving.rst, Can you move: ``aud`` names the API, and ``sub`` the user."""
    token = token_of_jwt_extended(additional_claims={"aud": audience})
    app = make_app(
        APP_JWT_KEYS={"secret": SECRET},
        APP_JWT_ALGORITHMS=["HS256"],
        ISSUER="login",
        APP_JWT_CLAIMS={"install_id": "sub"},
        AUDIENCE="shop-api",
    )
    app.add_url_rule("/", "view", require_app_jwt(lambda: {"who": current_app_jwt.install_id}))
    answer = app.test_client().get("/", headers=headers(bearer(token)))
    assert answer.status_code == (200 if passes else 401)
    assert answer.json.get("who") == ("user-1" if passes else None)


@pytest.mark.parametrize(
    ("role", "status"), [("reader", 200), (["reader"], 200), ("writer", 403), (OMIT, 403), (7, 401)]
)
def test_a_role_as_scope(role: Any, status: int, make_app: MakeApp, issuer: Issuer) -> None:
    """docs/moving.rst, Can you move: one string or a list, and a handler that answers 403."""
    app = make_app(APP_JWT_KEYS=issuer.pem(), APP_JWT_CLAIMS={"scopes": "role"})
    app.add_url_rule("/", "view", require_app_jwt(scopes="reader")(lambda: {}))

    @app.errorhandler(flask_connector_auth.InvalidAppJWT)
    def refuse(error: flask_connector_auth.InvalidAppJWT) -> Any:
        missing = error.reason is flask_connector_auth.Reason.MISSING_SCOPE
        return {}, 403 if missing else 401

    sent = headers(bearer(issuer.app_jwt(role=role)))
    assert app.test_client().get("/", headers=sent).status_code == status


def pem_of_1024_bits() -> str:
    """Return a public RSA key that is too short."""
    key = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        (lambda _: pem_of_1024_bits(), "an RSA key of 1024 bits"),
        (lambda issuer: issuer.pem().encode(), "a key cannot be given as bytes"),
    ],
    ids=["1024_bits", "bytes"],
)
def test_a_public_key_that_is_refused_at_start(
    key: Any, hint: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/moving.rst, Can you move: bytes, and a short RSA key."""
    with pytest.raises(flask_connector_auth.ConfigurationError, match=hint):
        make_app(APP_JWT_KEYS=key(issuer))
    assert make_app(APP_JWT_KEYS=issuer.pem().encode().decode())


@pytest.mark.parametrize(("types", "status"), [(None, 401), (["at+jwt"], 200)])
def test_another_type_in_the_header(types: Any, status: int, make_app: MakeApp) -> None:
    """docs/moving.rst, Can you move: ``typ`` other than JWT is a setting."""
    token = token_of_jwt_extended(additional_headers={"typ": "at+jwt"})
    settings = {"APP_JWT_TYPES": types} if types else {}
    assert answer_to(token, make_app, **settings).status_code == status


def test_a_secret_that_is_too_short_cannot_be_moved(make_app: MakeApp) -> None:
    """RFC 7518 section 3.2: refused at start; so is a bare text, with the form that it needs."""
    for keys, hint in (({"secret": SECRET[:31]}, "shorter than any hash"), (SECRET, '{"secret": ')):
        with pytest.raises(flask_connector_auth.ConfigurationError, match=hint) as caught:
            make_app(APP_JWT_KEYS=keys, APP_JWT_ALGORITHMS=["HS256"])
        assert SECRET[:31] not in str(caught.value)
    assert make_app(APP_JWT_KEYS={"secret": SECRET[:32]}, APP_JWT_ALGORITHMS=["HS256"])


def test_the_secret_and_the_key_after_it_stand_side_by_side(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/moving_tokens.rst: a list of both keys, while the app that issues moves to RS256."""
    settings = {
        "APP_JWT_KEYS": [{"secret": SECRET}, issuer.pem()],
        "APP_JWT_ALGORITHMS": ["HS256", "RS256"],
    }
    for token in (token_of_jwt_extended(), issuer.app_jwt(iss="login")):
        assert answer_to(token, make_app, **settings).status_code == 200
        others = {name: value[::-1] for name, value in settings.items()}
        assert answer_to(token, make_app, **others).status_code == 200


def with_jwt_extended(issuer: Issuer) -> tuple[Flask, Any, Callable[[], Any]]:
    """Return an app with Flask-JWT-Extended, its decorator, and what reads the identity."""
    app = Flask("an_app")
    app.config.update(JWT_ALGORITHM="RS256", JWT_PUBLIC_KEY=issuer.pem(), JWT_IDENTITY_CLAIM="azp")
    JWTManager(app)
    return app, jwt_required(), get_jwt_identity


def with_httpauth(issuer: Issuer) -> tuple[Flask, Any, Callable[[], Any]]:
    """Return an app with Flask-HTTPAuth, its decorator, and what reads the user."""
    auth, options = HTTPTokenAuth("Bearer"), {"verify_aud": False}
    auth.verify_token(
        lambda text: (
            jwt.decode(text, issuer.pem(), algorithms=["RS256"], options=options) if text else None
        )
    )
    return Flask("an_app"), auth.login_required, lambda: auth.current_user()["azp"]


def with_authlib(issuer: Issuer) -> tuple[Flask, Any, Callable[[], Any]]:
    """Return an app with Authlib's protector, its decorator, and what reads the token."""
    protector = flask_oauth2.ResourceProtector()
    protector.register_token_validator(AppJWTValidator())
    app, *_ = with_ours(issuer)
    return app, protector(), lambda: flask_oauth2.current_token["azp"]


def with_ours(issuer: Issuer) -> tuple[Flask, Any, Callable[[], Any]]:
    """Return an app with this package, its decorator, and what reads the identity."""
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    ConnectorAuth(app)
    return app, require_app_jwt, lambda: current_app_jwt.install_id


@pytest.mark.parametrize(
    ("make", "leaks"),
    [(with_jwt_extended, True), (with_httpauth, True), (with_authlib, True), (with_ours, False)],
)
def test_whose_identity_outlives_its_request(make: Any, leaks: bool, issuer: Issuer) -> None:
    """Decision 0001: under a pushed app context, ``g`` shows one caller to the next request."""
    app, protect, identity = make(issuer)

    def open_view() -> Any:
        try:
            return {"who": identity()}
        except RuntimeError:
            return {"who": None}

    app.add_url_rule("/protected", "protected", protect(lambda: {"who": identity()}))
    app.add_url_rule("/open", "open", open_view)
    client, sent = app.test_client(), headers(bearer(issuer.app_jwt(azp="install-1")))
    with app.app_context():
        assert client.get("/protected", headers=sent).json == {"who": "install-1"}
        assert client.get("/open").json == {"who": "install-1" if leaks else None}


@pytest.mark.parametrize(
    ("make", "passes"), [(with_jwt_extended, True), (with_httpauth, True), (with_ours, False)]
)
def test_an_options_that_is_no_preflight(make: Any, passes: bool, issuer: Issuer) -> None:
    """Fetch standard: a preflight has Origin and Access-Control-Request-Method."""
    app, protect, _ = make(issuer)
    app.add_url_rule("/", "view", protect(lambda: "ran"), methods=["GET", "OPTIONS"])
    answer = app.test_client().options("/")
    assert (answer.data == b"ran") is passes
    assert answer.status_code == (200 if passes else 401)
    asked = {"Origin": "https://agent.example", "Access-Control-Request-Method": "GET"}
    assert app.test_client().options("/", headers=asked).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        lambda token: {"query_string": {"jwt": token}},
        lambda token: {"json": {"access_token": token}},
        lambda token: {"headers": {"Cookie": f"access_token_cookie={token}"}},
    ],
    ids=["query", "body", "cookie"],
)
def test_a_token_outside_of_the_headers(sent: Any, issuer: Issuer) -> None:
    """RFC 6750 section 5.3: none here; Flask-JWT-Extended can be told to read it."""
    token, answers = issuer.app_jwt(azp="install-1"), []
    for make in (with_jwt_extended, with_ours):
        app, protect, identity = make(issuer)
        app.config["JWT_TOKEN_LOCATION"] = ["query_string", "json", "cookies"]
        app.config["JWT_COOKIE_CSRF_PROTECT"] = False
        app.add_url_rule("/", "view", protect(identity), methods=["POST"])
        answers.append(app.test_client(use_cookies=False).post("/", **sent(token)))
    assert answers[0].data == b"install-1"
    assert_row(answers[1], 40105)
    assert app.test_client().post("/", headers=headers(token)).data == b"install-1"


def test_an_outage_is_an_error_of_the_token_to_pyjwt(
    key_set_server: KeySetServer, issuer: Issuer
) -> None:
    """Row 50301 here; there an error under the one that decorators answer 401 for."""
    key_set_server.fail("status", status=500)
    token = issuer.app_jwt()
    with pytest.raises(jwt.PyJWTError):
        jwt.PyJWKClient(key_set_server.url).get_signing_key_from_jwt(token)
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = key_set_server.url
    ConnectorAuth(app)
    app.add_url_rule("/", "view", require_app_jwt(lambda: {}))
    assert_row(app.test_client().get("/", headers=headers(token)), 50301)


@pytest.mark.parametrize("make", [with_jwt_extended, with_httpauth, with_authlib])
def test_both_packages_in_one_app(make: Any, issuer: Issuer) -> None:
    """Routes move one at a time: each answers in its own way, and the audit knows what is left."""
    app, protect, identity = make(issuer)
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    if "connector_auth" not in app.extensions:
        ConnectorAuth(app)
    app.add_url_rule("/left", "left", protect(lambda: {"who": identity()}))
    moved = require_app_jwt(lambda: {"who": current_app_jwt.install_id})
    app.add_url_rule("/moved", "moved", moved)
    client, good = app.test_client(), headers(bearer(issuer.app_jwt(azp="install-1")))
    for url in ("/left", "/moved"):
        assert client.get(url, headers=good).json == {"who": "install-1"}
    assert_row(client.get("/moved"), 40105)
    refused = client.get("/left")
    assert refused.status_code == 401
    assert b"errorCode" not in refused.data
    access = {route.rule: route.access for route in audit(app)}
    assert (access["/left"], access["/moved"]) == ("unprotected", "protected")


def test_a_coroutine_function_stays_one_under_our_decorator_only(issuer: Issuer) -> None:
    """Authlib's protector hands a coroutine to Flask, which does not await it."""

    async def view() -> str:
        return "ran"

    _, protect, _ = with_authlib(issuer)
    assert iscoroutinefunction(require_app_jwt(view))
    assert not iscoroutinefunction(protect(view))


def test_the_answers_of_the_other_packages_keep_their_bodies(issuer: Issuer) -> None:
    """Clients know ``msg`` there: a handler for ConnectorAuthError can send it on."""
    app, protect, _ = with_ours(issuer)
    app.register_error_handler(
        flask_connector_auth.ConnectorAuthError, lambda _: ({"msg": "No"}, 401)
    )
    app.add_url_rule("/", "view", protect(lambda: {}))
    old, theirs, _ = with_jwt_extended(issuer)
    old.add_url_rule("/", "view", theirs(lambda: {}))
    answers = [each.test_client().get("/") for each in (app, old)]
    assert [(each.status_code, [*each.json]) for each in answers] == [(401, ["msg"])] * 2
