"""An app and a socket in; that app served there, in the clear or by TLS, until the end, out."""

import signal
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
from .sentinel import KEY_SET_PATH
from .tunnel import Quiet
from .webhooks import close

HOST = "127.0.0.1"
PORT = 8080
TLS_PORT = 8443


@dataclass(frozen=True, slots=True)
class Served:
    """What is served, and where."""

    app: Flask
    port: int
    tls_port: int
    certificate: Certificate


def listen(port: int) -> socket.socket:
    """Return what listens at *port*, or at a free one if that cannot be had."""
    # Werkzeug would end the process where the port is taken, so it gets a socket that is bound.
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError):
        print(f"Port {port} cannot be had, so a free one is used.", flush=True)
        return socket.create_server((HOST, 0))


@contextmanager
def serving(
    app: Flask,
    listener: socket.socket,
    context: ssl.SSLContext | None = None,
    handler: type[Quiet] = Quiet,
) -> Iterator[None]:
    """Serve *app*, with a thread for each request: one that waits for the keys stops no other.

    :param context: a server's, for TLS.
    :param handler: of the requests.
    """
    fd = listener.fileno()
    server = make_server(HOST, 0, app, threaded=True, request_handler=handler, fd=fd)
    if context:
        server.ssl_context = context
        # The handshake is left to the thread of the request: a client that does not begin with it
        # would stop all others.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    # Looked at every 50 ms, so that it ends as soon as it is told to.
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        close(app)
        let_go(app)


@contextmanager
def served(
    port: int, tls_port: int, config: Mapping[str, Any], instance_path: str | None = None
) -> Iterator[Served]:
    """Make the app, and serve it in the clear and by TLS; a port of 0 is any free one.

    The other parameters are those of :func:`create_app`. Unless they say where, it loads its keys
    from itself, and its domain look-up tells the TLS listener, where tunnels lead to as well.
    """
    with ExitStack() as stack:
        listeners = [stack.enter_context(listen(wanted)) for wanted in (port, tls_port)]
        port, tls_port = (listener.getsockname()[1] for listener in listeners)
        own_keys = {"CONNECTOR_AUTH_APP_JWT_KEYS": f"http://{HOST}:{port}{KEY_SET_PATH}"}
        app = create_app({**own_keys, **config}, instance_path=instance_path)
        stack.callback(ConnectorAuth().close, app)
        app.config["CONNECTOR_BASE_URI"] = app.config["CONNECTOR_BASE_URI"] or f"{HOST}:{tls_port}"
        certificate = certificate_in(Path(app.instance_path))
        handler = type("Handler", (Quiet,), {"tls_address": (HOST, tls_port)})
        stack.enter_context(serving(app, listeners[0], handler=handler))
        stack.enter_context(serving(app, listeners[1], certificate.context()))
        yield Served(app, port, tls_port, certificate)


def ctrl_c() -> Event:
    """Return what is set by Ctrl-C, or by a request to terminate."""
    # Not KeyboardInterrupt: tox passes the signal on, so that it comes twice.
    event = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: event.set())
    return event
