"""The interface of a key source, and the keys that it returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from joserfc.jwk import Key

#: The most keys to try for one token. Real key sets contain several keys with one ``kid``.
MAX_CANDIDATES = 4
#: The longest key id, in characters.
MAX_KID = 256
#: No candidates, because several keys support the algorithm of a token without ``kid``. Compare
#: by identity: an empty list that means "no such key" is equal to it.
AMBIGUOUS_MATCH: "Sequence[VerificationKey]" = []
#: Called with message, signature and key: whether the key made that signature over the message.
Verify = Callable[[bytes, bytes, Any], bool]


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key, with the algorithms it may be used for.

    .. versionadded:: 0.1
    """

    kid: str | None  #: RFC 7517 section 4.5; ``None`` for a key without one, such as a PEM
    #: SHA-256 thumbprint of the key material (RFC 7638). Left out of the repr, because a weak
    #: secret can be guessed from its thumbprint (section 7).
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
            # The signature may come from an attacker. If it makes a library fail, it is invalid.
            return False


#: The state of a key source: at least ``ready``, and only values that JSON has.
Health = Mapping[str, Any]


@runtime_checkable
class KeySource(Protocol):
    """A source of verification keys. A subclass must define :meth:`candidates`, and no more.

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

        The default is none. A source of keys that can be replaced returns the new keys here.

        :raises Unavailable: if the source cannot tell at the moment whether there are any.
        """
        return ()

    def is_active(self, key: VerificationKey, kid: str | None, algorithm: str) -> bool:
        """Whether *key*, which has verified a token with *kid* and *algorithm*, may still do so.

        Called for each request with a token that was verified before, so a key that the source no
        longer returns also ends the tokens that it has verified.

        :raises Unavailable: if the source cannot tell at the moment.
        """
        return key in self.candidates(kid, algorithm)

    def health(self) -> Health:
        """Return the state of this source, without any I/O.

        The default is ``ready`` and the name of the class.
        """
        return {"source": type(self).__name__, "ready": True}
