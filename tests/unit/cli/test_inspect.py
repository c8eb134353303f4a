"""``inspect``: each check of the verifier, in its order, with what came of it; and no signature."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView

from flask_connector_auth import (
    AppJWT,
    ClaimRejected,
    ConnectorAuth,
    ConsumerJWS,
    KeySource,
    Reason,
    Unavailable,
    require_app_jwt,
    require_consumer_jws,
)
from flask_connector_auth.cli.explanation import Explanation, relevant_content
from flask_connector_auth.core import token_requirement
from flask_connector_auth.revocation import RevocationCache
from flask_connector_auth.testing import OMIT
from flask_connector_auth.testing.key_server import KeySetServer
from flask_connector_auth.verification import Check, Examination, Stage
from flask_connector_auth.web import current_runtime
from tests.support.broken_tokens import (
    BROKEN,
    GOOD,
    HEAD,
    KEYS,
    PAYLOAD,
    SIGNATURE,
    Doubtful,
    ours,
    theirs,
)
from tests.support.floor_helpers import NOW, cases, issuer_of, jwk
from tests.support.http_helpers import ACCOUNT, headers
from tests.support.ports import free_port
from tests.support.types import MakeApp, RunCommand

READS_MEMBERS = set(Stage) - {Stage.HEADER, Stage.FORM, Stage.PAIR}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An app at :data:`NOW` that sees to everything there is to see to."""
    app = make_app(
        clock=lambda: NOW, APP_JWT_KEYS=KEYS, AUDIENCE=[ACCOUNT, "le3"], MAX_LIFETIME=7200
    )
    with app.app_context():
        current_runtime().revocations.revoke(install_id="revoked")
    return app


@pytest.fixture
def inspect(run: RunCommand, app: Flask) -> Callable[..., Any]:
    """Return a function that inspects a text, and returns what is said as JSON."""

    def call(text: str | bytes, *args: str, status: int, app: Flask = app) -> Any:
        result = run("inspect", "--json", *args, app=app, input=text)
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    return call


def results(found: Any) -> list[str]:
    """Return what came of each check."""
    return [each["result"] for each in found["checks"]]


def test_a_good_token_passes_every_check(inspect: Callable[..., Any]) -> None:
    """The app would accept it; what it says is shown, times as dates too."""
    found = inspect(GOOD, "--scope", "msg.consumer", "--account-id", ACCOUNT, status=0)
    assert set(results(found)) == {"pass"}
    del found["checks"]
    assert found == {
        "token": "app_jwt",
        "verdict": "accepted",
        "not_checked": ["revocations"],
        "reason": None,
        "at": "2027-01-15T08:00:00Z",
        "verified": True,
        "header": {"alg": "RS256", "kid": "dev-1", "typ": "JWT", "others": []},
        "claims": {
            "aud": ACCOUNT,
            "azp": "75588e18-0000-4000-8000-000000000000",
            "scope": "msg.consumer",
            "iss": "Sentinel",
            "exp": NOW + 3600,
            "iat": NOW,
        },
        "times": {
            "exp": {"date": "2027-01-15T09:00:00Z", "in": 3600},
            "iat": {"date": "2027-01-15T08:00:00Z", "in": 0},
        },
    }


def test_the_keys_that_a_check_has_fetched_are_listed(
    inspect: Callable[..., Any], make_app: MakeApp
) -> None:
    """The command is a new process, which has fetched no key before the check of the key."""
    with KeySetServer(KEYS) as server:
        app = make_app(clock=lambda: NOW, APP_JWT_KEYS=server.url)
        found = inspect(GOOD, status=0, app=app)
    [told] = [each for each in found["checks"] if each["stage"] == "key"]
    assert (told["result"], told["check"].count('"dev-1"')) == ("pass", 1)


@cases("text", {"bare": GOOD, "Bearer": f"Bearer {GOOD}", "line": f"  bearer  {GOOD}\r\n"})
def test_the_value_of_the_header_will_do(inspect: Callable[..., Any], text: str) -> None:
    """RFC 6750 section 2.1: what stands in ``Authorization`` is read as in a request."""
    assert inspect(text, status=0)["verdict"] == "accepted"


def checks_of(app: Flask) -> list[Check]:
    """Return the checks of an AppJWT."""
    state = current_runtime(app)
    explanation = Explanation(state, state.app_jwt, None, token_requirement())
    return [check for check, _ in explanation.checks()]


