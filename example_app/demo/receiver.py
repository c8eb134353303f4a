"""An endpoint that receives notifications, as an app has one, and checks their headers."""

import base64
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Empty, Queue
from threading import Thread

from ..models import AppInstall
from .asking import Answer

#: Seconds to wait for a notification.
PATIENCE = 10


class Receiver:
    """Listens at a free port of this machine, in a ``with`` statement of :func:`receiving`."""

    def __init__(self) -> None:
        received: Queue[Answer] = Queue()

        class Handler(BaseHTTPRequestHandler):
            timeout = PATIENCE

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                received.put(Answer(200, headers, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._received = received
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/notified"

    def next(self) -> Answer | None:
        """Return the next notification, or ``None`` if none comes within :data:`PATIENCE`."""
        try:
            return self._received.get(timeout=PATIENCE)
        except Empty:
            return None


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver until the end of the ``with`` block."""
    receiver = Receiver()
    thread = Thread(target=receiver.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


def wrong_headers(install: AppInstall, posted: Answer) -> list[str]:
    """Return a sentence for each header of *posted* that differs from the documented one."""
    digest = hmac.digest(install.client_secret.encode(), posted.body, "sha1")
    documented = {
        "x-liveperson-account-id": install.account_id,
        "x-liveperson-client-id": install.client_id,
        "x-liveperson-signature": f"sha1={base64.b64encode(digest).decode()}",
    }
    return [
        f"{name} is documented as {value}"
        for name, value in documented.items()
        if posted.headers.get(name) != value
    ]
