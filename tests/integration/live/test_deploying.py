"""The pages on deploying and on containers: their commands, run as they stand there."""

import json
import re
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic

import pytest
import yaml
from flask import Flask

from flask_connector_auth import ConfigurationError
from flask_connector_auth.config import SettingsSchema
from flask_connector_auth.testing import Issuer, KeySetServer
from flask_connector_auth.web import current_runtime
from tests.support.http_helpers import ROWS, headers
from tests.support.live_workers import Served, running
from tests.support.project import PAGES, PROJECT, blocks, files_of, write_files
from tests.support.redis_servers import Server

DEPLOYING, CONTAINERS = "docs/deploying.rst", "docs/containers.rst"
COMMANDS = [" ".join(block.replace("\\\n", "").split()) for block in blocks(DEPLOYING, "shell")]
SERVERS = [command for command in COMMANDS if command.startswith(("gunicorn", "uwsgi"))]
#: The answers of gunicorn and of uWSGI, as it is set up on the page.
UNDERSCORES, LARGE = (ROWS[40104], 200), (431, 200)
SEND = "/api/account/le81823118/messaging/consumer/conversation/send"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer) -> str:
    """A folder to work in, with the keys of the issuer in a file; its name."""
    monkeypatch.chdir(tmp_path)
    Path("keys.json").write_text(json.dumps(issuer.key_set()))
    return "keys.json"


@contextmanager
def served(command: str, workers: int, service: str, keys: str, tmp_path: Path) -> Iterator[Served]:
    """Run a command of a page, at another port than the page's.

    :param workers: how often the app is loaded by it.
    :param service: the text of the module with the app.
    """
    Path("service.py").write_text(f'{service}\nprint("loaded", flush=True)\n')
    Path("uwsgi.ini").write_text(*blocks(DEPLOYING, "ini"))
    at_port = re.sub(r"\b8000\b", "{port}", command)
    shell = f"sed -i s/:8000/:{{port}}/ uwsgi.ini && exec {at_port}"
    # The development server is ended by the signal itself.
    ended = -signal.SIGTERM if "flask" in command else 0
    with running(keys, tmp_path, ["sh", "-c", shell], ended=ended) as app:
        yield app
        # A worker of gunicorn that is ended before it has begun does not hear of it, and for
        # uWSGI one that has not loaded its app has failed.
        sign = "WSGI app 0 " if command.startswith("uwsgi") else "loaded"
        until_said(tmp_path / "server.log", sign, workers)


def until_said(log: Path, words: str, times: int) -> None:
    """Wait until *log* has *words* so many times; fail after twenty seconds."""
    give_up = monotonic() + 20
    while log.read_text().count(words) < times:
        assert monotonic() < give_up, log.read_text()
        threading.Event().wait(0.05)


def post(app: Served, **sent: str) -> int | bytes:
    """Return the body of the refusal of a message with these headers, or another status."""
    connection = HTTPConnection("127.0.0.1", app.port, timeout=20)
    try:
        connection.request("POST", SEND, headers=sent)
        response = connection.getresponse()
        return response.read() if response.status == 401 else response.status
    finally:
        connection.close()


@pytest.mark.parametrize("command", SERVERS)
def test_a_server_serves_and_ends(
    command: str, keys: str, tmp_path: Path, issuer: Issuer, stranger: Issuer
) -> None:
    """The app of the quickstart: good tokens pass, others get the four rows, byte for byte, SIGTERM
    ends it. What the page on proxies says of names with underscores and of large tokens is so."""
    uwsgi, workers = command.startswith("uwsgi"), 1 if "--preload" in command else 4
    service = blocks("docs/quickstart.rst", "python")[0]
    with served(command, workers, service, keys, tmp_path) as app:
        app_jwt, large = issuer.app_jwt(), issuer.consumer_jws(x="x" * 7000)
        good = headers(app_jwt, issuer.consumer_jws())
        assert 8190 < len(large) < 16384
        for sent, answer in (
            (good, 200),
            (headers(stranger.app_jwt(), good["X-LP-ON-BEHALF"]), ROWS[40102]),
            (headers(app_jwt, stranger.consumer_jws()), ROWS[40103]),
            (headers(app_jwt), ROWS[40104]),
            ({}, ROWS[40105]),
            (
                {"Authorization": app_jwt, "X_LP_ON_BEHALF": good["X-LP-ON-BEHALF"]},
                UNDERSCORES[uwsgi],
            ),
            (headers(app_jwt, large), LARGE[uwsgi]),
        ):
            assert post(app, **sent) == answer


