"""A token, or an id that tokens name, in; what is kept of its revocation out, as values."""

import re
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from math import inf
from typing import Any, NamedTuple

from ..core import MAX_INTEGER, Malformed, decode_base64url, load_json_object

#: How far a clock may be off, in seconds: an entry is kept for so much longer than it is needed.
SLACK = 3600
# Beyond the leeway that a verifier allows, in seconds.
_MARGIN = 60
_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Kind(StrEnum):
    """What a revocation is about."""

    TOKEN = "token"  #: one token
    INSTALL = "install"  #: all AppJWTs of one app install, the ``azp``
    ACCOUNT = "account"  #: all tokens of one account
    CONSUMER = "consumer"  #: all ConsumerJWS of one ``lp_consumer_id``


#: The name of an entry: the digest of a token, or what :func:`subject_key` returns.
Key = bytes | str


class Change(NamedTuple):
    """That something is revoked, or no longer; times in seconds since the epoch.

    .. versionadded:: 0.1
    """

    key: Key
    #: Of a token: when the entry is no longer needed, or infinity. Of anything else: the *not
    #: before* time; what was issued then or earlier is refused. ``None``: restored.
    value: float | None
    #: When a store may forget the entry; infinity: never. What a store returns need not have it.
    until: float = inf


class Subject(NamedTuple):
    """What of a verified token can be revoked."""

    digest: bytes  #: see :func:`token_digest`
    issued_at: float | None  #: ``iat``, where the token has one
    marks: tuple[str, ...]  #: the names of the entries of its ids


def subject_key(kind: str, name: str) -> str:
    """Return the name of the entry of an install, account or consumer."""
    return kind + ":" + name


def kind_of(key: Key) -> Kind:
    """Return what *key* names."""
    return Kind.TOKEN if isinstance(key, bytes) else Kind(key.partition(":")[0])


def token_digest(text: str) -> bytes:
    """Return the digest that names a token: the SHA-256 of its signing input, header and payload.

    Not of the whole text: from one ES256 signature anybody can make a second one that is as good
    (``s`` and ``n - s``), so a digest of the signature would let the token back in.

    :param text: a compact JWS (RFC 7515 section 7.1), without ``Bearer``; it is not verified.
    :raises ValueError: if it is none; its text has nothing of the token.

    .. versionadded:: 0.1
    """
    if not _COMPACT.fullmatch(text):
        raise ValueError("not a token: three base64url segments are expected, and nothing else")
    return digest_of(text)


def digest_of(text: str) -> bytes:
    """Return what :func:`token_digest` does, for what is known to be a token."""
    return sha256(text.rpartition(".")[0].encode()).digest()


def last_use(text: str, leeway: float, keep: float) -> float:
    """Return when every verifier refuses the token *text* as expired, whatever key signed it.

    :param leeway: what a verifier allows, in seconds.
    :param keep: what a token without ``exp`` gets.
    :raises ValueError: if it is no token.
    """
    try:
        claims = load_json_object(decode_base64url(text.split(".")[1].encode()))
    except Malformed:
        raise ValueError("not a token: its payload is no JSON object") from None
    expires: Any = claims.get("exp")
    # A verifier refuses a token whose ``exp`` is anything else.
    sound = type(expires) in (int, float) and -MAX_INTEGER < expires < MAX_INTEGER
    return float(expires + leeway + _MARGIN) if sound else keep


def retention(
    max_lifetime: float | None, leeway: float, keep: float | None
) -> Mapping[Kind, float]:
    """Return for how long after its *not before* time each kind of mark can match, in seconds.

    :param max_lifetime: of an AppJWT, where there is a limit.
    :param keep: for what has none, where it is not kept for good.
    """
    kept = inf if keep is None else keep
    install = kept if max_lifetime is None else max_lifetime + leeway + _MARGIN
    return {Kind.INSTALL: install, Kind.ACCOUNT: kept, Kind.CONSUMER: kept}
