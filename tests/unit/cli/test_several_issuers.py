"""``health``, ``check`` and ``inspect`` of an app with several issuers."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import (
    ConnectorAuth,
    KeySource,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
)
from flask_connector_auth.cli.check import find_weaknesses
from flask_connector_auth.testing import OMIT, Issuer, KeySetServer
from flask_connector_auth.web import current_runtime
from tests.support.floor_helpers import NOW, cases, der, issuer_of
from tests.support.http_helpers import headers
from tests.support.ports import free_port
from tests.support.types import MakeApp, RunCommand

A, B = "https://a.example", "https://b.example"
IDS = {"account_id": "tenant", "install_id": "sub", "scopes": ["scp", "scope"]}
TOKENS = ("app_jwt", "consumer_jws")
Said = Callable[..., Any]


def named(name: str, **settings: Any) -> Issuer:
    """Return the issuer of that name, with a key of its own."""
    made = issuer_of(owner=name, **settings)
    made.name = name
    return made


a, b = named(A, kid="a"), named(B, kid="b")


@pytest.fixture
def two(make_app: MakeApp) -> Callable[..., Flask]:
    """Return a function that makes an app of both issuers; the settings are those of the second."""

    def make(*, common: Any = None, first: Any = None, **settings: Any) -> Flask:
        issuers = {
            A: {"APP_JWT_KEYS": a.key_set(), **(first or {})},
            B: {"APP_JWT_KEYS": b.key_set(), **settings},
        }
        return make_app(clock=lambda: NOW, ISSUERS=issuers, **(common or {}))

    return make


@pytest.fixture
def said(run: RunCommand) -> Said:
    """Return a function that runs a command, and returns what it says as JSON."""

    def call(*args: str, app: Flask, status: int = 0, **options: Any) -> Any:
        result = run(*args, "--json", app=app, **options)
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    return call


# health


class Broken(KeySource):
    """Keys that cannot be had, of a source that says it is ready."""

    def __init__(self) -> None:
        self.calls = 0

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Count the call, and fail."""
        self.calls += 1
        raise LookupError


def test_problems_of_keys_are_listed_by_issuer(said: Said, two: Callable[..., Flask]) -> None:
    """One issuer is enough to be ready; each source is tried once."""
    source = Broken()
    found = said("health", app=two(APP_JWT_KEYS=source))
    assert found["ready"] is True
    assert found["problems"] == {
        "issuers": {B: {"app_jwt": "LookupError", "consumer_jws": "LookupError"}}
    }
    assert source.calls == 1
    assert list(found) == ["ready", "problems", "issuers", "revocation"]
    parts = {name: [*part] for name, part in found["issuers"].items()}
    assert parts == {A: ["keys", "cache"], B: ["keys", "cache"]}
    assert said("health", app=two())["problems"] == {}


@cases(
    "settings, problems",
    {
        "no issuer": ({"APP_JWT_KEYS": Broken()}, ["issuers"]),
        "no revocations": (
            {"REVOCATION_URL": f"redis://127.0.0.1:{free_port()}"},
            ["revocation"],
        ),
    },
)
def test_an_app_that_cannot_verify_for_any_issuer_is_not_ready(
    said: Said, make_app: MakeApp, settings: Any, problems: list[str]
) -> None:
    """Status 1: without the keys of any, or without the revocations, which are for all of them."""
    own = {"APP_JWT_KEYS": settings.pop("APP_JWT_KEYS", b.key_set())}
    other = {"APP_JWT_KEYS": Broken() if "REVOCATION_URL" not in settings else a.key_set()}
    found = said("health", app=make_app(ISSUERS={A: other, B: own}, **settings), status=1)
    assert (found["ready"], [*found["problems"]]) == (False, problems)


def test_the_sources_of_all_issuers_are_tried_at_once(said: Said, make_app: MakeApp) -> None:
    """One that does not answer in time does not keep the others from being tried."""
    with KeySetServer(a) as hanging, KeySetServer(b) as server:
        hanging.delay = 60
        app = make_app(ISSUERS={A: {"APP_JWT_KEYS": hanging.url}, B: {"APP_JWT_KEYS": server.url}})
        found = said("health", "--timeout", "1", app=app)
    assert [*found["problems"]["issuers"]] == [A]
    assert found["issuers"][B]["keys"]["app_jwt"]["ready"] is True


# check


