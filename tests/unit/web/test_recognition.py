"""What recognition costs, when it is used, and when the guard decides."""

import gc
import hashlib
import json
import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import pytest
from flask import Blueprint, Flask, request
from flask.testing import FlaskClient
from flask.views import MethodView
from werkzeug.routing import Rule

from flask_connector_auth import (
    ConnectorAuth,
    KeySource,
    current_app_jwt,
    current_user,
    decorators,
    extension,
    require_app_jwt,
    require_consumer_jws,
    token_verified,
)
from flask_connector_auth.core import decode_base64url
from flask_connector_auth.keys import KeyRules, RemoteKeys, StaticKeys, parse_keys
from flask_connector_auth.revocation import RevocationCache, RevocationSet
from flask_connector_auth.testing import OMIT, Issuer
from flask_connector_auth.testing.key_server import KeySetServer
from flask_connector_auth.verification import TokenCache, authenticator
from flask_connector_auth.web import EXTENSION, guard, recognise, recognition
from tests.support.floor_helpers import NOW, cases
from tests.support.http_helpers import ACCOUNT, assert_row, headers
from tests.support.redis_servers import BINARIES, Server
from tests.support.types import MakeApp

BOTH = (require_app_jwt, require_consumer_jws)
#: After the first request there is a plan, and a lease: of a fetched key set after the next one.
REQUESTS = {"static": 1, "url": 2}


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each request was recognised, oldest first."""
    found: list[bool] = []

    def record(*call: Any) -> bool:
        found.append(recognise(*call))
        return found[-1]

    for module in (decorators, extension):
        monkeypatch.setattr(module, "recognise", record)
    return found


def tokens(issuer: Issuer, **claims: Any) -> dict[str, str]:
    """Return the headers with good tokens."""
    return headers(f"Bearer {issuer.app_jwt(**claims)}", issuer.consumer_jws())


def view(**_view_args: Any) -> dict[str, str]:
    """Tell who calls."""
    return {"app": current_app_jwt.install_id}


def send(client: FlaskClient, sent: dict[str, str], path: str = "/x", times: int = 1) -> int:
    """Send a request some times; return the last status."""
    return [client.get(path, headers=sent).status_code for _ in range(times)][-1]


def decorated(view_function: Any, *used: Callable[..., Any]) -> Any:
    """Return the function with decorators, the outermost one first."""
    for decorate in reversed(used or BOTH):
        view_function = decorate(view_function)
    return view_function


known_consumer = require_consumer_jws(lambda **_view_args: {})


# What is recognised, and what it costs


def one_token(app: Flask) -> None:
    """One decorator."""
    app.add_url_rule("/x", "x", require_app_jwt(view))


def two_tokens(app: Flask) -> None:
    """Two decorators."""
    app.add_url_rule("/x", "x", decorated(view))


def in_a_blueprint(app: Flask) -> None:
    """A view of a protected blueprint, which asks for more itself."""
    blueprint = Blueprint("of", __name__)
    app.config["AUTH"].protect(blueprint, consumer_jws=False)
    blueprint.add_url_rule("/x", "x", require_consumer_jws(view))
    app.register_blueprint(blueprint)


def in_a_protected_app(app: Flask) -> None:
    """A view of a protected app, of many."""
    app.config["AUTH"].protect(app)
    for number in range(40):
        app.add_url_rule(f"/x{number}", f"x{number}", view)
    app.add_url_rule("/x", "x", view)


WAYS = {"one": one_token, "two": two_tokens, "bp": in_a_blueprint, "app": in_a_protected_app}


def refused(*_args: Any, **_options: Any) -> NoReturn:
    """Fail."""
    raise AssertionError("called")


class NoLock:
    """Fails when it is taken."""

    acquire = __enter__ = __exit__ = refused


def forbid(monkeypatch: pytest.MonkeyPatch, app: Flask) -> None:
    """Let each call of what a recognised request must not need fail."""
    for name in ("enforce", "_authenticate"):
        monkeypatch.setattr(guard, name, refused)
    for source in (StaticKeys, RemoteKeys):
        for name in ("candidates", "candidates_after_failure", "is_active"):
            monkeypatch.setattr(source, name, refused)
    for name in ("sha256", "blake2b", "blake2s", "new"):
        monkeypatch.setattr(hashlib, name, refused)
    runtime = app.extensions[EXTENSION]
    for held in (runtime.revocations.cache, *(each.cache for each in runtime.verifiers)):
        monkeypatch.setattr(held, "_lock", NoLock())
    for each in runtime.verifiers:
        if isinstance(each.keys, RemoteKeys):
            monkeypatch.setattr(each.keys, "_lock", NoLock())
    monkeypatch.setattr(authenticator.Authenticator, "authenticate", refused)


@pytest.fixture(scope="module")
def store() -> Any:
    """A running Redis."""
    with Server(BINARIES["valkey"]) as server:
        yield server


@pytest.mark.parametrize("keys", ["static", "url"])
@pytest.mark.parametrize("revocations", ["memory", "redis"])
@pytest.mark.parametrize("way", WAYS)
def test_a_recognised_request_asks_nobody(
    way: str,
    revocations: str,
    keys: str,
    make_app: MakeApp,
    issuer: Issuer,
    key_set_server: KeySetServer,
    store: Server,
    decided: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Decision 0014: no lock, no digest, no call of the key source, and not the guard."""
    settings: dict[str, Any] = {"APP_JWT_KEYS": key_set_server.url} if keys == "url" else {}
    if revocations == "redis":
        settings["REVOCATION_URL"] = store.renew().url
    app = make_app(**settings)
    app.config["AUTH"] = ConnectorAuth()
    WAYS[way](app)
    client, sent, verified = app.test_client(), tokens(issuer), []
    assert send(client, sent, times=REQUESTS[keys]) == 200
    assert True not in decided
    before = app.extensions[EXTENSION].app_jwt.verifiers["Sentinel"].cache.hits
    decided.clear()

    def note(_app: Flask, **identity: Any) -> None:
        verified.append(identity)

    with token_verified.connected_to(note, app), monkeypatch.context() as patch:
        if way != "bp":
            forbid(patch, app)
        assert send(client, sent) == 200
    assert decided[0] is True
    assert [bool(each) for each in verified[0].values()] == [True, way != "one"]
    assert app.extensions[EXTENSION].app_jwt.verifiers["Sentinel"].cache.hits == before + 1


