"""``inspect``: each check of the verifier, in its order, with what came of it; and no signature."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import ConnectorAuth, KeySource, Reason, Unavailable
from flask_connector_auth.cli.explanation import Explanation
from flask_connector_auth.core import token_requirement
from flask_connector_auth.testing import OMIT
from flask_connector_auth.testing.signer import encode_base64url
from flask_connector_auth.verification import Check
from flask_connector_auth.web import current_runtime
from tests.support.floor_helpers import NOW, cases, issuer_of, jwk
from tests.support.http_helpers import ACCOUNT, headers
from tests.support.ports import free_port
from tests.support.types import MakeApp, RunCommand

ours, theirs = issuer_of(), issuer_of(owner="theirs")
KEYS = ours.key_set()
GOOD = ours.app_jwt()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")
# By check and reason, a token that fails at exactly that check.
BROKEN: Mapping[str, tuple[str, str, str]] = {
    "huge": ("header_size", "too_large", "," * 40000),
    "nothing": ("presence", "missing", " \n"),
    "two words": ("header_form", "bad_header", f"Basic {GOOD}"),
    "too long": ("token_size", "too_large", "a" * 20000),
    "two segments": ("segments", "not_compact", f"{HEAD}.{PAYLOAD}"),
    "bytes that are no text": ("segments", "not_compact", "\ufffd"),
    "a header too long": ("header_segment_size", "too_large", f"{'a' * 3000}.{PAYLOAD}.x"),
    "padding": ("encoding", "not_compact", f"{GOOD}="),
    "header no JSON": ("header_json", "bad_json", ours.sign(b"{}", b"[]")),
    "crit": ("extensions", "critical", ours.sign(b"{}", {"crit": ["exp"]})),
    "none": ("algorithm", "bad_algorithm", ours.sign(b"{}", {"alg": "none"})),
    "typ": ("type_and_kid", "bad_parameter", ours.sign(b"{}", {"typ": "at+jwt"})),
    "kid of no key": ("key", "unknown_key", ours.sign(b"{}", {"kid": "dev-2"})),
    "forged": ("signature", "bad_signature", theirs.app_jwt()),
    "payload no JSON": ("payload_json", "bad_json", ours.sign(b'{"aud":1,"aud":1}')),
    "of the other type": ("no_claims_of_other_token", "wrong_type", ours.consumer_jws()),
    "no azp": ("text_claims", "missing_claim", ours.app_jwt(azp=OMIT)),
    "an empty azp": ("text_claims", "bad_claim", ours.app_jwt(azp="")),
    "no iss": ("issuer", "missing_claim", ours.app_jwt(iss=OMIT)),
    "another issuer": ("issuer", "wrong_issuer", ours.app_jwt(iss="Sentinel2")),
    "no exp": ("time_claims", "missing_claim", ours.app_jwt(exp=OMIT)),
    "exp no number": ("time_claims", "bad_claim", ours.app_jwt(exp="soon")),
    "expired": ("expiry", "expired", ours.app_jwt(exp=NOW - 31)),
    "of tomorrow": ("start", "not_yet_valid", ours.app_jwt(nbf=NOW + 31)),
    "for too long": ("lifetime", "too_long_lived", ours.app_jwt(exp=NOW + 7201)),
    "scope no string": ("scope_claim", "bad_claim", ours.app_jwt(scope=["a"])),
    "no account": ("audience_claim", "missing_claim", ours.app_jwt(aud=OMIT)),
    "two accounts": ("audience_claim", "bad_claim", ours.app_jwt(aud=["le1", "le2"])),
    "revoked": ("revocation", "revoked", ours.app_jwt(azp="revoked")),
    "another account": ("account_of", "wrong_account", ours.app_jwt(aud="le2")),
    "no scope": ("scopes_of", "missing_scope", ours.app_jwt(scope="msg")),
}


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
    found = inspect(GOOD, "--scope", "msg.consumer", "--account", ACCOUNT, status=0)
    assert set(results(found)) == {"pass"}
    del found["checks"]
    assert found == {
        "token": "app_jwt",
        "verdict": "accepted",
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


@cases("text", {"bare": GOOD, "Bearer": f"Bearer {GOOD}", "line": f"  bearer  {GOOD}\r\n"})
def test_the_value_of_the_header_will_do(inspect: Callable[..., Any], text: str) -> None:
    """RFC 6750 section 2.1: what stands in ``Authorization`` is read as in a request."""
    assert inspect(text, status=0)["verdict"] == "accepted"


def checks_of(app: Flask) -> list[Check]:
    """Return the checks of an AppJWT."""
    state = current_runtime(app)
    return Explanation(state, state.app_jwt, None, token_requirement()).checks


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
    assert check.name == name
    assert [found["checks"][failed][key] for key in ("stage", "reason")] == [check.stage, reason]
    assert [each["reason"] for each in found["checks"] if each["reason"]] == [reason]


def test_each_check_is_seen_to_fail(app: Flask) -> None:
    """The table of broken tokens is complete: each reason of each check of an AppJWT, in order."""
    failing = [(check.name, reason) for check in checks_of(app) for reason in check.reasons]
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


@cases("text", {"forged": theirs.app_jwt(exp=NOW - 90), "expired": ours.app_jwt(exp=NOW - 90)})
def test_what_a_bad_token_says_is_shown(run: RunCommand, app: Flask, text: str) -> None:
    """Forged or expired, its claims are there, with dates, and whether they can be believed."""
    result = run("inspect", app=app, input=text)
    assert result.exit_code == 1
    assert "  exp: 1799999910  2027-01-15T07:58:30Z, 0:01:30 ago\n" in result.stdout
    assert ("claims, not verified:" in result.stdout) is ("key's. (bad" in result.stdout)
    assert text.split(".")[2] not in result.output


def test_the_text_for_people(run: RunCommand, app: Flask) -> None:
    """The verdict first, then each check with its result, then what the token says."""
    text = ours.app_jwt(**{"exp": NOW - 31, "\x1b[31m": "\x1b\u202e\n"})
    lines = run("inspect", app=app, input=text).stdout.splitlines()
    assert lines[0] == "app_jwt as of 2027-01-15T08:00:00Z: refused (expired)"
    assert "  pass         The signature is that key's." in lines
    assert "  fail         exp lies in the future, give or take 30 s. (expired)" in lines
    assert "  not reached  Its scopes include: none required." in lines
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


@cases("value", {"text": "yesterday", "nan": "nan", "infinity": "inf", "year 0": "0000-01-01"})
def test_what_is_no_time_is_a_wrong_option(run: RunCommand, value: str) -> None:
    """Status 2, and the form of a date."""
    result = run("inspect", "--at", value, input=GOOD)
    assert (result.exit_code, "2030-01-31T12:00:00Z" in result.stderr) == (2, True)


def test_a_time_without_a_date_is_left_as_it_is(inspect: Callable[..., Any]) -> None:
    """RFC 7519 section 2: a NumericDate can be beyond every calendar; other values are no time."""
    text = ours.app_jwt(exp=2**52, iat=True, nbf=1e300)
    assert inspect(text, status=1)["times"] == {}


def test_the_account_of_the_url(inspect: Callable[..., Any]) -> None:
    """With --account, the token must be of that one, as it must in a request."""
    assert inspect(GOOD, "--account", "le3", status=1)["reason"] == "wrong_account"
    assert inspect(GOOD, "--account", ACCOUNT, status=0)["reason"] is None


def test_any_account_is_told_as_such(inspect: Callable[..., Any], make_app: MakeApp) -> None:
    """Without AUDIENCE and --account every account passes, and that is what the check says; a
    lifetime without limit and keys without any likewise."""
    app = make_app(clock=lambda: NOW, APP_JWT_KEYS=KEYS)
    told = [each["check"] for each in inspect(GOOD, status=0, app=app)["checks"]]
    assert "The account is any: no AUDIENCE is set." in told
    assert "From iat to exp it is any time." in told
    assert 'A key fits kid and alg; known are: "dev-1".' in told


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


class Doubtful(KeySource):
    """Has a key, and cannot tell whether there is another one under its name."""

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Return the key."""
        return self._keys.candidates(kid, algorithm)

    def candidates_after_failure(self, kid: str | None, algorithm: str, tried: Any) -> Any:
        """Fail."""
        raise Unavailable(Reason.KEYS_UNAVAILABLE)