@cases("name, reason, text", BROKEN)
def test_the_check_that_fails_is_shown_with_all_before_it_passed(
    inspect: Callable[..., Any], app: Flask, name: str, reason: str, text: str
) -> None:
    """One check fails, where the verifier fails and for its reason; the rest is not reached."""
    found = inspect(text, "--scope", "msg.consumer", status=1)
    assert (found["verdict"], found["reason"]) == ("refused", reason)
    shown = results(found)
    failed = shown.index("fail")
    assert shown == ["pass"] * failed + ["fail"] + ["not reached"] * (len(shown) - failed - 1)
    check = checks_of(app)[failed]
    assert check.run.__name__ == f"check_{name}"
    assert [found["checks"][failed][key] for key in ("stage", "reason")] == [check.stage, reason]
    assert [each["reason"] for each in found["checks"] if each["reason"]] == [reason]


def test_each_check_is_seen_to_fail(app: Flask) -> None:
    """The table of broken tokens is complete: each reason of each check of an AppJWT, in order."""
    failing = [
        (check.run.__name__.removeprefix("check_"), reason)
        for check in checks_of(app)
        for reason in check.reasons
    ]
    seen = dict.fromkeys((name, reason) for name, reason, _ in BROKEN.values())
    assert list(seen) == [each for each in failing if not each[1].endswith("unavailable")]


@cases(
    "text, stage, reason",
    {
        "good": (ours.consumer_jws(), None, None),
        "Bearer": (f"Bearer {ours.consumer_jws()}", "header", "bad_header"),
        "an AppJWT": (GOOD, "claims", "wrong_type"),
        "no consumer": (ours.consumer_jws(lp_consumer_id=OMIT), "claims", "missing_claim"),
        "expired": (ours.consumer_jws(exp=1), "times", "expired"),
        "another account": (ours.consumer_jws(account_id="le2"), "account", "wrong_account"),
    },
)
def test_a_consumer_jws_has_checks_of_its_own(
    inspect: Callable[..., Any], text: str, stage: str | None, reason: str | None
) -> None:
    """No issuer, no lifetime, no scopes; its header holds the bare token."""
    found = inspect(text, "--consumer-jws", status=1 if reason else 0)
    assert (found["token"], found["reason"]) == ("consumer_jws", reason)
    assert [each["stage"] for each in found["checks"] if each["result"] == "fail"] == (
        [stage] if stage else []
    )
    words = " ".join(each["check"] for each in found["checks"])
    assert "lp_consumer_id" in words
    assert "iss" not in words
    assert "scopes" not in words


@cases(
    "text, has, lacks",
    {
        "too long": ("a" * 16385, {"bytes": 16385}, []),
        "five segments": ("a.b.c.d.e", {"segments": 5}, []),
        "not ASCII": ("a.b.\xe9", {}, []),
        "a long header": (f"{'a' * 2049}.b.c", {"bytes": 2049}, []),
        "another algorithm": (issuer_of("HS256").app_jwt(), {"alg": "HS256"}, []),
        "no algorithm": ("e30.e30.", {}, ["alg"]),
        "compressed": (ours.sign({}, {"zip": "DEF"}), {"zip": "DEF"}, []),
        "another type": (ours.sign({}, {"typ": "x"}), {"typ": "x", "kid": "dev-1"}, []),
        "another key": (ours.sign({}, {"kid": "x"}), {"alg": "RS256", "kid": "x"}, []),
        "forged": (theirs.app_jwt(), {"alg": "RS256", "kid": "dev-1"}, []),
        "no JSON": (ours.sign(b"no", {}), {}, []),
        "the other token": (ours.app_jwt(lp_consumer_id="c"), {"lp_consumer_id": "c"}, []),
        "no install": (ours.app_jwt(azp=OMIT), {}, ["azp"]),
        "an empty install": (ours.app_jwt(azp=""), {"azp": ""}, []),
        "another issuer": (ours.app_jwt(iss="Other"), {"iss": "Other"}, []),
        "no issuer": (ours.app_jwt(iss=OMIT), {}, ["iss"]),
        "no times": (ours.app_jwt(exp=OMIT, iat=OMIT), {}, ["exp", "iat"]),
        "a time as text": (ours.app_jwt(exp="x"), {"exp": "x", "iat": NOW}, []),
        "expired": (ours.app_jwt(exp=NOW - 60), {"exp": NOW - 60}, []),
        "early": (ours.app_jwt(nbf=NOW + 60), {"iat": NOW, "nbf": NOW + 60}, []),
        "long": (ours.app_jwt(exp=NOW + 7201), {"iat": NOW, "exp": NOW + 7201}, []),
        "scopes as a list": (ours.app_jwt(scope=["a"]), {"scope": ["a"]}, []),
        "no account": (ours.app_jwt(aud=OMIT), {}, ["aud"]),
        "several accounts": (ours.app_jwt(aud=["a", "b"]), {"aud": ["a", "b"]}, []),
        "revoked": (
            ours.app_jwt(azp="revoked"),
            {"azp": "revoked", "aud": ACCOUNT, "iat": NOW},
            [],
        ),
        "another account": (ours.app_jwt(aud="le4"), {"aud": "le4"}, []),
        "other scopes": (ours.app_jwt(scope="a b"), {"scope": "a b"}, []),
        "no scopes": (ours.app_jwt(scope=OMIT), {}, ["scope"]),
        "a token in a claim": (ours.app_jwt(iss=GOOD), {"iss": f"{GOOD[:16]}***"}, []),
    },
)
def test_a_failed_check_says_what_the_token_has(
    inspect: Callable[..., Any], text: str, has: Any, lacks: list[str]
) -> None:
    """The values that the check reads, as in the content of the token, and the names that are
    missing; the other checks say nothing."""
    checks = inspect(text, "--scope", "msg.consumer", status=1)["checks"]
    [failed] = [each for each in checks if each["result"] == "fail"]
    assert (failed["has"], failed["lacks"]) == (has, lacks)
    assert failed["details"].get("kind") == ("install" if failed["reason"] == "revoked" else None)
    others = [each for each in checks if each is not failed]
    assert [each for each in others if each["has"] or each["lacks"] or each["details"]] == []