def test_each_key_is_listed_with_its_issuer(
    run: RunCommand, said: Said, two: Callable[..., Flask]
) -> None:
    """In JSON too; for one issuer there is no such column."""
    keys = said("check", app=two())["keys"]
    assert [(key["issuer"], key["token"], key["kid"]) for key in keys] == [
        (name, token, kid) for name, kid in ((A, "a"), (B, "b")) for token in TOKENS
    ]
    shown = run("check", app=two()).stdout
    assert (
        f"""
  ISSUER               TOKEN         KID  THUMBPRINT    ALGORITHMS  TYPE  SIZE  USE  AGE  FROM
  "{A}"  app_jwt       "a"  {keys[0]["thumbprint"]}  RS256       RSA   2048  sig  -    configuration
"""
        in shown
    )
    assert "ISSUER " not in run("check").stdout.partition("Keys")[2]


def test_each_setting_of_an_issuer_has_a_line(
    run: RunCommand, said: Said, two: Callable[..., Flask]
) -> None:
    """In JSON it is one mapping; of one issuer without settings of its own there is a line too."""
    app = two(MAX_LIFETIME=60)
    own: Any = app.config["CONNECTOR_AUTH_ISSUERS"]
    app.config["CONNECTOR_AUTH_ISSUERS"] = {**own, "c\x1b": {}}
    rows = [line.split("  ") for line in run("check", app=app).stdout.splitlines()]
    found = [[cell.strip() for cell in row if cell] for row in rows if "_ISSUERS" in " ".join(row)]
    name = "CONNECTOR_AUTH_ISSUERS"
    assert found == [
        [f"{name}: {A}: APP_JWT_KEYS", '"a JWK Set of 1"', "config"],
        [f"{name}: {B}: APP_JWT_KEYS", '"a JWK Set of 1"', "config"],
        [f"{name}: {B}: MAX_LIFETIME", "60", "config"],
        [f"{name}: c\\u001b", "{}", "config"],
    ]
    [listed] = [each for each in said("check", app=app)["settings"] if each["name"] == name]
    assert listed["value"][B] == {"APP_JWT_KEYS": "a JWK Set of 1", "MAX_LIFETIME": 60}


def test_what_is_wrong_with_keys_begins_with_the_issuer(
    said: Said, two: Callable[..., Flask], issuer: Issuer
) -> None:
    """The code is the token, as for one issuer; a failover in use is a warning."""
    nowhere = f"http://127.0.0.1:{free_port()}/jwks.json"
    found = said("check", app=two(CONSUMER_JWS_KEYS=nowhere), status=1)
    [error] = found["errors"]
    assert error["code"] == "consumer_jws"
    assert error["text"].startswith(f"{B}: {nowhere}: ConnectionRefusedError. ")
    with KeySetServer(issuer) as server:
        app = two(APP_JWT_KEYS=nowhere, common={"JWKS_FAILOVER": [server.url]})
        warnings = said("check", app=app)["warnings"]
    assert [(each["code"], each["text"].split(nowhere)[0]) for each in warnings] == [
        ("not_confirmed", f"{B}: {token}: ") for token in TOKENS
    ]


def test_a_key_that_two_issuers_have_is_an_error(said: Said, make_app: MakeApp) -> None:
    """Each could sign tokens of the other; known once the key sets are fetched, and once only."""
    with KeySetServer(a) as first, KeySetServer(named(A, kid="other")) as second:
        app = make_app(ISSUERS={A: {"APP_JWT_KEYS": first.url}, B: {"APP_JWT_KEYS": second.url}})
        errors = said("check", app=app, status=1)["errors"]
    assert errors == [
        {
            "code": "shared_key",
            "text": f'{B}: The issuer {A} has the key "other" too, so each of them could sign '
            "ConsumerJWSs of the other. Use separate keys, or require iss in ConsumerJWSs.",
        }
    ]


def test_a_key_of_tokens_that_name_their_issuer_can_be_shared(
    said: Said, make_app: MakeApp
) -> None:
    """RFC 8725 section 3.8: as tenants of one provider do; ``iss`` keeps their tokens apart."""
    with KeySetServer(a) as first, KeySetServer(named(A, kid="other")) as second:
        urls = {A: first.url, B: second.url}
        named_in_both = {
            name: {"APP_JWT_KEYS": url, "CONSUMER_JWS_CLAIMS": {"issuer": "iss"}}
            for name, url in urls.items()
        }
        own_keys = {
            name: {"APP_JWT_KEYS": url, "CONSUMER_JWS_KEYS": named(name, kid=name).key_set()}
            for name, url in urls.items()
        }
        for issuers in (named_in_both, own_keys):
            app = make_app(ISSUERS=issuers)
            assert "shared_key" not in str(said("check", app=app, status=0))