def test_a_signature_may_be_what_cannot_be_checked(
    inspect: Callable[..., Any], make_app: MakeApp, app: Flask
) -> None:
    """Keys found, but perhaps not all: the signature is unavailable, not the key."""
    doubtful = make_app(APP_JWT_KEYS=Doubtful(current_runtime(app).app_jwt.keys))
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


def encoded(content: bytes) -> str:
    """Return *content* as a segment."""
    return encode_base64url(content).decode()


@cases(
    "start",
    {
        "as usual": b'{"',
        "a space in it": b'{ "',
        "a tab in it": b'{\t"',
        "a line in it": b'{\r\n  "',
        "a space before it": b' {"',
        "two before it": b'\t {"',
        "lines before it": b'\r\n\r\n{\n"',
        "much before it": b" " * 100 + b'{"',
        "a digit as name": b'{"5":1,"',
        "a name that is not ASCII": '{"é":1,"'.encode(),
        "a byte order mark": b'\xef\xbb\xbf{"',
    },
)
def test_a_token_within_a_token_loses_its_signature_too(
    inspect: Callable[..., Any], start: bytes
) -> None:
    """RFC 8259 section 2: a header is JSON however it is spelled, and claims may hold a good token;
    what is none stays as it is."""
    inner = theirs.sign(b'{ "aud": "le2" }', start + b'alg":"RS256"}')
    cut = f"{inner.rpartition('.')[0]}.***"
    found = inspect(ours.app_jwt(act={"tokens": [f"x {inner} y"], inner: 1}), status=0)
    assert found["claims"]["act"] == {"tokens": [f"x {cut} y"], cut: 1}


