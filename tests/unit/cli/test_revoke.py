"""``revoke``, ``restore``, ``revocations``: one process says so, and another one refuses."""

import json
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import require_app_jwt, require_consumer_jws, token_digest
from flask_connector_auth.revocation import entry_key
from flask_connector_auth.testing import Issuer
from flask_connector_auth.web import current_runtime
from tests.support.floor_helpers import cases
from tests.support.http_helpers import headers
from tests.support.ports import free_port
from tests.support.redis_servers import until
from tests.support.types import MakeApp, RunCommand

SUBJECTS = {
    "--install-id": "75588e18-0000-4000-8000-000000000000",
    "--account-id": "le81823118",
    "--lp-consumer-id": "lp-1",
    "--ext-consumer-id": "consumer-1",
}


@pytest.fixture
def worker(make_app: MakeApp, store_url: str) -> Flask:
    """Another process's app: it only looks into the store."""
    app = make_app(REVOCATION_URL=store_url)
    app.add_url_rule("/", "view", require_app_jwt(require_consumer_jws(lambda: {})))
    return app


@pytest.fixture
def call(run: RunCommand, make_app: MakeApp, store_url: str) -> Callable[..., Any]:
    """Return a function that runs a command in a process of its own kind."""
    app = make_app(REVOCATION_URL=store_url)
    return lambda *args, **more: run(*args, app=app, **more)


def hears(worker: Flask, *tokens: str, status: int) -> None:
    """Wait until requests with *tokens* are answered so."""
    client = worker.test_client()
    until(lambda: client.get("/", headers=headers(*tokens)).status_code == status)


