"""A port in; the example app served there, after a round trip that shows what it answers.

Run it as ``python -m example_app.demo``; ``--once`` ends after the round trip, with exit status 1
if any answer differed from the documented one.
"""

import argparse
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from . import create_app
from .asking import Asker, Stopped, say
from .models import AppInstall, db
from .sentinel import app_install

HOST = "127.0.0.1"
PORT = 8080
APP = "Authorization"
CONSUMER = "X-LP-ON-BEHALF"

# As the protocol page documents them. That the app sends these very bytes is what the demo shows.
INVALID_APP_JWT = (
    b'{"kind":"resp","code":401,"body":{"title":"Invalid AppJWT",'
    b'"details":"AppJWT has expired or is invalid","errorCode":40102},'
    b'"type":".ReqBody$ErrorResp"}'
)
INVALID_CONSUMER_JWS = (
    b'{"kind":"resp","code":401,"body":{"title":"Invalid ConsumerJWS",'
    b'"details":"ConsumerJWS is invalid","errorCode":40103},"type":".ReqBody$ErrorResp"}'
)
CONSUMER_JWS_MISSING = (
    b'{"kind":"resp","code":401,"body":{"title":"ConsumerJWS is missing",'
    b'"details":"X_ON_BEHALF_HEADER is not present","errorCode":40104},'
    b'"type":".ReqBody$ErrorResp"}'
)
APP_JWT_MISSING = (
    b'{"kind":"resp","code":401,"body":{"title":"AppJWT is missing",'
    b'"details":"AUTHORIZATION header is not present","errorCode":40105},'
    b'"type":".ReqBody$ErrorResp"}'
)

COMMANDS = """\
Now yours. Paste these lines into a shell, all or one after the other; they need nothing but curl.
They get an AppJWT for the app and a ConsumerJWS for a consumer, open a conversation with both, and
say something in it. Leave one of the last lines with a token out, to be refused.

BASE={base}
ACCOUNT={install.account_id}
CLIENT_ID={install.client_id}
CLIENT_SECRET={install.client_secret}

APP_JWT=$(curl -s "$BASE/sentinel/api/account/$ACCOUNT/app/token?v=1.0" \\
  -d grant_type=client_credentials -d client_id=$CLIENT_ID -d client_secret=$CLIENT_SECRET \\
  | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')

CONSUMER_JWS=$(curl -s "$BASE/api/account/$ACCOUNT/consumer?v=1.0" \\
  -H "Authorization: $APP_JWT" -H "Content-Type: application/json" \\
  -d '{{"ext_consumer_id":"reader-'$(date +%s)$RANDOM'"}}' \\
  | sed 's/.*"token": *"\\([^"]*\\)".*/\\1/')

SEND_API=$BASE/api/account/$ACCOUNT/messaging/consumer/conversation

CREATED=$(curl -s "$SEND_API?v=3" \\
  -H "Authorization: $APP_JWT" -H "X-LP-ON-BEHALF: $CONSUMER_JWS" \\
  -H "Content-Type: application/json" \\
  -d '[{{"kind":"req","id":"1","type":"userprofile.SetUserProfile","body":{{}}}},
       {{"kind":"req","id":"2","type":"cm.ConsumerRequestConversation",
        "body":{{"brandId":"'$ACCOUNT'"}}}}]'); echo "$CREATED"
CONVERSATION=$(echo "$CREATED" | sed 's/.*"conversationId": *"\\([^"]*\\)".*/\\1/')

curl -s "$SEND_API/send?v=3" \\
  -H "Authorization: $APP_JWT" \\
  -H "X-LP-ON-BEHALF: $CONSUMER_JWS" \\
  -H "Content-Type: application/json" \\
  -d '{{"kind":"req","id":"3","type":"ms.PublishEvent","body":{{"dialogId":"'$CONVERSATION'",
       "event":{{"type":"ContentEvent","contentType":"text/plain","message":"Hello"}}}}}}'
"""


