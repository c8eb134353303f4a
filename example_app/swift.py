"""Upload and download of files by temporary URLs, each valid for a minute.

Protocol page: Send API Examples. The URLs need no token: each is signed with a key of its file.
"""

import hmac
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue
from werkzeug.wsgi import get_input_stream

from .database import db, find
from .events import FILE
from .models import MAX_FILE, Consumer, File
from .wire import Request, refuse_encoding

CONTAINER = "/v1/AUTH_async-images"
#: Seconds that a URL is valid.
LIFE = 60
TYPES = {"JPG": "image/jpeg", "JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif"}

blueprint = Blueprint("swift", __name__)


def new_file(req: Request, consumer: Consumer) -> File:
    """Return a new file of *consumer*, which has no content yet.

    :raises Refused: if it is too large, or its type is not accepted.
    """
    kind = req.choose(req.body, "fileType", TYPES)
    size = str(req.need(req.body, "fileSize", str, int))
    if not (size.isascii() and size.isdigit() and len(size) < 9 and 0 < int(size) <= MAX_FILE):
        raise req.refused(f"fileSize must be a number from 1 to {MAX_FILE}")
    path = f"{CONTAINER}/{consumer.account_id}/{uuid4()}.{kind.lower()}"
    file = File(path=path, consumer_id=consumer.lp_consumer_id, size=int(size))
    db.session.add(file)
    db.session.commit()
    return file


def check_file(req: Request, event: Mapping[str, Any], consumer: Consumer) -> None:
    """Check that a file in *event* has a path that was issued for *consumer*.

    :raises Refused: if it has another path.
    """
    if event.get("contentType") == FILE:
        file = find(File, event["message"]["relativePath"])
        if file is None or file.consumer_id != consumer.lp_consumer_id:
            raise req.refused("relativePath was not issued for this consumer")


def temp_url(file: File, method: str, life: int = LIFE) -> dict[str, Any]:
    """Return the parts of a URL that accepts *method*, PUT or GET, on *file* for *life* seconds."""
    expires = str(int(time.time()) + life)
    query = {"temp_url_sig": _signature(file, method, expires), "temp_url_expires": expires}
    return {"relativePath": file.path, "queryParams": query}


@blueprint.put(f"{CONTAINER}/<path:name>")
def upload(name: str) -> ResponseReturnValue:
    """Store the body as the content of the file; it may not be larger than was declared."""
    file = _file(name, "PUT", request.args)
    refuse_encoding()
    # Files have a limit of their own, above that for the bodies of other requests.
    body = get_input_stream(request.environ, max_content_length=file.size)
    file.content = body.read()
    db.session.commit()
    return "", 201


@blueprint.get(f"{CONTAINER}/<path:name>")
def download(name: str) -> ResponseReturnValue:
    """Return the content of the file."""
    file = _file(name, "GET", request.args)
    if file.content is None:
        abort(404, "Nothing was uploaded yet.")
    kind = TYPES[file.path.rpartition(".")[2].upper()]
    # A consumer chose the bytes: a browser must not interpret them as a page.
    return Response(file.content, headers={"X-Content-Type-Options": "nosniff"}, mimetype=kind)


def _file(name: str, method: str, query: Mapping[str, str]) -> File:
    file = find(File, f"{CONTAINER}/{name}")
    expires = query.get("temp_url_expires", "")
    known = file and _signature(file, method, expires).encode()
    sent = query.get("temp_url_sig", "").encode(errors="replace")
    if not file or not known or not hmac.compare_digest(known, sent) or int(expires) < time.time():
        abort(401, "Temp URL invalid")
    return file


def _signature(file: File, method: str, expires: str) -> str:
    signed = f"{method}\n{expires}\n{file.path}".encode(errors="replace")
    return hmac.digest(file.key.encode(), signed, "sha1").hex()
