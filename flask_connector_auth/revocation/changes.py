"""Revocations from the arguments of :meth:`Revocations.revoke`."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .entries import Change, RevocationRules, check_time, token_revocation
from .subjects import ARGUMENTS, InvalidSubject, Kind, key_of_subject, kind_of


@dataclass(frozen=True, slots=True)
class RevocationFactory:
    """Makes revocations from the arguments of :meth:`Revocations.revoke`; raises its errors."""

    rules: RevocationRules
    retention: Mapping[Kind, float]  #: see :meth:`RevocationRules.retention`
    clock: Callable[[], float]  #: by which tokens are checked
    store_clock: Callable[[], float]  #: by which revocations are made
    issuers: Collection[str]  #: those whose tokens are accepted

    def make(
        self,
        now: Callable[[], float] | None,
        at: float | None,
        issuer: str | None,
        token: str | None,
        digest: bytes | None,
        *ids: str | None,
    ) -> Change:
        """Return the revocation of one subject.

        :param now: called if that needs the time; ``None``: the store is asked.
        """
        key = key_of_subject(issuer, token, digest, *ids)
        if issuer is not None and issuer not in self.issuers:
            accepted = ", ".join(map(repr, self.issuers))
            raise ValueError(f"no tokens of that issuer are accepted, only of: {accepted}")
        if kind_of(key) is Kind.TOKEN:
            return token_revocation(key, token, at, self.rules, self.clock())
        retention = self.retention[kind_of(key)]
        if at is None:
            at = now() if now else self._store_time()
        else:
            check_time(at, self.clock() - retention)
        return Change(key, float(at), at + retention)

    def make_many(self, subjects: Iterable[Mapping[str, Any]], first: int) -> list[Change]:
        """Return the revocations of *subjects*; the store is asked for the time once at most.

        :param first: the index of the first one.
        :raises InvalidSubject: if one of them is not valid.
        """
        changes: list[Change] = []
        known, now = {*ARGUMENTS}, cache(self._store_time)
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

    def _store_time(self) -> float:
        try:
            return self.store_clock()
        except Exception:
            # The write that follows fails too and reports it.
            return self.clock()