@pytest.mark.parametrize(
    ("command", "workers"),
    [(SERVERS[0], 4), (SERVERS[2], 4), (SERVERS[3], 4), (f"{SERVERS[4]} --module wsgi:app", 4)],
    ids=["gthread", "gevent", "preload", "uwsgi"],
)
def test_a_worker_is_ready_before_its_first_request(
    command: str,
    workers: int,
    keys: str,
    own_server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    issuer: Issuer,
) -> None:
    """The hook and the module of the page: each worker has its keys and its copy of the store
    before a token comes, though the issuer takes its time."""
    write_files(files_of(DEPLOYING), tmp_path)
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_REVOCATION_URL", own_server.url)
    service = blocks("docs/quickstart.rst", "python")[0]
    with KeySetServer(issuer) as server:
        server.delay = 0.2
        with served(command, 1, service, server.url, tmp_path) as app:
            until_said(tmp_path / "server.log", "changed: added", workers)
            assert len(server.requests) == workers
            good = headers(issuer.app_jwt(), issuer.consumer_jws())
            assert {post(app, **good) for _ in range(20)} == {200}
    assert "not ready" not in (tmp_path / "server.log").read_text()


QUICKSTART = 'logging.basicConfig(level="INFO")'
REFUSAL = "refused: missing row=40105 endpoint='send' held_back=0"


@pytest.mark.parametrize(
    "command",
    [SERVERS[0], SERVERS[-1], "python -m flask --app service run --port 8000"],
    ids=lambda command: command.split()[0],
)
@pytest.mark.parametrize(
    ("set_up", "line"),
    [
        ("pass", None),
        (QUICKSTART, rf"^INFO:flask_connector_auth\.web\.reporting:{REFUSAL}"),
        (
            "from logs import set_up_logs; set_up_logs()",
            rf"^[-\d]+ [:,\d]+ \[\d+\] INFO flask_connector_auth\.web\.reporting {REFUSAL}$",
        ),
    ],
    ids=["no set-up", "the quickstart's", "the page's"],
)
def test_a_refusal_is_in_the_log_with_its_reason(
    set_up: str, line: str | None, command: str, keys: str, tmp_path: Path
) -> None:
    """At the default level of each server: it is where the app sets up its log, and only there."""
    write_files(files_of(DEPLOYING), tmp_path)
    service = files_of("docs/quickstart.rst")["service.py"]
    assert QUICKSTART in service
    service = service.replace(QUICKSTART, set_up)
    workers = 1 if "flask" in command else 4
    with served(command, workers, service, keys, tmp_path) as app:
        assert post(app) == ROWS[40105]
    log = (tmp_path / "server.log").read_text()
    assert ("refused" in log) is (line is not None)
    assert line is None or re.search(line, log, re.MULTILINE), log


def test_a_package_with_a_factory_is_served_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer
) -> None:
    """The project's files, with the hook of this page: the workers are ready before the first
    request, and a refusal is in the log, once."""
    monkeypatch.chdir(tmp_path)
    of_page = files_of(DEPLOYING)
    line = "from inbox.extensions import connector_auth"
    assert f"``{line}``" in PAGES[DEPLOYING]
    hook = of_page["gunicorn.conf.py"]
    files = {
        **files_of("docs/project.rst"),
        "gunicorn.conf.py": hook.replace("from service import connector_auth", line),
    }
    assert files["gunicorn.conf.py"] != hook
    write_files(files, tmp_path)
    command = re.sub(r"\b8000\b", "{port}", SERVERS[0]).replace("service:", "inbox:")
    log = tmp_path / "server.log"
    with (
        KeySetServer(issuer) as server,
        running(server.url, tmp_path, ["sh", "-c", f"exec {command}"]) as app,
    ):
        until_said(log, "changed: added", 4)
        path = "/api/account/le81823118/conversations"
        assert app.get(path=path) == (401, ROWS[40105])
        until_said(log, "refused: missing row=40105 endpoint='conversations.of_consumer'", 1)
    assert log.read_text().count("refused: ") == 1


