"""Entries: what each revokes, and how long it is needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from ..core import MAX_INTEGER, Malformed, decode_base64url, load_json_object
from .subjects import Key, Kind

#: Seconds that an entry is kept after it is no longer needed: a clock may be wrong by as much.
SLACK = 1800
#: Changes that are worked on at a time, and the seconds after that in which other threads serve. A
#: thread that only gives up the interpreter mostly takes it again at once.
STEP, PAUSE = 256, 0.0005
# Seconds added to the leeway of a verifier.
_MARGIN = 60


class Change(NamedTuple):
    """A revocation or a restoration; times in seconds since the epoch.

    .. versionadded:: 0.1
    """

    key: Key
    #: For a token: when the entry is no longer needed, or infinity. For any other kind: tokens that
    #: were issued at this time or earlier are refused. ``None``: the change is a restoration.
    value: float | None
    #: When a store may remove the entry; infinity: never. For a restoration: when it was made by
    #: the clock of the store, if that is known.
    until: float = inf


def is_later(present: Change | None, change: Change) -> bool:
    """Whether *present* revokes for longer than *change*, a revocation of the same key."""
    if present is None or present.value is None or change.value is None:
        return False
    return present.value > change.value


@dataclass(frozen=True, slots=True)
class RevocationRules:
    """What a deployment decides about revocation; times in seconds."""

    leeway: float = 30  #: for clocks that differ, when a verifier compares times
    max_lifetime: float | None = None  #: the longest life of an AppJWT; ``None``: no limit
    #: How long to keep a revocation whose tokens have no known expiry; ``None``: forever. Once it
    #: is dropped, such tokens are accepted again.
    keep: float | None = None
    max_lag: float = 5  #: how old the copy of a store may be
    fail_closed: bool = True  #: whether every token is refused while the copy is older

    def retention(self, *, is_shared: bool) -> Mapping[Kind, float]:
        """See :func:`retention_by_kind`.

        :param is_shared: whether other services share the store. They may accept AppJWTs that live
            longer, so ``max_lifetime`` ends the entry of an install only where none do.
        """
        max_lifetime = None if is_shared else self.max_lifetime
        return retention_by_kind(max_lifetime, self.leeway, self.keep)


class Revocation(NamedTuple):
    """A revocation that is in force; times in seconds since the epoch.

    .. versionadded:: 0.1
    """

    kind: str  #: ``token``, ``install``, ``account``, ``lp_consumer`` or ``ext_consumer``
    #: The arguments with which :meth:`Revocations.restore` takes it back, by name. They are the id,
    #: and ``issuer`` if it was revoked for one issuer. For a token, and if the store has lost the
    #: id, it is ``digest``, 16 bytes.
    subject: dict[str, Any]
    #: When it was revoked, or the argument ``at``: tokens issued later are accepted. ``None`` for a
    #: token, which is refused whenever it was issued.
    since: float | None
    until: float  #: when it may be dropped; infinity: never


def token_expiry(text: str, leeway: float, default: float) -> float:
    """Return the time from which every verifier refuses the token *text* as expired.

    :param leeway: see :class:`RevocationRules`.
    :param default: the time to return for a token without ``exp``.
    :raises ValueError: if *text* is not a token.
    """
    try:
        claims = load_json_object(decode_base64url(text.split(".")[1].encode()))
    except Malformed:
        raise ValueError("not a token: its payload is no JSON object") from None
    expires: Any = claims.get("exp")
    # A verifier refuses a token with any other ``exp``.
    is_time = type(expires) in (int, float) and -MAX_INTEGER < expires < MAX_INTEGER
    return float(expires + leeway + _MARGIN) if is_time else default


def retention_by_kind(
    max_lifetime: float | None, leeway: float, keep: float | None
) -> Mapping[Kind, float]:
    """Return how long after its *not before* time an entry can match, in seconds, by kind.

    :param max_lifetime: of an AppJWT; ``None``: no limit.
    :param keep: the seconds to return where there is no limit; ``None``: forever.
    """
    kept = inf if keep is None else keep
    install = kept if max_lifetime is None else max_lifetime + leeway + _MARGIN
    others = dict.fromkeys((Kind.ACCOUNT, Kind.LP_CONSUMER, Kind.EXT_CONSUMER), kept)
    return {Kind.INSTALL: install, **others}


def token_revocation(
    key: Key, token: str | None, at: float | None, rules: RevocationRules, now: float
) -> Change:
    """Return the revocation of one token.

    :param token: its text, if that is known.
    :raises TypeError: if *at* is given.
    :raises ValueError: if *token* is not a token.
    """
    if at is not None:
        raise TypeError("at is only for an id: a token is refused whenever it was issued")
    default = inf if rules.keep is None else now + rules.keep
    until = default if token is None else token_expiry(token, rules.leeway, default)
    return Change(key, until, until)


def check_time(at: object, earliest: float) -> None:
    """Check that *at* is a time of which an entry is kept.

    :raises TypeError: if it is no number.
    :raises ValueError: if it is no time, or not later than *earliest*.
    """
    if not (type(at) is int or type(at) is float):
        raise TypeError("at must be a number of seconds since the epoch")
    if not -MAX_INTEGER < at < MAX_INTEGER:
        raise ValueError("at is too large or too small for a time in seconds since the epoch")
    if at <= earliest:
        raise ValueError("at is so long ago that the entry would not be kept")