def test_what_must_not_be_needed_is_needed_otherwise(
    make_app: MakeApp, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    app = make_app()
    app.testing = True
    two_tokens(app)
    client, sent = app.test_client(), tokens(issuer)
    forbid(monkeypatch, app)
    with pytest.raises(AssertionError, match="called"):
        send(client, sent)


def test_a_request_that_is_left_to_the_guard_is_counted_once(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """A known AppJWT beside a new ConsumerJWS is one hit and one miss."""
    app = make_app()
    two_tokens(app)
    client, app_jwt = app.test_client(), issuer.app_jwt()
    for number in range(5):
        consumer_jws = issuer.consumer_jws(ext_consumer_id=f"{number}")
        assert send(client, headers(app_jwt, consumer_jws)) == 200
    [app_cache, consumer_cache] = [each.cache for each in app.extensions[EXTENSION].verifiers]
    assert (app_cache.hits, app_cache.misses) == (4, 1)
    assert (consumer_cache.hits, consumer_cache.misses) == (0, 5)


def test_a_recognised_token_stays_in_a_full_cache(make_app: MakeApp, issuer: Issuer) -> None:
    """It is in use: tokens that come once do not evict it."""
    app = make_app(CACHE_SIZE=4)
    two_tokens(app)
    client, sent = app.test_client(), tokens(issuer)
    send(client, sent, times=3)
    caches: list[TokenCache[Any]] = [each.cache for each in app.extensions[EXTENSION].verifiers]
    for number in range(12):
        other = headers(
            issuer.app_jwt(azp=f"{number}"), issuer.consumer_jws(lp_consumer_id=f"{number}")
        )
        assert send(client, other) == 200
        assert send(client, sent) == 200
    assert [cache.misses for cache in caches] == [13, 13]


# What the guard decides each time


def with_check(auth: ConnectorAuth) -> None:
    """A check of the application."""
    auth.claim_check(lambda token: None)


def with_user(auth: ConnectorAuth) -> None:
    """A user loader that runs before the view."""
    auth.user_loader(lambda identity: "user")


def with_lazy_user(auth: ConnectorAuth) -> None:
    """A user loader that runs when the user is read."""
    auth.user_loader(lazy=True)(lambda identity: "user")


@cases(
    "register, recognised",
    {"check": (with_check, 0), "user": (with_user, 0), "lazy user": (with_lazy_user, 3)},
)
def test_callbacks_of_the_application_run_each_time(
    register: Callable[[ConnectorAuth], None],
    recognised: int,
    issuer: Issuer,
    decided: list[bool],
) -> None:
    """docs/callbacks.rst: a claim check and an eager user loader may refuse any request."""
    app, auth = Flask("an_app"), ConnectorAuth()
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    auth.init_app(app)
    register(auth)
    app.add_url_rule(
        "/x", "x", require_app_jwt(lambda: {"user": current_user == "user"} if recognised else {})
    )
    assert send(app.test_client(), tokens(issuer), times=4) == 200
    assert sum(decided) == recognised


class OwnKeys(KeySource):
    """A key source of the application, with a lease of its own meaning."""

    lease = 3600

    def __init__(self, issuer: Issuer, algorithm: str = "RS256") -> None:
        keys, _ = parse_keys(issuer.key_set(), KeyRules([algorithm]))
        self.keys, self.asked = StaticKeys(keys), 0

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Count the calls."""
        self.asked += 1
        return self.keys.candidates(kid, algorithm)


@pytest.mark.parametrize("number", [1, 2])
def test_a_key_source_of_the_application_is_asked_each_time(
    number: int, make_app: MakeApp, issuer: Issuer, decided: list[bool]
) -> None:
    """``KeySource.is_active``: called for each request, among several sources too."""
    source = OwnKeys(issuer)
    app = make_app(APP_JWT_KEYS=[source] * number if number == 1 else [OwnKeys(Issuer()), source])
    two_tokens(app)
    assert send(app.test_client(), tokens(issuer), times=4) == 200
    assert source.asked >= 8
    assert sum(decided) == 0


@pytest.mark.parametrize("kid", ["dev-1", OMIT], ids=["kid", "without kid"])
def test_a_token_without_kid_is_not_recognised_among_several_sources(
    kid: Any, make_app: MakeApp, issuer: Issuer, decided: list[bool], key_set_server: KeySetServer
) -> None:
    """Whether exactly one key fits depends on all of them."""
    other = Issuer(kid="other", algorithm="ES256")
    keys = [key_set_server.url, other.key_set()]
    app = make_app(APP_JWT_KEYS=keys, APP_JWT_ALGORITHMS=["RS256", "ES256"])
    app.add_url_rule("/x", "x", require_app_jwt(view))
    claims = json.loads(decode_base64url(issuer.app_jwt().split(".")[1].encode()))
    text = issuer.sign(claims, {"kid": kid})
    assert send(app.test_client(), headers(text), times=4) == 200
    assert sum(decided) == (0 if kid is OMIT else 2)


def test_options_are_never_recognised(
    make_app: MakeApp, issuer: Issuer, decided: list[bool]
) -> None:
    """Each may be a preflight, which is answered without tokens."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(view), methods=["OPTIONS"])
    for _ in range(4):
        assert app.test_client().options("/x", headers=tokens(issuer)).status_code == 200
    assert not any(decided)


def test_a_rule_without_methods_is_never_recognised(
    make_app: MakeApp, issuer: Issuer, decided: list[bool]
) -> None:
    """A client can invent methods: nothing is remembered for them."""
    app = make_app()
    app.view_functions["x"] = require_app_jwt(view)
    app.url_map.add(Rule("/x", endpoint="x"))
    assert send(app.test_client(), tokens(issuer), times=4) == 200
    assert not any(decided)


def test_a_number_is_no_account_that_is_recognised(
    make_app: MakeApp, issuer: Issuer, decided: list[bool]
) -> None:
    """``<int:account_id>``: the guard compares the text of the number."""
    app = make_app()
    app.add_url_rule("/<int:account_id>", "x", require_app_jwt(view))
    assert send(app.test_client(), tokens(issuer, aud="7"), "/7", times=4) == 200
    assert not any(decided)


def test_few_rules_of_one_view_are_remembered(
    make_app: MakeApp, issuer: Issuer, decided: list[bool]
) -> None:
    """Sixteen rules of an endpoint: memory and search are bounded."""
    app, same = make_app(), require_app_jwt(view)
    for number in range(17):
        app.add_url_rule(f"/{number}", "x", same)
    client, sent = app.test_client(), tokens(issuer)
    for _ in range(3):
        decided.clear()
        assert {send(client, sent, f"/{number}") for number in range(17)} == {200}
    assert decided == [True] * 16 + [False]


def test_a_wrapper_that_is_made_in_each_request_leaves_nothing(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """No more is kept than of the first ones."""
    app = make_app()
    app.add_url_rule("/x", "x", lambda: require_app_jwt(view)())
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, times=40) == 200
    [endpoint] = app.extensions[EXTENSION].endpoints.values()
    assert len(endpoint.plans) == len(endpoint.combined) == 32


def test_plans_end_with_what_they_were_made_of(make_app: MakeApp, issuer: Issuer) -> None:
    """An app that nothing refers to is collected, and an old view too."""
    app = make_app()
    two_tokens(app)
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, times=3) == 200
    old = weakref.ref(app.view_functions["x"])
    app.view_functions["x"] = decorated(lambda: {})
    assert send(client, sent, times=3) == 200
    gc.collect()
    assert old() is None
    gone = weakref.ref(app)
    del app, client
    gc.collect()
    assert gone() is None


def test_the_context_of_another_app_recognises_nothing(
    make_app: MakeApp, issuer: Issuer, decided: list[bool]
) -> None:
    """In it, the guard raises an error."""
    app, other = make_app(), make_app()
    app.testing = True
    protected_view = decorated(view)

    def call() -> Any:
        with other.app_context() if "other" in request.args else app.app_context():
            return protected_view()

    app.add_url_rule("/x", "x", call)
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, times=3) == 200
    assert decided[-1]
    with pytest.raises(RuntimeError, match="another app"):
        send(client, sent, "/x?other=1")


