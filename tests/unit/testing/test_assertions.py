"""The assertion accepts the documented responses, and no others."""

from typing import Any

import pytest
from flask import Response

from flask_connector_auth import (
    AuthenticationUnavailable,
    ConnectorAuthError,
    ErrorRow,
    InvalidAppJWT,
)
from flask_connector_auth.testing import assert_connector_error
from tests.support.http_helpers import CHALLENGES, ROWS
from tests.support.types import MakeApp


def documented(code: int = 40102, body: bytes | None = None, **changes: str | None) -> Response:
    """Return the documented answer, written by hand, with *changes* to its headers."""
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "WWW-Authenticate": CHALLENGES[code],
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    kept = [(name, value) for name, value in headers.items() if value is not None]
    answer = Response(ROWS[code] if body is None else body, 401)
    answer.headers.clear()
    answer.headers.extend(kept)
    return answer


@pytest.mark.parametrize("code", ROWS)
def test_a_documented_response_matches_its_own_row_only(code: int) -> None:
    """Rows 40102 to 40105: the bytes of the protocol page, and the headers beside them."""
    assert_connector_error(documented(code), code)
    for other in ROWS.keys() - {code}:
        with pytest.raises(AssertionError, match=f"not the response of row {other}:\n  body: "):
            assert_connector_error(documented(code), other)


@pytest.mark.parametrize("error", ["40102", ConnectorAuthError, None])
def test_an_error_is_a_number_or_a_class_with_a_row(error: Any) -> None:
    """Anything else is an error of the test, even for a response that would match."""
    with pytest.raises(TypeError, match="neither a number such as 40102 nor a class with a row"):
        assert_connector_error(documented(), error)


def twice(name: str, value: str) -> Response:
    """Return the documented answer with one header more."""
    answer = documented()
    answer.headers.add(name, value)
    return answer


DEVIATIONS = {
    "a newline": (documented(body=ROWS[40102] + b"\n"), "body"),
    "spaces": (documented(body=ROWS[40102].replace(b",", b", ")), "body"),
    "no body": (documented(body=b""), "body"),
    "a charset": (documented(Content_Type="application/json; charset=utf-8"), "Content-Type"),
    "no type": (documented(Content_Type=None), "Content-Type"),
    "may be stored": (documented(Cache_Control=None), "Cache-Control"),
    "no challenge": (documented(WWW_Authenticate=None), "WWW-Authenticate"),
    "another realm": (documented(WWW_Authenticate="Bearer realm=X"), "WWW-Authenticate"),
    "two challenges": (twice("WWW-Authenticate", CHALLENGES[40102]), "WWW-Authenticate"),
    "a time to wait": (twice("Retry-After", "1"), "Retry-After"),
}


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_each_difference_is_reported(deviation: str) -> None:
    """One line for each part, with the actual and the expected value."""
    answer, part = DEVIATIONS[deviation]
    with pytest.raises(AssertionError) as caught:
        assert_connector_error(answer, 40102)
    head, *lines = str(caught.value).split("\n  ")
    assert head == "not the response of row 40102:"
    [line] = lines
    assert line.startswith(f"{part}: ")
    assert ", not " in line


def test_a_view_that_ran_is_no_error() -> None:
    """For a forgotten decorator, the status comes first."""
    with pytest.raises(AssertionError, match="\n  status: 200, not 401\n  body: b'in', not "):
        assert_connector_error(Response("in"), 40105)


def test_members_and_their_order_can_be_enough() -> None:
    """Flask-RESTX encodes the envelope anew, with different white space."""
    loose = documented(body=ROWS[40102].replace(b",", b", ") + b"\n")
    assert_connector_error(loose, 40102, exact=False)
    swapped = ROWS[40102].replace(b'{"kind":"resp","code":401,', b'{"code":401,"kind":"resp",')
    for body in (swapped, ROWS[40103], b"in"):
        with pytest.raises(AssertionError, match="body: "):
            assert_connector_error(documented(body=body), 40102, exact=False)


