"""Serve the example app, after a tour that compares its answers with the documented ones.

Run it as ``python -m example_app.demo``; ``--once`` ends after the tour, with exit status 1 if any
answer differed.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from flask import Flask

from .. import knobs
from ..__main__ import connection_details
from ..keys import current_keys
from ..sentinel import app_install
from ..serving import HOST, PORT, TLS_PORT, Served, ctrl_c, served
from .answering import answer
from .asking import Asker, Stopped
from .caller import Caller
from .failing import turn_knobs
from .rotation import rotate
from .round_trip import get_in_all_forms, look_up, meet_the_errors
from .saying import say
from .talking import be_refused, close, exchange_a_file, publish

# Seconds. A withdrawn key stays valid for at most the sum of the first and the last: minutes in
# operation, a few seconds here, since the tour waits for that.
SETTINGS = {
    "CONNECTOR_AUTH_JWKS_MAX_AGE": 2,
    "CONNECTOR_AUTH_JWKS_MIN_AGE": 1,
    "CONNECTOR_AUTH_JWKS_COOLDOWN": 1,
    "CONNECTOR_AUTH_JWKS_TIMEOUT": 1.5,
}

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


def tour(app: Flask, asker: Asker) -> None:
    """Print the answers of *app*, and compare them with the documented ones."""
    longest = app.config["CONNECTOR_AUTH_JWKS_MAX_AGE"] + app.config["CONNECTOR_AUTH_JWKS_TIMEOUT"]
    with app.app_context(), suppress(Stopped):
        knobs.recover()
        knobs.set_token_life(None)
        caller = Caller(asker, app_install())
        caller.life = knobs.token_life()
        look_up(caller, current_keys())
        get_in_all_forms(caller)
        tokens = caller.get_tokens()
        caller.open(tokens)
        publish(caller, tokens)
        exchange_a_file(caller, tokens)
        be_refused(caller, tokens)
        meet_the_errors(caller, tokens)
        answer(app, caller)
        turn_knobs(caller, tokens)
        close(caller, rotate(caller, current_keys(), tokens, longest))
    if asker.all_ok:
        say("\nAll answers are as documented.", "ok")
    else:
        say("\nSome answer DIFFERS.", "DIFFERS")


def main(
    argv: Sequence[str] | None = None,
    config: Mapping[str, Any] | None = None,
    instance_path: str | None = None,
) -> int:
    """Run the demo with the command line *argv*; return the exit status.

    :param config: settings over those of the demo.
    :param instance_path: as for :func:`create_app`.
    """
    parser = argparse.ArgumentParser(prog="python -m example_app.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the tour")
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or any free one with --once")
    parser.add_argument("--tls-port", type=int, help=f"likewise, {TLS_PORT}")
    options = parser.parse_args(argv)
    usual = (0, 0) if options.once else (PORT, TLS_PORT)
    given = (options.port, options.tls_port)
    port, tls_port = (u if g is None else g for g, u in zip(given, usual, strict=True))
    with served(port, tls_port, {**SETTINGS, **(config or {})}, instance_path) as running:
        say(connection_details(running))
        asker = Asker(HOST, running.port, running.tls_port, str(running.certificate.ca))
        tour(running.app, asker)
        if options.once:
            return 0 if asker.all_ok else 1
        stopped = ctrl_c()
        say(f"\n{commands(running)}")
        say(connection_details(running))
        say("Serving until you press Ctrl-C.")
        stopped.wait()
    say("\nStopped.")
    return 0


def commands(running: Served) -> str:
    """Return the commands to paste into a shell."""
    with running.app.app_context():
        return COMMANDS.format(base=f"http://{HOST}:{running.port}", install=app_install())


if __name__ == "__main__":
    sys.exit(main())