def other_view(app: Flask, _view: type[MethodView]) -> None:
    """Register another view that does the same."""
    old = app.view_functions["of.x"]
    app.view_functions["of.x"] = wraps(old)(lambda **view_args: old(**view_args))


def other_method(_app: Flask, view_class: type[MethodView]) -> None:
    """Put another method into the class."""
    method = require_consumer_jws(lambda self, **view_args: view())
    setattr(view_class, "get", method)  # noqa: B010


def hook_of(place: str | None) -> Callable[[Flask, type[MethodView]], None]:
    """Return a change that adds a hook to the app, or to the blueprint."""

    def add(app: Flask, _view: type[MethodView]) -> None:
        app.before_request_funcs.setdefault(place, []).append(lambda: None)

    return add


@cases(
    "change",
    {
        "view": other_view,
        "method": other_method,
        "hook of the app": hook_of(None),
        "hook of the blueprint": hook_of("of"),
    },
)
def test_whatever_requirements_were_merged_from_ends_a_plan(
    change: Callable[[Flask, type[MethodView]], None],
    make_app: MakeApp,
    issuer: Issuer,
    decided: list[bool],
) -> None:
    """Decision 0002: the guard merges them anew."""

    class Resource(MethodView):
        decorators = (require_app_jwt,)

        def get(self, **_view_args: Any) -> Any:
            return view()

    app, blueprint = make_app(), Blueprint("of", __name__)
    blueprint.add_url_rule("/x", view_func=Resource.as_view("x"))
    app.register_blueprint(blueprint)
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, times=3) == 200
    assert decided == [False, True, True]
    change(app, Resource)
    decided.clear()
    assert send(client, sent, times=4) == 200
    assert decided[0] is False
    assert True in decided


