"""Apps against a model: whatever is issued, configured, revoked and sent, in whatever order."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from joserfc.jwk import OKPKey

from flask_connector_auth import (
    ConnectorAuth,
    KeySource,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)
from flask_connector_auth.core import Reason, Unavailable
from flask_connector_auth.keys import KeyRules, StaticKeys, parse_keys
from flask_connector_auth.testing import OMIT, Signer
from tests.fuzz.model import Model, Sent, View, marks_of, signing_input
from tests.support.floor_helpers import examples
from tests.support.http_helpers import headers

START = 1_800_000_000
_native = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(4)]
KEYS = [OKPKey(native, native) for native in _native]
# Of no set.
STRANGER = 3

VIEWS = {
    "/both/a0": View("asked", "asked", "a0", frozenset({"s0"})),
    "/both/a1": View("asked", "asked", "a1", frozenset({"s0"})),
    "/app": View("asked", any_scope=frozenset({"s1", "s2"})),
    "/consumer": View("", "asked"),
    "/optional": View("optional", "optional"),
}
#: Ways to write a good token so that it is refused before a key is looked for (docs/security.rst).
JUNK: dict[str, Callable[[str], str]] = {
    "two segments": lambda good: good.rpartition(".")[0],
    "four segments": lambda good: f"{good}.AA",
    "padding": lambda good: f"{good}=",
    "sent twice": lambda good: f"{good}, {good}",
    "another scheme": lambda good: f"Basic {good}",
    "too large": lambda good: good + "A" * 16384,
}
#: Headers that are refused before a key is looked for.
BAD_HEADERS: list[dict[str, Any]] = [
    {"alg": "none"},
    {"alg": "HS256"},
    {"typ": "at+jwt"},
    {"crit": []},
    {"b64": True},
    {"kid": 5},
    {"kid": ""},
]
#: Payloads of each token that are refused although the signature is good.
UNSOUND: dict[str, list[dict[str, Any]]] = {
    "app": [
        *({name: OMIT} for name in ("aud", "azp", "iss", "exp", "iat")),
        *({"iss": value} for value in ("Sentine", "sentinel", ["Sentinel"])),
        *({name: value} for name in ("exp", "iat") for value in (True, "1800000000", None, 2**53)),
        *({"aud": value} for value in ("", [], ["a0", "a1"], 5)),
        {"azp": ""},
        {"scope": ["s0"]},
        {"lp_consumer_id": "lp-c0"},
        {"x": float("nan")},
    ],
    "consumer": [
        *({name: OMIT} for name in ("account_id", "ext_consumer_id", "lp_consumer_id")),
        *({name: 0} for name in ("account_id", "ext_consumer_id", "lp_consumer_id")),
        {"exp": False},
        {"nbf": "0"},
        {"scope": ""},
        {"azp": "i0"},
    ],
}


app_claims = st.fixed_dictionaries(
    {
        "aud": st.sampled_from(["a0", "a0", "a0", "a1", "A0"]),
        "azp": st.sampled_from(["i0", "i1"]),
        "iss": st.just("Sentinel"),
        "scope": st.sampled_from(["s0 s1", "s0 s1", "s2 s0", "s0s1", ""]),
        "iat": st.sampled_from([-10, 0, 0, 0, 10, 40]),
        "exp": st.sampled_from([10, 10, 30, 40, 1000]),
    },
    optional={"nbf": st.sampled_from([-10, 0, 10]), "x": st.just({"any": ["thing"]})},
)
consumer_claims = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(["a0", "a0", "a1"]),
        "ext_consumer_id": st.sampled_from(["c0", "c1"]),
        "lp_consumer_id": st.sampled_from(["lp-c0", "lp-c1"]),
    },
    optional={name: st.sampled_from([0, 10, 40]) for name in ("iat", "nbf", "exp")},
)
# Of few times, so that requests come on their edges; and mostly good ones, for else hardly any
# would get as far as a view.
signers = st.sampled_from([0, 0, 0, 1, 1, 2, STRANGER])
named = st.sampled_from(["k0", "k0", "k0", "k1", None])
key_names = st.sets(st.tuples(st.sampled_from(["k0", "k1"]), st.integers(0, 2)), max_size=3)
mostly_up = st.sampled_from([False, False, False, True])
#: Headers that are absent or blank.
blanks = st.sampled_from([Sent(""), Sent(" "), Sent("\t ")])


def key_set(keys: set[tuple[str, int]]) -> dict[str, Any]:
    """Return a JWK Set of these kids and numbers of keys."""
    jwks = (Signer(KEYS[n], kid=kid, algorithm="EdDSA").key_set()["keys"] for kid, n in keys)
    return {"keys": [jwk for several in jwks for jwk in several]}


class Published(KeySource):
    """A source with the keys that the model says are published."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Return the keys of just now."""
        if self.model.down:
            raise Unavailable(Reason.KEYS_UNAVAILABLE)
        keys, _ = parse_keys(key_set(self.model.published), KeyRules(["EdDSA"]))
        return StaticKeys(keys).candidates(kid, algorithm)