@pytest.mark.parametrize("option", SUBJECTS)
def test_an_id_is_revoked_and_restored(
    worker: Flask, call: Callable[..., Any], issuer: Issuer, option: str
) -> None:
    """All tokens of it are refused in another worker, and pass again."""
    tokens = issuer.app_jwt(), issuer.consumer_jws(lp_consumer_id="lp-1")
    hears(worker, *tokens, status=200)
    subject = (option, SUBJECTS[option])
    result = call("revoke", *subject, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    name = option.removeprefix("--").replace("-", "_")
    assert json.loads(result.stdout) == {"change": "revoke", name: SUBJECTS[option]}
    hears(worker, *tokens, status=401)
    lines = ['change: "restore"', f'{name}: "{SUBJECTS[option]}"', "was_revoked: true"]
    assert call("restore", *subject).stdout.splitlines() == lines
    hears(worker, *tokens, status=200)


def test_a_token_is_read_and_only_its_digest_is_shown(
    worker: Flask, call: Callable[..., Any], issuer: Issuer
) -> None:
    """Bare or behind Bearer; what is printed restores it, and is no token."""
    text, consumer_jws = issuer.app_jwt(), issuer.consumer_jws()
    for sent in (text, f"Bearer {text}\n"):
        result = call("revoke", "--json", input=sent)
        digest = token_digest(text).hex()
        assert json.loads(result.stdout) == {"change": "revoke", "digest": digest}
        hears(worker, text, consumer_jws, status=401)
        hears(worker, issuer.app_jwt(azp="another"), consumer_jws, status=200)
        assert call("restore", "--digest", digest).exit_code == 0
        hears(worker, text, consumer_jws, status=200)
    assert call("revoke", input=text).exit_code == 0
    assert call("restore", input=text).exit_code == 0


@pytest.mark.parametrize("option", SUBJECTS)
def test_what_was_never_revoked_cannot_be_restored(call: Callable[..., Any], option: str) -> None:
    """Status 1, since the answer is no. An id of one kind revokes none of another kind."""
    for other in SUBJECTS.keys() - {option}:
        assert call("revoke", other, SUBJECTS[option]).exit_code == 0
    result = call("restore", option, SUBJECTS[option], "--json")
    name = option.removeprefix("--").replace("-", "_")
    report = {"change": "restore", name: SUBJECTS[option], "was_revoked": False}
    assert (result.exit_code, json.loads(result.stdout)) == (1, report)
    assert "Nothing was revoked" in result.stderr
    assert call("revoke", option, SUBJECTS[option]).exit_code == 0
    assert call("restore", option, SUBJECTS[option]).exit_code == 0


def test_the_old_option_is_gone(call: Callable[..., Any]) -> None:
    """Which id ``--consumer-id`` meant was a guess: status 2, with the two that there are."""
    result = call("revoke", "--consumer-id", "consumer-1")
    assert result.exit_code == 2
    assert "--ext-consumer-id" in result.stderr
    assert "--lp-consumer-id" in result.stderr


def test_what_is_revoked_is_listed(call: Callable[..., Any], issuer: Issuer) -> None:
    """Kind, id or digest, since when and until when; as a table, or as JSON, where what has no end
    or no known beginning is null."""
    assert json.loads(call("revocations", "--json").stdout) == {"revocations": []}
    text = issuer.app_jwt(exp=4_102_444_800)
    assert call("revoke", input=text).exit_code == 0
    for option, name in SUBJECTS.items():
        assert call("revoke", option, name, "--at", "2030-01-31T12:00:00Z").exit_code == 0
    digest, since = entry_key(token_digest(text)).hex(), 1_896_091_200.0
    expected = [
        *(
            {"kind": name.removesuffix("_id"), name: value, "since": since, "until": None}
            for option, value in sorted(SUBJECTS.items())
            for name in [option.removeprefix("--").replace("-", "_")]
        ),
        {"kind": "token", "digest": digest, "since": None, "until": 4_102_444_800.0 + 90},
    ]
    result = call("revocations", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(json.loads(result.stdout)["revocations"], key=itemgetter("kind")) == expected
    head, *lines = [line.split() for line in call("revocations").stdout.splitlines()]
    assert head == ["KIND", "SUBJECT", "SINCE", "UNTIL"]
    assert sorted(lines) == [
        *(
            [entry["kind"], json.dumps([*entry.values()][1]), "2030-01-31T12:00:00Z", "-"]
            for entry in expected[:-1]
        ),
        ["token", f'"{digest}"', "-", "2100-01-01T00:01:30Z"],
    ]


A, B = "https://a.example", "https://b.example"


@pytest.fixture
def trusted() -> dict[str, Any]:
    """The settings of an app of two issuers, with a ``kid`` in common."""
    return {name: {"APP_JWT_KEYS": Issuer(name=name).key_set()} for name in (A, B)}


def test_an_id_of_one_issuer(
    run: RunCommand, make_app: MakeApp, store_url: str, trusted: dict[str, Any]
) -> None:
    """``--issuer``: the entry is listed with its issuer, and is another one than that of all."""
    app = make_app(REVOCATION_URL=store_url, ISSUERS=trusted)
    subject = ("--account-id", "a")
    at = ("--at", "2030-01-31T12:00:00Z")
    assert run("revoke", *subject, *at, app=app).exit_code == 0
    assert run("revocations", app=app).stdout.splitlines() == [
        "KIND     SUBJECT  SINCE                 UNTIL",
        'account  "a"      2030-01-31T12:00:00Z  -',
    ]
    result = run("revoke", *subject, "--issuer", B, *at, "--json", app=app)
    assert json.loads(result.stdout) == {"change": "revoke", "account_id": "a", "issuer": B}
    every = {"kind": "account", "account_id": "a", "since": 1_896_091_200.0, "until": None}
    of_b = {"kind": "account", "account_id": "a", "issuer": B, **every}
    listed = json.loads(run("revocations", "--json", app=app).stdout)["revocations"]
    assert sorted(listed, key=str) == sorted([every, of_b], key=str)
    head, *lines = run("revocations", app=app).stdout.splitlines()
    assert head.split() == ["KIND", "SUBJECT", "ISSUER", "SINCE", "UNTIL"]
    assert sorted(line.split()[1:3] for line in lines) == [['"a"', f'"{B}"'], ['"a"', "-"]]
    assert run("restore", *subject, "--issuer", A, app=app).exit_code == 1
    lines = ['change: "restore"', 'account_id: "a"', f'issuer: "{B}"', "was_revoked: true"]
    assert run("restore", *subject, "--issuer", B, app=app).stdout.splitlines() == lines
    assert json.loads(run("revocations", "--json", app=app).stdout) == {"revocations": [every]}


@cases(
    ("args", "message"),
    {
        "of a token": (("--issuer", A), "--issuer is only for an ID: a token has one issuer."),
        "of a digest": (
            ("--digest", "0" * 64, "--issuer", A),
            "--issuer is only for an ID: a token has one issuer.",
        ),
        "of two ids": (
            ("--account-id", "a", "--install-id", "a", "--issuer", A),
            "Give one of TOKEN-FILE, --account-id, --install-id, --lp-consumer-id, "
            "--ext-consumer-id, --digest.",
        ),
    },
)
@pytest.mark.parametrize("command", ["revoke", "restore"])
def test_an_issuer_that_cannot_be_given(
    run: RunCommand,
    make_app: MakeApp,
    store_url: str,
    trusted: dict[str, Any],
    command: str,
    args: list[str],
    message: str,
) -> None:
    """Status 2, with those that can; no token is read for it."""
    app = make_app(REVOCATION_URL=store_url, ISSUERS=trusted)
    result = run(command, *args, app=app, input="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"Error: {message}"


def test_an_issuer_that_the_app_does_not_accept(
    run: RunCommand, make_app: MakeApp, store_url: str, trusted: dict[str, Any]
) -> None:
    """Nothing is revoked for it: status 2, with those that are accepted; nor is there anything to
    restore."""
    app = make_app(REVOCATION_URL=store_url, ISSUERS=trusted)
    subject = ("--account-id", "a", "--issuer", f"{A}/")
    result = run("revoke", *subject, app=app)
    message = f"Error: no tokens of that issuer are accepted, only of: '{A}', '{B}'"
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, message)
    assert run("restore", *subject, app=app).exit_code == 1


def test_a_time_that_no_calendar_has_is_listed_as_a_number(
    worker: Flask, call: Callable[..., Any]
) -> None:
    """Code may give any seconds since the epoch; ``--at`` is a time of the calendar: status 2."""
    assert call("revoke", "--account-id", "a", "--at", "1e15").exit_code == 2
    current_runtime(worker).revocations.revoke(account_id="a", at=1e15)
    assert call("revocations").stdout.splitlines()[1].split() == [
        *("account", '"a"', "1000000000000000.0", "-")
    ]


def test_what_is_issued_later_is_not_meant(
    worker: Flask, call: Callable[..., Any], issuer: Issuer
) -> None:
    """With --at, what was issued until then is refused."""
    now = json.loads(call("inspect", "--json", input=issuer.app_jwt()).stdout)["claims"]["iat"]
    old, new = issuer.app_jwt(iat=now - 100), issuer.app_jwt()
    account = ("--install-id", SUBJECTS["--install-id"])
    assert call("revoke", *account, "--at", str(now - 50)).exit_code == 0
    hears(worker, old, issuer.consumer_jws(), status=401)
    hears(worker, new, issuer.consumer_jws(), status=200)


@cases(
    "args, text",
    {
        "no token": ([], ""),
        "no JWS": ([], "hunter22"),
        "two words": ([], "hunter22 hunter22"),
        "payload no JSON": ([], "hunter22.hunter22.hunter22"),
        "too long to be read": ([], "a" * 9000 + "." + "b" * 9000 + ".c"),
        "an empty id": (["--account-id", ""], ""),
        "no id that a claim can have": (["--account-id", "\udcff"], ""),
        "two ids": (["--account-id", "a", "--install-id", "b"], ""),
        "no hex": (["--digest", "hunter22"], ""),
        "a short digest": (["--digest", "00"], ""),
    },
)
@pytest.mark.parametrize("command", ["revoke", "restore"])
def test_what_is_no_subject_is_a_wrong_option(
    call: Callable[..., Any], command: str, args: list[str], text: str
) -> None:
    """Status 2, with nothing of what was read."""
    if (command, text.count("hunter22")) == ("restore", 3):
        args, text = [], "hunter22"  # a token is not read to restore it
    result = call(command, *args, input=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")
    assert "hunter22" not in result.output


@cases("digits", {"few": "abc", "pairs": "00", "spaced": "00 " * 32, "no hex": "g" * 64})
@pytest.mark.parametrize("command", ["revoke", "restore"])
def test_a_digest_has_64_digits(call: Callable[..., Any], command: str, digits: str) -> None:
    """SHA-256 in hexadecimal: the message says what to give, not what a parser has found."""
    result = call(command, "--digest", digits)
    assert (result.exit_code, "64 hexadecimal digits" in result.stderr) == (2, True)


def test_a_token_has_no_time(call: Callable[..., Any], issuer: Issuer) -> None:
    """--at is for an id."""
    assert call("revoke", "--at", "1", input=issuer.app_jwt()).exit_code == 2


@pytest.mark.parametrize("command", ["revoke", "restore", "revocations"])
def test_without_a_store_nothing_would_be_heard(
    run: RunCommand, issuer: Issuer, command: str
) -> None:
    """The memory of this process is gone at its end: status 2."""
    result = run(command, input=issuer.app_jwt())
    assert (result.exit_code, "CONNECTOR_AUTH_REVOCATION_URL" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", ["revoke", "restore", "revocations"])
def test_a_store_out_of_reach_is_no_success(
    run: RunCommand, make_app: MakeApp, issuer: Issuer, command: str
) -> None:
    """It is not certain that a change lasts, or what is revoked: status 2, without the password."""
    app = make_app(REVOCATION_URL=f"redis://:hunter22@127.0.0.1:{free_port()}")
    result = run(command, app=app, input=issuer.app_jwt())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "out of reach" in result.stderr
    assert "hunter22" not in result.output