@cases(
    "claims, words",
    {
        "a value": ({"iss": "Other"}, '(wrong_issuer) The token has iss "Other".'),
        "nothing": ({"scope": OMIT}, "(missing_scope) The token has no scope."),
        "revoked": (
            {"azp": "revoked"},
            "2027-01-15T08:00:00Z, in 0:00:00). The install is revoked.",
        ),
        "dates": (
            {"nbf": NOW + 60},
            "(not_yet_valid) The token has iat 1800000000 (2027-01-15T08:00:00Z, in 0:00:00), "
            "nbf 1800000060 (2027-01-15T08:01:00Z, in 0:01:00).",
        ),
    },
)
def test_what_the_token_has_stands_behind_the_check(
    run: RunCommand, app: Flask, claims: Any, words: str
) -> None:
    """In the text for people: one sentence, at the end of the line that fails."""
    text = ours.app_jwt(**claims)
    shown = run("inspect", "--scope", "msg.consumer", app=app, input=text).stdout
    [line] = [each for each in shown.splitlines() if each.startswith("  fail ")]
    assert line.endswith(words)
    shown = run("inspect", app=app, input="a.b").stdout
    assert "The token has three segments. (not_compact) The token has 2 segments." in shown


def test_each_check_that_reads_a_member_says_what_it_has(app: Flask) -> None:
    """A new check needs a row: each one from the JOSE header on, but for those that read the JSON
    itself or nothing of the token."""
    for verifier in current_runtime(app).verifiers:
        examined = Examination(verifier.profile, verifier.rules, verifier.keys, "", NOW)
        examined.parameters = dict.fromkeys(("alg", "kid", "typ", "crit"), "x")
        examined.claims = dict.fromkeys(
            ("iss", "azp", "aud", "scope", "exp", "iat", "account_id", "lp_consumer_id"), "x"
        )
        for check in verifier.checks:
            if check.stage in READS_MEMBERS and check.run is not RevocationCache.check_age:
                is_json = check.run.__name__.endswith("_json")
                has, _ = relevant_content(check, examined, None)
                assert bool(has) is not is_json, check.run


@cases("text", {"forged": theirs.app_jwt(exp=NOW - 90), "expired": ours.app_jwt(exp=NOW - 90)})
def test_what_a_bad_token_says_is_shown(run: RunCommand, app: Flask, text: str) -> None:
    """Forged or expired, its claims are there, with dates, and whether they can be believed."""
    result = run("inspect", app=app, input=text)
    assert result.exit_code == 1
    assert "  exp: 1799999910  2027-01-15T07:58:30Z, 0:01:30 ago\n" in result.stdout
    assert ("claims, not verified:" in result.stdout) is ("that key. (bad" in result.stdout)
    assert text.split(".")[2] not in result.output


