"""Apps that recognise requests against apps that decide on each, whatever comes in between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Blueprint, Flask, current_app, request
from flask.views import MethodView
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from joserfc.jwk import OKPKey

from flask_connector_auth import (
    ConnectorAuth,
    KeySource,
    current_app_jwt,
    current_consumer_jws,
    decorators,
    extension,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
    token_verified,
    verify_request,
)
from flask_connector_auth.core import Reason, Unavailable
from flask_connector_auth.keys import (
    KeyRules,
    KeySetLoader,
    RefreshPolicy,
    RemoteKeys,
    RemoteRules,
    StaticKeys,
    parse_keys,
    remote,
)
from flask_connector_auth.testing import OMIT, Signer
from flask_connector_auth.verification import Authenticator, authenticator
from flask_connector_auth.web import recognise
from tests.support.floor_helpers import examples
from tests.support.http_helpers import PREFLIGHT, headers
from tests.support.simulation import URL, World, run_now

START = 1_800_000_000
_native = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(4)]
KEYS = [OKPKey(native, native) for native in _native]
ISSUERS = ("Sentinel", "Other")
BOTH = (require_app_jwt, require_consumer_jws)
FIRST_KEYS = {("k0", 0), ("k1", 1)}


def public_key(number: int, kid: str | None) -> dict[str, Any]:
    """Return the JWK of one of the keys."""
    (jwk,) = Signer(KEYS[number], kid="any", algorithm="EdDSA").key_set()["keys"]
    return {name: value for name, value in {**jwk, "kid": kid}.items() if value is not None}


class Times:
    """The clocks of all apps."""

    def __init__(self) -> None:
        self.wall = float(START)
        self.steady = 1000.0
        #: The very objects that stand for the two clocks.
        self.wall_time = lambda: self.wall
        self.steady_time = lambda: self.steady


class Published(KeySource):
    """A source of the application, with the keys that are published."""

    #: Not what this package means by it.
    lease = 3600

    def __init__(self) -> None:
        self.down = False
        self.publish(FIRST_KEYS)

    def publish(self, keys: set[tuple[str, int]]) -> None:
        """Have these keys, and no others."""
        jwks = [public_key(number, kid) for kid, number in sorted(keys)]
        self.keys = StaticKeys(parse_keys([{"keys": jwks}], KeyRules(["EdDSA"]))[0])

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Return the keys of just now."""
        if self.down:
            raise Unavailable(Reason.KEYS_UNAVAILABLE)
        return self.keys.candidates(kid, algorithm)


class Deployment:
    """Two apps, one with several issuers, each twice: one recognises requests, one does not."""

    def __init__(self, kind: str, audience: list[str] | None) -> None:
        self.times = Times()
        self.world, self.published = World(), Published()
        self.publish(FIRST_KEYS)
        self.twins = [
            [self.app(several, kind, audience, plain) for plain in (False, True)]
            for several in (False, True)
        ]

    def publish(self, keys: set[tuple[str, int]]) -> None:
        """Have these keys at the URL and in the source of the application."""
        self.world.entries = {f"{kid} {n}": public_key(n, kid) for kid, n in sorted(keys)}
        self.published.publish(keys)

    def keys(self, kind: str) -> Any:
        """Return a source of a *kind*, for one app."""
        static = {"keys": [public_key(0, "k0"), public_key(1, "k1")]}
        sources = {"static": static, "without kid": public_key(0, None), "own": self.published}
        if kind in sources:
            return sources[kind]
        rules = RemoteRules(min_age=1, max_age=40, cooldown=5, max_stale=60, retry=1)
        policy = RefreshPolicy(rules, lambda: 0.5)
        loader = KeySetLoader([URL], self.world.fetch, KeyRules(["EdDSA"]), rules, None)
        remote_keys = RemoteKeys(policy, loader, self.times.steady_time, run_now)
        combined = [{"keys": [public_key(1, "k1")]}, remote_keys]
        return {"remote": remote_keys, "combined": combined}[kind]

    def app(self, several: bool, kind: str, audience: Any, plain: bool) -> Flask:
        """Return an app; a *plain* one decides on each request."""
        app = Flask(f"{several}")
        app.testing, app.config["PLAIN"] = True, plain
        app.config["CONNECTOR_AUTH_APP_JWT_ALGORITHMS"] = ["EdDSA"]
        app.config["CONNECTOR_AUTH_CACHE_SIZE"] = 4
        app.config["CONNECTOR_AUTH_CACHE_MAX_AGE"] = 50
        app.config["CONNECTOR_AUTH_AUDIENCE"] = audience
        if several:
            other = {"APP_JWT_KEYS": public_key(2, "k0"), "AUDIENCE": ["a0"]}
            issuers = {"Sentinel": {"APP_JWT_KEYS": self.keys(kind)}, "Other": other}
            app.config["CONNECTOR_AUTH_ISSUERS"] = issuers
        else:
            app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = self.keys(kind)
        auth = ConnectorAuth(app, clock=self.times.wall_time)
        app.config["AUTH"] = auth
        add_views(app, auth)
        return app


