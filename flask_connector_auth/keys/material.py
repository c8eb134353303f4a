"""Key material as people have it (PEM, DER, JWK, JWK Set, file) in; single keys out."""

import os
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..core import Malformed, load_json_object
from .urls import is_url

_PEM = re.compile("-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \\1-----", re.DOTALL)


class KeyProblem(ValueError):
    """What is wrong with a key; the text never holds key material."""


class PrivateKeyError(KeyProblem):
    """A key that others must not have; where it could be read, it is no secret any more."""


class KeyEntry(NamedTuple):
    """One key, not yet understood."""

    place: str  #: where it stands, for messages
    in_set: bool  #: whether it is one of a JWK Set
    material: Mapping[str, Any] | str | bytes  #: a JWK, the text of a PEM block, or DER


def entries(value: Any) -> list[KeyEntry]:
    """Return the single keys in *value*: anything that :func:`parse_keys` takes but a list.

    :raises KeyProblem: if *value* is none of those, or its file cannot be read.
    """
    if isinstance(value, Mapping):
        return _entries_of_object(value)
    if isinstance(value, os.PathLike):
        return _entries_of_file(Path(value))
    if not isinstance(value, str):
        raise KeyProblem(f"a key cannot be given as {type(value).__name__}")
    found = _entries_of_text(value)
    # Whatever cannot be a key is taken for a path, but never quoted: it may be a secret.
    return _entries_of_file(Path(value)) if found is None else found


def _entries_of_object(value: Mapping[str, Any]) -> list[KeyEntry]:
    if "keys" not in value:
        return [KeyEntry("", False, value)]
    if not isinstance(value["keys"], list | tuple):
        raise KeyProblem("the member keys of a JWK Set is a list (RFC 7517 section 5.1)")
    return [
        KeyEntry(f"key {number} of the set: ", True, entry)
        for number, entry in enumerate(value["keys"], 1)
    ]


def _entries_of_text(text: str) -> list[KeyEntry] | None:
    text = text.strip()
    if text.startswith("{"):
        try:
            return _entries_of_object(load_json_object(text.encode()))
        except (Malformed, UnicodeEncodeError):
            raise KeyProblem("a JWK or JWK Set that is not strict JSON") from None
    if "-----BEGIN" in text:
        blocks = [match.group() for match in _PEM.finditer(text)]
        if not blocks:
            raise KeyProblem("an incomplete PEM block")
        return [KeyEntry("", False, block) for block in blocks]
    if is_url(text):
        raise KeyProblem("a URL, which cannot stand here")
    try:
        der = a2b_base64("".join(text.split()), strict_mode=True)
    except (Base64Error, ValueError):
        return None
    # DER of a key is a SEQUENCE, and longer than any name of a file that happens to be base64.
    return [KeyEntry("", False, der)] if der[:1] == b"0" and len(der) > 40 else None


def why_unread(error: OSError | ValueError) -> str:
    """Return why a file could not be read, in the words of the system; its name is not quoted."""
    return str(error.strerror) if isinstance(error, OSError) else "not a file name"


def _entries_of_file(path: Path) -> list[KeyEntry]:
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise KeyProblem(f"neither a key nor a readable file ({why_unread(error)})") from None
    if content[:1] == b"0":
        return [KeyEntry("", False, content)]
    try:
        found = _entries_of_text(content.decode())
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise KeyProblem("a file that holds no PEM, DER, JWK or JWK Set")
    return found
