"""How to point a client at this app: lines to paste, with the addresses and credentials in them."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request

from ..agents import agent_of
from ..sentinel import KEY_SET_PATH, app_install

_TRUST = "export NODE_EXTRA_CA_CERTS={ca} SSL_CERT_FILE={ca}"
_PROXY = "export http_proxy={http} HTTPS_PROXY={http} NO_PROXY=localhost,127.0.0.1"
_CREDENTIALS = """\
export LP_ACCOUNT_ID={account}
export LP_CLIENT_ID={client_id}
export LP_CLIENT_SECRET={client_secret}"""
_HOSTS = """\
# Lines for /etc/hosts; then start this app with: python -m example_app --tls-port 443
127.0.0.1 api.liveperson.net adminlogin.liveperson.net"""

#: By name: what to do, and the lines to paste.
CLIENTS: dict[str, tuple[str, str]] = {
    "Any client that heeds HTTPS_PROXY": (
        "Run it in a shell with these lines. The names of the credentials are your client's own.",
        f"{_PROXY}\n{_TRUST}\n{_CREDENTIALS}",
    ),
    "Any other client": (
        "Send the name of the look-up to this machine. The look-up leads to all else.",
        f"{_HOSTS}\n{_TRUST}\n{_CREDENTIALS}",
    ),
    "curl": (
        "The first call, which needs no token.",
        "curl -sS {cacert} '{https}/api/account/{account}/service/baseURI.json?version=1.0'",
    ),
    "lp-demo-app-connector-api": (
        "Put this into settings.json in its working directory. Log in as {agent}.",
        '{{"CSDS_DOMAIN": "{http_host}"}}\n\n# in the shell that starts it\n' + _TRUST,
    ),
    "botium-connector-liveperson": (
        "Export the first two lines, and put the rest into botium.json.",
        f"{_PROXY}\n{_TRUST}\n"
        """
{{"botium": {{"Capabilities": {{
  "PROJECTNAME": "local",
  "CONTAINERMODE": "liveperson",
  "LIVEPERSON_ACCOUNT_ID": "{account}",
  "LIVEPERSON_CLIENT_ID": "{client_id}",
  "LIVEPERSON_CLIENT_SECRET": "{client_secret}"
}}}}}}""",
    ),
    "botbuilder-community-dotnet": (
        "Give these to its LivePersonCredentialsProvider.",
        f"{_PROXY}\n{_TRUST}\n{_CREDENTIALS}",
    ),
    "lp-mcp-multi": (
        "Its fetch heeds no proxy: the hosts file, and this account in accounts.json.",
        f"{_HOSTS}\n{_TRUST}\n"
        """
{{"{account}": {{
  "name": "local",
  "connectorAppId": "{client_id}",
  "connectorSecret": "{client_secret}"
}}}}""",
    ),
    "contact-center-connect": (
        "Its hosts are in the header of each request: all three are this one.",
        "{https_host}\n\n# in the shell that starts it\n" + f"{_TRUST}\n{_CREDENTIALS}",
    ),
    "connector_api (donmanguno)": (
        "Run it in a shell with these lines.",
        f"{_PROXY}\n{_TRUST}\n{_CREDENTIALS}",
    ),
    "liveperson-functions-client": (
        "Run it in a shell with these lines, and give it this account and authStrategy.",
        f"{_PROXY}\n{_TRUST}\n"
        """
{{
  accountId: "{account}",
  authStrategy: {{ clientId: "{client_id}", clientSecret: "{client_secret}" }},
}}""",
    ),
    "nexmo-live-engage": (
        "Its hosts are fixed, so they must lead to this machine.",
        f"{_HOSTS} va.sentinel.liveperson.net va.idp.liveperson.net va.msg.liveperson.net\n"
        f"{_TRUST}\n{_CREDENTIALS}",
    ),
}


def session() -> dict[str, Any]:
    """Return addresses and credentials, and how to point each known client at them."""
    install = app_install()
    agent = agent_of(install.account_id)
    ca = Path(current_app.instance_path) / "ca.pem"
    told = {
        "account": install.account_id,
        "client_id": install.client_id,
        "client_secret": install.client_secret,
        "agent": agent and {"username": agent.login_name, "password": agent.password},
        "ca": str(ca) if ca.exists() else None,
        "http": _http(),
        "https": _https(),
        "webhook": _webhook(),
    }
    return {**told, "clients": _described(told)}


def _described(told: Mapping[str, Any]) -> list[dict[str, str]]:
    agent = told["agent"] or {"username": "", "password": ""}
    ca = shlex.quote(told["ca"] or "ca.pem")
    https = told["https"] or told["http"]
    values = {
        **told,
        "agent": f"{agent['username']} with the password {agent['password']}",
        "ca": ca,
        "cacert": f"--cacert {ca}" if told["https"] else "",
        "https": https,
        "http_host": urlsplit(told["http"]).netloc,
        "https_host": urlsplit(https).netloc,
    }
    return [
        {"name": name, "how": how.format(**values), "text": text.format(**values)}
        for name, (how, text) in CLIENTS.items()
    ]


def _webhook() -> str | None:
    """Return where notifications are posted to."""
    several = "set by event type, in CONNECTOR_WEBHOOKS"
    by_type = current_app.config["CONNECTOR_WEBHOOKS"]
    return several if by_type else current_app.config["CONNECTOR_WEBHOOK_URL"]


def _http() -> str:
    """Return the address of the listener without TLS."""
    if not request.is_secure:
        return request.host_url.rstrip("/")
    # The keys are at this app itself, unless the setting says otherwise.
    keys = urlsplit(str(current_app.config["CONNECTOR_AUTH_APP_JWT_KEYS"]))
    served = keys.scheme == "http" and keys.path == KEY_SET_PATH
    return f"http://{keys.netloc}" if served else request.host_url.rstrip("/")


def _https() -> str | None:
    """Return the address of the TLS listener, or ``None`` if none is known."""
    if host := current_app.config["CONNECTOR_BASE_URI"]:
        return f"https://{host}"
    return request.host_url.rstrip("/") if request.is_secure else None