def app_of() -> dict[str, Any] | None:
    """Return what the view is told of the app, if it was asked for."""
    app = current_app_jwt
    return {"ids": [app.account_id, app.install_id], "claims": app.claims} if app else None


def consumer_of() -> dict[str, Any] | None:
    """Return what the view is told of the consumer, if it was asked for."""
    who = current_consumer_jws
    ids = [who.account_id, who.ext_consumer_id, who.lp_consumer_id] if who else []
    return {"ids": ids, "claims": who.claims} if who else None


def both(**_view_args: str) -> dict[str, Any]:
    """Return what the view is told of the caller."""
    return {"app": app_of(), "consumer": consumer_of()}


def identity(told: dict[str, Any]) -> dict[str, Any]:
    """Return what the view has to be told by the model's claims."""
    names = {
        "app": ("aud", "azp"),
        "consumer": ("account_id", "ext_consumer_id", "lp_consumer_id"),
    }
    return {
        kind: claims and {"ids": [claims[name] for name in names[kind]], "claims": claims}
        for kind, claims in told.items()
    }


class AppsAgainstModel(RuleBasedStateMachine):
    """Two apps of one deployment, of which one remembers tokens, answer what the model does."""

    apps = Bundle("apps")
    consumers = Bundle("consumers")
    wrecks = Bundle("wrecks")
    good = st.one_of(apps, consumers)
    header_values = st.one_of(apps, apps, consumers, consumers, wrecks, blanks)

    @initialize(
        leeway=st.sampled_from([0, 30]),
        max_lifetime=st.sampled_from([None, 40]),
        audience=st.sampled_from([None, None, {"a0"}, {"a0", "a1"}]),
        static=key_names,
    )
    def start(self, audience: set[str] | None, **given: Any) -> None:
        """A deployment with a configuration."""
        given["published"] = {("k0", 0), ("k1", 1)}
        served = None if audience is None else frozenset(audience)
        self.model = Model(audience=served, now=START, **given)
        self.source = Published(self.model)
        self.extensions: list[tuple[Flask, ConnectorAuth]] = []
        for size in (0, 2):
            self.add_app(size, 300)

    def add_app(self, size: int, max_age: float) -> None:
        """Start one more worker, in which all is revoked that is."""
        model = self.model
        static = [key_set(model.static)] if model.static else []
        app = Flask("an_app")
        app.config.update(
            CONNECTOR_AUTH_APP_JWT_KEYS=[*static, self.source],
            CONNECTOR_AUTH_APP_JWT_ALGORITHMS=["EdDSA"],
            CONNECTOR_AUTH_LEEWAY=model.leeway,
            CONNECTOR_AUTH_MAX_LIFETIME=model.max_lifetime,
            CONNECTOR_AUTH_AUDIENCE=None if model.audience is None else sorted(model.audience),
            CONNECTOR_AUTH_CACHE_SIZE=size,
            CONNECTOR_AUTH_CACHE_MAX_AGE=max_age,
        )
        extension = ConnectorAuth(app, clock=lambda: model.now)
        app.add_url_rule(
            "/both/<account_id>", "both", require_consumer_jws(require_app_jwt(both, scopes="s0"))
        )
        app.add_url_rule(
            "/app",
            "app",
            require_app_jwt(lambda: {"app": app_of(), "consumer": None}, any_scope="s1 s2"),
        )
        app.add_url_rule(
            "/consumer",
            "consumer",
            require_consumer_jws(lambda: {"app": None, "consumer": consumer_of()}),
        )
        optional = require_app_jwt(require_consumer_jws(both, optional=True), optional=True)
        app.add_url_rule("/optional", "optional", optional)
        # As at the start: later, what no token can match any more would not be taken.
        now, model.now = model.now, START
        with app.app_context():
            for digest in model.tokens:
                extension.revocations.revoke(digest=digest)
            for (name, value, issuer), at in model.marks.items():
                extension.revocations.revoke(**{name: value}, issuer=issuer, at=at)
        model.now = now
        self.extensions.append((app, extension))

    # Tokens

    def issue(
        self,
        kind: str,
        claims: dict[str, Any],
        key: int,
        kid: str | None,
        header: dict[str, Any] | None = None,
        **known: Any,
    ) -> Sent:
        """Return a token with what is known about it."""
        header = {"kid": OMIT if kid is None else kid, **(header or {})}
        text = Signer(KEYS[key], algorithm="EdDSA").sign(claims, header)
        signer = None if key == STRANGER else key
        return Sent(text, kind, text, kid, signer, claims, **known)

    def timed(self, claims: dict[str, Any]) -> dict[str, Any]:
        """Return *claims* with times for seconds from now on."""
        times = {name: self.model.now + claims[name] for name in {"exp", "iat", "nbf"} & {*claims}}
        return {**claims, **times}

    @initialize(target=apps)
    def first_app_jwts(self) -> Any:
        """An app has a token for each of two accounts."""
        claims = {
            "azp": "i0",
            "iss": "Sentinel",
            "scope": "s0 s1",
            "iat": START,
            "exp": START + 40,
        }
        return multiple(
            *(self.issue("app", {**claims, "aud": account}, 0, "k0") for account in ("a0", "a1"))
        )

    @initialize(target=consumers)
    def first_consumer_jwses(self) -> Any:
        """A consumer of each has one."""
        ids = {"ext_consumer_id": "c0", "lp_consumer_id": "lp-c0"}
        return multiple(
            *(self.issue("consumer", {"account_id": a, **ids}, 0, "k0") for a in ("a0", "a1"))
        )

    @rule(target=apps, claims=app_claims, key=signers, kid=named)
    def issue_app_jwt(self, claims: dict[str, Any], key: int, kid: str | None) -> Sent:
        """An AppJWT of some life, account, install, scopes and key."""
        return self.issue("app", self.timed(claims), key, kid)

    @rule(target=consumers, claims=consumer_claims, key=signers, kid=named)
    def issue_consumer_jws(self, claims: dict[str, Any], key: int, kid: str | None) -> Sent:
        """A ConsumerJWS, with times or without."""
        return self.issue("consumer", self.timed(claims), key, kid)

    @rule(target=wrecks, good=good, data=st.data())
    def issue_a_bad_one(self, good: Sent, data: st.DataObject) -> Sent:
        """A token whose signature is good, but not what it says."""
        change = data.draw(st.sampled_from(UNSOUND[good.kind]))
        return self.issue(good.kind, {**good.claims, **change}, 0, "k0", unsound=True)

    @rule(target=wrecks, good=good, way=st.sampled_from([*JUNK.values(), *BAD_HEADERS]))
    def write_junk(self, good: Sent, way: Any) -> Sent:
        """A token that no key is looked for: damaged on the way, or issued with such a header."""
        if callable(way):
            return Sent(way(good.token), junk=True)
        return self.issue(good.kind, good.claims, 0, "k0", way, junk=True)

    @rule(target=wrecks, one=good, other=good)
    def swap_the_signature(self, one: Sent, other: Sent) -> Sent:
        """The header and payload of one token with the signature of another one."""
        text = f"{one.token.rpartition('.')[0]}.{other.token.rpartition('.')[2]}"
        # Of the same header and payload there may be signatures by two keys.
        same = signing_input(one) == signing_input(other)
        return replace(one, text=text, token=text, signer=other.signer if same else None)

    @rule(target=wrecks, good=good, scheme=st.sampled_from(["Bearer ", "bearer   ", " \t"]))
    def write_otherwise(self, good: Sent, scheme: str) -> Sent:
        """A token behind a scheme, or with white space around it."""
        return replace(good, text=f"{scheme}{good.text} ", bearer=not scheme.isspace())

    # What changes meanwhile

    @rule(keys=key_names)
    def rotate(self, keys: set[tuple[str, int]]) -> None:
        """The source has other keys, under names that were used before."""
        self.model.published = keys

    @rule(keys=key_names)
    def configure(self, keys: set[tuple[str, int]]) -> None:
        """Other keys are configured, which takes new apps."""
        self.model.static = keys
        self.extensions.clear()
        for size in (0, 2):
            self.add_app(size, 300)

    @rule(size=st.sampled_from([1, 2, 50]), max_age=st.sampled_from([0, 1, 300]))
    def restart(self, size: int, max_age: float) -> None:
        """A worker starts anew, with another cache."""
        del self.extensions[1]
        self.add_app(size, max_age)

    @rule(down=mostly_up)
    def outage(self, down: bool) -> None:
        """The source is out of reach, or is back."""
        self.model.down = down

    @rule(seconds=st.sampled_from([-10, -1, 1, 10, 10, 30, 300]))
    def wait(self, seconds: int) -> None:
        """Time passes, or the clock is set back."""
        self.model.now += seconds

    @rule(of=good, by=st.sampled_from(["token", "digest"]), restore=st.booleans())
    def revoke_a_token(self, of: Sent, by: str, restore: bool) -> None:
        """One token is revoked or restored, by its text or its digest."""
        digest = sha256(signing_input(of).encode()).digest()
        (self.model.tokens.discard if restore else self.model.tokens.add)(digest)
        self.change(restore, **{by: of.token if by == "token" else digest})

    @rule(
        of=good,
        which=st.integers(0, 5),
        ago=st.sampled_from([None, 0, 10, -10]),
        restore=st.booleans(),
    )
    def revoke_an_id(self, of: Sent, which: int, ago: int | None, restore: bool) -> None:
        """All that an install, account or consumer was issued is revoked, or restored."""
        marks = sorted(marks_of(of), key=str)
        mark = marks[which % len(marks)]
        subject = {mark[0]: mark[1], "issuer": mark[2]}
        at = self.model.now - (ago or 0)
        if restore:
            self.model.marks.pop(mark, None)
            self.change(True, **subject)
            return
        # Of two times the later one stays.
        self.model.marks[mark] = max(at, self.model.marks.get(mark, at))
        self.change(False, **subject, **({} if ago is None else {"at": at}))

    def change(self, restore: bool, **subject: Any) -> None:
        """Tell every worker."""
        for app, extension in self.extensions:
            with app.app_context():
                revocations = extension.revocations
                (revocations.restore if restore else revocations.revoke)(**subject)

    # Requests

    @rule(app=apps, consumer=consumers, path=st.sampled_from(sorted(VIEWS)))
    def request(self, app: Sent, consumer: Sent, path: str) -> None:
        """A pair of tokens comes."""
        self.compare(app, consumer, path)

    @rule(app=header_values, consumer=header_values, path=st.sampled_from(sorted(VIEWS)))
    def request_with_anything(self, app: Sent, consumer: Sent, path: str) -> None:
        """Anything comes in either header."""
        self.compare(app, consumer, path)

    @invariant()
    def request_again(self) -> None:
        """What came last comes again, whatever has changed since."""
        if hasattr(self, "last"):
            self.compare(*self.last)

    def compare(self, app: Sent, consumer: Sent, path: str) -> None:
        """Ask every worker, and the model."""
        self.last = app, consumer, path
        expected = self.model.answer(VIEWS[path], app, consumer)
        for flask, _ in self.extensions:
            client = flask.test_client()
            response = client.get(path, headers=headers(app.text or None, consumer.text or None))
            body = json.loads(response.data)
            if isinstance(expected, int):
                assert body.get("body", body).get("errorCode") == expected
                assert response.status_code == expected // 100
            else:
                assert body == identity(expected)


AppsAgainstModel.TestCase.settings = examples(20, stateful_step_count=40)
TestAppsAgainstModel = AppsAgainstModel.TestCase