@cases(
    "settings, code",
    {
        "accounts": ({"AUDIENCE": None}, "any_account"),
        "RSA": ({"APP_JWT_KEYS": b64encode(der("RSA-1024")).decode()}, "short_rsa_key"),
        "HMAC": ({"APP_JWT_ALGORITHMS": ["RS256", "HS256"]}, "symmetric_algorithm"),
        "http": ({"APP_JWT_KEYS": "http://issuer:1/jwks"}, "key_set_in_the_clear"),
    },
)
def test_a_weak_choice_is_that_of_an_issuer(
    two: Callable[..., Flask], settings: Any, code: str
) -> None:
    """Its name comes first, and the other issuer has no such warning."""
    common, first = {"JWKS_HTTP_HOSTS": ["issuer"], "MIN_RSA_BITS": 1024}, {"AUDIENCE": "le1"}
    app = two(common=common, first=first, **{"AUDIENCE": "le1", **settings})
    app.add_url_rule("/", "index", require_app_jwt(lambda: {}))
    [(told, text)] = find_weaknesses(app, current_runtime(app))
    assert told == code
    assert text.startswith(f"{B}: ")


# inspect


@cases(
    "text, args, decided",
    {
        "AppJWT": (a.app_jwt(), [], (A, None)),
        "of the other": (b.app_jwt(), [], (B, None)),
        "ConsumerJWS by iss": (b.consumer_jws(iss=B), ["--consumer-jws"], (B, None)),
        "ConsumerJWS by kid": (b.consumer_jws(), ["--consumer-jws"], (B, None)),
        "of the issuer of the AppJWT": (
            b.consumer_jws(),
            ["--consumer-jws", "--issuer", B],
            (B, None),
        ),
        "of another one": (
            b.consumer_jws(),
            ["--consumer-jws", "--issuer", A],
            (A, "unknown_key"),
        ),
        "expired": (b.app_jwt(exp=1), [], (B, "expired")),
        "forged": (b.sign({"iss": A}, {"kid": "a"}), [], (A, "bad_signature")),
    },
)
def test_a_token_is_checked_by_the_rules_of_its_issuer(
    said: Said, two: Callable[..., Flask], text: str, args: list[str], decided: Any
) -> None:
    """As a request does: its keys and settings stand in the sentences."""
    name, reason = decided
    found = said("inspect", *args, app=two(), status=1 if reason else 0, input=text)
    assert found["reason"] == reason
    told = [each["check"] for each in found["checks"]]
    known = {A: '"a"', B: '"b"'}[name]
    assert f"A key has this kid and alg; the known kids are: {known}." in told
    is_optional = "absent or " * (found["token"] == "consumer_jws")
    assert f"iss is {is_optional}{name!r}." in told
    [issuers] = [each for each in found["checks"] if each["stage"] == "issuer"]
    among = [args[-1]] if "--issuer" in args else [A, B]
    assert issuers["check"] == f"The issuer is one of: {', '.join(map(repr, among))}."


@cases(
    "text, args, reason, has, lacks",
    {
        "unknown issuer": (a.app_jwt(iss="c"), [], "wrong_issuer", {"iss": "c"}, []),
        "no issuer": (a.app_jwt(iss=OMIT), [], "missing_claim", {}, ["iss"]),
        "unknown kid": (
            named(A, kid="c").consumer_jws(),
            ["--consumer-jws"],
            *("unknown_key", {}, ["iss"]),
        ),
        "other than the AppJWT": (
            b.consumer_jws(iss=B),
            ["--consumer-jws", "--issuer", A],
            *("wrong_issuer", {"iss": B}, []),
        ),
        "no compact JWS": ("a.b", [], "not_compact", {"segments": 2}, []),
    },
)
def test_without_an_issuer_no_check_by_its_rules_is_shown(
    said: Said, two: Callable[..., Flask], text: str, args: Any, reason: str, has: Any, lacks: Any
) -> None:
    """The checks end with that of the issuer; what the token says is shown, not verified."""
    found = said("inspect", *args, app=two(), status=1, input=text)
    assert (found["verdict"], found["reason"], found["verified"]) == ("refused", reason, False)
    assert found["checks"][-1]["stage"] == "issuer"
    [failed] = [each for each in found["checks"] if each["result"] == "fail"]
    assert (failed["has"], failed["lacks"]) == (has, lacks)