def test_the_text_for_people(run: RunCommand, app: Flask) -> None:
    """The verdict first, then each check with its result, then what the token says."""
    text = ours.app_jwt(**{"exp": NOW - 31, "\x1b[31m": "\x1b\u202e\n"})
    lines = run("inspect", app=app, input=text).stdout.splitlines()
    assert lines[0] == "app_jwt as of 2027-01-15T08:00:00Z: refused (expired)"
    assert "  pass         The signature verifies with that key." in lines
    assert (
        "  fail         exp is in the future, with a leeway of 30 s. (expired) "
        "The token has exp 1799999969 (2027-01-15T07:59:29Z, 0:00:31 ago)."
    ) in lines
    assert "  not reached  The scopes include: none are required." in lines
    assert r'  \u001b[31m: "\u001b\u202e\n"' in lines


def test_no_key_of_a_token_is_read(inspect: Callable[..., Any]) -> None:
    """RFC 8725 section 3.10: a key that the token brings along verifies nothing, and is not shown;
    the same header with our signature passes."""
    header = {"jwk": {**jwk(owner="theirs"), "kid": "x"}, "x5u": "https://evil.example/"}
    claims = {"aud": ACCOUNT, "azp": "x", "iss": "Sentinel", "iat": NOW, "exp": NOW + 60}
    found = inspect(theirs.sign(claims, header), status=1)
    assert found["reason"] == "bad_signature"
    assert found["header"]["others"] == ["jwk", "x5u"]
    assert "evil" not in json.dumps(found)
    assert inspect(ours.sign(claims, header), status=0)["verified"] is True


def test_it_can_be_judged_as_of_another_time(inspect: Callable[..., Any]) -> None:
    """A date or seconds, in place of now."""
    old = ours.app_jwt(iat=NOW - 9000, exp=NOW - 5400)
    assert inspect(old, status=1)["reason"] == "expired"
    for at in (str(NOW - 7200), "2027-01-15T06:00", "2027-01-15T07:00:00+01:00"):
        assert inspect(old, "--at", at, status=0)["at"] == "2027-01-15T06:00:00Z"


@cases(
    "value",
    {"text": "yesterday", "nan": "nan", "infinity": "inf", "year 0": "0000-01-01"}
    | {"beyond every calendar": "1e300", "before every calendar": "-1e300"}
    | {"year 10000 in UTC": "9999-12-31T23:59:59-01:00"},
)
def test_what_is_no_time_is_a_wrong_option(run: RunCommand, value: str) -> None:
    """Status 2, and the form of a date."""
    result = run("inspect", "--at", value, input=GOOD)
    assert (result.exit_code, "2030-01-31T12:00:00Z" in result.stderr) == (2, True)


def test_a_time_without_a_date_is_left_as_it_is(inspect: Callable[..., Any]) -> None:
    """RFC 7519 section 2: a NumericDate can be beyond every calendar; other values are no time."""
    text = ours.app_jwt(exp=2**52, iat=True, nbf=1e300)
    assert inspect(text, status=1)["times"] == {}


def test_the_account_of_the_url(inspect: Callable[..., Any]) -> None:
    """With --account-id, the token must be of that one, as it must in a request."""
    assert inspect(GOOD, "--account-id", "le3", status=1)["reason"] == "wrong_account"
    assert inspect(GOOD, "--account-id", ACCOUNT, status=0)["reason"] is None


@pytest.fixture
def shop(make_app: MakeApp) -> Flask:
    """An app with an endpoint for each way of requiring something."""
    app = make_app(clock=lambda: NOW, APP_JWT_KEYS=KEYS)
    both = require_app_jwt(require_consumer_jws(lambda **_: {}), scopes="a b", any_scope="c d")
    app.add_url_rule("/<account_id>/send", "send", both, methods=["POST"])
    app.add_url_rule("/free", "free", lambda: {})
    plain = require_app_jwt(lambda **_: {})
    app.add_url_rule("/plain", "plain", plain)
    app.add_url_rule("/two", "two", plain)
    app.add_url_rule("/two/<account_id>", "two", plain)

    class Items(MethodView):
        """Needs more for writing than for reading."""

        get = require_app_jwt(lambda _self: {}, scopes="read")
        post = require_app_jwt(lambda _self: {}, scopes="write")

    app.add_url_rule("/items", view_func=Items.as_view("items"))
    return app


