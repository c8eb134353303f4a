"""A conversation as a shell script that repeats it, with nothing but ``curl``, ``sed`` and ``tr``.

The script asks for the secrets in variables, so it can be passed on.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from ..conversations import transcript
from ..events import FILE, OPEN, PUBLISH, SET_PROFILE, UPDATE
from ..models import Conversation

_HEAD = """\
#!/bin/sh
# Repeats a conversation of {consumer} as another consumer.
# Set {needed} before it runs.
set -eu
BASE=${{BASE:-{base}}}
CONSUMER=${{CONSUMER:-again-$$}}
: "${{CLIENT_SECRET:?}}"{password}
account={account}

send() {{ # method path body headers: prints the answer, and ends the script if it is an error
  method=$1 url=$BASE$2 body=$3
  shift 3
  curl -sS --fail-with-body {cacert}-X "$method" "$url" --data-raw "$body" \\
    -H "Content-Type: application/json" "$@"
  echo
}}
member() {{ tr -d '\\n' | sed 's/.*"'"$1"'" *: *"\\([^"]*\\)".*/\\1/'; }}
said() {{ send POST "$SEND" "$1" -H "Authorization: $APP_JWT" -H "X-LP-ON-BEHALF: $CONSUMER_JWS"; }}

CREATE="/api/account/$account/messaging/consumer/conversation?v=3"
SEND="/api/account/$account/messaging/consumer/conversation/send?v=3"

# Get AppJWT
APP_JWT=$(curl -sS --fail-with-body {cacert}"$BASE/sentinel/api/account/$account/app/token?v=1.0" \\
  -d grant_type=client_credentials -d client_id={client_id} \\
  --data-urlencode "client_secret=$CLIENT_SECRET" | member access_token)
# Get ConsumerJWS
CONSUMER_JWS=$(send POST "/api/account/$account/consumer?v=1.0" \\
  '{{"ext_consumer_id":"'"$CONSUMER"'"}}' -H "Authorization: $APP_JWT" | member token)
# Open conversation
CONVERSATION=$(send POST "$CREATE" {opening} \\
  -H "Authorization: $APP_JWT" -H "X-LP-ON-BEHALF: $CONSUMER_JWS" | member conversationId)
"""
_NEEDS_AGENT = '\n: "${AGENT_PASSWORD:?}"'
_AGENT = """\
# Agent: log in
BEARER=$(send POST "/api/account/$account/login?v=1.3" \\
  '{{"username":"{agent}","password":"'"$AGENT_PASSWORD"'"}}' | member bearer)
answered() {{ send POST "/agent/api/account/$account/conversations/$CONVERSATION$1" "$2" \\
  -H "Authorization: Bearer $BEARER"; }}
"""


def script(conversation: Conversation, told: Mapping[str, Any], base: str) -> str:
    """Return a script that repeats *conversation*.

    :param told: what :func:`~example_app.console.clients.session` returns.
    :param base: address of the app.
    """
    said = transcript(conversation)
    answered = any(message["role"] != "CONSUMER" for message in said)
    needed = "CLIENT_SECRET and AGENT_PASSWORD" if answered else "CLIENT_SECRET"
    secure = base.startswith("https:") and told["ca"]
    head = _HEAD.format(
        consumer=json.dumps(conversation.consumer.ext_consumer_id),
        needed=needed,
        base=base,
        password=_NEEDS_AGENT if answered else "",
        account=quote(conversation.consumer.account_id, safe=""),
        cacert=f"--cacert {shlex.quote(told['ca'])} " if secure else "",
        client_id=shlex.quote(told["client_id"]),
        opening=_quoted(_opening(conversation)),
    )
    agent = _AGENT.format(agent=told["agent"]["username"]) if answered else ""
    return "\n".join([head + agent, *_lines(said, bool(conversation.is_open))])


def _opening(conversation: Conversation) -> list[dict[str, Any]]:
    profile = json.loads(conversation.consumer.profile)
    details = json.loads(conversation.details)
    return [_request("1", SET_PROFILE, profile), _request("2", OPEN, details)]


def _lines(said: list[dict[str, Any]], is_open: bool) -> Iterator[str]:
    dialog = str(uuid4())
    variable = "'\"$CONVERSATION\"'"
    for message in said:
        event, number = message["event"], message["sequence"]
        metadata = {"metadata": message["metadata"]} if message["metadata"] else {}
        if event.get("contentType") == FILE:
            yield f"# {number} is left out: the path of a file is good in one conversation only."
            continue
        if message["role"] == "CONSUMER":
            request = _request(f"m{number}", PUBLISH, {"dialogId": dialog, "event": event})
            request |= metadata
            yield f"# Consumer, {number}\nsaid {_quoted(request).replace(dialog, variable)}"
        else:
            more = {"role": message["role"], "messageAudience": message["messageAudience"]}
            answer = {"event": event, **more, **metadata}
            yield f"# Agent, {number}\nanswered '' {_quoted(answer)}"
    if not is_open:
        field = {"field": "ConversationStateField", "conversationState": "CLOSE"}
        body = {"conversationId": dialog, "conversationField": field}
        request = _request("close", UPDATE, body)
        yield f"# Close conversation\nsaid {_quoted(request).replace(dialog, variable)}"
    yield ""


def _request(req_id: str, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "req", "id": req_id, "type": kind, "body": body}


def _quoted(value: Any) -> str:
    return shlex.quote(json.dumps(value))
