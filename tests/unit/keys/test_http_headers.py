"""The headers of a response: its freshness lifetime, Retry-After and the next request."""

import pytest
from hypothesis import given, strategies as st

from flask_connector_auth.keys import conditional_headers, freshness_lifetime, retry_after
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
        # Section 1.2.2: values that are too large.
        ("max-age=31536000000000000000", None, MOST),
        ("max-age=" + "9" * 60_000, None, MOST),
        ("max-age=" + "9" * 60_000, "9" * 60_000, 0),
        # Section 5.2.2: whatever other directives there are.
        ("no-store", None, 0),
        ("no-cache", None, 0),
        ("max-age=60, no-store", None, 0),
        ("No-Cache, max-age=60", None, 0),
        # Section 5.1: the age; the first of several values, if it is a number.
        ("max-age=60", "20", 40),
        ("max-age=60", " 20 ", 40),
        ("max-age=60", "20, 5", 40),
        ("max-age=60", "61", 0),
        ("max-age=60", "-5", 60),
        ("max-age=60", "x", 60),
    ],
)
def test_the_freshness_lifetime_of_a_response(
    control: str | None, age: str | None, expected: float | None
) -> None:
    """RFC 9111: max-age minus Age; None without max-age."""
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
def test_the_seconds_of_retry_after(
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
        # The set could change once more within that second.
        ({"last-modified": DATE, "date": DATE}, {}),
        ({"last-modified": LATER, "date": DATE}, {}),
        ({"last-modified": EARLIER}, {}),
        ({"last-modified": "yesterday", "date": DATE}, {}),
        ({"last-modified": EARLIER, "date": "today"}, {}),
    ],
)
def test_the_headers_of_a_conditional_request(
    headers: dict[str, str], expected: dict[str, str]
) -> None:
    """RFC 9110 section 13.1: the ETag; the date only if it is a strong validator (8.8.2.2)."""
    assert conditional_headers(headers) == expected


NAMES = ("cache-control", "age", "retry-after", "date", "etag", "last-modified")


@untimed
@given(st.dictionaries(st.sampled_from(NAMES), st.text() | st.sampled_from([EARLIER, DATE])))
def test_no_header_makes_it_raise(headers: dict[str, str]) -> None:
    """All times are finite, and none is negative."""
    for value in (freshness_lifetime(headers), retry_after(headers)):
        assert value is None or 0 <= value < float("inf")
    assert len(conditional_headers(headers)) <= 1
