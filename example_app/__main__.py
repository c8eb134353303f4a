"""Serve the Connector API at two ports of this machine until Ctrl-C."""

import argparse
import sys
from collections.abc import Sequence

from .agents import agent_of
from .console import current_console
from .database import VersionError
from .refusals import print_line, request_refused
from .sentinel import app_install
from .serving import HOST, PORT, TLS_PORT, Served, ctrl_c, served

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
  data folder     {served.app.instance_path}
"""
FIRST_STEPS = """\
Open the console in a browser. Its first four buttons are a short tour.
Press Ctrl-C to stop. Refused requests are listed below, with the reason.
"""


def connection_details(served: Served) -> str:
    """Return the addresses and credentials that clients need, as text."""
    with served.app.app_context():
        install = app_install()
        agent = agent_of(install.account_id)
        values = {"install": install, "agent": agent, "console": current_console()}
        return CONNECTION_DETAILS.format(**values, served=served, host=HOST)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C, with the options in *argv*."""
    parser = argparse.ArgumentParser(prog="python -m example_app", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"http; {PORT} if not given")
    parser.add_argument("--tls-port", type=int, default=TLS_PORT, help=f"https; {TLS_PORT}")
    options = parser.parse_args(argv)
    stopped = ctrl_c()
    try:
        with served(options.port, options.tls_port, {}) as running:
            print(connection_details(running), flush=True)
            print(FIRST_STEPS, flush=True)
            request_refused.connect(print_line, running.app)
            stopped.wait()
    except VersionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