@cases(
    "options, scope, reason",
    {
        "scopes": (["send", "--account-id", ACCOUNT], "b a d", None),
        "one is missing": (["send", "--account-id", ACCOUNT], "a d", "missing_scope"),
        "none of several": (["send", "--account-id", ACCOUNT], "a b", "missing_scope"),
        "account": (["send", "--account-id", "le2"], "a b c", "wrong_account"),
        "more scopes": (["plain", "--scope", "e"], "a", "missing_scope"),
        "no scopes": (["plain"], "", None),
        "account in some URLs": (["two"], "", None),
        "account in that URL": (["two", "--account-id", "le2"], "", "wrong_account"),
        "a method": (["items", "--method", "get"], "read", None),
        "another method": (["items", "--method", "POST"], "read", "missing_scope"),
    },
)
def test_an_endpoint_says_what_is_required(
    inspect: Callable[..., Any], shop: Flask, options: list[str], scope: str, reason: str | None
) -> None:
    """Scopes as the audit reads them, with those of --scope; the account by --account-id."""
    text = ours.app_jwt(scope=scope)
    found = inspect(text, "--endpoint", *options, status=1 if reason else 0, app=shop)
    assert found["reason"] == reason


def test_the_scopes_of_an_endpoint_stand_in_their_check(
    inspect: Callable[..., Any], shop: Flask
) -> None:
    """All of some, and one of others."""
    found = inspect(GOOD, "--endpoint", "send", "--account-id", ACCOUNT, status=1, app=shop)
    assert found["checks"][-1]["check"] == "The scopes include: a b and one of c d."


def test_an_endpoint_may_require_the_consumer_jws(inspect: Callable[..., Any], shop: Flask) -> None:
    """With --consumer-jws it is about that token."""
    options = ["--consumer-jws", "--endpoint", "send", "--account-id"]
    assert inspect(ours.consumer_jws(), *options, ACCOUNT, status=0, app=shop)["reason"] is None
    found = inspect(ours.consumer_jws(), *options, "le2", status=1, app=shop)
    assert found["reason"] == "wrong_account"


@cases(
    "options, words",
    {
        "unknown": (["--endpoint", "sned"], '"sned" is not among those that routes lists'),
        "unknown method": (
            ["--endpoint", "send", "--method", "GET"],
            '"send" with the method "GET" is not among',
        ),
        "several": (["--endpoint", "items"], "name one with --method"),
        "not required": (["--endpoint", "free"], "does not require this token"),
        "other token": (["--endpoint", "plain", "--consumer-jws"], "does not require this token"),
        "account": (["--endpoint", "send"], "name it with --account-id"),
        "no account": (["--endpoint", "plain", "--account-id", "a"], "leave --account-id out"),
        "a method alone": (["--method", "GET"], "--method belongs to --endpoint"),
    },
)
def test_an_endpoint_that_says_nothing_certain_is_a_wrong_option(
    run: RunCommand, shop: Flask, options: list[str], words: str
) -> None:
    """Status 2 and what to do, so that no verdict is about something else than was meant."""
    result = run("inspect", *options, app=shop, input=GOOD)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in " ".join(result.stderr.split())


def test_any_account_is_told_as_such(inspect: Callable[..., Any], make_app: MakeApp) -> None:
    """Without AUDIENCE and --account-id every account passes, and that is what the check says; a
    lifetime without limit and keys without any likewise."""
    app = make_app(clock=lambda: NOW, APP_JWT_KEYS=KEYS)
    told = [each["check"] for each in inspect(GOOD, status=0, app=app)["checks"]]
    assert "The account is not limited: no AUDIENCE is set." in told
    assert "The time from iat to exp is not limited." in told
    assert 'A key has this kid and alg; the known kids are: "dev-1".' in told


ELSEWHERE = "revocations of other processes"


@cases(
    "options, found, told",
    {
        "nothing is named": (
            [],
            ["account", "scopes"],
            f"account in the URL (--account-id), scopes (--endpoint or --scope), {ELSEWHERE}",
        ),
        "account": (
            ["--account-id", ACCOUNT],
            ["scopes"],
            f"scopes (--endpoint or --scope), {ELSEWHERE}",
        ),
        "scope": (
            ["--scope", "msg.consumer"],
            ["account"],
            f"account in the URL (--account-id), {ELSEWHERE}",
        ),
        "endpoint": (["--endpoint", "plain"], [], ELSEWHERE),
    },
)
def test_what_was_not_checked_is_told_with_the_verdict(
    *, run: RunCommand, shop: Flask, options: list[str], found: list[str], told: str
) -> None:
    """docs/cli.rst: accepted is no promise about what the command was not told, nor about what the
    running service has revoked in its own memory."""
    report = json.loads(run("inspect", "--json", *options, app=shop, input=GOOD).stdout)
    assert (report["verdict"], report["not_checked"]) == ("accepted", [*found, "revocations"])
    [known] = [each["check"] for each in report["checks"] if each["check"].count("are known")]
    assert known == "The revocations are known: only those of this process."
    [verdict, *_] = run("inspect", *options, app=shop, input=GOOD).stdout.splitlines()
    assert verdict == f"app_jwt as of 2027-01-15T08:00:00Z: accepted; not checked: {told}"


