"""The app behind real servers: the round trip and the four errors over HTTP."""

import socket
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPSConnection
from itertools import count
from pathlib import Path

from tests.support.concurrent_calls import WORKERS, at_once
from tests.support.example_api import ACCOUNT, Api, closing_of, message
from tests.support.example_processes import api_at, keys_at, python
from tests.support.http_helpers import assert_row, headers
from tests.support.ports import free_port


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


@contextmanager
def gunicorn(project: Path, *command: str, keys: int | None = None) -> Iterator[int]:
    """Serve by gunicorn with *command*, and yield the port; *keys* is the port to load them from,
    the same one if not given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        settings = keys_at(keys or port)
        command = ("-m", "gunicorn", "--bind", f"fd://{fd}", *command)
        with python(*command, folder=project, settings=settings, pass_fds=[fd]):
            yield port


def test_threads(project):
    """``create_app()`` by two workers with threads enough: the keys come from the same port."""
    command = ["--workers", "2", "--threads", "32", "example_app:create_app()"]
    with gunicorn(project, *command) as port:
        check_round_trip(api_at(port, project))


def test_two_workers_lose_no_message(project):
    """What was answered with a sequence is in the database under it, whichever worker took it."""
    command = ["--workers", "2", "--threads", "32", "example_app:create_app()"]
    with gunicorn(project, *command) as port:
        api = api_at(port, project)
        tokens, others = api.someone(), api.someone()
        conversations = {api.opened(tokens): tokens, api.opened(others): others}
        numbers = count()

        def say() -> list[tuple[str, int, str]]:
            said = []
            for conversation, owner in conversations.items():
                text = f"message {next(numbers)}"
                answer = api.send(owner, message(conversation, message=text))
                assert answer.status_code == 200
                said.append((conversation, answer.json["body"]["sequence"], text))
            return said

        said = sorted(each for pair in at_once(say, 12) for each in pair)
        assert len({text for _, _, text in said}) == len(said) == 2 * 12 * WORKERS
        with closing(sqlite3.connect(project / "instance" / "connector.db")) as database:
            rows = database.execute(
                "SELECT conversation_id, sequence, json_extract(body, '$.event.message')"
                " FROM message ORDER BY 1, 2"
            ).fetchall()
        assert rows == said
        for conversation in conversations:
            sequences = [sequence for other, sequence, _ in rows if other == conversation]
            assert sequences == list(range(12 * WORKERS))


def test_two_workers_and_bad_input(project):
    """400, 413 and 415, in the protocol's shape; then what is good is done."""
    command = ["--workers", "2", "--threads", "32", "example_app:create_app()"]
    with gunicorn(project, *command) as port:
        api = api_at(port, project)
        tokens = api.someone()
        for status, kind, body in (
            (400, "application/json", b"{"),
            (413, "application/json", b" " * 65537),
            (415, "text/plain", b"{}"),
        ):
            for answer in at_once(
                lambda kind=kind, body=body: api.send({**tokens, "Content-Type": kind}, body)
            ):
                assert answer.status_code == status
                assert answer.headers["Content-Type"] == "application/json"
                assert set(answer.json) == {"code", "body"}
        assert api.create(tokens).status_code == 200


def test_tls_by_gunicorn(project):
    """With the certificate that the command makes, as the docs say."""
    with python("-m", "flask", "--app", "example_app", "certificate", folder=project) as made:
        output, errors = made.communicate(timeout=60)
    assert errors == ""
    ca, chain = output.splitlines()
    plain = gunicorn(project, "example_app:create_issuer()")
    with (
        plain as issuer,
        gunicorn(project, "--certfile", chain, "example_app:create_app()", keys=issuer) as port,
    ):
        context = ssl.create_default_context(cafile=ca)
        with closing(HTTPSConnection("127.0.0.1", port, timeout=30, context=context)) as connection:
            connection.request("GET", f"/api/account/{ACCOUNT}/service/baseURI")
            assert connection.getresponse().status == 200


def test_keys_from_a_process_of_their_own(project):
    """``create_issuer()`` serves the keys: workers need no threads for requests to themselves."""
    with (
        gunicorn(project, "example_app:create_issuer()") as issuer,
        gunicorn(project, "--workers", "2", "example_app:create_app()", keys=issuer) as port,
    ):
        check_round_trip(api_at(port, project))


def test_the_development_server(project):
    """Started by ``flask --app example_app run``, which has a thread for each request."""
    port = free_port()
    command = ["-m", "flask", "--app", "example_app", "run", "--port", str(port)]
    with python(*command, folder=project, settings=keys_at(port)) as process:
        assert any("Press CTRL+C" in line for line in iter(process.stderr.readline, ""))
        check_round_trip(api_at(port, project))
