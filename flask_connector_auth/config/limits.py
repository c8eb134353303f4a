"""Limits between settings: what one setting may be depends on others.

The reference in the documentation is made from them too.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import le, lt
from typing import Any, NamedTuple


class Limit(NamedTuple):
    """What must hold for the value of one setting, given the values of others."""

    name: str  #: of the setting, as a field of the schema
    others: tuple[str, ...]  #: names of the settings that the limit depends on
    sentence: str  #: with ``{0}`` for the key of the first of *others*, and so on
    #: Takes the value of the setting, then those of *others*. ``None``, which stands for a setting
    #: that is unset or could not be read, breaks no limit.
    is_kept: Callable[..., bool]


def _if_given(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, other: value is None or other is None or compare(value, other)


def _covers(keep: float | None, lifetime: float | None, leeway: float | None) -> bool:
    return keep is None or lifetime is None or keep >= lifetime + (leeway or 0)


LIMITS = (
    Limit("jwks_min_age", ("jwks_max_age",), "Must be at most {0}.", _if_given(le)),
    Limit("jwks_cooldown", ("jwks_max_age",), "Must be less than {0}.", _if_given(lt)),
    Limit("jwks_timeout", ("jwks_max_age",), "Must be less than {0}.", _if_given(lt)),
    Limit("jwks_retry", ("jwks_retry_max",), "Must be at most {0}.", _if_given(le)),
    Limit(
        "jwks_max_stale",
        ("jwks_max_age",),
        "Must be 0, or at least {0}.",
        _if_given(lambda max_stale, max_age: max_stale == 0 or max_stale >= max_age),
    ),
    Limit(
        "revocation_url",
        ("revocation_store",),
        "Cannot be combined with {0}.",
        _if_given(lambda url, store: False),
    ),
    Limit(
        "revocation_keep",
        ("max_lifetime", "leeway"),
        "Must be at least {0} + {1}: an AppJWT can be accepted for that long.",
        _covers,
    ),
)


def broken_limits(values: Mapping[str, Any]) -> Iterator[Limit]:
    """Yield each limit that *values* do not keep."""
    for limit in LIMITS:
        if not limit.is_kept(*map(values.get, (limit.name, *limit.others))):
            yield limit