@cases("by_position", {"by keyword": False, "by position": True})
@cases("given, status", {"the same": ("", 200), "another": ("another", 401), "none": (None, 200)})
def test_an_account_that_is_passed_to_the_view_binds_a_known_request(
    given: str | None, status: int, by_position: bool, make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/accounts.rst: that argument names the account as an argument of the URL does."""
    app, passed = make_app(), [""]
    of_account = decorated(lambda account_id: view())

    def call(account_id: str) -> Any:
        account = account_id if passed[0] == "" else passed[0]
        return of_account(account) if by_position else of_account(account_id=account)

    app.add_url_rule("/<account_id>", "x", call)
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, f"/{ACCOUNT}", times=3) == 200
    passed[0] = given  # type: ignore[call-overload]
    assert send(client, sent, f"/{ACCOUNT}") == status


def test_a_view_that_is_called_twice_tells_once_who_calls(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """One identity, one signal and one look-up a request."""
    app, seen = make_app(), []
    protected_view = decorated(view)
    app.add_url_rule("/<account_id>", "x", lambda account_id: [protected_view(), protected_view()])
    client, sent = app.test_client(), tokens(issuer)

    def note(_app: Flask, **_tokens: Any) -> None:
        seen.append(1)

    with token_verified.connected_to(note, app):
        assert send(client, sent, f"/{ACCOUNT}", times=4) == 200
    assert len(seen) == 4
    assert [each.cache.hits for each in app.extensions[EXTENSION].verifiers] == [3, 3]


def test_no_frame_holds_a_token_if_a_receiver_fails(make_app: MakeApp, issuer: Issuer) -> None:
    """An error reporter shows the local variables of each frame, of a recognised request too."""
    app, shown = make_app(), []
    app.testing = True
    two_tokens(app)
    client, sent = app.test_client(), tokens(issuer)

    def fail(_app: Flask, **_tokens: Any) -> NoReturn:
        raise ValueError("a receiver")

    for _ in range(2):
        with (
            token_verified.connected_to(fail, app),
            pytest.raises(ValueError, match="a receiver") as raised,
        ):
            send(client, sent)
        ours = [each for each in raised.traceback if "flask_connector_auth" in str(each.path)]
        held = "".join(repr(each.frame.f_locals) for each in ours)
        assert not any(text in held for text in sent.values())
        shown.append("recognise" in {each.name for each in ours})
        assert send(client, sent) == 200
    assert shown == [False, True]


@cases(
    "path, app_claims, consumer_claims, settings",
    {
        "scope": ("/scope", {"scope": "other"}, {}, {}),
        "any scope": ("/any", {"scope": "other"}, {}, {}),
        "account of the URL": (f"/of/{ACCOUNT}", {"aud": "a1"}, {"account_id": "a1"}, {}),
        "account of the URL, ConsumerJWS": (f"/alone/{ACCOUNT}", {}, {"account_id": "a1"}, {}),
        "two accounts": ("/x", {}, {"account_id": "a1"}, {}),
        "audience": ("/app", {"aud": "a1"}, {}, {"AUDIENCE": ACCOUNT}),
        "audience, ConsumerJWS": ("/alone", {}, {"account_id": "a1"}, {"AUDIENCE": ACCOUNT}),
        "expired": ("/x", {"exp": 1}, {}, {}),
    },
)
def test_known_tokens_pass_only_where_they_are_good(
    path: str,
    app_claims: Any,
    consumer_claims: Any,
    settings: Any,
    make_app: MakeApp,
    issuer: Issuer,
) -> None:
    """Each is compared in each request, though the tokens and the way of the request are known."""
    app = make_app(**settings)
    app.add_url_rule("/x", "x", decorated(view))
    app.add_url_rule("/of/<account_id>", "of", decorated(view))
    app.add_url_rule("/app", "app", require_app_jwt(view))
    app.add_url_rule("/any", "any", require_app_jwt(any_scope="a msg.consumer")(view))
    app.add_url_rule("/scope", "scope", require_app_jwt(scopes="msg.consumer")(view))
    for url in ("/alone", "/alone/<account_id>"):
        app.add_url_rule(url, "alone", known_consumer)
    client, good = app.test_client(), tokens(issuer)
    bad = headers(issuer.app_jwt(**app_claims), issuer.consumer_jws(**consumer_claims))
    for sent in (good, bad) * 3:
        for known in ("/app", "/alone", path):
            send(client, sent, known)
    assert send(client, bad, path) == 401
    assert send(client, good, path) == 200


def test_a_known_consumer_jws_of_an_uncertain_issuer_is_refused_alone(make_app: MakeApp) -> None:
    """Decision 0013: beside an AppJWT its issuer is certain; alone, two have its kid."""
    issuers = [Issuer(name=name, kid="same") for name in ("First", "Other")]
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_ISSUERS"] = {
        each.name: {"APP_JWT_KEYS": each.key_set()} for each in issuers
    }
    ConnectorAuth(app)
    app.add_url_rule("/x", "x", decorated(view))
    app.add_url_rule("/alone", "alone", known_consumer)
    client, [issuer, _] = app.test_client(), issuers
    named = headers(None, issuer.consumer_jws(iss="First"))
    for _ in range(3):
        assert send(client, tokens(issuer)) == 200
        assert send(client, named, "/alone") == 200
        assert send(client, headers(None, issuer.consumer_jws(iss=OMIT)), "/alone") == 401
    beside = tokens(issuer) | headers(None, issuer.consumer_jws(iss=OMIT))
    assert send(client, beside, times=3) == 200
    del beside["Authorization"]
    assert send(client, beside, "/alone") == 401


def test_no_header_that_is_too_large_is_hashed(
    make_app: MakeApp, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was never remembered."""
    lengths: list[int] = []

    def measured(text: str) -> int:
        lengths.append(len(text))
        return hash(text)

    monkeypatch.setattr(authenticator, "hash", measured, raising=False)
    app = make_app(MAX_TOKEN_BYTES=2000)
    two_tokens(app)
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, times=3) == 200
    assert send(client, {**sent, "Authorization": "Bearer " + "A" * 3000}) == 401
    assert 0 < max(lengths) <= 2000