def test_with_a_store_all_revocations_are_checked(
    run: RunCommand, make_app: MakeApp, store_url: str
) -> None:
    """A ConsumerJWS has no scopes, so nothing is left; what is refused needs no such words."""
    app = make_app(clock=lambda: NOW, APP_JWT_KEYS=KEYS, REVOCATION_URL=store_url)
    options = ["inspect", "--consumer-jws", "--account-id", ACCOUNT]
    shown = run(*options, app=app, input=ours.consumer_jws()).stdout
    assert shown.startswith("consumer_jws as of 2027-01-15T08:00:00Z: accepted\n")
    assert "The revocations are known: those in the store." in shown
    report = json.loads(run(*options, "--json", app=app, input=ours.consumer_jws()).stdout)
    assert report["not_checked"] == []
    [verdict, *_] = run("inspect", app=app, input=theirs.app_jwt()).stdout.splitlines()
    assert verdict.endswith(": refused (bad_signature)")


def test_a_scope_that_none_can_be_is_a_wrong_option(run: RunCommand) -> None:
    """RFC 6749 section 3.3."""
    result = run("inspect", "--scope", 'a"b', input=GOOD)
    assert (result.exit_code, "section 3.3" in result.stderr) == (2, True)


def test_where_the_answer_is_unknown_the_check_is_unavailable(
    inspect: Callable[..., Any], make_app: MakeApp
) -> None:
    """Our fault is not the token's: keys or revocations out of reach are status 2, as they are 503;
    and a token that is bad anyway is refused all the same."""
    keys = f"http://127.0.0.1:{free_port()}/jwks.json"
    store = f"redis://127.0.0.1:{free_port()}"
    for settings, stage in (
        ({"APP_JWT_KEYS": keys}, "key"),
        ({"APP_JWT_KEYS": KEYS, "REVOCATION_URL": store}, "revocation"),
    ):
        app = make_app(clock=lambda: NOW, **settings)
        found = inspect(GOOD, status=2, app=app)
        assert found["verdict"] == "unavailable"
        [(told, reason)] = [
            (each["stage"], each["reason"])
            for each in found["checks"]
            if each["result"] == "unavailable"
        ]
        assert (told, reason) == (stage, found["reason"])
        assert inspect(BROKEN["two segments"][2], status=1, app=app)["verdict"] == "refused"


def test_a_signature_may_be_what_cannot_be_checked(
    inspect: Callable[..., Any], make_app: MakeApp, app: Flask
) -> None:
    """Keys found, but perhaps not all: the signature is unavailable, not the key."""
    doubtful = make_app(APP_JWT_KEYS=Doubtful(current_runtime(app).verifiers[0].keys))
    found = inspect(theirs.app_jwt(), status=2, app=doubtful)
    told = {each["stage"]: each["result"] for each in found["checks"]}
    assert (told["key"], told["signature"]) == ("pass", "unavailable")


def test_inspecting_leaves_the_app_as_it_was(inspect: Callable[..., Any], app: Flask) -> None:
    """What is inspected is not remembered, so a request afterwards is verified in full."""
    inspect(GOOD, status=0)
    assert ConnectorAuth().health(app)["cache"]["app_jwt"] == {
        **{"size": 4096, "entries": 0, "hits": 0, "misses": 0}
    }
    assert app.test_client().get("/", headers=headers(GOOD)).status_code == 404


def folded(text: str, line: str, width: int = 30) -> str:
    """Return *text* in lines of *width* characters, which begin with *line*."""
    return line.join(text[start : start + width] for start in range(0, len(text), width))


def escaped(text: str) -> str:
    """Return *text* as a JSON text whose every character is escaped."""
    return "".join(f"\\u{ord(each):04x}" for each in text)


