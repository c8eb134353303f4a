"""``check``: what cannot be reached, by its URL, with the cause and the next step."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import pytest

from flask_connector_auth import KeySource, RevocationStore, RevocationStoreError
from flask_connector_auth.cli.health import describe_store
from flask_connector_auth.revocation import MemoryStore
from flask_connector_auth.revocation.redis import RedisStore
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.floor_helpers import cases, pem
from tests.support.ports import free_port
from tests.support.proxy import ConnectProxy
from tests.support.redis_servers import BINARIES, Server
from tests.support.tls import Authority
from tests.support.types import MakeApp, RunCommand

SECRET = "hunter22"
Errors = Callable[..., list[str]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority for the servers of this module."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a socket that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose name server knows no name."""
    original = socket.getaddrinfo

    def resolve(host: Any, *more: Any, **options: Any) -> Any:
        if host == "127.0.0.1":
            return original(host, *more, **options)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
def errors(run: RunCommand, make_app: MakeApp) -> Errors:
    """Return a function that checks an app with settings, and returns the texts of its errors.

    The keys of the ConsumerJWS are in the configuration.
    """

    def call(*args: object, **settings: Any) -> list[str]:
        app = make_app(**{"CONSUMER_JWS_KEYS": pem(), **settings})
        result = run("check", "--json", *args, app=app)
        assert result.exit_code == 1
        assert SECRET not in result.output
        return [each["text"] for each in json.loads(result.stdout)["errors"]]

    return call


@cases(
    "name, options, cause, step",
    {
        "refused": ("refuse", {}, "ConnectionRefusedError", "Check the port, and that the server"),
        "moved": (
            "redirect",
            {"to": f"https://SSL.expired.example/?{SECRET}"},
            "status 302 to ssl.expired.example",
            "Set the URL that the server redirects to",
        ),
        "no such path": ("status", {"status": 404}, "status 404", "Check the path of the URL."),
        "login": ("status", {"status": 401}, "status 401", "Let the server answer without"),
        "its failure": ("status", {"status": 503}, "status 503", "Ask the operator of the server"),
        "too many": ("status", {"status": 429}, "status 429", "Request the URL with curl"),
        "reset": ("reset", {}, "ConnectionResetError", "Check the network of this machine"),
        "no key set": ("junk", {}, "", "Request the URL with curl"),
        "hangs": ("hang", {}, "no complete response within 0.5 s", "Check that the server runs"),
        "huge": ("huge", {}, "the body is over 262144 bytes (JWKS_MAX_BYTES)", "Raise this"),
    },
)
def test_a_key_set(
    errors: Errors, issuer: Issuer, name: str, options: Any, cause: str, step: str
) -> None:
    """Its URL without the query, the cause as in the log, and one sentence."""
    with KeySetServer(issuer) as server:
        server.fail(name, **options)
        [text] = errors(APP_JWT_KEYS=f"{server.url}?key={SECRET}", JWKS_TIMEOUT=0.5)
    assert text.startswith(f"{server.url}: {cause}")
    step_of = text.rpartition(". ")[2]
    assert step_of.startswith(step.removesuffix("."))
    assert text.endswith(".")


@pytest.mark.usefixtures("no_names")
def test_a_host_without_an_address(errors: Errors) -> None:
    """Of a key set, and of a store, whose login is not shown."""
    keys, store = errors(
        APP_JWT_KEYS="https://issuer.test:8443/jwks.json",
        REVOCATION_URL=f"redis://user:{SECRET}@redis.test:6380/1",
    )
    step = "Check the host name, and the name server of this machine."
    cause = "gaierror: the host name cannot be resolved"
    assert keys == f"https://issuer.test:8443/jwks.json: {cause}. {step}"
    assert store == (
        f"redis://redis.test:6380/1: out of reach ({cause}): CONNECTOR_AUTH_REVOCATION_URL. {step}"
    )