@cases(
    "moved, status",
    {"within": (3629, 200), "expired": (3630, 401), "set back": (-31, 401), "leeway": (-30, 200)},
)
def test_the_times_of_a_known_token_are_compared(
    moved: float, status: int, make_app: MakeApp
) -> None:
    """``exp`` and ``iat``, with a leeway of 30 seconds: in each request, by the app's clock."""
    now = [NOW]
    issuer = Issuer(clock=lambda: NOW)
    settings = {"APP_JWT_KEYS": issuer.key_set(), "CACHE_MAX_AGE": 86400}
    app = make_app(clock=lambda: now[0], **settings)
    app.add_url_rule("/x", "x", require_app_jwt(view))
    client, sent = app.test_client(), headers(issuer.app_jwt(iat=NOW, exp=NOW + 3600))
    assert send(client, sent, times=3) == 200
    now[0] += moved
    assert send(client, sent) == status


def test_an_account_that_the_app_takes_out_of_the_arguments_binds(
    make_app: MakeApp, issuer: Issuer, decided: list[bool]
) -> None:
    """docs/accounts.rst: the URL still names it, and the guard reads it there."""
    app = make_app()
    app.add_url_rule("/<account_id>", "x", require_app_jwt(view))
    app.url_value_preprocessor(lambda _endpoint, values: values.clear() if values else None)
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, f"/{ACCOUNT}", times=4) == 200
    assert not any(decided)
    assert send(client, sent, "/another") == 401