def test_all_pages_set_the_log_up_in_one_way() -> None:
    """One handler, on the root logger; the page on operations adds to each line."""
    logs = files_of(DEPLOYING)["logs.py"]
    assert files_of("docs/project.rst")["inbox/logs.py"] == f"# inbox/{logs.removeprefix('# ')}"
    shown = ["".join(files_of(page).values()) for page in ("docs/operations.rst", DEPLOYING)]
    for set_up in (part for text in shown for part in text.split("dictConfig(")[1:]):
        assert '"root": {"level": "WARNING", "handlers": ["stderr"]},' in set_up
        assert '"loggers": {"flask_connector_auth": {"level": "INFO"}},' in set_up


def test_wrong_settings_are_named_among_the_tracebacks(keys: str, tmp_path: Path) -> None:
    """gunicorn: the two lines of the page are in the output, beside its own, and the status is not
    0."""
    assert Path(keys).exists()
    Path("service.py").write_text(blocks("docs/quickstart.rst", "python")[0])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = shlex.split(SERVERS[0].replace("8000", str(port)))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode != 0
    [shown] = blocks(DEPLOYING, "text")
    assert shown.strip() in done.stderr
    # Where, differs from run to run: the workers end beside each other.
    assert "Worker failed to boot." in done.stderr


def test_the_page_has_a_command_for_each_kind_of_worker() -> None:
    """gunicorn with each, and with --preload; uWSGI; and the check before them."""
    kinds = [re.findall(r"--worker-class (\w+)", command) for command in SERVERS]
    assert kinds == [["gthread"], ["sync"], ["gevent"], ["gthread"], []]
    assert ["--preload" in command for command in SERVERS] == [False, False, False, True, False]
    assert COMMANDS[0] == "flask --app service connector-auth check"


