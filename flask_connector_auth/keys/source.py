"""Key sources: the interface, configured keys, and a source that combines others."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol, runtime_checkable

from joserfc.jwk import Key

from ..core import Closable, Unavailable, close_if_closable, forget_origin

#: The most keys to try for one token. Real key sets contain several keys with one ``kid``.
MAX_CANDIDATES = 4
#: The longest key id, in characters.
MAX_KID = 256
#: No candidates, because several keys support the algorithm of a token without ``kid``. Compare
#: it by ``is``: any other empty list, which means that there is no such key, is equal to it.
AMBIGUOUS_MATCH: "Sequence[VerificationKey]" = []
#: Called with message, signature and key: whether the key made that signature over the message.
Verify = Callable[[bytes, bytes, Any], bool]


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key, with the algorithms it may be used for.

    .. versionadded:: 0.1
    """

    kid: str | None  #: RFC 7517 section 4.5; ``None`` for a key without one, such as a PEM
    #: SHA-256 thumbprint of the key material (RFC 7638). It is not in the repr: a weak secret can
    #: be guessed from its thumbprint (section 7).
    thumbprint: str = field(repr=False)
    #: By ``alg``, the function that verifies its signatures.
    algorithms: Mapping[str, Verify] = field(repr=False)
    key: Key = field(repr=False)

    def verifies(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Whether this key made *signature* over *message*; never raises.

        :param algorithm: one of :attr:`algorithms`.
        """
        try:
            return self.algorithms[algorithm](message, signature, self.key)
        except Exception:
            # A forged signature may make a library fail. It is invalid then.
            return False


class Lease:
    """A time until which the answer of a key source holds that a key is active.

    A source ends its lease before it changes its keys.

    :param until: by :data:`steady_time`.
    """

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until: float = until


#: The lease of a source that must be asked in each request.
NO_LEASE = Lease(-inf)
UNLIMITED = Lease(inf)

#: The state of a key source: at least ``ready``, and only values that JSON has.
Health = Mapping[str, Any]


@runtime_checkable
class KeySource(Protocol):
    """A source of verification keys. A subclass must define :meth:`candidates` only.

    .. versionadded:: 0.1
    """

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys to try for a token, at most four.

        :param kid: the token's ``kid``, or ``None`` if it has none.
        :param algorithm: the token's ``alg``, which is on the allow-list.
        :raises Unavailable: if the keys are temporarily out of reach.
        """
        ...

    def candidates_after_failure(
        self, kid: str | None, algorithm: str, tried: Sequence[VerificationKey]
    ) -> Sequence[VerificationKey]:
        """Return further keys to try after none of those *tried* verified the signature.

        The default is none. A source whose keys change returns the new ones here.

        :raises Unavailable: if the source cannot tell at the moment whether there are any.
        """
        return ()

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """Whether *key*, which has verified a token with *kid* and *algorithm*, may still do so.

        Called for each request with a token that was verified before. So once the source no longer
        returns a key, the tokens that the key has verified are refused.

        :raises Unavailable: if the source cannot tell at the moment.
        """
        return key in self.candidates(kid, algorithm)

    def health(self) -> Health:
        """Return the state of this source, without any I/O.

        The default is ``ready`` and the name of the class.
        """
        return {"source": type(self).__name__, "ready": True}


_Keys = Sequence[VerificationKey]


def find_lease(
    source: KeySource, key: VerificationKey, kid: str | None, algorithm: str
) -> Lease | None:
    """Return the lease of the answer that *key* is active; ``None`` if it is not.

    Arguments and errors are those of :meth:`KeySource.is_active`.
    """
    if isinstance(source, CombinedKeys):
        return source.find_lease(key, kid, algorithm)
    # A subclass may answer otherwise than its base: it has a lease if it defines one itself. The
    # lease is read before the source is asked: if its keys change in between, it has ended.
    lease: Lease = source.lease if "lease" in vars(type(source)) else NO_LEASE  # type: ignore[attr-defined]
    return lease if source.is_active(key, kid, algorithm) else None


class KeyIndex:
    """Immutable index of keys by ``kid`` and algorithm."""

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        # The same key for the same algorithms, given twice, is one key (RFC 7638).
        by_identity = {(key.kid, key.thumbprint, *key.algorithms): key for key in keys}
        self.keys: list[VerificationKey] = list(by_identity.values())
        #: ``kid``, thumbprint and algorithms of each key: equal indexes have equal identities.
        self.identities: frozenset[tuple[str | None, ...]] = frozenset(by_identity)
        keys_of_kid: defaultdict[str | None, list[VerificationKey]] = defaultdict(list)
        for key in self.keys:
            keys_of_kid[key.kid].append(key)
        self._without_kid = keys_of_kid.pop(None, [])
        self._by_kid = {kid: keys + self._without_kid for kid, keys in keys_of_kid.items()}
        self.kids: frozenset[str | None] = frozenset(self._by_kid)
        algorithms = {name for key in self.keys for name in key.algorithms}
        # Prepared here, so that a request needs only one dict lookup.
        self._candidates: dict[tuple[str | None, str], Sequence[VerificationKey]] = {
            **{(None, name): _unambiguous(_keys_for(name, self.keys)) for name in algorithms},
            **{
                (kid, name): _keys_for(name, keys)[:MAX_CANDIDATES]
                for kid, keys in self._by_kid.items()
                for name in algorithms
            },
        }
        self._of_unknown_kid = {name: _keys_for(name, self._without_kid) for name in algorithms}

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys with that *kid* and those without one, at most :data:`MAX_CANDIDATES`.

        A token without ``kid`` has a candidate only if exactly one key supports its algorithm.
        """
        keys = self._candidates.get((kid, algorithm))
        return self._of_unknown_kid.get(algorithm, []) if keys is None else keys

    def can_decide_kid(self, kid: str | None) -> bool:
        """Whether a token with that *kid* can be verified or refused by these keys alone."""
        return kid is None or kid in self._by_kid or bool(self._without_kid)

    def summary(self) -> dict[str, Any]:
        """Return the number of keys, and each ``kid``; an empty one stands for keys without."""
        return {"keys": len(self.keys), "kids": sorted({key.kid or "" for key in self.keys})}


def _keys_for(algorithm: str, keys: _Keys) -> list[VerificationKey]:
    return [key for key in keys if algorithm in key.algorithms]


def _unambiguous(keys: _Keys) -> _Keys:
    return keys[:1] if len({key.thumbprint for key in keys}) == 1 else AMBIGUOUS_MATCH


class StaticKeys(KeyIndex, KeySource):
    """Keys from configuration, which never change.

    :raises ValueError: if more than :data:`MAX_CANDIDATES` keys would be tried for one token.
    """

    lease: Lease = UNLIMITED

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        super().__init__(keys)
        for kid, same in {None: self._without_kid, **self._by_kid}.items():
            if len(same) > MAX_CANDIDATES:
                name = "no kid" if kid is None else f"the kid {kid!r}"
                raise ValueError(f"{len(same)} keys for {name}: at most {MAX_CANDIDATES} are tried")

    def health(self) -> Health:
        """See :class:`KeySource`."""
        return {"source": "configuration", "state": "static", "ready": True, **self.summary()}


class CombinedKeys(KeySource, Closable):
    """The keys of several sources, as during a migration.

    :param sources: in the order of their use; those without I/O come first.
    """

    def __init__(self, sources: Sequence[KeySource]) -> None:
        self.sources = sources

    def close(self) -> None:
        """Close the sources that the package has made."""
        for source in self.sources:
            close_if_closable(source)

    def candidates(self, kid: str | None, algorithm: str) -> _Keys:
        """See :class:`KeySource`: the keys of the first source that has any.

        So a token of a configured key never causes a fetch. If the keys of several sources have one
        ``kid``, :meth:`candidates_after_failure` finds those of the others.
        """
        if kid is not None:
            return self._collect(lambda source: source.candidates(kid, algorithm), bool)
        # Without a kid, exactly one key may match in all sources that can be reached.
        keys = self._collect(lambda source: source.candidates(None, algorithm), lambda found: False)
        return keys if len({key.thumbprint for key in keys}) <= 1 else AMBIGUOUS_MATCH

    def candidates_after_failure(self, kid: str | None, algorithm: str, tried: _Keys) -> _Keys:
        """See :class:`KeySource`: the keys of all sources, without those *tried*."""
        tried_thumbprints = {key.thumbprint for key in tried}

        def untried(source: KeySource) -> _Keys:
            keys = source.candidates(kid, algorithm)
            new = [key for key in keys if key.thumbprint not in tried_thumbprints]
            return new or (source.candidates_after_failure(kid, algorithm, tried) if keys else [])

        return self._collect(untried, lambda found: len(found) >= MAX_CANDIDATES)[:MAX_CANDIDATES]

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """See :class:`KeySource`: whether *key* is active in any source."""
        return self.find_lease(key, kid, algorithm) is not None

    def find_lease(self, key: VerificationKey, kid: str | None, algorithm: str) -> Lease | None:
        """See :func:`find_lease`: the lease of the first source in which *key* is active."""
        if kid is None:
            # Whether it is the only key depends on all sources.
            return NO_LEASE if super().is_active(key, kid, algorithm) else None
        for source in self.sources:
            # If no other source has the key, the token is verified again, and that raises the
            # Unavailable of this source.
            with suppress(Unavailable):
                if (lease := find_lease(source, key, kid, algorithm)) is not None:
                    return lease
        return None

    def health(self) -> Health:
        """See :class:`KeySource`: ready if all sources are."""
        states = [source.health() for source in self.sources]
        return {"ready": all(state.get("ready") for state in states), "sources": states}

    def _collect(
        self, keys_of: Callable[[KeySource], _Keys], is_enough: Callable[[_Keys], bool]
    ) -> _Keys:
        """Return the keys of one source after the other, until they are enough or ambiguous.

        :raises Unavailable: if no key was found and a source is out of reach.
        """
        found: list[VerificationKey] = []
        outage: Unavailable | None = None
        for source in self.sources:
            try:
                keys = keys_of(source)
            except Unavailable as unavailable:
                forget_origin(unavailable)
                outage = unavailable
                continue
            if keys is AMBIGUOUS_MATCH:
                return keys
            found += keys
            if is_enough(found):
                break
        if outage is not None and not found:
            raise outage
        return found
