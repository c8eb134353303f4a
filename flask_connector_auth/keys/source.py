"""A token's key id and algorithm in; the keys to try out: the seam behind which keys live."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from joserfc.jwk import Key

#: How many keys may be tried for one token: real key sets do hold several under one ``kid``.
MAX_CANDIDATES = 4
#: The longest key id, in characters.
MAX_KID = 256


#: No key: several fit a token that names none. Told from "none fits" by identity.
AMBIGUOUS: "Sequence[VerificationKey]" = []
#: Whether a signature (second) over a message (first) is that of a key (third).
Verify = Callable[[bytes, bytes, Any], bool]


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key, with the algorithms it may be used for.

    .. versionadded:: 0.1
    """

    kid: str | None  #: RFC 7517 section 4.5; ``None`` for a key without one, such as a PEM
    #: RFC 7638, SHA-256: the name of the key material itself; not shown, since that of a weak
    #: secret gives it away.
    thumbprint: str = field(repr=False)
    #: By ``alg``, what verifies its signatures.
    algorithms: Mapping[str, Verify] = field(repr=False)
    key: Key = field(repr=False)

    def verifies(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Whether *signature* is this key's over *message*; never raises.

        :param algorithm: one of :attr:`algorithms`.
        """
        try:
            return self.algorithms[algorithm](message, signature, self.key)
        except Exception:
            # The signature is the attacker's: whatever it makes a library raise, it is not good.
            return False


#: What a key source says of itself: at least ``ready``; plain values only.
Health = Mapping[str, Any]


@runtime_checkable
class KeySource(Protocol):
    """Where verification keys come from. Subclass it: only :meth:`candidates` has no default.

    .. versionadded:: 0.1
    """

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys to try for a token, at most four.

        :param kid: the token's ``kid``, or ``None`` if it has none.
        :param algorithm: the token's ``alg``, already found on the allow-list.
        :raises Unavailable: if the keys cannot be had just now.
        """
        ...

    def candidates_after_failure(
        self, kid: str | None, algorithm: str, tried: Sequence[VerificationKey]
    ) -> Sequence[VerificationKey]:
        """Return further keys to try, after the signature failed under those *tried*.

        :raises Unavailable: if it cannot be known just now whether there are any.
        """
        return ()

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """Whether *key*, which has verified a token with *kid* and *algorithm*, is still in force.

        :raises Unavailable: if it cannot be known just now.
        """
        return key in self.candidates(kid, algorithm)

    def health(self) -> Health:
        """Return the state of this source, without any I/O."""
        return {"source": type(self).__name__, "ready": True}