@cases(
    "text, args, is_said",
    {
        "a ConsumerJWS alone": (a.consumer_jws(), ["--consumer-jws"], True),
        "of a known issuer": (a.consumer_jws(), ["--consumer-jws", "--issuer", A], False),
        "an AppJWT": (a.app_jwt(iss=OMIT), [], False),
    },
)
def test_where_the_issuer_is_not_known_the_option_for_it_is_said(
    run: RunCommand, make_app: MakeApp, text: str, args: list[str], is_said: bool
) -> None:
    """Two issuers have the kid: beside an AppJWT, the token would be of one of them."""
    keys = {A: a.key_set(), B: named(B, kid="a").key_set()}
    app = make_app(ISSUERS={name: {"APP_JWT_KEYS": each} for name, each in keys.items()})
    shown = run("inspect", *args, app=app, input=text).stdout
    hint = "(missing_claim) The token has no iss. In a request, its issuer is that of the AppJWT: "
    assert (f"{hint}name it with --issuer." in shown) is is_said


@cases(
    "text, listed",
    {
        "unknown issuer": (a.app_jwt(iss="c"), ["any"]),
        "no compact JWS": ("a.b", ["any"]),
        "the other issuer": (b.app_jwt(exp=1), ["any", "of_b"]),
    },
)
def test_checks_of_the_application_are_listed_as_far_as_they_are_known_to_apply(
    said: Said, text: str, listed: list[str]
) -> None:
    """Those for one issuer only once the issuer is known."""
    app = Flask("checked")
    keys = {A: {"APP_JWT_KEYS": a.key_set()}, B: {"APP_JWT_KEYS": b.key_set()}}
    app.config["CONNECTOR_AUTH_ISSUERS"] = keys
    auth = ConnectorAuth(app, clock=lambda: NOW)

    def of_a(_token: Any) -> None:
        raise AssertionError

    def of_b(_token: Any) -> None:
        raise AssertionError

    def any(_token: Any) -> None:
        raise AssertionError

    auth.claim_check(issuer=A)(of_a)
    auth.claim_check(any)
    auth.claim_check(issuer=B)(of_b)
    checks = said("inspect", app=app, status=1, input=text)["checks"]
    own = [
        (each["check"].split()[-1][:-1], each["result"])
        for each in checks
        if each["stage"] == "own"
    ]
    assert own == [(name, "not reached") for name in listed]


TEXTS = {
    "of each": (a.app_jwt(), a.consumer_jws()),
    "of two": (a.app_jwt(), b.consumer_jws()),
    "of two, with iss": (a.app_jwt(), b.consumer_jws(iss=B)),
    "with the iss of the other": (a.app_jwt(), a.consumer_jws(iss=B)),
    "ConsumerJWS alone": (None, b.consumer_jws()),
    "by iss": (None, b.consumer_jws(iss=B)),
    "by a wrong iss": (None, b.consumer_jws(iss=A)),
    "by an unknown iss": (None, b.consumer_jws(iss="c")),
    "by an unknown kid": (None, named(A, kid="c").consumer_jws()),
    "no key, no algorithm": (None, a.sign({}, {"alg": "none"})),
}


@cases("app_jwt, consumer_jws", TEXTS)
def test_what_is_said_is_what_a_request_is_answered(
    said: Said, two: Callable[..., Flask], app_jwt: str | None, consumer_jws: str
) -> None:
    """A ConsumerJWS is refused for the same reason, beside an AppJWT or alone."""
    app = two()
    app.add_url_rule("/", "index", require_consumer_jws(lambda: {}))
    app.add_url_rule("/both", "both", require_app_jwt(require_consumer_jws(lambda: {})))
    reasons = []

    def note(_app: Flask, error: Any) -> None:
        reasons.append(error.reason.value)

    with token_rejected.connected_to(note, app):
        path = "/" if app_jwt is None else "/both"
        status = app.test_client().get(path, headers=headers(app_jwt, consumer_jws)).status_code
    assert (status == 200) is (reasons == [])
    args = ["--consumer-jws", *([] if app_jwt is None else ["--issuer", A])]
    found = said("inspect", *args, app=app, status=1 if reasons else 0, input=consumer_jws)
    assert [found["reason"]] == (reasons or [None])