@cases(
    "around",
    {
        "line": "a\n{}\n",
        "word": "token_{}",
        "two letters": "ab{}",
        "one letter": "é-a{}",
        "segments": "v1.x.{}",
        "URL": "https://login.example.com/a?token={}&b",
        "quotes": '"{}"',
        "emoji": "\U0001f600{}",
    },
)
def test_where_a_token_begins(inspect: Callable[..., Any], around: str) -> None:
    """It may stand within a word: one that cuts it out can use it."""
    inner = theirs.app_jwt()
    found = inspect(ours.app_jwt(note=around.format(inner)), status=0)
    assert (
        found["claims"]["note"].rstrip()
        == around.format(f"{inner.rpartition('.')[0]}.***").rstrip()
    )


@cases(
    "text, shown",
    {
        "JWE": (f"{HEAD}.a.b.c.d", f"{HEAD}.a.***"),
        "detached payload": (f"{HEAD}..{SIGNATURE}", f"{HEAD}..***"),
        "padding": (f"{HEAD}==.{PAYLOAD}.{SIGNATURE}=", f"{HEAD}==.{PAYLOAD}.***"),
        "UTF-16": (
            f"{encoded('{}'.encode('utf-16'))}.a.b",
            f"{encoded('{}'.encode('utf-16'))}.a.***",
        ),
        "standard alphabet": ("eyJ+/Pz8.a+/a.b", "eyJ+/Pz8.a+/a.***"),
        "two": (f"{GOOD} {GOOD}", f"{HEAD}.{PAYLOAD}.*** {HEAD}.{PAYLOAD}.***"),
        "no signature": (f"{HEAD}.{PAYLOAD}.", f"{HEAD}.{PAYLOAD}."),
        "two segments": (f"{HEAD}.{PAYLOAD}", f"{HEAD}.{PAYLOAD}"),
        "a list for a header": ("WyJhIl0.a.b", "WyJhIl0.a.b"),
        "host": ("va.sentinel.liveperson.net", "va.sentinel.liveperson.net"),
        "version": ("1.2.3", "1.2.3"),
        "file": ("/eyes/keys.d/a.pem.old", "/eyes/keys.d/a.pem.old"),
        "dots": ("...", "..."),
        "long": ("a" * 9000, "a" * 9000),
    },
)
def test_what_counts_as_a_token(inspect: Callable[..., Any], text: str, shown: str) -> None:
    """RFC 7515 section 7.1: what has a JOSE header before two more segments, and nothing else."""
    assert inspect(ours.app_jwt(note=text), status=0)["claims"]["note"] == shown


def test_a_token_in_the_json_serialization(inspect: Callable[..., Any]) -> None:
    """RFC 7515 section 7.2: its members are put together to a compact token by anyone; a claim that
    only has that name is shown."""
    jws = {"protected": HEAD, "payload": PAYLOAD, "signature": SIGNATURE}
    general = {"payload": PAYLOAD, "signatures": [{"header": {}, "signature": SIGNATURE}]}
    found = inspect(ours.app_jwt(act=[jws, general], signature="Ada"), status=0)
    assert found["claims"]["act"] == [
        {**jws, "signature": "***"},
        {"payload": PAYLOAD, "signatures": [{"header": {}, "signature": "***"}]},
    ]
    assert found["claims"]["signature"] == "Ada"


def test_a_token_as_the_name_of_a_key(inspect: Callable[..., Any]) -> None:
    """RFC 7515 section 4.1.4: ``kid`` is any text, and so a token too."""
    inner = theirs.sign(b"{}", b'{ "alg":"RS256"}')
    found = inspect(ours.sign({}, {"kid": inner}), status=1)
    assert found["header"]["kid"] == f"{inner.rpartition('.')[0]}.***"
