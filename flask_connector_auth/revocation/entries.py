"""Entries: what each revokes, how long it is needed; and the set of those in force."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, NamedTuple

from ..core import MAX_INTEGER, Malformed, decode_base64url, load_json_object
from .subjects import Key, Kind, kind_of

#: Seconds that an entry is kept after it is no longer needed: a clock may be wrong by as much.
SLACK = 3600
# Seconds added to the leeway of a verifier.
_MARGIN = 60


class Change(NamedTuple):
    """A revocation or a restoration; times in seconds since the epoch.

    .. versionadded:: 0.1
    """

    key: Key
    #: For a token: when the entry is no longer needed, or infinity. For any other kind: the *not
    #: before* time; tokens issued then or earlier are refused. ``None``: restored.
    value: float | None
    #: When a store may remove the entry; infinity: never. A store need not return it.
    until: float = inf


class Revocation(NamedTuple):
    """A revocation that is in force; times in seconds since the epoch.

    .. versionadded:: 0.1
    """

    kind: str  #: ``token``, ``install``, ``account``, ``lp_consumer`` or ``ext_consumer``
    #: The one argument by which :meth:`Revocations.restore` takes it back, by name: ``digest`` for
    #: a token, else the id.
    subject: dict[str, Any]
    #: When it was revoked, or what was given as ``at``: tokens issued later are accepted. ``None``
    #: for a token, which is refused whenever it was issued.
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


class RevocationSet:
    """All entries of one process. Readers need no lock; writers must hold one.

    :param retention: see :func:`retention_by_kind`.
    """

    __slots__ = ("not_before", "retention", "tokens", "version")

    def __init__(self, retention: Mapping[Kind, float]) -> None:
        self.retention: Mapping[Kind, float] = retention
        self.tokens: dict[bytes, float] = {}  #: when each entry is no longer needed, by digest
        self.not_before: dict[str, float] = {}  #: *not before* times, by key
        #: A new object after each change. A token that was checked under this very object need not
        #: be checked again.
        self.version: object = None

    def value_of(self, key: Key) -> float | None:
        """Return the time that the entry of *key* has, or ``None`` if there is no entry."""
        return self._entries(key).get(key)

    def put(self, change: Change) -> bool:
        """Apply *change*, and return whether it made a difference."""
        entries = self._entries(change.key)
        previous = entries.get(change.key)
        if change.value is None:
            entries.pop(change.key, None)
        else:
            entries[change.key] = change.value
        # Last: a reader that sees the new version must see the change.
        self.version = object()
        return previous != change.value

    def keep_later_time(self, change: Change) -> Change:
        """Return *change*, with the time of the present entry where that is later.

        So an earlier time never takes back a part of what is revoked.
        """
        present = self.value_of(change.key)
        if change.value is None or present is None or present <= change.value:
            return change
        return change._replace(value=present)

    def entries_needed_at(self, now: float) -> Iterator[Change]:
        """Yield the entries that are needed at *now*, each with when that ends."""
        for digest, until in self.tokens.items():
            if now < until + SLACK:
                yield Change(digest, until, until)
        for key, not_before in self.not_before.items():
            until = not_before + self.retention[kind_of(key)]
            if now < until + SLACK:
                yield Change(key, not_before, until)

    def revocations(self) -> Iterator[Revocation]:
        """Yield what is revoked, one by one: the entries that tokens are compared with now."""
        # Each copy is made in one step: other threads may change the entries meanwhile.
        for digest, until in self.tokens.copy().items():
            yield Revocation(Kind.TOKEN, {"digest": digest}, None, until)
        for key, at in self.not_before.copy().items():
            kind, _, name = key.partition(":")
            until = at + self.retention[Kind(kind)]
            yield Revocation(Kind(kind), {f"{kind}_id": name}, at, until)

    def remove_expired(self, now: float) -> None:
        """Remove the entries that no token can match any more.

        One by one, so that other threads can serve requests meanwhile.
        """
        for digest in [key for key, until in self.tokens.items() if until + SLACK <= now]:
            del self.tokens[digest]
        oldest = {kind: now - SLACK - seconds for kind, seconds in self.retention.items()}
        for key in [key for key, at in self.not_before.items() if at <= oldest[kind_of(key)]]:
            del self.not_before[key]

    def changes_since(self, previous: "RevocationSet") -> Iterator[Change]:
        """Yield the changes that lead from the set *previous* to this one."""
        for name in ("tokens", "not_before"):
            old, new = dict(getattr(previous, name)), dict(getattr(self, name))
            yield from (Change(key, at) for key, at in new.items() if old.pop(key, None) != at)
            yield from (Change(key, None) for key in old)

    def _entries(self, key: Key) -> dict[Any, float]:
        return self.tokens if isinstance(key, bytes) else self.not_before

    def __len__(self) -> int:
        return len(self.tokens) + len(self.not_before)
