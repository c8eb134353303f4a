"""The runbook in the docs: its commands, run as they stand there, against an app that is in use."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import dedent

import pytest
from flask import Response

from example_app import DEFAULTS
from example_app.keys import KeyFile
from example_app.sentinel import KEY_SET_AGE
from flask_connector_auth.config import SettingsSchema
from flask_connector_auth.testing import Issuer
from tests.support.concurrent_calls import at_once
from tests.support.example_api import ACCOUNT, Api, claims, header
from tests.support.example_client import Client
from tests.support.example_processes import api_at, copy_of_the_app, program
from tests.support.http_helpers import ROWS, assert_row
from tests.support.ports import free_port

APP = "Authorization"
CONSUMER = "X-LP-ON-BEHALF"
PAGE = (Path(__file__).parents[3] / "docs" / "rotation.rst").read_text()
SERVICE = "For the issuer: the example of the next sections"
ROTATE = "Rotate a key without a failed request"
WITHDRAW = "Withdraw a compromised key now"
OF_THE_CONSUMER = "The key of the ConsumerJWS"

# In place of the page's own values: no test waits an hour.
VALUES = {"MAX_AGE": 1, "TIMEOUT": 1, "TOKEN_LIFE": 3, "LEEWAY": 0}
SETTINGS = {
    "CONNECTOR_AUTH_JWKS_MAX_AGE": 1,
    "CONNECTOR_AUTH_JWKS_MIN_AGE": 1,
    "CONNECTOR_AUTH_JWKS_COOLDOWN": 0.2,
    "CONNECTOR_AUTH_JWKS_TIMEOUT": 0.9,
    "CONNECTOR_AUTH_JWKS_RETRY": 0.1,
    "CONNECTOR_AUTH_LEEWAY": 0,
    "CONNECTOR_TOKEN_LIFE": 3,
}
LONGEST = VALUES["MAX_AGE"] + VALUES["TIMEOUT"]


def blocks(section: str) -> list[str]:
    """Return the shell blocks of a section of the page, in their order."""
    text = re.split(rf"^{section}\n-+\n", PAGE, flags=re.MULTILINE)[1]
    text = re.split(r"^.+\n-+\n", text, flags=re.MULTILINE)[0]
    found = re.findall(r"^\.\. code-block:: shell\n\n((?: +.*\n|\n)+)", text, re.MULTILINE)
    return [dedent(block).strip() for block in found]


@dataclass
class Service:
    """The service of the page."""

    api: Api
    gunicorn: subprocess.Popen[str]  #: of the API
    shell: subprocess.Popen[str]
    keys: KeyFile

    def run(self, *blocks: str) -> None:
        """Run *blocks* of the page in its shell; they must not fail, and print nothing."""
        self.shell.stdin.write("\n".join([*blocks, "echo done", ""]))
        self.shell.stdin.flush()
        assert self.shell.stdout.readline() == "done\n"

    def issuer(self) -> Issuer:
        """Return who signs with the key of now, whatever comes; an AppJWT is good for an hour."""
        ring = self.keys.read()
        return Issuer(ring.keys[ring.signing], kid=ring.signing)


@contextmanager
def service(
    folder: Path, values: Mapping[str, int], settings: Mapping[str, float]
) -> Iterator[Service]:
    """Start the service of the page in *folder*, with *values* in place of those of the page."""
    project = copy_of_the_app(folder)
    issuer_port, api_port = free_port(), free_port()
    ours = {"ISSUER": f"127.0.0.1:{issuer_port}", "API": f"127.0.0.1:{api_port}", **values}
    given, *servers = blocks(SERVICE)
    given += "".join(f"\n{name}={value}" for name, value in ours.items())
    sh = partial(program, "sh", "-eu", folder=project, settings=settings, stderr=subprocess.STDOUT)
    with ExitStack() as stack:
        both = [stack.enter_context(sh("-c", f"{given}\nexec {command}")) for command in servers]
        for gunicorn in both:
            wait_for("Listening at", gunicorn)
        shell = stack.enter_context(sh())
        api = api_at(api_port, project)
        served = Service(api, gunicorn, shell, KeyFile(project / "instance"))
        served.run(given)
        yield served


def wait_for(text: str, process: subprocess.Popen[str]) -> None:
    """Wait until *process* prints a line with *text*."""
    assert any(text in line for line in iter(process.stdout.readline, ""))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service, with short times."""
    with service(tmp_path_factory.mktemp("service"), VALUES, SETTINGS) as served:
        yield served


