"""``python -m example_app``: a listener for plain HTTP, one for TLS, and the printed details."""

import re
import signal
import socket
import sqlite3
import ssl
import threading
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPSConnection

import pytest

from example_app import create_issuer
from example_app.__main__ import NO_WEBHOOKS, misspelt_settings
from example_app.serving import listen, served, serving
from flask_connector_auth import ConnectorAuth
from flask_connector_auth.revocation import Kind, MemoryStore
from tests.support.example_api import ACCOUNT
from tests.support.example_processes import python
from tests.support.project import blocks
from tests.support.recorded_logs import awaiting

LOOK_UP = f"/api/account/{ACCOUNT}/service/baseURI.json?version=1.0"
LINE = re.compile(r"^  (.{14})  (.*)$", re.MULTILINE)


def trusting(both):
    """Return what a client that trusts the CA of *both* has, and is strict (RFC 5280)."""
    context = ssl.create_default_context(cafile=str(both.certificate.ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def look_up(connection):
    """Ask, and return the status."""
    with closing(connection):
        connection.request("GET", LOOK_UP)
        return connection.getresponse().status


def test_both_listeners(both):
    """Both listeners serve one app, whose look-up returns the TLS listener."""
    for connection in (
        HTTPConnection("127.0.0.1", both.port, timeout=30),
        HTTPSConnection("127.0.0.1", both.tls_port, timeout=30, context=trusting(both)),
        HTTPSConnection("localhost", both.tls_port, timeout=30, context=trusting(both)),
    ):
        with closing(connection):
            connection.request("GET", LOOK_UP)
            answer = connection.getresponse()
            assert answer.status == 200
            assert f'"127.0.0.1:{both.tls_port}"' in answer.read().decode()


@pytest.fixture
def logged():
    """What is logged of connections, as texts, as soon as it is."""
    with awaiting("example_app.handling") as next_text:
        yield next_text


def test_a_client_that_does_not_trust_it(both, logged):
    """It ends the handshake, the log says what to trust, and the next one is served."""
    with pytest.raises(ssl.SSLCertVerificationError):
        look_up(HTTPSConnection("127.0.0.1", both.tls_port, timeout=30))
    assert logged() == (
        f"The TLS handshake failed: the client does not trust the CA file {both.certificate.ca}."
    )
    good = HTTPSConnection("127.0.0.1", both.tls_port, timeout=30, context=trusting(both))
    assert look_up(good) == 200


def test_what_the_app_has_open_ends_with_it(tmp_path):
    """A thread that follows revocations: nothing of the app is served any more."""
    store, before = MemoryStore(dict.fromkeys(Kind, 3600.0)), set(threading.enumerate())
    config = {"CONNECTOR_AUTH_REVOCATION_STORE": store}
    with served(0, 0, config, instance_path=str(tmp_path)) as both:
        listening = set(threading.enumerate())
        ConnectorAuth().health(both.app)
        (following,) = set(threading.enumerate()) - listening
        assert following.is_alive()
    assert not following.is_alive()
    assert not (listening - before) & set(threading.enumerate())


def test_clients_that_say_nothing(both):
    """They hold up no other: the handshake is left to the thread of each."""
    with ExitStack() as stack:
        for port in (both.port, both.tls_port):
            for _ in range(5):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        good = HTTPSConnection("127.0.0.1", both.tls_port, timeout=30, context=trusting(both))
        assert look_up(good) == 200
        assert look_up(HTTPConnection("127.0.0.1", both.port, timeout=30)) == 200


@pytest.mark.parametrize(
    ("junk", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "the client sent plain HTTP to the https address"),
        (b"\x16\x03\x01", None),
        (b"\0" * 100, "WRONG_VERSION_NUMBER"),
    ],
)
def test_what_is_no_tls(both, junk, why, logged):
    """It is closed, the log says why unless the client just left, and the next one is served."""
    with socket.create_connection(("127.0.0.1", both.tls_port), timeout=30) as client:
        client.sendall(junk)
        # The server may close the connection before all is sent.
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    if why:
        assert logged() == f"The TLS handshake failed: {why}."
    good = HTTPSConnection("127.0.0.1", both.tls_port, timeout=30, context=trusting(both))
    assert look_up(good) == 200


def test_a_huge_body(both):
    """RFC 9110 section 15.5.14: the answer arrives, though the body was not wanted."""
    for connection in (
        HTTPConnection("127.0.0.1", both.port, timeout=30),
        HTTPSConnection("127.0.0.1", both.tls_port, timeout=30, context=trusting(both)),
    ):
        with closing(connection):
            path, kind = f"/api/account/{ACCOUNT}/login", {"Content-Type": "application/json"}
            connection.request("POST", path, b" " * 1_000_000, kind)
            answer = connection.getresponse()
            assert answer.status == 413
            assert answer.read().startswith(b'{"code":"REQUEST_ENTITY_TOO_LARGE","body":')


@pytest.mark.parametrize(
    ("host", "port"),
    [("api.liveperson.net", 443), ("va.msg.liveperson.net", 443), ("127.0.0.1", 8443)],
)
def test_a_tunnel(both, host, port):
    """HTTPS_PROXY: the listener in the clear leads to the one with TLS, whatever host is named."""
    connection = HTTPSConnection("127.0.0.1", both.port, timeout=30, context=trusting(both))
    connection.set_tunnel(host, port)
    assert look_up(connection) == 200


@pytest.mark.parametrize("host", ["example.org", "liveperson.net.example.org", "127.0.0.2"])
def test_no_tunnel_to_others(both, host):
    """RFC 9110 section 9.3.6: 403; it is no proxy to anywhere."""
    connection = HTTPSConnection("127.0.0.1", both.port, timeout=30, context=trusting(both))
    connection.set_tunnel(host, 443)
    with pytest.raises(OSError, match="Tunnel connection failed: 403"):
        look_up(connection)


def test_no_tunnel_without_a_listener(tmp_path):
    """An app that is served in the clear alone has nothing to lead to."""
    app = create_issuer({}, instance_path=str(tmp_path))
    with listen(0) as listener, serving(app, listener):
        connection = HTTPSConnection("127.0.0.1", listener.getsockname()[1], timeout=30)
        connection.set_tunnel("api.liveperson.net", 443)
        with pytest.raises(OSError, match="Tunnel connection failed: 403"):
            look_up(connection)


def test_a_tunnel_that_the_client_leaves(both):
    """A tunnel ends with its client, whatever was sent, and the next client is served."""
    for said in (b"", b"no TLS"):
        with socket.create_connection(("127.0.0.1", both.port), timeout=30) as client:
            client.sendall(b"CONNECT api.liveperson.net:443 HTTP/1.1\r\n\r\n")
            assert b" 200 " in client.recv(4096)
            client.sendall(said)
    test_a_tunnel(both, "api.liveperson.net", 443)


def test_a_proxy_in_the_clear(both):
    """http_proxy: RFC 9112 section 3.2.2, a look-up whose target is the whole URL."""
    with closing(HTTPConnection("127.0.0.1", both.port, timeout=30)) as connection:
        connection.request("GET", f"http://api.liveperson.net{LOOK_UP}")
        assert connection.getresponse().status == 200


def test_a_setting_for_the_look_up(tmp_path):
    """If a setting names another host, the look-up returns that one."""
    config = {"CONNECTOR_BASE_URI": "api.liveperson.net"}
    with (
        served(0, 0, config, str(tmp_path)) as running,
        closing(HTTPConnection("127.0.0.1", running.port, timeout=30)) as connection,
    ):
        connection.request("GET", LOOK_UP)
        assert '"baseURI":"api.liveperson.net"' in connection.getresponse().read().decode()


def start_up(process):
    """Return what the process prints until it serves."""
    printed = []
    for line in process.stdout:
        printed.append(line)
        if "Press Ctrl-C" in line:
            break
    return "".join(printed)


def test_what_is_printed(project):
    """Addresses, CA file and credentials; at the next start only the ports differ."""
    found = []
    for _ in range(2):
        command = ("-m", "example_app", "--port", "0", "--tls-port", "0")
        with python(*command, folder=project) as process:
            output = start_up(process)
            told = {name.strip(): value for name, value in LINE.findall(output)}
            context = ssl.create_default_context(cafile=told["CA file"])
            secure, plain = told.pop("https address"), told.pop("http address")
            assert re.fullmatch(re.escape(plain) + r"(/\?key=[\w-]{43})", told["console"])
            told["console"] = told["console"].removeprefix(plain)
            host, port = re.fullmatch(r"https://(.+):(\d+)", secure).groups()
            assert look_up(HTTPSConnection(host, int(port), timeout=30, context=context)) == 200
            host, port = re.fullmatch(r"http://(.+):(\d+)", plain).groups()
            assert look_up(HTTPConnection(host, int(port), timeout=30)) == 200
            with closing(HTTPConnection(host, int(port), timeout=30)) as connection:
                connection.request("POST", f"/api/account/{ACCOUNT}/consumer?key=value", b"{}")
                assert connection.getresponse().status == 401
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        [line] = filter(None, rest.splitlines())
        assert line.endswith(f"  401 40105 POST /api/account/{ACCOUNT}/consumer  missing")
        found.append(told)
    assert found[0] == found[1]
    credentials = {"client id", "client secret", "agent name", "agent password"}
    assert set(told) == {"console", "CA file", "data folder", "webhooks", *credentials}
    assert told["webhooks"] == NO_WEBHOOKS
    assert told["data folder"] == str(project / "instance")
    assert told["agent name"] == "agent"
    assert re.fullmatch("[0-9a-f]{16}", told["agent password"])
    assert f"for the account {ACCOUNT}\n" in output
    [shown] = [text for text in blocks("docs/example.rst", "text") if "for the account" in text]
    assert LINE.sub(r"  \1", output).strip() == LINE.sub(r"  \1", shown).strip()


def test_the_webhooks_are_printed(project):
    """Where notifications go, without what may be secret in the URL; and a variable that no setting
    reads."""
    settings = {
        "CONNECTOR_WEBHOOK_URL": "http://name:password@127.0.0.1:9/hook?key=value",
        "CONNECTOR_WEBHOOK_DIGST": "sha256",
    }
    command = ("-m", "example_app", "--port", "0", "--tls-port", "0")
    with python(*command, folder=project, settings=settings) as process:
        output = start_up(process)
    assert "\n  webhooks        http://127.0.0.1:9/hook\n" in output
    assert output.startswith(
        "FLASK_CONNECTOR_WEBHOOK_DIGST has no effect. "
        "Did you mean FLASK_CONNECTOR_WEBHOOK_DIGEST?\n"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("FLASK_CONNECTOR_WEBHOK_URL", "Did you mean FLASK_CONNECTOR_WEBHOOK_URL?"),
        ("FLASK_CONECTOR_WEBHOOK_URL", "Did you mean FLASK_CONNECTOR_WEBHOOK_URL?"),
        ("CONNECTOR_WEBHOOK_URL", "Did you mean FLASK_CONNECTOR_WEBHOOK_URL?"),
        ("CONNECTOR_AUTH_LEEWAY", "Did you mean FLASK_CONNECTOR_AUTH_LEEWAY?"),
        ("FLASK_CONNECTOR_TUNNELS", "no such setting"),
        ("FLASK_CONNECTOR_WEBHOOKS", None),
        ("FLASK_CONNECTOR_WEBHOOKS__retry__retention_time", None),
        ("FLASK_CONNECTOR_AUTH_LEEWAY", None),
        ("FLASK_SQLALCHEMY_DATABASE_URI", None),
        ("FLASK_DEBUG", None),
        ("FLASK_SECRET_KEY", None),
        ("MAX_CONTENT_LENGTHS", None),
        ("CONNECTOR_OF_ANOTHER_PROGRAM", None),
    ],
)
def test_a_setting_that_is_misspelt(name, sentence):
    """A variable that looks like a setting of the app and is none is named, with the nearest."""
    found = misspelt_settings([name])
    assert bool(found) is bool(sentence)
    assert all(each.startswith(f"{name} has no effect") and sentence in each for each in found)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CONNECTOR_WEBHOOK_URL", "hook", "FLASK_CONNECTOR_WEBHOOK_URL must start with http"),
        ("CONNECTOR_WEBHOOKS", "[1]", "FLASK_CONNECTOR_WEBHOOKS must be an object"),
        ("CONNECTOR_AUTH_LEEWAY", "-1", "CONNECTOR_AUTH_LEEWAY"),
    ],
)
def test_a_setting_that_cannot_be_used(project, name, value, message):
    """Exit status 1, and a message that names the setting: no traceback."""
    command = ("-m", "example_app", "--port", "0", "--tls-port", "0")
    with python(*command, folder=project, settings={name: value}) as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert message in errors
    assert "Traceback" not in errors


def test_a_database_of_another_version(project):
    """Exit status 1, and the message alone: no traceback."""
    command = ("-m", "example_app", "--port", "0", "--tls-port", "0")
    with python(*command, folder=project) as process:
        start_up(process)
    with closing(sqlite3.connect(project / "instance" / "connector.db")) as database:
        database.execute("UPDATE setting SET value = 99 WHERE name = 'version'")
        database.commit()
    with python(*command, folder=project) as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert re.fullmatch(r"The tables in .+ are of version 99, and this app needs .+\n", errors)