def test_the_check_before_the_first_request(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with 0 where all is well, and not where there are no keys."""
    Path("service.py").write_text(blocks("docs/quickstart.rst", "python")[0])
    command = [sys.executable, "-m", *shlex.split(COMMANDS[0])]
    assert subprocess.run(command, check=False).returncode == 1  # noqa: S603
    monkeypatch.setenv("FLASK_CONNECTOR_AUTH_APP_JWT_KEYS", keys)
    assert subprocess.run(command, check=False).returncode == 0  # noqa: S603


def instructions() -> dict[str, list[str]]:
    """Return what follows each word of the Dockerfile, in its order."""
    [text] = blocks(CONTAINERS, "docker")
    found: dict[str, list[str]] = {}
    for word, rest in re.findall(r"^(\w+) (.+)$", text.replace("\\\n", ""), re.MULTILINE):
        found.setdefault(word, []).append(" ".join(rest.split()))
    return found


def test_the_container_serves_and_tells_that_it_is_alive(
    keys: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: Issuer
) -> None:
    """CMD and HEALTHCHECK as they stand in the Dockerfile; the secrets are read from a file."""
    Path("secrets.toml").write_text('CONNECTOR_AUTH_AUDIENCE = "le1"\n')
    monkeypatch.setenv("SERVICE_SECRETS", "secrets.toml")
    told = instructions()
    check = json.loads(told["HEALTHCHECK"][0].partition("CMD ")[2])
    command = shlex.join(json.loads(told["CMD"][0]))
    assert check[0] == "python"
    [service] = blocks(CONTAINERS, "python")
    with served(command, 2, service, keys, tmp_path) as app:
        check = [sys.executable, *(each.replace(":8000", f":{app.port}") for each in check[1:])]
        assert subprocess.run(check, check=False).returncode == 0  # noqa: S603
        for account, status in (("le1", 200), ("le2", 401)):
            token = issuer.app_jwt(aud=account)
            assert app.get(token, f"/account/{account}/messages")[0] == status
    stopped = subprocess.run(check, check=False, capture_output=True)  # noqa: S603
    assert b"refused" in stopped.stderr
    assert stopped.returncode == 1


def test_the_image_has_no_secret_and_is_not_root() -> None:
    """Each file that it copies is on the page; the secret is not among them."""
    told = instructions()
    assert list(told) == [
        *("FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "CMD")
    ]
    assert told["COPY"] == ["requirements.txt .", "service.py ."]
    user, group = told["USER"][0].split(":")
    assert int(user) > 0
    assert int(group) > 0
    [secrets] = map(tomllib.loads, blocks(CONTAINERS, "toml"))
    known = {field.data_key for field in SettingsSchema().fields.values()}
    assert secrets.keys() <= known
    assert not any(name in " ".join(told["ENV"]) for name in secrets)
    package, extra = re.findall(r"^([\w-]+)\[(\w+)\]$", blocks(CONTAINERS, "text")[0], re.M)[0]
    assert package == PROJECT["name"]
    assert extra in PROJECT["optional-dependencies"]


def container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, **more: object
) -> Callable[[], Flask]:
    """Return what makes the app of the page where Compose would start it, on this file system.

    :param more: environment variables beside those of the page.
    """
    told, [compose] = instructions(), map(yaml.safe_load, blocks(CONTAINERS, "yaml"))
    [service] = compose["services"].values()
    environ = dict(each.split("=", 1) for each in told["ENV"][0].split(" "))
    environ |= service["environment"] | more
    [secret], [volume] = service["secrets"], service["volumes"]
    assert [f"./{secret}"] == [each["file"] for each in compose["secrets"].values()]
    assert environ["SERVICE_SECRETS"] == f"/run/secrets/{secret}"
    (tmp_path / secret).write_text(*blocks(CONTAINERS, "toml"))
    mounted = {volume.split(":")[1]: keys, f"/run/secrets/{secret}": str(tmp_path / secret)}
    for name, value in environ.items():
        # As Compose has it: text or a number.
        assert type(value) in (str, int), name
        monkeypatch.setenv(name, mounted.get(value, str(value)))
    (tmp_path / "service.py").write_text(files_of(CONTAINERS)["service.py"])
    create_app: Callable[[], Flask] = runpy.run_path("service.py")["create_app"]
    return create_app


def test_each_variable_of_the_compose_file_is_a_setting(
    keys: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app starts with them, those of the image and the secret, and goes by each."""
    app = container(tmp_path, monkeypatch, keys)()
    settings = current_runtime(app).settings
    [issuer] = settings.issuers.values()
    assert issuer.audience == frozenset({"le1", "le2"})
    assert (issuer.max_lifetime, settings.missing_parameter_row) == (3600, True)
    assert app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] == "https://issuer.example/jwks.json"
    assert app.config["CONNECTOR_AUTH_CONSUMER_JWS_KEYS"] == keys
    assert app.config["CONNECTOR_AUTH_REVOCATION_URL"].startswith("rediss://")


def test_a_variable_that_is_no_setting_keeps_the_container_from_starting(
    keys: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the name and the nearest setting."""
    create_app = container(tmp_path, monkeypatch, keys, FLASK_CONNECTOR_AUTH_AUDIENCES="le1")
    with pytest.raises(ConfigurationError, match=r"CONNECTOR_AUTH_AUDIENCES.*_AUDIENCE\b"):
        create_app()


def test_the_compose_file_is_for_the_image_of_the_page() -> None:
    """It is built here, asked at the port that it serves, and has no secret in its text."""
    told, [text] = instructions(), blocks(CONTAINERS, "yaml")
    [service] = yaml.safe_load(text)["services"].values()
    assert service["build"] == "."
    [port] = service["ports"]
    assert [port.rpartition(":")[2]] == told["EXPOSE"]
    [secrets] = map(tomllib.loads, blocks(CONTAINERS, "toml"))
    assert not any(name in text or secrets[name] in text for name in secrets)
