"""A command line in; the example app served, after a tour that shows what it answers, out.

Run it as ``python -m example_app.demo``; ``--once`` ends after the tour, with exit status 1 if any
answer differed from the documented one.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from flask import Flask

from .. import create_app
from ..keys import current_keys
from ..sentinel import KEY_SET_PATH, app_install
from .asking import Asker, Stopped, say
from .rotation import rotate
from .round_trip import Caller, round_trip
from .serving import HOST, ctrl_c, listen, serving

PORT = 8080
# Seconds. A withdrawn key is good for as long as the first and the last of them together: in
# operation for minutes, here no longer than anyone likes to watch.
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
    """Show what *app* answers: a round trip, then again while its signing key is replaced."""
    longest = app.config["CONNECTOR_AUTH_JWKS_MAX_AGE"] + app.config["CONNECTOR_AUTH_JWKS_TIMEOUT"]
    with app.app_context(), suppress(Stopped):
        caller = Caller(asker, app_install())
        rotate(caller, current_keys(), round_trip(caller), longest)
    say(f"\n{'All answers are as documented.' if asker.all_ok else 'Some answer DIFFERS.'}")


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
    options = parser.parse_args(argv)
    port = options.port if options.port is not None else 0 if options.once else PORT
    with listen(port) as listener:
        port = listener.getsockname()[1]
        base = f"http://{HOST}:{port}"
        own_keys = {"CONNECTOR_AUTH_APP_JWT_KEYS": base + KEY_SET_PATH}
        app = create_app({**SETTINGS, **own_keys, **(config or {})}, instance_path=instance_path)
        with app.app_context():
            install = app_install()
        with serving(app, listener):
            say(f"A Connector API in the small, at {base}, for the account {install.account_id}.")
            say(f"Its signing keys and its database are kept in {app.instance_path}")
            asker = Asker(HOST, port)
            tour(app, asker)
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