@pytest.mark.parametrize(("wait", "passes"), [("1", True), ("30", True), ("31", False)])
def test_an_outage_has_a_short_retry_after(wait: str, passes: bool) -> None:
    """Row 50301: Retry-After is within 1 to 30 seconds, whatever it is."""
    answer = AuthenticationUnavailable().response
    answer.headers["Retry-After"] = wait
    if passes:
        assert_connector_error(answer, 50301)
    else:
        with pytest.raises(AssertionError, match=r"Retry-After: \['31'\], not \['1 to 30'\]"):
            assert_connector_error(answer, 50301)


def test_rows_texts_and_realm_of_the_app_are_expected(make_app: MakeApp) -> None:
    """A subclass with a row of its own; catalogue and realm of the current app apply."""

    class Closed(ConnectorAuthError):
        row = ErrorRow(40901, "Closed", "It is closed")

    assert_connector_error(Closed().response, Closed)
    app = make_app(REALM="Chat", ERROR_CATALOGUE={40102: {"title": "No"}})
    with app.app_context():
        answer = InvalidAppJWT().response
        assert_connector_error(answer, 40102)
        with pytest.raises(AssertionError, match="body"):
            assert_connector_error(documented(), 40102)
    with pytest.raises(AssertionError, match="WWW-Authenticate"):
        assert_connector_error(answer, 40102)


class ShopError(ConnectorAuthError):
    """The base of an app's errors, which has no row."""


class OverQuota(ShopError):
    """A row of an app, with a constructor of its own."""

    row = ErrorRow(42999, "Over quota", "Try again later")

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.response.headers["Retry-After"] = str(seconds)


def test_the_code_of_a_class_of_the_app_is_known() -> None:
    """Whatever its constructor takes, the row is compared; ``Retry-After`` is the app's own."""
    for error in (42999, OverQuota):
        assert_connector_error(OverQuota(90).response, error)
        with pytest.raises(AssertionError, match="not the response of row 42999:\n  status: 401"):
            assert_connector_error(documented(), error)


def test_a_code_of_two_classes_is_that_of_either() -> None:
    """Two test modules may each have a class of their own for one code."""

    class Shut(ConnectorAuthError):
        row = ErrorRow(42998, "Shut", "It is shut")

    class Off(ConnectorAuthError):
        row = ErrorRow(42998, "Off", "It is off")

    for error in (Shut, Off):
        assert_connector_error(error().response, 42998)
    with pytest.raises(AssertionError, match="body"):
        assert_connector_error(Shut().response, Off)


def test_a_documented_code_is_that_of_the_documented_row() -> None:
    """A class of an app that has the same code, with other texts, makes no difference."""

    class Unwanted(ConnectorAuthError):
        row = ErrorRow(40102, "Unwanted", "It is unwanted")

    assert_connector_error(documented(), 40102)
    assert_connector_error(Unwanted().response, Unwanted)
    with pytest.raises(AssertionError, match="body"):
        assert_connector_error(Unwanted().response, 40102)


def test_a_code_of_the_catalogue_is_known_in_the_context_of_its_app(make_app: MakeApp) -> None:
    """``CONNECTOR_AUTH_ERROR_CATALOGUE``: by the code that is sent, and by the documented one."""
    app = make_app(ERROR_CATALOGUE={40102: {"errorCode": 40177}})
    with app.app_context():
        answer = InvalidAppJWT().response
        for code in (40177, 40102):
            assert_connector_error(answer, code)
        with pytest.raises(AssertionError, match="not the response of row 40177"):
            assert_connector_error(documented(), 40177)
    with pytest.raises(ValueError, match="in the context of that app"):
        assert_connector_error(answer, 40177)


def test_an_unknown_code_is_an_error() -> None:
    """Protocol page, Error Responses: there is no row 40101. The error says which there are."""
    with pytest.raises(ValueError, match=r"no row has the code 40101; there are 40001, .*40105, "):
        assert_connector_error(documented(), 40101)
