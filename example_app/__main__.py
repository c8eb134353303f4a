"""Serve the Connector API at two ports of this machine until Ctrl-C."""

import argparse
import json
import logging
import os
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from flask import Flask

from flask_connector_auth import ConfigurationError, InvalidAppJWT, InvalidConsumerJWS

from . import DEFAULTS
from .agents import agent_of
from .console import current_console
from .database import VersionError
from .refusals import Refusal, request_refused
from .sentinel import app_install
from .serving import HOST, PORT, TLS_PORT, Served, ctrl_c, served
from .webhooks import SettingError, endpoints_of

CONNECTION_DETAILS = """\
A Connector API for the account {install.account_id}

  console         http://{host}:{served.port}{console.access_key.path}
  http address    http://{host}:{served.port}
  https address   https://{host}:{served.tls_port}
  CA file         {served.certificate.ca}
  client id       {install.client_id}
  client secret   {install.client_secret}
  agent name      {agent.login_name}
  agent password  {agent.password}
  webhooks        {webhooks}
  data folder     {served.app.instance_path}
"""
NO_WEBHOOKS = "none; set FLASK_CONNECTOR_WEBHOOK_URL before the start to get notifications"
FIRST_STEPS = """\
Open the console in a browser. Its first four buttons are a short tour.
Press Ctrl-C to stop. Refused requests are listed below, with the reason.
"""

INSPECT = "flask --app example_app connector-auth inspect"
HINT = f"""\
          To see every check of a token, pipe it to this command while the app runs, in the folder
          {{folder}} and in the same virtual environment:
          {{variables}}{INSPECT}
          Add --consumer-jws for a ConsumerJWS.
"""
#: The settings that decide about a token. No other one is printed, since some hold secrets; the
#: keys are the URL of this app.
JUDGING = (
    *("APP_JWT_KEYS", "APP_JWT_ALGORITHMS", "CONSUMER_JWS_ALGORITHMS", "APP_JWT_CLAIMS"),
    *("CONSUMER_JWS_CLAIMS", "APP_JWT_TYPES", "CONSUMER_JWS_TYPES", "AUDIENCE", "MAX_LIFETIME"),
    *("ISSUER", "LEEWAY", "MIN_RSA_BITS", "MAX_TOKEN_BYTES", "MAX_HEADER_BYTES"),
)
_HINT = "example_app.hint"


def connection_details(served: Served) -> str:
    """Return the addresses and credentials that clients need, as text."""
    with served.app.app_context():
        install = app_install()
        agent = agent_of(install.account_id)
        values = {"install": install, "agent": agent, "console": current_console()}
        webhooks = " ".join(endpoints_of(served.app)) or NO_WEBHOOKS
        return CONNECTION_DETAILS.format(**values, webhooks=webhooks, served=served, host=HOST)


def print_line(app: Flask, refusal: Refusal) -> None:
    """Print *refusal*, and once what to do about a refused token: for :data:`request_refused`."""
    print(f"{time.strftime('%H:%M:%S')}  {refusal}", flush=True)
    codes = {InvalidAppJWT.row.error_code, InvalidConsumerJWS.row.error_code}
    if refusal.reason.error_code in codes and not app.extensions.get(_HINT):
        app.extensions[_HINT] = True
        print(hint(app), end="", flush=True)


def hint(app: Flask) -> str:
    """Return the command that judges a token as *app* does, with the settings that it needs."""
    variables = ""
    for name in (f"CONNECTOR_AUTH_{judging}" for judging in JUDGING):
        value = app.config.get(name)
        if value != DEFAULTS.get(name):
            # Flask reads JSON from the environment: of digits alone, a text needs its quotes.
            text = json.dumps(value, default=str)
            if isinstance(value, str) and not value.isdigit():
                text = value
            variables += f"FLASK_{name}={shlex.quote(text)} "
    return HINT.format(folder=Path(app.root_path).parent, variables=variables)


def misspelt_settings(environment: Iterable[str]) -> list[str]:
    """Return a sentence for each variable that looks like a setting of this app and is none."""
    known = [f"FLASK_{name}" for name in DEFAULTS]
    found = []
    for variable in sorted(environment):
        name = variable.partition("__")[0]  # Flask sets a member of a mapping by NAME__MEMBER
        # Those of the package are checked by the package.
        if name in known or name.startswith("FLASK_CONNECTOR_AUTH_"):
            continue
        near = get_close_matches(name, known, 1, cutoff=0.85)
        if f"FLASK_{name}" in known or name.startswith("CONNECTOR_AUTH_"):
            near = [f"FLASK_{name}"]
        if near and name.startswith(("FLASK_", "CONNECTOR_")):
            found.append(f"{variable} has no effect. Did you mean {near[0]}?")
        elif name.startswith("FLASK_CONNECTOR_"):
            found.append(f"{variable} has no effect: there is no such setting.")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C, with the options in *argv*."""
    parser = argparse.ArgumentParser(prog="python -m example_app", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"http; {PORT} if not given")
    parser.add_argument("--tls-port", type=int, default=TLS_PORT, help=f"https; {TLS_PORT}")
    options = parser.parse_args(argv)
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    for sentence in misspelt_settings(os.environ):
        print(sentence, flush=True)
    stopped = ctrl_c()
    try:
        with served(options.port, options.tls_port, {}) as running:
            print(connection_details(running), flush=True)
            print(FIRST_STEPS, flush=True)
            request_refused.connect(print_line, running.app)
            stopped.wait()
    except SettingError as error:
        sys.exit(f"FLASK_{error}")
    except (ConfigurationError, VersionError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
