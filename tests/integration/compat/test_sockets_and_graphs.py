"""The recipes for Flask-SocketIO and Strawberry, as they stand on the page on other packages."""

import json
import logging
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import strawberry
from flask import Flask

from flask_connector_auth import AppJWTMissing, Reason
from flask_connector_auth.testing import ConnectorClient, Issuer
from tests.support.http_helpers import ROWS, assert_row, headers
from tests.support.project import files_of

PAGE = "docs/compatibility.rst"
#: What Strawberry's own classes do with an error of a resolver.
STRAWBERRYS = strawberry.Schema.process_errors
MESSAGE_40102 = "40102 Invalid AppJWT: AppJWT has expired or is invalid"
TWO_FIELDS = {"query": "{consumer report}"}


@pytest.fixture
def recipe(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer
) -> dict[str, Any]:
    """What a file of the page defines, with its app as ``app``, which trusts the issuer."""
    path = tmp_path / request.param
    path.write_text(files_of(PAGE)[request.param])
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_APP_JWT_KEYS", json.dumps(issuer.key_set()))
    defined = runpy.run_path(str(path))
    return {**defined, "app": defined["create_app"]()}


@pytest.fixture
def app(recipe: dict[str, Any]) -> Flask:
    """The app of the recipe."""
    app: Flask = recipe["app"]
    return app


@pytest.mark.parametrize("recipe", ["chat.py"], indirect=True)
def test_a_socket_verifies_each_message_again(
    recipe: dict[str, Any],
    issuer: Issuer,
    stranger: Issuer,
    time_travel: Callable[[float], None],
    refusals: list[Reason],
) -> None:
    """A client with good tokens is heard until its AppJWT expires; then it reads row 40102 and is
    disconnected. One with bad tokens is never connected."""

    def connected(**sent: str) -> Any:
        return recipe["socketio"].test_client(recipe["app"], headers=sent)

    assert not connected().is_connected()
    assert not connected(**headers(issuer.app_jwt(), stranger.consumer_jws())).is_connected()
    client = connected(**headers(issuer.app_jwt(), issuer.consumer_jws()))
    assert client.is_connected()
    assert client.emit("say", "hello", callback=True) == {"of": "consumer-1", "text": "hello"}
    time_travel(3700)
    client.emit("say", "hello")
    assert not client.is_connected()
    # Read from the queue, since the client's own method wants it to be connected.
    [refused] = client.queue
    assert (refused["name"], refused["args"]) == ("refused", [json.loads(ROWS[40102])])
    assert refusals == [Reason.MISSING, Reason.BAD_SIGNATURE, Reason.EXPIRED]


@pytest.mark.parametrize("recipe", ["chat.py"], indirect=True)
def test_a_refusal_that_is_not_handled_answers_nothing(recipe: dict[str, Any]) -> None:
    """Why the recipe has an error handler: without it the error ends the thread of the socket, and
    no packet is sent to the client, which waits."""
    recipe["socketio"].default_exception_handler = None
    with pytest.raises(AppJWTMissing):
        recipe["socketio"].test_client(recipe["app"])


@pytest.mark.parametrize("recipe", ["chat.py"], indirect=True)
def test_a_fault_of_a_handler_is_no_refusal(recipe: dict[str, Any], issuer: Issuer) -> None:
    """The error handler passes on what is not this package's."""
    recipe["socketio"].on("fails")(lambda: 1 / 0)
    sent = headers(issuer.app_jwt(), issuer.consumer_jws())
    client = recipe["socketio"].test_client(recipe["app"], headers=sent)
    with pytest.raises(ZeroDivisionError):
        client.emit("fails")
    assert client.is_connected()


@pytest.mark.parametrize("recipe", ["graph.py"], indirect=True)
def test_a_graph_is_answered_to_good_tokens_alone(
    app: Flask, connector_client: ConnectorClient, stranger: Issuer
) -> None:
    """Each row by its bytes, whatever the query is; the view decides before Strawberry reads it."""
    query = {"query": "{consumer}"}
    answer = connector_client.post("/graphql", json=query)
    assert answer.json == {"data": {"consumer": "consumer-1"}}
    for sent, row in (
        ({"app_jwt": None}, 40105),
        ({"app_jwt": stranger.app_jwt()}, 40102),
        ({"consumer_jws": None}, 40104),
        ({"consumer_jws": stranger.consumer_jws()}, 40103),
    ):
        assert_row(connector_client.post("/graphql", json=query, **sent), row)
        assert_row(connector_client.post("/graphql", data="no query", **sent), row)


@pytest.mark.parametrize("recipe", ["graph.py"], indirect=True)
@pytest.mark.parametrize("process_errors", [None, STRAWBERRYS], ids=["recipe", "Strawberry's own"])
def test_a_resolver_refuses_its_own_field_alone(
    process_errors: Any,
    recipe: dict[str, Any],
    connector_client: ConnectorClient,
    issuer: Issuer,
    refusals: list[Reason],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message has the row, the log the reason; a traceback in Strawberry's own way alone."""
    caplog.set_level(logging.INFO)
    if process_errors:
        monkeypatch.setattr(recipe["Schema"], "process_errors", process_errors)
    answer = connector_client.post("/graphql", json=TWO_FIELDS)
    assert answer.status_code == 200
    assert answer.json["data"] == {"consumer": "consumer-1", "report": None}
    [error] = answer.json["errors"]
    assert (error["message"], error["path"]) == (MESSAGE_40102, ["report"])
    assert refusals == [Reason.MISSING_SCOPE]
    loggers = [record.name for record in caplog.records]
    assert loggers.count("flask_connector_auth.web.reporting") == 1
    assert ("strawberry.execution" in loggers) is (process_errors is not None)
    granted = issuer.app_jwt(scope="reports.read")
    answer = connector_client.post("/graphql", json=TWO_FIELDS, app_jwt=granted)
    assert answer.json["data"] == {"consumer": "consumer-1", "report": "42 messages"}


@pytest.mark.parametrize("recipe", ["graph.py"], indirect=True)
def test_a_fault_of_a_resolver_is_logged(
    recipe: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is not this package's goes to Strawberry's log, with its traceback."""

    @strawberry.type
    class Failing:
        @strawberry.field
        def fails(self) -> int:
            return 1 // 0

    recipe["Schema"](Failing).execute_sync("{fails}")
    assert [record.name for record in caplog.records] == ["strawberry.execution"]