# An HS256 signature is the shortest that there is.
SHORT = issuer_of("HS256").sign(b"", {})
JWS = {"protected": HEAD, "payload": PAYLOAD, "signature": SHORT.rpartition(".")[2]}
HIDDEN: Mapping[str, Any] = {
    "alone": GOOD,
    "short": SHORT,
    "in a sentence": f"see {GOOD} there",
    "in a URL": f"https://login.example.com/a?token={GOOD}&b",
    "behind a word": f"token_{SHORT}",
    "encrypted": f"{HEAD}.a.b.c.{SIGNATURE}",
    "padded": f"{HEAD}==.{PAYLOAD}.{SIGNATURE}=",
    "folded": folded(GOOD, "\n"),
    "folded, indented": folded(GOOD, "\r\n  "),
    "JSON text": json.dumps({"token": GOOD}),
    "JSON text, escaped": escaped(SHORT),
    "base64": b64encode(GOOD.encode()).decode(),
    "base64 of JSON text": urlsafe_b64encode(json.dumps([GOOD]).encode()).decode(),
    "hexadecimal": GOOD.encode().hex(),
    "UTF-16": SHORT.encode("utf-16").decode("latin-1"),
    "JSON serialization": JWS,
    "JSON serialization as text": json.dumps(JWS),
    "general JSON serialization": {"payload": PAYLOAD, "signatures": [{**JWS, "header": {}}]},
    "segments": SHORT.replace("..", ".e30.").split("."),
    "a name": {GOOD: 1},
    "deep": {"tokens": [["x", {"y": GOOD}]]},
}