@cases(
    "options, trusted, cause, step",
    {
        "unknown authority": ({}, False, "unable to get local issuer", "JWKS_CA_FILE."),
        "expired": ({"expired": True}, True, "certificate has expired", "clock of this machine."),
        "another host": (
            {"hosts": ["issuer.test"]},
            True,
            "IP address mismatch",
            "Use a host name that the certificate of the server is for.",
        ),
    },
)
def test_a_certificate(
    errors: Errors,
    issuer: Issuer,
    authority: Authority,
    options: Any,
    trusted: bool,
    cause: str,
    step: str,
) -> None:
    """RFC 9110 section 4.3.4: what is wrong with it, and where to mend that; also of a store."""
    context = authority.context(*options.get("hosts", ()), expired=options.get("expired", False))
    ca_file = str(authority.ca_file)
    with KeySetServer(issuer, ssl_context=context) as server:
        [text] = errors(APP_JWT_KEYS=server.url, **({"JWKS_CA_FILE": ca_file} if trusted else {}))
        url = f"rediss://127.0.0.1:{server.port}/0"
        store = RedisStore(f"{url}?ssl_ca_certs={ca_file}" if trusted else url)
        with pytest.raises(RevocationStoreError) as caught:
            store.now()
    assert text.startswith(f"{server.url}: SSLCertVerificationError: ")
    assert cause in text
    assert text.endswith(step)
    text = describe_store(url, str(caught.value))
    assert text.startswith(f"{url}: out of reach (SSLCertVerificationError: ")
    assert cause in text
    assert text.endswith(step.replace("JWKS_CA_FILE", "ssl_ca_certs in the URL"))


@pytest.fixture
def plain() -> Iterator[int]:
    """The port of a server that answers in plain text at once."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                with suppress(OSError), listening.accept()[0] as client:
                    client.recv(1)
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                if listening.fileno() == -1:
                    return

        thread = Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_a_port_without_tls(errors: Errors, plain: int) -> None:
    """A server that does not speak TLS where the URL says so."""
    [text] = errors(APP_JWT_KEYS=f"https://127.0.0.1:{plain}/keys")
    assert text.startswith(f"https://127.0.0.1:{plain}/keys: SSLError. Check that the server")


def test_a_proxy(errors: Errors) -> None:
    """JWKS_PROXY: one that refuses to connect, and one that is not there."""
    url = "https://issuer.test/jwks.json"
    with ConnectProxy() as proxy:
        [text] = errors(APP_JWT_KEYS=url, JWKS_PROXY=proxy.url)
    step = "Check to which hosts the proxy of JWKS_PROXY may connect."
    assert text == f"{url}: the proxy refuses, with status 403. {step}"
    with ConnectProxy(b"user:password") as proxy:
        [text] = errors(APP_JWT_KEYS=url, JWKS_PROXY=proxy.url)
    step = "Check user and password in JWKS_PROXY."
    assert text == f"{url}: the proxy refuses, with status 407. {step}"
    [text] = errors(APP_JWT_KEYS=url, JWKS_PROXY=f"http://127.0.0.1:{free_port()}")
    step = "Check host and port of JWKS_PROXY, and that the proxy runs."
    assert text == f"{url}: the proxy cannot be reached (ConnectionRefusedError). {step}"


def test_each_of_several_urls(errors: Errors, issuer: Issuer) -> None:
    """Failover: each URL with its own cause; and a list of sources likewise."""
    nowhere = f"http://127.0.0.1:{free_port()}/jwks.json"
    with KeySetServer(issuer) as server:
        server.fail("status", status=404)
        found = errors(APP_JWT_KEYS=nowhere, JWKS_FAILOVER=[server.url])
        assert found == errors(APP_JWT_KEYS=[nowhere, server.url])
    assert [text.partition(". ")[0] for text in found] == [
        f"{nowhere}: ConnectionRefusedError",
        f"{server.url}: status 404",
    ]


def test_a_failover_that_is_in_use_is_a_warning(
    run: RunCommand, make_app: MakeApp, issuer: Issuer
) -> None:
    """There are keys, and the first URL is named; without failures all is well."""
    nowhere = f"http://127.0.0.1:{free_port()}/jwks.json"
    with KeySetServer(issuer) as server:
        app = make_app(
            APP_JWT_KEYS=nowhere, CONSUMER_JWS_KEYS=server.url, JWKS_FAILOVER=[server.url]
        )
        result = run("check", "--json", app=app)
        assert run("check", app=make_app(APP_JWT_KEYS=server.url)).exit_code == 0
    assert result.exit_code == 0
    [warning] = json.loads(result.stdout)["warnings"]
    assert warning["code"] == "not_confirmed"
    assert warning["text"].startswith(f"app_jwt: {nowhere}: ConnectionRefusedError. Check the port")


def test_no_answer_in_time(errors: Errors, mute: int) -> None:
    """--timeout ends before the key set and the store have failed."""
    url, store = f"http://127.0.0.1:{mute}/keys", f"redis://127.0.0.1:{mute}"
    step = "no answer in time. Check that the server runs, and that no firewall blocks the way."
    found = errors("--timeout", 0.2, APP_JWT_KEYS=url, REVOCATION_URL=store)
    assert found == [f"{url}: {step}", f"{store}: {step}"]


def test_a_network_that_is_down(errors: Errors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the system, which has no class of its own."""

    def unreachable(*_arguments: Any) -> None:
        raise OSError(101, "do-not-tell-this")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    [text] = errors(APP_JWT_KEYS="http://127.0.0.1:1/keys")
    assert "OSError: Network is unreachable. Check the network of this machine" in text