def round_trip(asker: Asker, install: AppInstall) -> None:
    """Get the two tokens, open a conversation, send a message; then meet the four errors."""
    account = f"/api/account/{install.account_id}"
    conversations = f"{account}/messaging/consumer/conversation"
    asker.ask(
        "Where is the Send API? The domain look-up tells.",
        f"{account}/service/asyncMessagingEnt/baseURI.json?version=1.0",
    )
    tokens = get_tokens(asker, account, install)
    created = asker.ask(
        "Create a conversation: two requests in one array.",
        f"{conversations}?v=3",
        [
            request(1, "userprofile.SetUserProfile", {}),
            request(2, "cm.ConsumerRequestConversation", {"brandId": install.account_id}),
        ],
        tokens,
    )
    event = {"type": "ContentEvent", "contentType": "text/plain", "message": "Hello"}
    conversation_id = created[1]["body"]["conversationId"]
    message = request(3, "ms.PublishEvent", {"dialogId": conversation_id, "event": event})
    asker.ask("Send a message in it.", f"{conversations}/send?v=3", message, tokens)
    say("\nThe same message, refused in each of the four documented ways, byte for byte:")
    for title, answer, headers in refusals(tokens):
        asker.ask(title, f"{conversations}/send?v=3", message, headers, 401, answer)


def get_tokens(asker: Asker, account: str, install: AppInstall) -> dict[str, str]:
    """Return the headers of the Send API, with an AppJWT and a ConsumerJWS."""
    app_jwt = asker.ask(
        "Which app calls? Its id and secret get an AppJWT, good for an hour.",
        f"/sentinel{account}/app/token?v=1.0",
        f"grant_type=client_credentials"
        f"&client_id={install.client_id}&client_secret={install.client_secret}",
    )["access_token"]
    consumer_jws = asker.ask(
        "On behalf of whom? The app's own name for someone gets a ConsumerJWS, good for ever.",
        f"{account}/consumer?v=1.0",
        {"ext_consumer_id": f"demo-{secrets.token_hex(4)}"},
        {APP: app_jwt},
        201,
    )["token"]
    return {APP: app_jwt, CONSUMER: consumer_jws}


def refusals(tokens: Mapping[str, str]) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield each error's title and answer, and what of *tokens*, which are good, gets it."""
    app_jwt, consumer_jws = tokens[APP], tokens[CONSUMER]
    yield "No AppJWT.", APP_JWT_MISSING, {CONSUMER: consumer_jws}
    yield "An altered AppJWT.", INVALID_APP_JWT, {**tokens, APP: altered(app_jwt)}
    yield "No ConsumerJWS.", CONSUMER_JWS_MISSING, {APP: app_jwt}
    yield (
        "An altered ConsumerJWS.",
        INVALID_CONSUMER_JWS,
        {**tokens, CONSUMER: altered(consumer_jws)},
    )


def request(number: int, action: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a request object of the protocol."""
    return {"kind": "req", "id": str(number), "type": action, "body": body}


def altered(token: str) -> str:
    """Return *token* with another character in its signature."""
    return token[:-9] + ("B" if token[-9] == "A" else "A") + token[-8:]


class Quiet(WSGIRequestHandler):
    """Werkzeug's handler, without an access log between the demo's lines."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


@contextmanager
def serving(app: Flask, port: int) -> Iterator[int]:
    """Serve *app* in a thread; yield the port: *port*, or a free one if that cannot be had."""
    # Werkzeug would end the process where the port is taken, so it gets a socket that is bound.
    try:
        listener = socket.create_server((HOST, port))
    except (OSError, OverflowError):
        say(f"Port {port} cannot be had, so a free one is used.")
        listener = socket.create_server((HOST, 0))
    with listener:
        fd = listener.fileno()
        server = make_server(HOST, 0, app, threaded=True, request_handler=Quiet, fd=fd)
    # Looked at every 50 ms, so that the demo ends as soon as it is told to.
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.port
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


def main(argv: Sequence[str] | None = None, app: Flask | None = None) -> int:
    """Run the demo with the command line *argv*; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m example_app.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the round trip")
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or any free one with --once")
    options = parser.parse_args(argv)
    port = options.port if options.port is not None else 0 if options.once else PORT
    app = app or create_app()
    with app.app_context():
        install = app_install()
    with serving(app, port) as port:
        base = f"http://{HOST}:{port}"
        say(f"A Connector API in the small, at {base}, for the account {install.account_id}.")
        say(f"Its signing key and its database are kept in {app.instance_path}")
        asker = Asker(HOST, port)
        with suppress(Stopped):
            round_trip(asker, install)
        say(f"\n{'All answers are as documented.' if asker.all_ok else 'Some answer DIFFERS.'}")
        if options.once:
            return 0 if asker.all_ok else 1
        stopped = ctrl_c()
        say(f"\n{COMMANDS.format(base=base, install=install)}")
        say(f"Serving at {base} until you press Ctrl-C.")
        stopped.wait()
    say("\nStopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
