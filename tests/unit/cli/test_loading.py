"""What every command has in common: help, an app to be about, and statuses."""

import json
from collections.abc import Iterator

import pytest
from click import Context, Option
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

from flask_connector_auth import ConnectorAuth
from flask_connector_auth.cli import COMMANDS, connector_auth
from flask_connector_auth.testing import Issuer
from tests.support.ports import free_port
from tests.support.types import MakeApp, RunCommand

NEEDS_APP = [name for name in COMMANDS if name not in ("keygen", "mint")]


def broken() -> Flask:
    """Make an app that cannot start."""
    app = Flask("broken")
    app.config |= {"CONNECTOR_AUTH_LEEWAY": "secret", "CONNECTOR_AUTH_ISUER": "secret"}
    ConnectorAuth(app)
    return app


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(run: RunCommand, name: str) -> None:
    """What it does, an example with its name, and --json."""
    text = run(name, "--help").stdout
    assert "Example" in text
    assert f"connector-auth {name}" in text
    assert "--json" in text


def test_the_group_lists_every_command(run: RunCommand) -> None:
    """In the order of their use; and another name is a usage error, as with any click command."""
    text = run("--help").stdout
    places = [text.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert run("forge").exit_code == 2


@pytest.mark.parametrize("name", NEEDS_APP)
def test_an_app_without_the_extension_is_no_answer(run: RunCommand, name: str) -> None:
    """Status 2, and what to do."""
    result = run(name, app=Flask("plain"), input="x")
    assert (result.exit_code, "ConnectorAuth(app)" in result.stderr) == (2, True)


@pytest.mark.parametrize("name", [*NEEDS_APP, "keygen"])
def test_an_app_that_cannot_start_is_told_by_its_settings(name: str) -> None:
    """Every problem, and no value; it is what check asks for, so there the status is 1."""
    info = ScriptInfo(create_app=broken)
    args = [name, "new.jwk"] if name == "keygen" else [name]
    result = CliRunner(catch_exceptions=False).invoke(connector_auth, args, obj=info)
    assert result.exit_code == (1 if name == "check" else 2)
    for key in ("APP_JWT_KEYS", "LEEWAY", "ISUER"):
        assert f"CONNECTOR_AUTH_{key}: " in result.output
    assert "secret" not in result.output


def test_an_app_that_cannot_start_as_json() -> None:
    """check has the same members, with an error for each problem."""
    args = ["check", "--json"]
    result = CliRunner().invoke(connector_auth, args, obj=ScriptInfo(create_app=broken))
    found = json.loads(result.stdout)
    assert {each["code"] for each in found.pop("errors")} == {"configuration"}
    assert found == {"settings": [], "keys": [], "warnings": []}


def test_no_app_is_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Flask's own words, status 2."""
    monkeypatch.chdir(str(tmp_path))
    result = CliRunner().invoke(connector_auth, ["check"], obj=ScriptInfo())
    assert (result.exit_code, "--app" in result.stderr) == (2, True)


def crashing() -> Flask:
    """Fail as an app does whose database is out of reach."""
    raise LookupError("no database")


@pytest.mark.parametrize("name", [*NEEDS_APP, "keygen"])
def test_an_app_that_raises_is_no_answer(name: str) -> None:
    """docs/cli.rst: status 2, with the traceback; 1 would be an answer of the command."""
    args = [name, "new.jwk"] if name == "keygen" else [name]
    result = CliRunner().invoke(connector_auth, args, obj=ScriptInfo(create_app=crashing))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "LookupError: no database" in result.stderr


@pytest.mark.parametrize(
    ("name", "status"), [("check", 1), ("health", 1), ("inspect", 2), ("revoke", 2), ("restore", 2)]
)
def test_a_server_out_of_reach(
    run: RunCommand, make_app: MakeApp, issuer: Issuer, name: str, status: int
) -> None:
    """docs/cli.rst: check and health are about that, so no is their answer; others have none."""
    app = make_app(
        APP_JWT_KEYS=f"http://127.0.0.1:{free_port()}/",
        REVOCATION_URL=f"redis://127.0.0.1:{free_port()}",
    )
    assert run(name, app=app, input=issuer.app_jwt()).exit_code == status


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_option_is_no_answer(run: RunCommand, name: str) -> None:
    """docs/cli.rst: status 2, as click has it."""
    result = run(name, "--forge")
    assert (result.exit_code, "--forge" in result.stderr) == (2, True)


def options_of(name: str) -> Iterator[Option]:
    """Yield the options of a command."""
    command = connector_auth.get_command(Context(connector_auth), name)
    assert command is not None
    yield from (each for each in command.params if isinstance(each, Option))


def test_an_option_is_the_same_in_every_command() -> None:
    """One word means one thing: no command has another kind of value behind the same option, or
    another option for the same thing."""
    kinds: dict[str, set[object]] = {}
    for name in COMMANDS:
        for option in options_of(name):
            kind = (option.is_flag, option.multiple, type(option.type), option.metavar)
            kinds.setdefault(option.opts[0], set()).add(kind)
    assert {word: found for word, found in kinds.items() if len(found) > 1} == {}
    assert kinds.keys() >= {"--account-id", "--json", "--timeout", "--app-jwt"}
    # The names that another command might have chosen.
    assert kinds.keys().isdisjoint({"--account", "--install", "--consumer", "--token", "--file"})