def test_a_store(errors: Errors) -> None:
    """Nothing listens at its port; in a Cluster, and behind Sentinels, likewise."""
    port = free_port()
    [text] = errors(REVOCATION_URL=f"redis://:{SECRET}@127.0.0.1:{port}?socket_keepalive=1")
    assert text == (
        f"redis://127.0.0.1:{port}: out of reach (ConnectionRefusedError): "
        "CONNECTOR_AUTH_REVOCATION_URL. Check the port, and that the server runs."
    )
    [text] = errors(REVOCATION_URL=f"redis+cluster://127.0.0.1:{port}")
    assert text.startswith(f"redis+cluster://127.0.0.1:{port}: out of reach (")
    [text] = errors(REVOCATION_URL=f"redis+sentinel://127.0.0.1:{port}/main")
    assert "Check the name of the service in the URL" in text


def test_a_wrong_password(errors: Errors) -> None:
    """The server is there, and does not accept the user."""
    with Server(BINARIES["valkey"], password="open-sesame") as server:
        [text] = errors(REVOCATION_URL=f"redis://:{SECRET}@127.0.0.1:{server.port}/0")
    assert text.startswith(f"redis://127.0.0.1:{server.port}/0: wrong user or password in ")
    assert text.endswith(". Check user and password in the URL.")


class Down(RevocationStore):
    """A store of the app, out of reach."""

    def read(self, position: Any) -> Any:
        """Fail."""
        raise RevocationStoreError("the database is down")

    def change(self, changes: Any) -> None:
        """Fail."""


def test_a_store_of_the_app_speaks_for_itself(errors: Errors) -> None:
    """It has no URL that this package knows, so its text stands alone."""
    assert errors(REVOCATION_STORE=Down()) == ["the database is down"]


@cases(
    "cause, step",
    {
        "permission": ("the user has no permission for a command in S", "Grant the user"),
        "memory": ("no memory is left (maxmemory) at S", "Raise maxmemory"),
        "log": (
            "the log of revocations is full (proto-max-bulk-len) at S",
            "Give each group of workers a server of its own",
        ),
        "version": ("Redis 5.0 is too old, and 6.2 is needed, at S", "Upgrade the server"),
        "no Redis": ("there is no Redis at S", "Check host and port"),
        "timeout": ("out of reach (TimeoutError): S", "Check that the server runs"),
        "closed": ("out of reach (ConnectionError): S", "Check the network of this machine"),
        "answer": ("unexpected answer (InvalidResponse) from S", "Look into the log"),
    },
)
def test_the_next_step_for_a_store(cause: str, step: str) -> None:
    """One sentence for each cause that the store of revocations names."""
    text = describe_store(f"redis://user:{SECRET}@redis.test/0?password={SECRET}", cause)
    assert text.startswith(f"redis://redis.test/0: {cause}. {step}")
    assert text.count(". ") == 1 + cause.count(". ")


class Failing(MemoryStore):
    """A store that fails after a first copy was read and confirmed."""

    def __init__(self) -> None:
        super().__init__({})
        self.reads = 0
        self.has_failed = Event()

    def read(self, position: Any) -> Any:
        """Fail from the third read on; the fourth one comes after that is known."""
        self.reads += 1
        if self.reads < 3:
            return super().read(position)
        if self.reads > 3:
            self.has_failed.set()
        raise RevocationStoreError("the database is down")


class Waiting(KeySource):
    """Keys that are looked up until a store has failed."""

    def __init__(self, store: Failing) -> None:
        self._store = store

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Wait."""
        self._store.has_failed.wait(10)
        return []


def test_a_store_that_failed_last_is_a_warning(run: RunCommand, make_app: MakeApp) -> None:
    """not_confirmed: what was read of it is still good enough."""
    store = Failing()
    app = make_app(APP_JWT_KEYS=Waiting(store), REVOCATION_STORE=store, REVOCATION_MAX_LAG=60)
    result = run("check", "--json", app=app)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["warnings"] == [
        {"code": "not_confirmed", "text": "revocation: the database is down"}
    ]
