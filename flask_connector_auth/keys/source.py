"""Key sources: the interface, and configured keys."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol, runtime_checkable

from joserfc.jwk import Key

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
    """One key, with the algorithms that it may be used for.

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
    """A source of verification keys. A subclass must define only :meth:`candidates`.

    .. versionadded:: 0.1
    """

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys to try for a token, at most four. An empty list means: no such key, 401.

        :param kid: the token's ``kid``, or ``None`` if it has none.
        :param algorithm: the token's ``alg``, which is on the allow-list.
        :raises Unavailable: if the keys cannot be had at the moment. The answer is then 503.
        """
        ...

    def candidates_after_failure(
        self, kid: str | None, algorithm: str, tried: Sequence[VerificationKey]
    ) -> Sequence[VerificationKey]:
        """Return further keys to try after none of those *tried* has verified the signature.

        By default there are none. A source whose keys change returns the new ones here.

        :raises Unavailable: if it is not known at the moment whether there are any.
        """
        return ()

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """Whether *key*, which has verified a token with *kid* and *algorithm*, may still do so.

        It is called for each request with a token that was verified before. So once the source no
        longer returns a key, the tokens that the key has verified are refused.

        :raises Unavailable: if that is not known at the moment.
        """
        return key in self.candidates(kid, algorithm)

    def health(self) -> Health:
        """Return the state of this source, without any I/O.

        By default it has ``ready``, and the name of the class as ``source``.
        """
        return {"source": type(self).__name__, "ready": True}


_Keys = Sequence[VerificationKey]


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

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        super().__init__(keys)
        for kid, same in {None: self._without_kid, **self._by_kid}.items():
            if len(same) > MAX_CANDIDATES:
                name = "no kid" if kid is None else f"the kid {kid!r}"
                raise ValueError(f"{len(same)} keys for {name}: at most {MAX_CANDIDATES} are tried")

    def health(self) -> Health:
        """See :class:`KeySource`."""
        return {"source": "configuration", "state": "static", "ready": True, **self.summary()}
