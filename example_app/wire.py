"""The protocol's request objects, read from the body of an HTTP request, and their answers.

Protocol pages: Conversation, Send, Send API Examples.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType

from . import refusals

#: Most characters in a request object, without the preview of a file, and in that preview.
MAX_CHARACTERS = 5000
MAX_PREVIEW = 30000
#: Most levels of objects and arrays, so that any JSON library can write the value again.
MAX_DEPTH = 100

Answer = dict[str, Any]


class Refused(BadRequest):
    """A request is malformed or cannot be done: 400.

    :param msg: the reason, for the client.
    :param req_id: id of the request object, if it is known.
    """

    #: The answers before this one, if the requests came in an array; else ``None``.
    answers: list[Answer] | None = None

    def __init__(self, msg: str, req_id: str | None = None) -> None:
        super().__init__(msg)
        self.req_id = req_id


@dataclass(frozen=True, slots=True)
class Request:
    """One request object."""

    req_id: str | None  #: ``id``, which the answer repeats as a text
    action: str  #: ``type``
    body: Mapping[str, Any]
    text: str  #: the body as JSON in ASCII, which every database can store
    beside: Mapping[str, Any]  #: the whole object: some clients put members beside the body

    @property
    def metadata(self) -> list[Any]:
        """What the client says beside the body, for the notification of the event."""
        return self.beside.get("metadata") or []

    def need(self, holder: Mapping[str, Any], name: str, *kinds: type) -> Any:
        """Return the member *name* of *holder*, which is the body or an object in it.

        :param kinds: the types that the member may have.
        :raises Refused: if it is missing, empty, or of another type.
        """
        value = holder.get(name)
        if type(value) not in kinds or not value:
            raise self.refused(f"{name} is missing, empty or of a wrong type")
        return value

    def choose(self, holder: Mapping[str, Any], name: str, words: Collection[Any]) -> Any:
        """Return the member *name* of *holder*, which must be one of *words*.

        :raises Refused: if it is anything else.
        """
        value = holder.get(name)
        # Lists and objects never match, and are not hashable, so a mapping could not look them up.
        if isinstance(value, list | dict) or value not in words:
            raise self.refused(f"{name} must be {' or '.join(map(str, words))}")
        return value

    def ok(self, **body: Any) -> Answer:
        """Return the answer to a request that is done."""
        return {"code": "OK", "body": body, "reqId": self.req_id}

    def refused(self, msg: str) -> Refused:
        """Return the error of a request that cannot be done."""
        return Refused(msg, self.req_id)


class Encoded(UnsupportedMediaType):
    """The body is compressed: 415, with the codings that are accepted (RFC 9110 section 12.5.3)."""

    description = "The body must not be compressed"

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the headers of the answer."""
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", "identity")]


def refuse_encoding() -> None:
    """Refuse a compressed body.

    :raises UnsupportedMediaType: if ``Content-Encoding`` names a coding.
    """
    if request.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise Encoded


def read_json() -> Any:
    """Return the JSON value in the body of the current HTTP request.

    :raises Refused: if the body is not JSON (RFC 8259), or nested too deeply.
    :raises UnsupportedMediaType: if ``Content-Type`` names another type, or it is compressed.
    """
    refuse_encoding()
    if request.mimetype not in ("application/json", ""):
        raise UnsupportedMediaType("Content-Type must be application/json")
    try:
        value = json.loads(request.get_data())
        # Python reads NaN, and reads 1e999 as Infinity; json.dumps can refuse both.
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        raise Refused("the body is not JSON") from None
    if _is_deep(value):
        raise Refused(f"the body has more than {MAX_DEPTH} levels")
    return value


def _is_deep(value: Any) -> bool:
    # Level by level, since recursion would reach the interpreter's limit first.
    level = [value]
    for _ in range(MAX_DEPTH):
        holders = [each for each in level if isinstance(each, dict | list)]
        level = [
            inner
            for each in holders
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return any(isinstance(each, dict | list) for each in level)


def read_request(value: Any, *types: str) -> Request:
    """Return the request object in *value*, which :func:`read_json` returned.

    :param types: the accepted types of request.
    :raises Refused: if *value* is no such request.
    """
    if not isinstance(value, dict):
        raise Refused("a request is a JSON object")
    if type(value.get("id")) not in (str, int, float):
        raise Refused("id must be a text or a number")
    req_id, body = str(value["id"]), value.get("body")
    if value.get("kind") != "req" or value.get("type") not in types or not isinstance(body, dict):
        raise Refused(f"kind must be req, type {' or '.join(types)}, body an object", req_id)
    if _characters(value) - _preview(body) > MAX_CHARACTERS:
        raise Refused(f"a request has at most {MAX_CHARACTERS} characters", req_id)
    check_metadata(value, req_id)
    return Request(req_id, value["type"], body, json.dumps(body), value)


def check_metadata(holder: Mapping[str, Any], req_id: str | None = None) -> None:
    """Check the type of ``metadata`` in *holder*, if it is there.

    :raises Refused: if it is not an array.
    """
    if not isinstance(holder.get("metadata"), list | None):
        raise Refused("metadata must be an array", req_id)


def _characters(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _preview(body: Mapping[str, Any]) -> int:
    """Return the number of characters in the preview of a file, 0 if it is missing or too long."""
    holder: Any = body
    for name in ("event", "message", "preview"):
        holder = holder.get(name) if isinstance(holder, dict) else None
    size = _characters(holder) if isinstance(holder, str) else 0
    return size if size <= MAX_PREVIEW else 0


def refusal(error: HTTPException) -> Answer:
    """Return the answer for *error*."""
    code = error.name.upper().replace(" ", "_")
    req_id = getattr(error, "req_id", None)
    answer: Answer = {"code": code, "body": {"msg": error.description}}
    return answer if req_id is None else {**answer, "reqId": req_id}


def send_refusal(error: HTTPException) -> Response:
    """Answer an HTTP error in the protocol's shape, with the headers of the error."""
    refusals.note(error)
    if isinstance(error.response, Response):
        return error.response  # the complete response of an error of the tokens
    answers = getattr(error, "answers", None)
    response = jsonify(refusal(error) if answers is None else [*answers, refusal(error)])
    response.status_code = error.code or 500
    response.headers.extend(
        {name: value for name, value in error.get_headers() if name != "Content-Type"}
    )
    return response