def told(**_view_args: Any) -> dict[str, Any]:
    """Return what the view is told of the caller."""
    app, consumer = current_app_jwt, current_consumer_jws
    return {name: each.to_dict() if each else None for name, each in told_tokens(app, consumer)}


def told_tokens(app: Any, consumer: Any) -> Iterator[tuple[str, Any]]:
    """Yield each token that the view can read."""
    for name, each in {"app": app, "consumer": consumer}.items():
        try:
            yield name, each if bool(each) else None
        except RuntimeError:
            yield name, None


def passing(*, by_position: bool) -> Callable[..., Any]:
    """Return a decorator that passes the account of the query to the view, if there is one."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def inner(**view_args: Any) -> Any:
            given = request.args.get("given")
            if given is None:
                return view(**view_args)
            account = None if given == "none" else given
            if by_position:
                view_args.pop("account_id", None)
                return view(account, **view_args)
            return view(**{**view_args, "account_id": account})

        return inner

    return decorate


def stacked(view: Callable[..., Any], *decorators: Callable[..., Any]) -> Callable[..., Any]:
    """Return *view* decorated, the outermost decorator first."""
    for decorate in reversed(decorators):
        view = decorate(view)
    return view


#: One view for all apps.
shared = stacked(told, *BOTH)
#: One view that is called from others.
inner_view = stacked(lambda account_id=None: told(), *BOTH)


class Resource(MethodView):
    """Asks for more when something is to be changed."""

    @require_app_jwt
    def get(self, **_view_args: Any) -> Any:
        """Read."""
        return told()

    @require_app_jwt(scopes="s1")
    @require_consumer_jws
    def post(self, **_view_args: Any) -> Any:
        """Write."""
        return told()


def add_views(app: Flask, auth: ConnectorAuth) -> None:
    """Add a view of each kind to *app*."""

    class OwnResource(Resource):
        pass

    def add(
        url: str, name: str, view: Any, *decorators: Callable[..., Any], **options: Any
    ) -> None:
        app.add_url_rule(url, name, stacked(view, *decorators), **options)

    app.config["RESOURCE"] = OwnResource
    both = {"methods": ["GET", "POST", "OPTIONS"]}
    add("/shared", "shared", shared)
    add("/shared/<account_id>", "shared", shared)
    add("/app", "app", told, require_app_jwt(any_scope="s1 s2"))
    add("/scopes/<account_id>", "scopes", told, require_app_jwt(scopes="s0"))
    add("/consumer", "consumer", told, require_consumer_jws)
    add("/consumer/<account_id>", "consumer_of", told, require_consumer_jws)
    optional = [each(optional=True) for each in BOTH]
    add("/optional", "optional", told, *optional, **both)
    add("/number/<int:account_id>", "number", told, *BOTH)
    add("/default", "default", told, *BOTH, defaults={"account_id": "a0"})
    add("/taken/<account_id>", "taken", told, *BOTH)
    add("/put", "put", told, *BOTH)
    for name, by_position in {"named": False, "positional": True}.items():
        view = stacked(inner_view, passing(by_position=by_position))
        add(f"/{name}/<account_id>", name, view)
        add(f"/{name}", name, view)
    add("/nested/<account_id>", "nested", nested, require_app_jwt)
    add("/later", "later", asks_again, require_app_jwt)
    add("/resource", "resource", OwnResource.as_view("resource"))
    add("/methods", "methods", told, *BOTH, **both)
    for prefix in ("p", "q"):
        blueprint = Blueprint(prefix, __name__, url_prefix=f"/{prefix}")
        auth.protect(blueprint, consumer_jws=prefix == "q", any_scope="s0 s1")
        blueprint.add_url_rule("/<account_id>", "of", told)
        blueprint.add_url_rule("/more", "more", require_consumer_jws(told))
        app.register_blueprint(blueprint)

    @app.url_value_preprocessor
    def change(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if endpoint == "taken" and values:
            values.pop("account_id")
        if endpoint == "put" and values is not None and request.args.get("given"):
            values["account_id"] = request.args["given"]


def nested(account_id: str) -> Any:
    """Call another view, for the account of the query."""
    return inner_view(account_id=request.args.get("given", account_id))


def asks_again() -> Any:
    """Ask for more than the decorators do."""
    identity = verify_request(scopes="s0")
    return {**told(), "install": identity.app_jwt.install_id}


PATHS = [
    *("/shared", "/shared/a0", "/shared/a1", "/app", "/scopes/a0", "/consumer", "/consumer/a0"),
    *(
        "/optional",
        "/number/7",
        "/default",
        "/taken/a0",
        "/taken/a1",
        "/put",
        "/named",
        "/named/a0",
    ),
    *("/positional", "/positional/a0", "/nested/a0", "/later", "/resource", "/methods"),
    *("/p/a0", "/p/a1", "/p/more", "/q/a0", "/q/more"),
]
GIVEN = [None, None, None, "a0", "a1", "none"]
# The first ones are those that recur most.
METHODS = ["GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "PREFLIGHT"]
app_claims = st.fixed_dictionaries(
    {
        "aud": st.sampled_from(["a0", "a0", "a0", "a1", "7"]),
        "azp": st.sampled_from(["i0", "i1"]),
        "iss": st.sampled_from(["Sentinel", "Sentinel", "Other"]),
        "scope": st.sampled_from(["s0 s1", "s0 s1", "s2", ""]),
        "iat": st.sampled_from([-10, 0, 0, 20]),
        "exp": st.sampled_from([10, 40, 1000, 1000]),
    }
)
consumer_claims = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(["a0", "a0", "a1", "7"]),
        "ext_consumer_id": st.sampled_from(["c0", "c1"]),
        "lp_consumer_id": st.just("lp-c0"),
    },
    optional={"exp": st.sampled_from([10, 40]), "iss": st.sampled_from(ISSUERS)},
)
SPELLINGS = ["{}", "{}", "Bearer {}", "Bearer {}", "Bearer {}", "bearer  {} ", " {}"]
numbers = st.sampled_from([0, 0, 0, 1, 2, 3])
kids = st.sampled_from(["k0", "k0", "k0", "k1", None])
# Mostly those of the first tokens: else hardly any request would pass.
key_names = st.sampled_from([FIRST_KEYS, FIRST_KEYS, {("k0", 0)}, {("k0", 1)}, {("k1", 0)}, set()])


class Heard:
    """What the apps tell by signals, and how many requests were recognised."""

    def __init__(self) -> None:
        self.signals: list[Any] = []
        self.recognised = 0

    @contextmanager
    def listening(self, times: Times) -> Iterator[None]:
        """Hear the apps, of which the plain ones recognise neither requests nor tokens."""
        find = Authenticator.recognise

        def may_recognise(*call: Any) -> bool:
            if current_app.config["PLAIN"]:
                return False
            found = recognise(*call)
            self.recognised += found
            return found

        def may_find(*call: Any) -> Any:
            return None if current_app.config["PLAIN"] else find(*call)

        def verified(_app: Flask, **tokens: Any) -> None:
            self.signals.append(tokens)

        def rejected(_app: Flask, error: Any) -> None:
            self.signals.append((error.row, error.reason, error.reason_details))

        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for module in (decorators, extension):
                patch.setattr(module, "recognise", may_recognise)
            patch.setattr(Authenticator, "recognise", may_find)
            for module in (remote, authenticator):
                patch.setattr(module, "steady_time", times.steady_time)
            stack.enter_context(token_verified.connected_to(verified))
            stack.enter_context(token_rejected.connected_to(rejected))
            yield


class RecognisingAgainstDeciding(RuleBasedStateMachine):
    """Two equal deployments, one of which recognises requests, do the same."""

    app_jwts = Bundle("app_jwts")
    consumer_jwses = Bundle("consumer_jwses")
    sent: tuple[Any, ...] = ()  #: the last requests
    place = 0  #: of the next request that comes again, among the good ones

    @initialize(
        targets=(app_jwts,),
        kind=st.sampled_from(["static", "without kid", "own", "remote", "combined"]),
        audience=st.sampled_from([None, None, ["a0", "7"]]),
    )
    def start(self, kind: str, audience: list[str] | None) -> str:
        """Start with keys of a *kind*, and with good tokens that have come before."""
        self.heard, self.all = Heard(), Deployment(kind, audience)
        self.listening = self.heard.listening(self.all.times)
        self.listening.__enter__()
        ids = {"aud": "a0", "azp": "i0", "iss": "Sentinel", "scope": "s0 s1"}
        app_jwt = self.issue({**ids, "iat": 0, "exp": 1000}, 0, "k0")
        ids = {"account_id": "a0", "ext_consumer_id": "c0", "lp_consumer_id": "lp-c0"}
        sent = headers(f"Bearer {app_jwt}", self.issue(ids, 0, "k0"))
        self.good = [(sent, path, None, "GET") for path in PATHS]
        self.good += [
            (sent, path, "a1", "GET") for path in PATHS if path[1:3] in ("na", "po", "ne", "pu")
        ]
        for one in self.good * 2:
            self.compare(*one)
        assert bool(self.heard.recognised) == (kind != "own")
        return app_jwt

    def teardown(self) -> None:
        """Hear nothing more."""
        if hasattr(self, "listening"):
            self.listening.__exit__(None, None, None)

    def issue(self, claims: dict[str, Any], number: int, kid: str | None) -> str:
        """Return a token with the times of *claims* counted from now."""
        now = self.all.times.wall
        timed = {name: now + claims[name] for name in {"iat", "exp"} & {*claims}}
        header = {"kid": OMIT if kid is None else kid}
        return Signer(KEYS[number], algorithm="EdDSA").sign({**claims, **timed}, header)

    @initialize(target=consumer_jwses)
    def first_consumer_jws(self) -> str:
        """There is a good one."""
        claims = {"account_id": "a0", "ext_consumer_id": "c0", "lp_consumer_id": "lp-c0"}
        return Signer(KEYS[0], algorithm="EdDSA").sign(claims, {"kid": "k0"})

    @rule(target=app_jwts, claims=app_claims, number=numbers, kid=kids)
    def issue_app_jwt(self, claims: dict[str, Any], number: int, kid: str | None) -> str:
        """An AppJWT of some issuer, account, scopes and life."""
        return self.issue(claims, number, kid)

    @rule(target=consumer_jwses, claims=consumer_claims, number=numbers, kid=kids)
    def issue_consumer_jws(self, claims: dict[str, Any], number: int, kid: str | None) -> str:
        """A ConsumerJWS."""
        return self.issue(claims, number, kid)

    # What changes meanwhile

    @rule(keys=key_names)
    def rotate(self, keys: set[tuple[str, int]]) -> None:
        """Other keys are published, under names that were used before."""
        self.all.publish(keys)

    @rule(up=st.sampled_from([True, True, True, False]))
    def outage(self, up: bool) -> None:
        """The keys are out of reach, or are back."""
        self.all.world.up, self.all.published.down = up, not up

    @rule(seconds=st.sampled_from([0.5, 10, 10, 31, 60]), back=st.booleans())
    def wait(self, seconds: float, back: bool) -> None:
        """Time passes; the clock on the wall may be set back meanwhile."""
        self.all.times.steady += seconds
        self.all.times.wall += -seconds if back else seconds

    @rule(
        what=st.sampled_from(["token", "account_id", "install_id", "ext_consumer_id"]),
        app_jwt=app_jwts,
        number=st.integers(0, 1),
        restore=st.booleans(),
    )
    def revoke(self, what: str, app_jwt: str, number: int, restore: bool) -> None:
        """Something is revoked, or restored."""
        names = {"account_id": "a", "install_id": "i", "ext_consumer_id": "c"}
        subject = {what: app_jwt if what == "token" else f"{names[what]}{number}"}
        for app in self.apps():
            with app.app_context():
                revocations = app.config["AUTH"].revocations
                (revocations.restore if restore else revocations.revoke)(**subject)

    @rule(endpoint=st.sampled_from(["shared", "app", "p.of", "methods"]), number=st.integers(0, 3))
    def replace_view(self, endpoint: str, number: int) -> None:
        """Another view is registered in place of one, or the same function decorated anew."""
        views = [
            told,
            stacked(told, require_app_jwt(scopes="s2")),
            stacked(told, *BOTH),
            shared,
        ]
        for app in self.apps():
            app.view_functions[endpoint] = views[number]

    @rule(number=st.integers(0, 2))
    def replace_method(self, number: int) -> None:
        """Another method stands in the class of a view."""
        methods = [Resource.get, stacked(Resource.get, require_consumer_jws), Resource.post]
        for app in self.apps():
            app.config["RESOURCE"].get = methods[number]

    @rule(where=st.sampled_from([None, "p"]), add=st.booleans())
    def change_hooks(self, where: str | None, add: bool) -> None:
        """A hook that asks for a token is added, or the last one is removed."""
        for app in self.apps():
            hooks = app.before_request_funcs.setdefault(where, [])
            if add:
                hooks.append(stacked(lambda: None, require_consumer_jws))
            elif hooks:
                hooks.pop()

    # Requests

    def apps(self) -> list[Flask]:
        """Return all apps."""
        return [app for twins in self.all.twins for app in twins]

    @rule(
        app_jwt=st.one_of(st.just(""), app_jwts, app_jwts, app_jwts),
        consumer_jws=st.one_of(st.just(""), consumer_jwses, consumer_jwses, consumer_jwses),
        spelling=st.sampled_from(SPELLINGS),
        path=st.sampled_from(PATHS),
        given=st.sampled_from(GIVEN),
        method=st.sampled_from(METHODS),
    )
    def request(
        self,
        app_jwt: str,
        consumer_jws: str,
        spelling: str,
        path: str,
        given: str | None,
        method: str,
    ) -> None:
        """A request comes three times."""
        text = app_jwt and spelling.format(app_jwt)
        one = (headers(text or None, consumer_jws or None), path, given, method)
        self.sent = (*self.sent[-3:], one)
        for _ in range(3):
            self.compare(*one)

    @invariant()
    def requests_again(self) -> None:
        """What came before comes again, whatever has changed since."""
        if hasattr(self, "good"):
            again = [self.good[(self.place + number) % len(self.good)] for number in range(5)]
            self.place += 5
            for one in (*again, *self.sent):
                self.compare(*one)

    def compare(self, sent: dict[str, str], path: str, given: str | None, method: str) -> None:
        """Send a request to each of the apps, and compare all that they do."""
        if method == "PREFLIGHT":
            method, sent = "OPTIONS", {**sent, **PREFLIGHT}
        query = {} if given is None else {"given": given}
        for twins in self.all.twins:
            recognising, deciding = (self.answer(app, path, method, query, sent) for app in twins)
            assert recognising == deciding

    def answer(self, app: Flask, path: str, method: str, query: Any, sent: Any) -> Any:
        """Return all that *app* does with a request."""
        self.heard.signals.clear()
        answer = app.test_client().open(path, method=method, query_string=query, headers=sent)
        return answer.status, answer.data, [*answer.headers], [*self.heard.signals]


RecognisingAgainstDeciding.TestCase.settings = examples(12, stateful_step_count=25)
TestRecognisingAgainstDeciding = RecognisingAgainstDeciding.TestCase