def test_keys_that_may_tell_the_issuer_may_be_out_of_reach(
    said: Said, two: Callable[..., Flask]
) -> None:
    """Status 2, as a request is answered with 503."""
    app = two(APP_JWT_KEYS=f"http://127.0.0.1:{free_port()}/jwks.json")
    text = named(A, kid="c").consumer_jws()
    found = said("inspect", "--consumer-jws", app=app, status=2, input=text)
    assert found["reason"] == "keys_unavailable"
    assert found["checks"][-1]["result"] == "unavailable"


def test_each_issuer_has_an_audience_of_its_own(said: Said, two: Callable[..., Flask]) -> None:
    """The check of the account is that of the token's issuer."""
    app = two(AUDIENCE="le3")
    assert said("inspect", app=app, input=a.app_jwt())["verdict"] == "accepted"
    found = said("inspect", app=app, status=1, input=b.app_jwt())
    assert found["reason"] == "wrong_account"
    assert "The account is one of AUDIENCE: le3." in [each["check"] for each in found["checks"]]


@cases("args", {"AppJWT": ["--issuer", A], "unknown": ["--consumer-jws", "--issuer", "c"]})
def test_an_issuer_that_no_request_could_have_is_a_wrong_option(
    run: RunCommand, two: Callable[..., Flask], args: list[str]
) -> None:
    """Status 2, with the issuers that there are."""
    result = run("inspect", *args, app=two(), input=a.app_jwt())
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--issuer belongs to --consumer-jws, with one of '{A}', '{B}'." in result.stderr


# Claim names and types


@pytest.fixture
def other_names(two: Callable[..., Flask]) -> Flask:
    """An app whose second issuer has other claim names and types."""
    return two(APP_JWT_CLAIMS=IDS, APP_JWT_TYPES=["at+jwt", "JWT"])


def app_jwt(typ: str = "at+jwt", **claims: Any) -> str:
    """Return an AppJWT with those claim names."""
    names = {"tenant": "le1", "sub": "install", "scp": ["msg"], "iat": NOW, "exp": NOW + 60}
    given = {**names, "iss": B, **claims}
    return b.sign({name: each for name, each in given.items() if each is not OMIT}, {"typ": typ})


def test_the_sentences_have_the_names_of_the_issuer(said: Said, other_names: Flask) -> None:
    """Claims and ``typ`` as the settings of the token's issuer have them."""
    found = said("inspect", "--scope", "msg", app=other_names, input=app_jwt())
    assert found["verdict"] == "accepted"
    told = [each["check"] for each in found["checks"]]
    for sentence in (
        "typ is at+jwt or absent or JWT; kid is absent or has 1 to 256 characters.",
        "Non-empty strings: sub.",
        "scp or scope, if present, is a string or a list of strings.",
        "tenant is one account.",
    ):
        assert sentence in told


@cases(
    "claims, reason, has, lacks",
    {
        "no install": ({"sub": OMIT}, "missing_claim", {}, ["sub"]),
        "no account": ({"tenant": OMIT}, "missing_claim", {}, ["tenant"]),
        "scopes": ({"scp": 1}, "bad_claim", {"scp": 1}, []),
        "other scopes": ({"scp": ["a"], "scope": "msg"}, "missing_scope", {"scp": ["a"]}, []),
        "other name": ({"scp": OMIT, "scope": "a"}, "missing_scope", {"scope": "a"}, []),
        "no scopes": ({"scp": OMIT}, "missing_scope", {}, ["scp"]),
        "account": ({"tenant": "le2"}, "wrong_account", {"tenant": "le2"}, []),
    },
)
def test_what_a_token_has_and_lacks_is_told_by_its_own_names(
    said: Said, other_names: Flask, claims: Any, reason: str, has: Any, lacks: list[str]
) -> None:
    """The claims that the failed check reads, by the settings of the token's issuer."""
    options = ["--scope", "msg", "--account-id", "le1"]
    found = said("inspect", *options, app=other_names, status=1, input=app_jwt(**claims))
    [failed] = [each for each in found["checks"] if each["result"] == "fail"]
    assert (failed["reason"], failed["has"], failed["lacks"]) == (reason, has, lacks)


def test_what_is_shown_whole_follows_the_names(said: Said, other_names: Flask) -> None:
    """An id in a claim that a check reads; of another claim, the beginning only."""
    claims = {"tenant": "t" * 64, "scp": "s" * 30 + " " + "t" * 30, "note": "n" * 64}
    shown = said("inspect", app=other_names, input=app_jwt(**claims))["claims"]
    assert {name: shown[name] for name in claims} == {**claims, "note": f"{'n' * 16}***"}