def texts_in(value: Any) -> list[str]:
    """Return all texts in *value*, names included."""
    if isinstance(value, dict):
        return [each for inner in value.items() for each in texts_in(list(inner))]
    if isinstance(value, list):
        return [each for inner in value for each in texts_in(inner)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("claim", ["act", "azp", "aud", "iss", "scope", "ext_consumer_id"])
@cases("value", HIDDEN)
def test_no_token_in_a_claim_is_shown(run: RunCommand, app: Flask, claim: str, value: Any) -> None:
    """RFC 7515 section 7: compact or in JSON, however it is encoded, a token that stands in a claim
    is not shown: of each long text there is the beginning only."""
    text = ours.app_jwt(**{claim: value})
    found = json.loads(run("inspect", "--json", app=app, input=text).stdout)["claims"][claim]
    long = [each for each in texts_in(value) if len(each) > 40]
    assert [each for each in texts_in(found) if each.endswith("***")] == [
        f"{each[:16]}***" for each in long
    ]
    shown = run("inspect", app=app, input=text).stdout
    assert [each for each in long if json.dumps(each[:17])[1:-1] in shown] == []


@cases(
    "claims",
    {
        "UUID": {"jti": "75588e18-0000-4000-8000-000000000000"},
        "40 characters": {"act": {"a" * 40: ["b" * 40, 1, None, 0.5, True]}},
        "thumbprint": {"ext_consumer_id": "a" * 64},
        "URL": {"iss": "https://login.example.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"},
        "scopes": {"scope": " ".join(["conversations.read", "https://example.com/messages"] * 5)},
    },
)
def test_what_is_no_token_is_shown_whole(run: RunCommand, app: Flask, claims: Any) -> None:
    """Short texts are; in the claims that the checks read, so are longer ones whose parts are
    shorter than any token."""
    result = run("inspect", "--json", app=app, input=ours.app_jwt(**claims))
    found = json.loads(result.stdout)["claims"]
    assert {name: found[name] for name in claims} == claims


@cases(
    "claims", {"long": {"note": "a" * 41}, "id": {"azp": "a" * 65}, "words": {"azp": "a b" * 14}}
)
def test_a_longer_text_is_cut(inspect: Callable[..., Any], claims: dict[str, str]) -> None:
    """It may be a token, so its first 16 characters are shown."""
    [(name, value)] = claims.items()
    assert inspect(ours.app_jwt(**claims), status=0)["claims"][name] == f"{value[:16]}***"


@cases("kid, shown", {"thumbprint": ("a" * 43, "a" * 43), "a token": (SHORT, f"{SHORT[:16]}***")})
def test_a_key_id_is_shown_unless_it_is_long(
    inspect: Callable[..., Any], kid: str, shown: str
) -> None:
    """RFC 7515 section 4.1.4: ``kid`` is any text, such as a thumbprint (RFC 7638), or a token."""
    found = inspect(ours.sign({}, {"kid": kid, GOOD: 1}), status=1)
    assert found["header"] == {
        **{"alg": "RS256", "kid": shown, "typ": "JWT"},
        "others": [f"{GOOD[:16]}***"],
    }


# Checks of the application


def with_checks() -> tuple[Flask, Callable[[Any], Any]]:
    """Return an app, and the decorator that registers a check of it."""
    app = Flask("checked")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = KEYS
    auth = ConnectorAuth(app, clock=lambda: NOW)

    @auth.claim_check(token="consumer_jws")
    def for_the_other_token(token: ConsumerJWS) -> None:
        raise AssertionError

    return app, auth.claim_check


def test_the_checks_of_the_application_come_last(inspect: Callable[..., Any]) -> None:
    """docs/callbacks.rst: those for the token, once all built-in ones have passed."""
    app, register = with_checks()

    @register
    def accepts(token: AppJWT) -> None:
        assert token.account_id == ACCOUNT

    @register
    def bans(token: AppJWT) -> None:
        raise ClaimRejected("banned", until="tomorrow")

    found = inspect(GOOD, status=1, app=app)
    assert (found["verdict"], found["reason"]) == ("refused", "banned")
    own = [each for each in found["checks"] if each["stage"] == "own"]
    assert [(each["check"], each["result"], each["reason"]) for each in own] == [
        ("The app's own check passes: accepts.", "pass", None),
        ("The app's own check passes: bans.", "fail", "banned"),
    ]
    assert own[1]["details"] == {"until": "tomorrow"}


@cases(
    "text, status",
    {"a built-in one": (ours.app_jwt(exp=1), 1), "one of the app": (GOOD, 1), "the form": ("a", 1)},
)
def test_checks_of_the_application_are_not_reached_after_a_failure(
    inspect: Callable[..., Any], text: str, status: int
) -> None:
    """A request stops at the first check that fails; those of the other token are not listed."""
    app, register = with_checks()
    ran = []

    @register
    def bans(token: AppJWT) -> None:
        ran.append("bans")
        raise ClaimRejected("banned", kind="of the app")

    @register(token="app_jwt", issuer="Sentinel")
    def later(token: AppJWT) -> None:
        ran.append("later")

    found = inspect(text, status=status, app=app)
    own = [(each["check"], each["result"]) for each in found["checks"] if each["stage"] == "own"]
    assert own == [
        ("The app's own check passes: bans.", "fail" if text == GOOD else "not reached"),
        ("The app's own check passes: later.", "not reached"),
    ]
    assert ran == ["bans"] * (text == GOOD)


def test_what_a_check_of_the_application_names_is_not_what_is_revoked(run: RunCommand) -> None:
    """``kind`` is a word that a check may use; only of a revoked token it is what restore takes."""
    app, register = with_checks()

    @register
    def bans(token: AppJWT) -> None:
        raise ClaimRejected("banned", kind="of the app")

    assert "of the app is revoked" not in run("inspect", app=app, input=GOOD).stdout


def test_a_check_that_cannot_tell_is_shown(inspect: Callable[..., Any]) -> None:
    """Row 50301: as in a request."""
    app, register = with_checks()

    @register
    def asks(token: AppJWT) -> None:
        raise Unavailable(Reason.KEYS_UNAVAILABLE)

    assert inspect(GOOD, status=2, app=app)["verdict"] == "unavailable"


def test_a_check_that_fails_by_accident_gives_no_verdict(
    run: RunCommand, inspect: Callable[..., Any]
) -> None:
    """In a request it is a 500. Its class and place are shown after what has passed, and not its
    text, since it may quote anything.
    """
    app, register = with_checks()

    @register
    def breaks(token: AppJWT) -> None:
        raise KeyError("secret")

    @register
    def later(token: AppJWT) -> None:
        raise AssertionError

    place = f"{__file__}:{breaks.__code__.co_firstlineno + 2}"
    result = run("inspect", app=app, input=GOOD)
    assert (result.exit_code, result.stderr) == (2, "")
    assert result.stdout.splitlines()[0].endswith(": error")
    assert (
        f"""
  pass         The scopes include: none are required.
  error        The app's own check passes: breaks. KeyError at {place}.
  not reached  The app's own check passes: later.

header:
"""
        in result.stdout
    )
    assert "secret" not in result.stdout
    found = inspect(GOOD, status=2, app=app)
    assert (found["verdict"], found["reason"]) == ("error", None)
    assert found["checks"][-2]["details"] == {"error": "KeyError", "at": place}


def test_keys_of_the_application_that_fail_give_no_verdict(
    inspect: Callable[..., Any], make_app: MakeApp
) -> None:
    """In a request it is a 500 as well: all that the app raises is shown alike."""

    class Broken(KeySource):
        def candidates(self, kid: str | None, algorithm: str) -> Any:
            raise LookupError("secret")

    found = inspect(GOOD, status=2, app=make_app(APP_JWT_KEYS=Broken()))
    [failed] = [each for each in found["checks"] if each["result"] == "error"]
    assert (failed["stage"], failed["details"]["error"]) == ("key", "LookupError")
    assert failed["details"]["at"].startswith(__file__)
