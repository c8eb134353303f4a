"""A client's own endpoint for webhooks, which records what is posted to it."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread


class Endpoint:
    """A client's own endpoint, which answers with *statuses*, one after the other, and 200 then."""

    def __init__(self, *statuses: int) -> None:
        self.received: Queue = Queue()
        self.may_answer = Event()
        self.may_answer.set()
        answers, received, may_answer = iter(statuses), self.received, self.may_answer

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.put((self.path, dict(self.headers.items()), body))
                may_answer.wait(30)
                self.send_response(next(answers, 200))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                """A client that does not trust it ends the connection."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=b"

    def next(self):
        """Return path, headers and JSON value of what was posted next."""
        path, headers, body = self.received.get(timeout=30)
        return path, headers, json.loads(body)


@contextmanager
def endpoint(*statuses):
    """Listen until the end of the ``with`` block."""
    listening = Endpoint(*statuses)
    thread = Thread(target=listening.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield listening
    finally:
        listening.may_answer.set()
        listening.server.shutdown()
        thread.join()
        listening.server.server_close()
