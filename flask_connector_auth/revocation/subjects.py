"""Subjects, that is, what a revocation is about: their kinds, and the key of each."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, unquote

from ..core import has_token_form

_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_DIGEST_BYTES = 32


class Kind(StrEnum):
    """The kind of a subject."""

    TOKEN = "token"  #: one token
    INSTALL = "install"  #: all AppJWTs of one app install, the ``azp``
    ACCOUNT = "account"  #: all tokens of one account
    #: all ConsumerJWS of one consumer, by the id that the service gave it
    LP_CONSUMER = "lp_consumer"
    #: all ConsumerJWS of one ``ext_consumer_id``, in whatever account
    EXT_CONSUMER = "ext_consumer"


#: The arguments of :meth:`Revocations.revoke`, in the order of :meth:`RevocationFactory.make`.
ARGUMENTS = ("at", "issuer", "token", "digest", *(f"{kind}_id" for kind in [*Kind][1:]))

#: The key of an entry: the digest of a token, what :func:`subject_key` returns, or what
#: :func:`entry_key` makes of either.
Key = bytes | str
_KINDS = tuple(Kind)
_KIND_BYTES = {kind: bytes([number]) for number, kind in enumerate(_KINDS)}
TOKEN_KIND_BYTE: bytes = _KIND_BYTES[Kind.TOKEN]
#: Bytes of a key in a set of entries: those of a digest, and one for the kind.
KEY_BYTES = 16


class InvalidSubject(ValueError):
    """A subject of :meth:`Revocations.revoke_many` is not valid; no token is quoted.

    .. versionadded:: 0.1
    """

    def __init__(self, problem: str, index: int = 0, written: int = 0) -> None:
        super().__init__(problem, index, written)
        self.problem: str = problem  #: why it is not valid
        self.index: int = index  #: of the subject, counted from 0
        self.written: int = written  #: how many subjects, the first ones, are revoked

    def __str__(self) -> str:
        return f"subject {self.index}: {self.problem}; the first {self.written} are revoked"


@dataclass(slots=True)
class Subject:
    """The values of a verified token that are compared with the entries."""

    digest: bytes  #: see :func:`token_digest`
    issued_at: float | None  #: ``iat``, where the token has one
    #: the keys of its install, account or consumer: of all issuers, and of its own
    keys: tuple[str, ...]
    _entry_keys: tuple[bytes, ...] = ()

    def entry_keys(self) -> tuple[bytes, ...]:
        """Return the keys of the entries that match the token; that of the token itself first."""
        if not self._entry_keys:
            self._entry_keys = (entry_key(self.digest), *map(entry_key, self.keys))
        return self._entry_keys


def subject_key(kind: str, name: str, issuer: str | None = None) -> str:
    """Return the key of the entry of an install, account or consumer; ``None``: of all issuers."""
    return kind + issuer_part(issuer) + name


@lru_cache(maxsize=1024)
def issuer_part(issuer: str | None) -> str:
    """Return what a key has between kind and name; cached, since each new token needs it."""
    return ":" if issuer is None else f"@{quote(issuer, safe='')}:"


def entry_key(key: Key) -> bytes:
    """Return *key* as a set of entries has it: 15 bytes of a digest, and one for the kind.

    120 bits: a subject with the digest of another one would be refused with it, and none can be
    found for a given one. (Nobody gains by finding two of one's own.)
    """
    if isinstance(key, str):
        return sha256(key.encode()).digest()[: KEY_BYTES - 1] + _KIND_BYTES[kind_of(key)]
    if len(key) == KEY_BYTES:
        return key
    return key[: KEY_BYTES - 1].ljust(KEY_BYTES - 1, b"\0") + _KIND_BYTES[Kind.TOKEN]


def kind_of(key: Key) -> Kind:
    """Return the kind of subject that *key* stands for.

    :raises ValueError: if this version has no such kind.
    """
    if isinstance(key, str):
        return Kind(key.partition(":")[0].partition("@")[0])
    if len(key) != KEY_BYTES:
        return Kind.TOKEN
    if key[-1] >= len(_KINDS):
        raise ValueError("an entry of an unknown kind")
    return _KINDS[key[-1]]


def check_kinds(kind_bytes: bytes) -> None:
    """Check the last bytes of packed keys.

    :raises ValueError: if this version has no such kind.
    """
    for kind_byte in set(kind_bytes):
        kind_of(bytes(KEY_BYTES - 1) + bytes([kind_byte]))


def issuer_and_name(key: str) -> tuple[str | None, str]:
    """Return what :func:`subject_key` was given beside the kind."""
    head, _, name = key.partition(":")
    return unquote(head.partition("@")[2]) or None, name


def token_digest(text: str) -> bytes:
    """Return the digest that identifies a token: the SHA-256 of its signing input.

    The signing input is header and payload (RFC 7515 section 5.1). The signature is left out: from
    one ES256 signature anyone can make a second valid one (``s`` and ``n - s``), so a digest that
    covers the signature would accept the token again.

    :param text: a compact JWS (RFC 7515 section 7.1), without ``Bearer``; it is not verified.
    :raises ValueError: if *text* is not a compact JWS; the message quotes nothing of it.

    .. versionadded:: 0.1
    """
    if not _COMPACT.fullmatch(text):
        raise ValueError("not a token: three base64url segments are expected, and nothing else")
    return digest_of(text)


def digest_of(text: str) -> bytes:
    """Return what :func:`token_digest` returns, for a text that is known to be a compact JWS."""
    return sha256(text.rpartition(".")[0].encode()).digest()


def key_of_subject(
    issuer: str | None, token: str | None, digest: bytes | None, *ids: str | None
) -> Key:
    """Return the key of the entry of the one subject that is given.

    :param issuer: of the id; ``None``: of all issuers.
    :param ids: of an install, an account and so on, in the order of :class:`Kind`.
    :raises TypeError: unless exactly one subject is given, of the right type.
    :raises ValueError: if the argument is not a token, digest or id.
    """
    _token, *kinds = Kind
    given = [argument for argument in (token, digest, *ids) if argument is not None]
    if len(given) != 1:
        names = ", ".join(f"{kind}_id" for kind in kinds)
        raise TypeError(f"give exactly one of token, digest, {names}")
    if issuer is not None:
        if token is not None or digest is not None:
            raise TypeError("issuer is only for an id: a token has one issuer")
        if not isinstance(issuer, str):
            raise TypeError("issuer must be a string")
        if not issuer or has_token_form(issuer):
            raise ValueError("issuer must be the iss of tokens")
    if digest is not None:
        if not isinstance(digest, bytes):
            raise TypeError("digest must be bytes")
        if len(digest) == KEY_BYTES:
            kind_of(digest)
        elif len(digest) != _DIGEST_BYTES:
            raise ValueError(f"digest must have {_DIGEST_BYTES} bytes, as from token_digest")
        return digest
    [name] = given
    if not isinstance(name, str):
        raise TypeError("a token or an id must be a string")
    if token is not None:
        return token_digest(name)
    kind = kinds[ids.index(name)]
    if not name:
        raise ValueError("an id must not be empty")
    if has_token_form(name):
        raise ValueError(f"{kind}_id is a token, not an id: give it as token")
    name.encode()  # a lone surrogate is an error: no claim can have it
    return subject_key(kind, name, issuer)
