"""The parts of the tour for the look-ups, the token requests and the four errors."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..domain import SERVICES
from ..keys import KeyFile
from ..sentinel import KEY_SET_PATH
from .asking import Documented, Question
from .caller import APP, CONSUMER, Caller
from .documented import (
    APP_JWT_MISSING,
    CONSUMER_JWS_MISSING,
    INVALID_APP_JWT,
    INVALID_CONSUMER_JWS,
    KEY,
    refused,
)
from .saying import say


def look_up(caller: Caller, keys: KeyFile) -> None:
    """Look up the hosts of the services, and get the public keys."""
    ask = caller.asker.ask
    service = f"{caller.account}/service"

    def entry(name: str) -> dict[str, Any]:
        host = re.compile(r"[\w.-]+:\d+")
        return {"service": name, "account": caller.install.account_id, "baseURI": host}

    ask(
        "Where is the Send API? The domain look-up tells, in the clear or not.",
        Question(f"{service}/asyncMessagingEnt/baseURI.json?version=1.0", secure=False),
        Documented(200, entry("asyncMessagingEnt")),
    )
    ask(
        "Where are all services? Some clients leave the .json out.",
        Question(f"{service}/baseURI?version=1.0"),
        Documented(200, {"baseURIs": [entry(name) for name in SERVICES]}),
    )
    ask(
        "There is no service of this name.",
        Question(f"{service}/unknown/baseURI.json?version=1.0"),
        Documented(404, refused("NOT_FOUND")),
    )
    ask(
        "The keys that tokens are signed with are published.",
        Question(KEY_SET_PATH),
        Documented(200, {"keys": [KEY] * len(keys.read().keys)}),
    )


def get_in_all_forms(caller: Caller) -> None:
    """Get an AppJWT in each documented form, and try it with a wrong secret."""
    credentials = "client_id client_secret"
    caller.get_app_jwt("The old form: all in the query.", f"v grant_type {credentials}")
    caller.get_app_jwt("The mixed form.", "v grant_type", credentials)
    caller.get_app_jwt("The form of V2.", "", f"grant_type {credentials}", "v2/")
    caller.asker.ask(
        "A wrong secret gets an error of OAuth 2.0.",
        Question(
            f"/sentinel{caller.account}/app/token?v=1.0",
            f"grant_type=client_credentials&client_id={caller.install.client_id}&client_secret=no",
        ),
        Documented(400, {"error": "invalid_client", "error_description": str}),
    )


def meet_the_errors(caller: Caller, tokens: Mapping[str, str]) -> None:
    """Send a message once for each error, with good *tokens* but for the cause of that error."""
    say("\nThe same message, refused in each of the four documented ways, byte for byte:")
    for title, answer, headers in refusals(tokens):
        caller.send(title, headers, documented=Documented(401, answer))


def refusals(tokens: Mapping[str, str]) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Yield for each error its title, its answer, and the headers that cause it."""
    app_jwt, consumer_jws = tokens[APP], tokens[CONSUMER]
    yield "No AppJWT.", APP_JWT_MISSING, {CONSUMER: consumer_jws}
    yield "An altered AppJWT.", INVALID_APP_JWT, {**tokens, APP: altered(app_jwt)}
    yield "No ConsumerJWS.", CONSUMER_JWS_MISSING, {APP: app_jwt}
    yield (
        "An altered ConsumerJWS.",
        INVALID_CONSUMER_JWS,
        {**tokens, CONSUMER: altered(consumer_jws)},
    )


def altered(token: str) -> str:
    """Return *token* with one character of its signature changed."""
    return token[:-9] + ("B" if token[-9] == "A" else "A") + token[-8:]