def assert_refused_in_time(send: Callable[[], Response], code: int) -> None:
    """Assert that *send* is refused once the time is over that the page allows, and served or
    refused until then."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        answer = send()
        assert answer.status_code == 200 or answer.data == ROWS[code]
    assert_refused(send, code)


def assert_refused(send: Callable[[], Response], code: int) -> None:
    """Assert that *send* is refused by all workers: one alone does not get so much at once."""
    for answer in at_once(send, 5):
        assert_row(answer, code)


def test_rotate_a_key(served):
    """No request fails, from before the first step until no worker takes the old key any more."""
    old = served.issuer()
    with Client(served.api) as client:
        served.run(*blocks(ROTATE))
        assert_refused_in_time(lambda: client.send(**{APP: old.app_jwt(aud=ACCOUNT)}), 40102)
    assert set(client.statuses()) == {200, 201}
    assert client.statuses()[200] > 50
    assert client.kids[0] == old.kid
    assert client.kids[-1] == served.issuer().kid != old.kid
    assert list(served.keys.read().keys) == [served.issuer().kid]


def test_withdraw_a_compromised_key(served):
    """Its tokens, forged ones too, are refused by every worker in time; no client gets a 5xx."""
    commands, _restart = blocks(WITHDRAW)
    thief = served.issuer()
    with Client(served.api) as client:
        consumer_jws = client.tokens[CONSUMER]
        assert client.send(**{APP: thief.app_jwt(aud=ACCOUNT)}).status_code == 200
        served.run(commands)
        assert_refused_in_time(lambda: client.send(**{APP: thief.app_jwt(aud=ACCOUNT)}), 40102)
        assert_row(client.send(**{CONSUMER: consumer_jws}), 40103)
        assert client.send().status_code == 200
    assert set(client.statuses()) <= {200, 201, 401}
    # The one that told it to get new tokens.
    assert client.statuses()[401] <= 1
    assert client.kids[-1] != thief.kid


def test_withdraw_a_compromised_key_and_restart(tmp_path):
    """With the page's own times, which are not over: after the restart no worker takes it."""
    commands, restart = blocks(WITHDRAW)
    with service(tmp_path, {}, {}) as served:
        client, thief = Client(served.api), served.issuer()
        # Both workers load the keys, to keep them for a minute.
        assert {answer.status_code for answer in at_once(client.send, 5)} == {200}
        with client:
            served.run(commands)
            assert client.send(**{APP: thief.app_jwt(aud=ACCOUNT)}).status_code == 200
            served.run(restart)
            for _ in range(2):
                wait_for("Worker exiting", served.gunicorn)
            assert_refused(lambda: client.send(**{APP: thief.app_jwt(aud=ACCOUNT)}), 40102)
        client.renew()
        assert client.send().status_code == 200
    assert set(client.statuses()) <= {200, 201, 401}
    assert client.statuses()[401] <= 1


def test_the_key_of_the_consumer_jws(served):
    """An old token is good until its key is withdrawn; a new one is for the same consumer."""
    begin, end = blocks(OF_THE_CONSUMER)
    client = Client(served.api)
    old = client.tokens[CONSUMER]
    served.run(begin)
    client.renew()
    assert header(old)["kid"] != header(client.tokens[CONSUMER])["kid"] == served.issuer().kid
    assert claims(old) == claims(client.tokens[CONSUMER])
    app_jwt = {APP: served.issuer().app_jwt(aud=ACCOUNT)}
    assert client.send(**app_jwt, **{CONSUMER: old}).status_code == 200
    served.run(end)
    assert_refused_in_time(lambda: client.send(**app_jwt, **{CONSUMER: old}), 40103)
    assert client.send(**app_jwt).status_code == 200


def test_the_values_of_the_page():
    """They are those of the example app as it comes, and the defaults of the settings."""
    values = dict(re.findall(r"^(\w+)=(\d+) ", blocks(SERVICE)[0], re.MULTILINE))
    assert values == {
        "MAX_AGE": str(min(KEY_SET_AGE, default("JWKS_MAX_AGE"))),
        "TIMEOUT": str(default("JWKS_TIMEOUT")),
        "TOKEN_LIFE": str(DEFAULTS["CONNECTOR_TOKEN_LIFE"]),
        "LEEWAY": str(default("LEEWAY")),
    }


def test_the_table_of_settings():
    """Each setting is there with its default."""
    rows = re.findall(r"^   \* - ``CONNECTOR_AUTH_(\w+)``\n     - (.*)$", PAGE, re.MULTILINE)
    assert len(rows) == PAGE.count("   * - ``")
    assert rows == [(name, str(default(name) or "unset")) for name, _ in rows]


def default(name: str) -> float | None:
    """Return the default of a setting."""
    return SettingsSchema().fields[name.lower()].load_default