def test_one_plan_is_kept_for_a_rule(make_app: MakeApp, issuer: Issuer) -> None:
    """However many new tokens come."""
    app = make_app()
    two_tokens(app)
    for number in range(3):
        assert send(app.test_client(), tokens(issuer, azp=f"{number}")) == 200
    [endpoint] = app.extensions[EXTENSION].endpoints.values()
    assert [len(plans) for plans in endpoint.plans.values()] == [1]


def test_known_tokens_of_two_issuers_are_no_pair(make_app: MakeApp) -> None:
    """Decision 0013: a ConsumerJWS is of the issuer of the AppJWT."""
    first, other = (Issuer(name=name, kid=name) for name in ("First", "Other"))
    keys = {each.name: {"APP_JWT_KEYS": each.key_set()} for each in (first, other)}
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_ISSUERS"] = keys
    ConnectorAuth(app)
    app.add_url_rule("/x", "x", decorated(view))
    app.add_url_rule("/alone", "alone", known_consumer)
    client, consumer_jws = app.test_client(), other.consumer_jws(iss="Other")
    good = headers(other.app_jwt(), consumer_jws)
    bad = headers(first.app_jwt(), consumer_jws)
    own = headers(first.app_jwt(), first.consumer_jws(iss="First"))
    for sent in (good, own, bad) * 3:
        send(client, sent)
        send(client, sent, "/alone")
    assert [send(client, sent) for sent in (good, own, bad)] == [200, 200, 401]


def test_an_unknown_url_is_left_to_the_guard(make_app: MakeApp) -> None:
    """A hook or an error handler may be decorated."""
    with make_app().test_request_context("/nowhere"):
        assert not recognise(decorators.Declaration(decorators.Requirements()))


