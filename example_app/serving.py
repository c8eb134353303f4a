"""Serving the app on this machine, at one listener for plain HTTP and one for TLS."""

import signal
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from flask_connector_auth import ConnectorAuth

from . import create_app
from .certificates import Certificate, certificate_in
from .database import let_go
from .handling import Handler
from .sentinel import KEY_SET_PATH
from .tunnel import Proxy
from .webhooks import close

HOST = "127.0.0.1"
PORT = 8080
TLS_PORT = 8443
#: Seconds to wait for a request that is being answered when the server ends.
PATIENCE = 5


@dataclass(frozen=True, slots=True)
class Served:
    """A running app, its ports and its certificate."""

    app: Flask
    port: int
    tls_port: int
    certificate: Certificate


def listen(port: int) -> socket.socket:
    """Return a socket that listens at *port*, or at a free port if that one is taken."""
    # Werkzeug ends the process if the port is taken, so it gets a socket that is already bound.
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError):
        print(f"Port {port} is not available. Using a free port instead.", flush=True)
        return socket.create_server((HOST, 0))


@contextmanager
def serving(
    app: Flask,
    listener: socket.socket,
    context: ssl.SSLContext | None = None,
    handler: type[Handler] = Proxy,
) -> Iterator[None]:
    """Serve *app* with a thread for each request, so that one that waits for keys stops no other.

    :param context: the TLS context of the server; plain HTTP if not given.
    :param handler: class that handles the requests.
    """
    fd, connections = listener.fileno(), dict[socket.socket, Thread]()
    handler = type("Serving", (handler,), {"connections": connections})
    server = make_server(HOST, 0, app, threaded=True, request_handler=handler, fd=fd)
    if context:
        server.ssl_context = context
        # The thread of the request does the handshake: in the thread that accepts connections, a
        # client that does not begin with it would block all others.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    # Poll for the shutdown every 50 ms, so that the server ends quickly.
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        # Those that are kept alive, which nothing else would end for a while.
        for connection, serving_thread in list(connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            serving_thread.join(PATIENCE)
        server.server_close()
        close(app)
        let_go(app)


@contextmanager
def served(
    port: int, tls_port: int, config: Mapping[str, Any], instance_path: str | None = None
) -> Iterator[Served]:
    """Create the app and serve it by plain HTTP and by TLS; a port of 0 means any free one.

    The other parameters are those of :func:`create_app`. By default the app loads its keys from
    itself, and its domain look-up returns the TLS listener. Tunnels lead to the TLS listener too.
    """
    with ExitStack() as stack:
        listeners = [stack.enter_context(listen(wanted)) for wanted in (port, tls_port)]
        port, tls_port = (listener.getsockname()[1] for listener in listeners)
        default_keys = {"CONNECTOR_AUTH_APP_JWT_KEYS": f"http://{HOST}:{port}{KEY_SET_PATH}"}
        app = create_app({**default_keys, **config}, instance_path=instance_path)
        stack.callback(ConnectorAuth().close, app)
        app.config["CONNECTOR_BASE_URI"] = app.config["CONNECTOR_BASE_URI"] or f"{HOST}:{tls_port}"
        certificate = certificate_in(Path(app.instance_path))
        handler = type("Handler", (Proxy,), {"tls_address": (HOST, tls_port)})
        stack.enter_context(serving(app, listeners[0], handler=handler))
        stack.enter_context(serving(app, listeners[1], certificate.context()))
        yield Served(app, port, tls_port, certificate)


def ctrl_c() -> Event:
    """Return an event that Ctrl-C or SIGTERM sets."""
    # Not KeyboardInterrupt: under tox the signal arrives twice.
    event = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: event.set())
    return event
