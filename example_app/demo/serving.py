"""An app and a port in; that app served there, and the signals that end it, out."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from ..models import db
from .asking import say

HOST = "127.0.0.1"


class Quiet(WSGIRequestHandler):
    """Werkzeug's handler, without an access log between the demo's lines."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def listen(port: int) -> socket.socket:
    """Return what listens at *port*, or at a free one if that cannot be had."""
    # Werkzeug would end the process where the port is taken, so it gets a socket that is bound.
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError):
        say(f"Port {port} cannot be had, so a free one is used.")
        return socket.create_server((HOST, 0))


@contextmanager
def serving(app: Flask, listener: socket.socket) -> Iterator[None]:
    """Serve *app*, with a thread for each request: one that waits for the keys stops no other."""
    fd = listener.fileno()
    server = make_server(HOST, 0, app, threaded=True, request_handler=Quiet, fd=fd)
    # Looked at every 50 ms, so that the demo ends as soon as it is told to.
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        with app.app_context():
            db.engine.dispose()


def ctrl_c() -> Event:
    """Return what is set by Ctrl-C, or by a request to terminate."""
    # Not KeyboardInterrupt: tox passes the signal on, so that it comes twice.
    event = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: event.set())
    return event