def test_without_the_extension_nothing_is_recognised() -> None:
    """The guard says what to do."""
    app = Flask("an_app")
    app.testing = True
    two_tokens(app)
    with pytest.raises(RuntimeError, match="The app has no ConnectorAuth"):
        app.test_client().get("/x")
    with app.test_request_context("/nowhere"):
        assert not recognition.recognise(decorators.Declaration(decorators.Requirements()))


# Until when


def test_a_copy_that_is_too_old_is_left_to_the_guard() -> None:
    """Row 50301: neither a plan nor a remembered token lets a request pass then."""
    mint, now = Issuer(clock=lambda: NOW), [0.0]
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = mint.key_set()
    ConnectorAuth(app, clock=lambda: NOW)
    found = app.extensions[EXTENSION].app_jwt
    found.revocation_cache = cache = RevocationCache(
        RevocationSet(), max_lag=5, clock=lambda: now[0]
    )
    cache.apply_changes([], read_began=0.0)
    text = mint.app_jwt()
    for _ in range(2):
        found.authenticate(text, NOW)
    assert found.recognise(text, NOW) is not None
    now[0] = 5.1
    assert found.recognise(text, NOW) is None


def test_a_lease_ends_before_the_keys_change(
    make_app: MakeApp, issuer: Issuer, key_set_server: KeySetServer
) -> None:
    """A key that is withdrawn takes its recognised tokens with it at once."""
    app = make_app(APP_JWT_KEYS=key_set_server.url, APP_JWT_ALGORITHMS=["RS256"])
    two_tokens(app)
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, times=3) == 200
    [verifier, _] = app.extensions[EXTENSION].verifiers
    held = verifier.keys.lease
    new = Issuer(kid="new", clock=issuer.clock)
    key_set_server.publish(new)
    fetched = headers(f"Bearer {new.app_jwt()}", issuer.consumer_jws())
    # The token of an unknown key fetches the set.
    client.get("/x", headers=fetched)
    assert held.until < 0 < verifier.keys.lease.until
    assert_row(client.get("/x", headers=sent), 40102)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_key_that_is_read_again_keeps_its_tokens(algorithm: str, make_app: MakeApp) -> None:
    """The same key in another set, or read again by a source of the application, is equal."""
    issuer = Issuer(algorithm=algorithm)
    source = OwnKeys(issuer, algorithm)
    app = make_app(APP_JWT_KEYS=source, APP_JWT_ALGORITHMS=[algorithm])
    app.add_url_rule("/x", "x", require_app_jwt(view))
    client, sent = app.test_client(), headers(issuer.app_jwt())
    for _ in range(3):
        source.keys = OwnKeys(issuer, algorithm).keys
        assert send(client, sent) == 200
    [app_cache, _] = [each.cache for each in app.extensions[EXTENSION].verifiers]
    assert (app_cache.hits, app_cache.misses) == (2, 1)


def test_threads_that_revoke_are_not_overtaken(make_app: MakeApp, issuer: Issuer) -> None:
    """Once ``revoke()`` has returned, no request of any thread is recognised."""
    app = make_app()
    two_tokens(app)
    runtime, sent, passed = app.extensions[EXTENSION], tokens(issuer), []
    revoked = threading.Event()

    def ask() -> None:
        client = app.test_client()
        for _ in range(200):
            was_revoked = revoked.is_set()
            if send(client, sent) == 200 and was_revoked:
                passed.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    runtime.revocations.revoke(account_id=ACCOUNT)
    revoked.set()
    for thread in threads:
        thread.join()
    assert passed == []


def test_a_text_with_the_same_hash_is_another_token(
    make_app: MakeApp, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decision 0011: a collision needs the end of the signature too; it is compared."""
    monkeypatch.setattr(authenticator, "hash", lambda text: 1, raising=False)
    app = make_app()
    two_tokens(app)
    client, sent = app.test_client(), tokens(issuer)
    assert send(client, sent, times=3) == 200
    other = Issuer(kid=issuer.kid).app_jwt(aud=OMIT)
    assert_row(client.get("/x", headers={**sent, "Authorization": f"Bearer {other}"}), 40102)
    assert send(client, sent) == 200
