"""What the headers of an answer say on how long it holds, and how and when to ask again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_connector_auth.keys.remote import conditional_headers, freshness_lifetime, retry_after
from tests.support.floor_helpers import untimed

MOST = 2.0**31
EARLIER = "Tue, 01 Jan 2030 00:00:00 GMT"
DATE = "Tue, 01 Jan 2030 00:00:01 GMT"
LATER = "Tue, 01 Jan 2030 00:01:01 GMT"


@pytest.mark.parametrize(
    ("control", "age", "expected"),
    [
        (None, None, None),
        ("", None, None),
        ("public, must-revalidate", "5", None),
        ("max-age=60", None, 60),
        ("max-age=0", None, 0),
        ("Public , MAX-AGE=60 , must-revalidate", None, 60),
        ('max-age="60"', None, 60),
        ("s-maxage=5, max-age=60", None, 60),
        ("s-maxage=5", None, None),
        # Section 4.2.1: the first of two; what is no number is stale.
        ("max-age=60, max-age=300", None, 60),
        ("max-age", None, 0),
        ("max-age=", None, 0),
        ("max-age=-1", None, 0),
        ("max-age=1.5", None, 0),
        ("max-age=1e3", None, 0),
        ("max-age=\u0663", None, 0),
        ("max-age=\u00b2", None, 0),
        # Section 1.2.2: what is too large to be represented.
        ("max-age=31536000000000000000", None, MOST),
        ("max-age=" + "9" * 60_000, None, MOST),
        ("max-age=" + "9" * 60_000, "9" * 60_000, 0),
        # Section 5.2.2: whatever stands beside them.
        ("no-store", None, 0),
        ("no-cache", None, 0),
        ("max-age=60, no-store", None, 0),
        ("No-Cache, max-age=60", None, 0),
        # Section 5.1: what is over already; the first of several, if it is a number.
        ("max-age=60", "20", 40),
        ("max-age=60", " 20 ", 40),
        ("max-age=60", "20, 5", 40),
        ("max-age=60", "61", 0),
        ("max-age=60", "-5", 60),
        ("max-age=60", "x", 60),
    ],
)
def test_how_long_an_answer_holds(
    control: str | None, age: str | None, expected: float | None
) -> None:
    """RFC 9111: max-age minus Age; nothing at all if the issuer does not say."""
    headers = {"cache-control": control, "age": age, "expires": EARLIER}
    given_headers = {name: value for name, value in headers.items() if value is not None}
    assert freshness_lifetime(given_headers) == expected


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        (None, DATE, None),
        ("0", None, 0),
        ("7", None, 7),
        (" 120 ", None, 120),
        ("9" * 60_000, None, MOST),
        ("-7", None, None),
        ("1.5", None, None),
        ("soon", DATE, None),
        (LATER, DATE, 60),
        (EARLIER, DATE, 0),
        (LATER, None, None),
        (LATER, "today", None),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(
    value: str | None, date: str | None, expected: float | None
) -> None:
    """RFC 9110 section 10.2.3: seconds, or a date, by the clock of the server itself."""
    headers = {"retry-after": value, "date": date}
    assert retry_after({k: v for k, v in headers.items() if v is not None}) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {}),
        ({"etag": '"1"'}, {"If-None-Match": '"1"'}),
        ({"etag": 'W/"1"', "last-modified": EARLIER}, {"If-None-Match": 'W/"1"'}),
        ({"last-modified": EARLIER, "date": DATE}, {"If-Modified-Since": EARLIER}),
        ({"etag": "", "last-modified": EARLIER, "date": DATE}, {"If-Modified-Since": EARLIER}),
        # It could change once more within that second.
        ({"last-modified": DATE, "date": DATE}, {}),
        ({"last-modified": LATER, "date": DATE}, {}),
        ({"last-modified": EARLIER}, {}),
        ({"last-modified": "yesterday", "date": DATE}, {}),
        ({"last-modified": EARLIER, "date": "today"}, {}),
    ],
)
def test_how_to_ask_whether_it_still_holds(
    headers: dict[str, str], expected: dict[str, str]
) -> None:
    """RFC 9110 section 13.1: by the ETag; by the date only where it is a strong one (8.8.2.2)."""
    assert conditional_headers(headers) == expected


NAMES = ("cache-control", "age", "retry-after", "date", "etag", "last-modified")


@untimed
@given(st.dictionaries(st.sampled_from(NAMES), st.text() | st.sampled_from([EARLIER, DATE])))
def test_no_header_makes_it_raise(headers: dict[str, str]) -> None:
    """Whatever is sent, times are finite, and none is below zero."""
    for value in (freshness_lifetime(headers), retry_after(headers)):
        assert value is None or 0 <= value < float("inf")
    assert len(conditional_headers(headers)) <= 1
