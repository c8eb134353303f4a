"""The body of an HTTP request in; checked request objects out, and answers in the same shape.

Protocol pages: Conversation, Send, Send API Examples.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException

#: The longest request object, in characters.
MAX_CHARACTERS = 5000

Answer = dict[str, Any]


class Refused(BadRequest):
    """What is asked for is malformed or cannot be done: 400.

    :param msg: why, for the client to read.
    :param req_id: which request it was, if that is known.
    """

    def __init__(self, msg: str, req_id: str | None = None) -> None:
        super().__init__(msg)
        self.req_id = req_id


@dataclass(frozen=True, slots=True)
class Request:
    """One request object."""

    req_id: str  #: ``id``; the answer repeats it, as a text
    action: str  #: ``type``
    body: Mapping[str, Any]
    text: str  #: the body as JSON in ASCII, which every database takes

    def need(self, holder: Mapping[str, Any], name: str, *kinds: type) -> Any:
        """Return the member *name* of *holder*, which is the body or an object in it.

        :param kinds: the types that the member may have.
        :raises Refused: if it is missing, empty, or of another type.
        """
        value = holder.get(name)
        if type(value) not in kinds or not value:
            raise self.refused(f"{name} is missing, empty or of a wrong type")
        return value

    def ok(self, **body: Any) -> Answer:
        """Return the answer that it is done."""
        return {"code": "OK", "body": body, "reqId": self.req_id}

    def refused(self, msg: str) -> Refused:
        """Return the error that it cannot be done."""
        return Refused(msg, self.req_id)


def read_json() -> Any:
    """Return the JSON value in the body of the current HTTP request.

    :raises Refused: if there is none (RFC 8259), or one nested too deeply to read.
    """
    try:
        value = json.loads(request.get_data())
        # Python reads NaN, and 1e999 as Infinity; it can be told not to write them.
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        raise Refused("the body is not JSON") from None
    return value


def read_request(value: Any, *types: str) -> Request:
    """Return the request object in *value*, as :func:`read_json` returned it.

    :param types: the types of request that are served.
    :raises Refused: if it is no such request.
    """
    if not isinstance(value, dict):
        raise Refused("a request is a JSON object")
    if type(value.get("id")) not in (str, int, float):
        raise Refused("id must be a text or a number")
    req_id, body = str(value["id"]), value.get("body")
    if value.get("kind") != "req" or value.get("type") not in types or not isinstance(body, dict):
        raise Refused(f"kind must be req, type {' or '.join(types)}, body an object", req_id)
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) > MAX_CHARACTERS:
        raise Refused(f"a request has at most {MAX_CHARACTERS} characters", req_id)
    return Request(req_id, value["type"], body, json.dumps(body))


def refusal(error: HTTPException) -> Answer:
    """Return the answer that tells *error*."""
    code = error.name.upper().replace(" ", "_")
    req_id = getattr(error, "req_id", None)
    answer: Answer = {"code": code, "body": {"msg": error.description}}
    return answer if req_id is None else {**answer, "reqId": req_id}


def send_refusal(error: HTTPException) -> Response:
    """Answer any HTTP error in the protocol's shape, with the headers that the error has."""
    response = jsonify(refusal(error))
    response.status_code = error.code or 500
    response.headers.extend(
        {name: value for name, value in error.get_headers() if name != "Content-Type"}
    )
    return response
