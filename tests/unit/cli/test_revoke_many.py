"""``revoke-many``: one subject on each line of standard input."""

import json
import sys
from collections.abc import Callable
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import pytest
from flask.cli import ScriptInfo

from flask_connector_auth import token_digest
from flask_connector_auth.cli import connector_auth
from tests.support.floor_helpers import cases, issuer_of
from tests.support.ports import free_port
from tests.support.terminal import Terminal
from tests.support.types import MakeApp, RunCommand

TOKENS = [issuer_of().app_jwt(azp=f"install-{number}") for number in range(2)]
DIGESTS = [token_digest(token).hex() for token in TOKENS]
OTHER = "https://other.example"


@pytest.fixture
def call(run: RunCommand, make_app: MakeApp, store_url: str) -> Callable[..., Any]:
    """Return a function that runs a command for an app of one store, and one issuer."""
    app = make_app(REVOCATION_URL=store_url)
    return lambda *args, **more: run(*args, app=app, **more)


def listed(call: Callable[..., Any]) -> list[dict[str, Any]]:
    """Return what the command ``revocations`` lists."""
    entries = json.loads(call("revocations", "--json").stdout)["revocations"]
    return sorted(({**each, "until": None} for each in entries), key=str)


@cases(
    ("kind", "text", "subjects"),
    {
        "tokens": ("token", f"{TOKENS[0]}\n\n# stolen\n  Bearer {TOKENS[1]} \r\n", DIGESTS),
        "no line end": ("token", TOKENS[0], DIGESTS[:1]),
        "digests": ("digest", f"#\n{DIGESTS[0]}\n \t{DIGESTS[1].upper()}\n", DIGESTS),
        "installs": ("install-id", "a\nb\n", ["a", "b"]),
        "accounts": ("account-id", "a\r\n\r\nb c\r\n", ["a", "b c"]),
        "consumers": ("lp-consumer-id", "\ufeffa\nä\n", ["a", "ä"]),
        "with a number sign": ("ext-consumer-id", "#1\n", ["#1"]),
        "nothing": ("account-id", "\n", []),
    },
)
def test_each_line_is_revoked(
    call: Callable[..., Any], kind: str, text: str, subjects: list[str]
) -> None:
    """Blank lines are skipped, and comments where no id can be meant; UTF-8, any line end."""
    result = call("revoke-many", "--kind", kind, "--json", input=text)
    assert (result.exit_code, result.stderr) == (0, "")
    name = kind.replace("-", "_")
    report = {"change": "revoke", "subjects": name, "revoked": len(subjects)}
    assert json.loads(result.stdout) == report
    if name in ("token", "digest"):
        # An entry has 15 bytes of a digest, and one for the kind.
        name, subjects = "digest", [subject[:30] + "00" for subject in subjects]
    assert sorted(entry[name] for entry in listed(call)) == sorted(subjects)


