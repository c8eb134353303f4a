"""The app behind real servers: the round trip and the four errors over HTTP."""

import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.http_helpers import assert_row, headers

from .api import ACCOUNT, Api, closing_of, message, over_http
from .processes import python
from .test_concurrent import at_once


def api_at(port: int, project: Path) -> Api:
    """Return the calls to the server at *port*, by the app install that its first start made."""
    api = Api(over_http(port), ACCOUNT, {})
    # Answered as soon as there is a worker, which has made the database by then.
    assert api.get(f"/api/account/{ACCOUNT}/service/baseURI.json").status_code == 200
    with closing(sqlite3.connect(project / "instance" / "connector.db")) as database:
        ((client_id, secret),) = database.execute(
            "SELECT client_id, client_secret FROM app_install"
        )
    api.credentials = {"client_id": client_id, "client_secret": secret}
    return api


def check_round_trip(api: Api) -> None:
    """Assert that the four calls work, and that each error is the documented one."""
    tokens = api.someone()
    app_jwt, consumer_jws = tokens.values()
    conversation = api.opened(tokens)
    said = message(conversation)
    assert_row(api.send(headers(None, consumer_jws), said), 40105)
    assert_row(api.send(headers("nonsense", consumer_jws), said), 40102)
    assert_row(api.send(headers(app_jwt), said), 40104)
    assert_row(api.send(headers(app_jwt, "nonsense"), said), 40103)
    assert_row(api.send(api.someone(), said), 40103)
    answers = at_once(lambda: api.send(tokens, said), 3)
    sequences = [answer.json["body"]["sequence"] for answer in answers]
    assert sorted(sequences) == list(range(len(answers)))
    assert api.send(tokens, closing_of(conversation)).status_code == 200
    assert api.send(tokens, said).status_code == 400


def test_two_gunicorn_workers(project):
    """Started by ``gunicorn "example_app:create_app()"``: two processes are one service."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        command = ["-m", "gunicorn", "--workers", "2", "--bind", f"fd://{fd}"]
        with python(*command, "example_app:create_app()", folder=project, pass_fds=[fd]):
            check_round_trip(api_at(port, project))


def test_the_development_server(project):
    """Started by ``flask --app example_app run``."""
    command = ["-m", "flask", "--app", "example_app", "run", "--port", "0"]
    with python(*command, folder=project) as process:
        lines = iter(process.stderr.readline, "")
        port = next(found[1] for line in lines if (found := re.search(r"127.0.0.1:(\d+)", line)))
        check_round_trip(api_at(int(port), project))
