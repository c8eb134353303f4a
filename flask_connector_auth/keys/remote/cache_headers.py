"""The headers of an HTTP answer in; how long it holds, and how and when to ask again, out."""

from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime

# RFC 9111 section 1.2.2: what a longer time counts as.
_LONGEST = 2.0**31


def freshness(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer stays fresh, or ``None`` if it does not say.

    :param headers: names in lower case.

    Without ``Expires``, which ``max-age`` has replaced. ``no-store``, ``no-cache`` and a
    ``max-age`` that is no number count as 0 (RFC 9111 sections 5.2.2 and 4.2.1); ``Age`` is what is
    over already (section 5.1).
    """
    given = headers.get("cache-control", "").lower().split(",")
    # The first of two counts (RFC 9111 section 4.2.1), which here comes last.
    parts = (part.strip().partition("=") for part in reversed(given))
    directives = {name: value for name, _, value in parts}
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    if "max-age" not in directives:
        return None
    max_age = _seconds(directives["max-age"].strip('"'))
    return max(0.0, (max_age or 0.0) - (_seconds(headers.get("age")) or 0.0))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to be left alone, if it does (RFC 9110 section 10.2.3).

    Given as a date, they count from the server's own ``Date``: so nobody's clock need be right.
    """
    given = headers.get("retry-after")
    wait, until, date = _seconds(given), _date(given), _date(headers.get("date"))
    if wait is None and until is not None and date is not None:
        wait = max(0.0, until - date)
    return wait


def validators(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that ask whether an answer still holds (RFC 9110 section 13.1).

    ``Last-Modified`` counts only if it is older than the answer: a set that changes twice in one
    second has the same one afterwards, and would be confirmed for ever (section 8.8.2.2).
    """
    if etag := headers.get("etag"):
        return {"If-None-Match": etag}
    modified, date = _date(headers.get("last-modified")), _date(headers.get("date"))
    if modified is not None and date is not None and modified < date:
        return {"If-Modified-Since": headers["last-modified"]}
    return {}


def _seconds(value: str | None) -> float | None:
    # The first of a list (RFC 9111 section 5.1).
    text = (value or "").partition(",")[0].strip()
    return min(float(text), _LONGEST) if text.isascii() and text.isdigit() else None


def _date(value: str | None) -> float | None:
    # Malformed in one way or another, a date is none: the parser has several exceptions for it.
    with suppress(Exception):
        return parsedate_to_datetime(value or "").timestamp()
    return None
