"""Entries: what each revokes, how long it is needed; and the set of those in force."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any, NamedTuple

from ..core import MAX_INTEGER, Malformed, decode_base64url, load_json_object
from .subjects import ARGUMENTS, InvalidSubject, Key, Kind, issuer_and_name, key_of_subject, kind_of

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
    #: The arguments by which :meth:`Revocations.restore` takes it back, by name: ``digest`` for a
    #: token, else the id, and ``issuer`` if it was revoked for one.
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


@dataclass(frozen=True, slots=True)
class RevocationFactory:
    """Makes revocations from the arguments of :meth:`Revocations.revoke`; raises its errors."""

    retention: Mapping[Kind, float]  #: see :func:`retention_by_kind`
    leeway: float  #: see :class:`RevocationRules`
    keep: float | None  #: see :class:`RevocationRules`
    clock: Callable[[], float]  #: by which tokens are checked
    issuers: Collection[str]  #: those whose tokens are accepted

    def make(
        self,
        now: Callable[[], float],
        at: float | None,
        issuer: str | None,
        token: str | None,
        digest: bytes | None,
        *ids: str | None,
    ) -> Change:
        """Return the revocation of one subject; *now* is called if that needs the time."""
        key = key_of_subject(issuer, token, digest, *ids)
        if issuer is not None and issuer not in self.issuers:
            accepted = ", ".join(map(repr, self.issuers))
            raise ValueError(f"no tokens of that issuer are accepted, only of: {accepted}")
        kind = kind_of(key)
        if kind is not Kind.TOKEN:
            if at is None:
                at = now()
            elif type(at) not in (int, float):
                raise TypeError("at must be a number of seconds since the epoch")
            elif not -MAX_INTEGER < at < MAX_INTEGER:
                raise ValueError(
                    "at is too large or too small for a time in seconds since the epoch"
                )
            elif at + self.retention[kind] <= self.clock():
                raise ValueError("at is so long ago that the entry would not be kept")
            return Change(key, float(at), at + self.retention[kind])
        if at is not None:
            raise TypeError("at is only for an id: a token is refused whenever it was issued")
        default = inf if self.keep is None else self.clock() + self.keep
        until = default if token is None else token_expiry(token, self.leeway, default)
        return Change(key, until, until)

    def make_many(
        self, now: Callable[[], float], subjects: Iterable[Mapping[str, Any]], first: int
    ) -> list[Change]:
        """Return the revocations of *subjects*; *now* is called once at most.

        :param first: the index of the first one.
        :raises InvalidSubject: if one of them is none.
        """
        changes: list[Change] = []
        known, now = {*ARGUMENTS}, cache(now)
        try:
            for subject in subjects:
                if not isinstance(subject, Mapping):
                    raise TypeError("a subject must be a mapping")
                # No unknown name is quoted: it may be a token.
                if not subject.keys() <= known:
                    raise TypeError(f"a subject has other keys than {', '.join(ARGUMENTS)}")
                changes.append(self.make(now, *map(subject.get, ARGUMENTS)))
        except (TypeError, ValueError) as error:
            raise InvalidSubject(str(error), first + len(changes), first) from None
        return changes


class RevocationSet:
    """All entries of one process. Readers need no lock; writers must hold one.

    :param retention: see :func:`retention_by_kind`.
    """

    __slots__ = ("entries", "retention", "version")

    def __init__(self, retention: Mapping[Kind, float]) -> None:
        self.retention: Mapping[Kind, float] = retention
        self.entries: dict[Key, float] = {}  #: their times; see :attr:`Change.value`
        #: A new object after each change. A token that was checked under this very object need not
        #: be checked again.
        self.version: object = None

    def put(self, change: Change) -> bool:
        """Apply *change*, and return whether it made a difference."""
        previous = self.entries.get(change.key)
        if change.value is None:
            self.entries.pop(change.key, None)
        else:
            self.entries[change.key] = change.value
        # Last: a reader that sees the new version must see the change.
        self.version = object()
        return previous != change.value

    def keep_later_time(self, change: Change) -> Change:
        """Return *change*, with the time of the present entry where that is later.

        So an earlier time never takes back a part of what is revoked.
        """
        present = self.entries.get(change.key)
        if change.value is None or present is None or present <= change.value:
            return change
        return change._replace(value=present)

    def entries_needed_at(self, now: float) -> Iterator[Change]:
        """Yield the entries that are needed at *now*, each with when that ends."""
        for key, value in self.entries.items():
            until = self._end_of(key, value)
            if now < until + SLACK:
                yield Change(key, value, until)

    def revocations(self) -> Iterator[Revocation]:
        """Yield what is revoked, one by one: the entries that tokens are compared with now."""
        # The copy is made in one step: other threads may change the entries meanwhile.
        for key, value in self.entries.copy().items():
            until = self._end_of(key, value)
            if isinstance(key, bytes):
                yield Revocation(Kind.TOKEN, {"digest": key}, None, until)
            else:
                kind, (issuer, name) = kind_of(key), issuer_and_name(key)
                subject = {f"{kind}_id": name} | ({"issuer": issuer} if issuer else {})
                yield Revocation(kind, subject, value, until)

    def remove_expired(self, now: float) -> None:
        """Remove the entries that no token can match any more.

        One by one, so that other threads can serve requests meanwhile.
        """
        ends = ((key, self._end_of(key, value)) for key, value in self.entries.items())
        for key in [key for key, until in ends if until + SLACK <= now]:
            del self.entries[key]

    def changes_since(self, previous: "RevocationSet") -> Iterator[Change]:
        """Yield the changes that lead from the set *previous* to this one."""
        old, new = previous.entries.copy(), self.entries.copy()
        yield from (Change(key, at) for key, at in new.items() if old.pop(key, None) != at)
        yield from (Change(key, None) for key in old)

    def _end_of(self, key: Key, value: float) -> float:
        """Return when an entry is no longer needed."""
        return value if isinstance(key, bytes) else value + self.retention[kind_of(key)]

    def __len__(self) -> int:
        return len(self.entries)
