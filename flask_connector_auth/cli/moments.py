"""Times as people write them in; seconds since the epoch, and dates to show, out."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import click

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: str) -> float:
    """Return the seconds since the epoch that *value* says: a number of them, or a date.

    :param value: a date of ISO 8601 is in UTC unless it says otherwise.
    :raises BadParameter: if it is neither.
    """
    with suppress(ValueError):
        seconds = float(value)
        if isfinite(seconds):
            return seconds
    with suppress(ValueError, OverflowError):
        date = datetime.fromisoformat(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    raise click.BadParameter("neither seconds nor a date such as 2030-01-31T12:00:00Z.")


def date_of(seconds: Any) -> str | None:
    """Return the date in UTC, or ``None`` where *seconds* is no time that has one."""
    if type(seconds) not in (int, float):
        return None
    with suppress(ValueError, OverflowError):
        # Not by fromtimestamp(), which on Windows knows no time before 1970.
        date = _EPOCH + timedelta(seconds=seconds)
        return date.isoformat(timespec="seconds")[:-6] + "Z"
    return None


def distance(seconds: float) -> str:
    """Return how far away a time is that has a date, such as ``in 0:10:00``."""
    away = timedelta(seconds=round(abs(seconds)))
    return f"{away} ago" if seconds < 0 else f"in {away}"