def test_line_ends_of_windows(
    make_app: MakeApp,
    call: Callable[..., Any],
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are no part of an id, though Python has opened standard input as it does on Linux."""
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"a\r\n\r\nb c\r\n"), newline="\n"))
    app = make_app(REVOCATION_URL=store_url)
    arguments = ["revoke-many", "--kind", "account-id"]
    connector_auth.main(arguments, obj=ScriptInfo(create_app=lambda: app), standalone_mode=False)
    assert [entry["account_id"] for entry in listed(call)] == ["a", "b c"]


def test_ids_of_one_issuer_until_a_time(call: Callable[..., Any]) -> None:
    """``--issuer`` and ``--at`` are for each line, as revoke takes them."""
    options = ("--kind", "account-id", "--issuer", "Sentinel", "--at", "2030-01-31T12:00:00Z")
    result = call("revoke-many", *options, input="a\nb\n")
    assert result.stdout.splitlines() == [
        *('change: "revoke"', 'subjects: "account_id"', 'issuer: "Sentinel"', "revoked: 2")
    ]
    every = {"kind": "account", "issuer": "Sentinel", "since": 1_896_091_200.0, "until": None}
    assert listed(call) == [{**every, "account_id": name} for name in ("a", "b")]


@cases(
    ("kind", "line", "text"),
    {
        "no token": ("token", "hunter22", "not a token: three base64url segments are expected"),
        "two words": ("token", "hunter22 a", "Not exactly one token, with or without Bearer."),
        "no payload": ("token", "hunter22.hunter22.a", "not a token: its payload is no JSON"),
        "too long a token": ("token", "hunter22" * 3000, "A line has at most 16384 characters."),
        "no digest": ("digest", "hunter22", "A digest is 64 hexadecimal digits"),
        "a token as id": ("account-id", TOKENS[0], "account_id is a token, not an id"),
        "white space": ("account-id", "hunter22 ", "White space around the ID"),
        "white space alone": ("account-id", " ", "White space around the ID"),
        "no UTF-8": ("account-id", b"hunter22\xff", "Not UTF-8."),
    },
)
def test_a_bad_line(call: Callable[..., Any], kind: str, line: Any, text: str) -> None:
    """Status 2: its number, why, and from which line on nothing is revoked; nothing of the line."""
    good = {"token": TOKENS[0], "digest": DIGESTS[0], "account-id": "a"}[kind]
    content = b"\n" + f"{good}\n".encode() * 1200
    content += line if isinstance(line, bytes) else line.encode()
    result = call("revoke-many", "--kind", kind, input=content + b"\nand more")
    assert (result.exit_code, result.stdout) == (2, "")
    [message] = result.stderr.splitlines()
    assert message.startswith(f"Error: Line 1202: {text}")
    assert message.endswith(". Nothing was revoked from line 1002 on.")
    assert "hunter22" not in message
    assert TOKENS[0][:20] not in message
    assert len(listed(call)) == 1


def test_a_first_line_that_is_bad(call: Callable[..., Any]) -> None:
    """Then nothing at all is revoked."""
    result = call("revoke-many", "--kind", "account-id", "--issuer", OTHER, input="a\nb\n")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: Line 1: no tokens of that issuer are accepted, only of: 'Sentinel'. "
        "Nothing was revoked from line 1 on.\n"
    )
    assert listed(call) == []


@cases(
    ("args", "text"),
    {
        "another kind": (("--kind", "consumer-id"), "'lp-consumer-id', 'ext-consumer-id'"),
        "the issuer of a token": (
            ("--kind", "token", "--issuer", "Sentinel"),
            "--issuer and --at are only for IDs.",
        ),
        "the time of a digest": (
            ("--kind", "digest", "--at", "1"),
            "--issuer and --at are only for IDs.",
        ),
    },
)
def test_wrong_options(call: Callable[..., Any], args: tuple[str, ...], text: str) -> None:
    """Status 2, before a line is read."""
    result = call("revoke-many", *args, input=TOKENS[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


def test_lines_are_not_typed(call: Callable[..., Any]) -> None:
    """A terminal would show the tokens, and cut long ones: status 2, with what to do."""
    result = call("revoke-many", "--kind", "token", input=Terminal(TOKENS[0].encode()))
    assert (result.exit_code, "standard input" in result.stderr) == (2, True)


def test_a_store_out_of_reach(run: RunCommand, make_app: MakeApp) -> None:
    """Status 2, with the line from which on to try again; the store may have these."""
    app = make_app(REVOCATION_URL=f"redis://:hunter22@127.0.0.1:{free_port()}")
    result = run("revoke-many", "--kind", "account-id", app=app, input="\na\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(
        "CONNECTOR_AUTH_REVOCATION_URL. Send the lines from line 2 on again.\n"
    )
    assert "out of reach" in result.stderr
    assert "hunter22" not in result.stderr


def test_without_a_store(run: RunCommand) -> None:
    """The memory of this process is gone at its end: status 2."""
    result = run("revoke-many", "--kind", "account-id", input="a\n")
    assert (result.exit_code, "CONNECTOR_AUTH_REVOCATION_URL" in result.stderr) == (2, True)


@cases(
    ("count", "terminal", "shown"),
    {
        "few": (999, True, ""),
        "many": (2500, True, "\r1,000 lines\r2,000 lines\n"),
        "elsewhere": (2500, False, ""),
    },
)
def test_progress_is_shown_at_a_terminal(
    make_app: MakeApp,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    terminal: bool,
    shown: str,
) -> None:
    """Every thousand lines, on standard error; to a file there is none."""
    app = make_app(REVOCATION_URL=store_url)
    lines = "".join(f"{number}\n" for number in range(count))
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(lines.encode())))
    stderr = Terminal() if terminal else BytesIO()
    monkeypatch.setattr(sys, "stderr", TextIOWrapper(stderr))
    monkeypatch.setattr(sys, "stdout", StringIO())
    arguments = ["revoke-many", "--kind", "account-id"]
    connector_auth.main(arguments, obj=ScriptInfo(create_app=lambda: app), standalone_mode=False)
    assert stderr.getvalue().decode() == shown
