"""``health``: whether a process that starts now can verify."""

import json
from collections.abc import Mapping
from typing import Any

from flask_connector_auth import ConnectorAuth, KeySource
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.ports import free_port
from tests.support.types import MakeApp, RunCommand


def test_a_process_that_can_verify(
    run: RunCommand, make_app: MakeApp, issuer: Issuer, store_url: str
) -> None:
    """Keys are fetched and the store is followed, then it is what health() returns; status 0."""
    with KeySetServer(issuer) as server:
        app = make_app(APP_JWT_KEYS=server.url, REVOCATION_URL=store_url)
        result = run("health", "--json", app=app)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found.pop("ready"), found.pop("problems")) == (True, {})
    assert found["keys"]["app_jwt"]["kids"] == ["dev-1"]
    assert (found["revocation"]["store"], found["revocation"]["ready"]) == ("RedisStore", True)
    assert _shape(found) == _shape(ConnectorAuth().health(app))


def _shape(found: Mapping[str, Any]) -> Any:
    return {name: _shape(one) if isinstance(one, Mapping) else () for name, one in found.items()}


def test_a_process_that_cannot_verify(run: RunCommand, make_app: MakeApp) -> None:
    """Status 1, with the last error of each part, found within the time that is given."""
    nowhere = free_port()
    app = make_app(
        APP_JWT_KEYS=f"http://127.0.0.1:{nowhere}/keys?key=secret",
        REVOCATION_URL=f"redis://:secret@127.0.0.1:{nowhere}",
    )
    result = run("health", "--timeout", "5", app=app)
    assert result.exit_code == 1
    lines = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert lines["ready"] == "false"
    assert lines["keys.app_jwt.state"] == '"empty"'
    assert lines["keys.app_jwt.last_error"] == lines["problems.app_jwt"] != "null"
    assert "CONNECTOR_AUTH_REVOCATION_URL" in lines["problems.revocation"]
    assert "secret" not in result.output


def test_one_of_several_key_sets(run: RunCommand, make_app: MakeApp, issuer: Issuer) -> None:
    """Each has lines of its own, so that the one that is not ready is found at once."""
    with KeySetServer(issuer) as server:
        urls = [server.url, f"http://127.0.0.1:{free_port()}/keys"]
        result = run("health", "--timeout", "5", app=make_app(APP_JWT_KEYS=urls))
    assert result.exit_code == 1
    lines = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    for number, ready, waiting_for in ((0, "true", "null"), (1, "false", '"next_attempt"')):
        path = f"keys.app_jwt.sources.{number}"
        assert lines[f"{path}.source"] == json.dumps(urls[number])
        assert (lines[f"{path}.ready"], lines[f"{path}.waiting_for"]) == (ready, waiting_for)


class Broken(KeySource):
    """Fails, though it says that it is ready."""

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Fail, with words that must not be shown."""
        raise LookupError("secret")


def test_a_source_of_the_apps_own_is_asked(run: RunCommand, make_app: MakeApp) -> None:
    """What it raises is a problem, told by its class alone."""
    result = run("health", "--json", app=make_app(APP_JWT_KEYS=Broken()))
    found = json.loads(result.stdout)
    assert (result.exit_code, found["ready"]) == (1, False)
    assert found["problems"] == {"app_jwt": "LookupError", "consumer_jws": "LookupError"}
    assert "secret" not in result.output
