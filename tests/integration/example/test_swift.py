"""Files: URLs to put them to and get them from (protocol page, Send API Examples)."""

from urllib.parse import urlencode

import pytest

from example_app.database import db
from example_app.models import MAX_FILE, File
from example_app.swift import temp_url
from tests.support.example_api import asking
from tests.support.http_helpers import assert_row

PICTURE = bytes(range(256))
UPLOAD, DOWNLOAD = (f"ms.GenerateURLFor{way}File" for way in ("Upload", "Download"))


def wanted(**members):
    """Return the request for the place of a new file."""
    return asking(UPLOAD, {"fileSize": str(len(PICTURE)), "fileType": "PNG", **members})


def url(answer):
    """Return the URL that *answer* has the parts of."""
    assert answer.status_code == 200
    assert set(answer.json) == {"code", "body", "reqId"}
    body = answer.json["body"]
    assert set(body) == {"relativePath", "queryParams"}
    assert set(body["queryParams"]) == {"temp_url_sig", "temp_url_expires"}
    assert body["relativePath"].startswith("/v1/AUTH_async-images/")
    return f"{body['relativePath']}?{urlencode(body['queryParams'])}"


@pytest.fixture
def file(api):
    """The consumer's tokens, the path of a new file, and the URL to put it to."""
    tokens = api.someone()
    place = url(api.send(tokens, wanted()))
    return tokens, place.partition("?")[0], place


def put(api, place, body=PICTURE):
    """Put *body* to the URL *place*."""
    return api.transport("PUT", place, {"Content-Type": "image/png"}, body)


def invalid(answer):
    """Whether *answer* is the refusal of a URL."""
    return (answer.status_code, answer.json["body"]["msg"]) == (401, "Temp URL invalid")


@pytest.mark.parametrize(
    ("kind", "mimetype"),
    [("JPG", "image/jpeg"), ("JPEG", "image/jpeg"), ("PNG", "image/png"), ("GIF", "image/gif")],
)
def test_up_and_down(api, kind, mimetype):
    """201, and the same bytes come back with the declared type, which browsers may not change."""
    tokens = api.someone()
    place = url(api.send(tokens, wanted(fileType=kind)))
    answer = put(api, place)
    assert (answer.status_code, answer.data) == (201, b"")
    path = place.partition("?")[0]
    answer = api.get(url(api.send(tokens, asking(DOWNLOAD, {"relativePath": path}))))
    assert (answer.status_code, answer.data) == (200, PICTURE)
    assert answer.headers["Content-Type"] == mimetype
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_was_uploaded(api, file):
    """404, in the protocol's shape."""
    tokens, path, _ = file
    answer = api.get(url(api.send(tokens, asking(DOWNLOAD, {"relativePath": path}))))
    assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")


def test_a_url_is_good_for_one_thing(api, file, example):
    """Neither for the other method, nor another file, nor another time, nor without a part."""
    tokens, path, place = file
    other = url(api.send(tokens, wanted()))
    query = place.partition("?")[2]
    assert invalid(api.get(place))
    assert invalid(put(api, f"{other.partition('?')[0]}?{query}"))
    assert invalid(put(api, f"{place}0"))
    assert invalid(put(api, place.replace("temp_url_sig=", "temp_url_sig=%C3%A9")))
    assert invalid(put(api, path))
    assert invalid(put(api, f"/v1/AUTH_async-images/%00?{query}"))
    with example.app_context():
        assert db.session.get(File, path).content is None
    assert put(api, place).status_code == 201


def test_how_long_a_url_is_good(api, file, example):
    """For a minute; one that is over is refused, though its signature is right."""
    _, path, _ = file
    with example.app_context():
        kept = db.session.get(File, path)
        over, good = (urlencode(temp_url(kept, "PUT", n)["queryParams"]) for n in (-1, 60))
    assert invalid(put(api, f"{path}?{over}"))
    assert put(api, f"{path}?{good}").status_code == 201


def test_no_more_than_was_declared(api, file, example):
    """A byte more than the declared ``fileSize`` is 413, and what was there stays; less is fine."""
    _, path, place = file
    assert put(api, place, PICTURE).status_code == 201
    answer = put(api, place, PICTURE + b"x")
    assert (answer.status_code, answer.json["code"]) == (413, "REQUEST_ENTITY_TOO_LARGE")
    with example.app_context():
        assert db.session.get(File, path).content == PICTURE
    assert put(api, place, PICTURE[1:]).status_code == 201


def test_the_largest_file(api, example):
    """3 MB are taken; a byte more is 413, and what was there stays."""
    tokens = api.someone()
    place = url(api.send(tokens, wanted(fileSize=str(MAX_FILE))))
    path = place.partition("?")[0]
    largest = b"x" * MAX_FILE
    assert put(api, place, largest).status_code == 201
    answer = put(api, place, largest + b"y")
    assert (answer.status_code, answer.json["code"]) == (413, "REQUEST_ENTITY_TOO_LARGE")
    with example.app_context():
        assert db.session.get(File, path).content == largest


@pytest.mark.parametrize(
    "members",
    [
        {"fileSize": "0"},
        {"fileSize": str(MAX_FILE + 1)},
        {"fileSize": "9" * 4900},
        {"fileSize": "-1"},
        {"fileSize": "1e3"},
        {"fileSize": "²"},
        {"fileSize": 1.5},
        {"fileSize": None},
        {"fileSize": True},
        {"fileType": "SVG"},
        {"fileType": "png"},
        {"fileType": ["PNG"]},
        {"fileType": None},
    ],
    ids=lambda members: str(members)[:30],
)
def test_a_file_that_is_not_taken(api, rows, members):
    """A size up to 3 MB, as a text; JPG, JPEG, PNG or GIF."""
    tokens = api.someone()
    before = rows()
    answer = api.send(tokens, wanted(**members))
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")
    assert rows() == before
    assert api.send(tokens, wanted(fileSize=str(MAX_FILE))).status_code == 200
    assert api.send(tokens, wanted(fileSize=1)).status_code == 200


@pytest.mark.parametrize("path", [None, "", 7, "/v1/AUTH_async-images/x.png", "\0", "\ud800"])
def test_a_file_that_is_not_there(api, path):
    """400 in the protocol's shape."""
    answer = api.send(api.someone(), asking(DOWNLOAD, {"relativePath": path}))
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")


def test_another_consumers_file(api, file):
    """Row 40103, as for another consumer's conversation."""
    tokens, path, _ = file
    request = asking(DOWNLOAD, {"relativePath": path})
    assert_row(api.send(api.someone(), request), 40103)
    assert api.send(tokens, request).status_code == 200
