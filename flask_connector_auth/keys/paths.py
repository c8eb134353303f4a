"""Configured text that may be the path of a file: recognised, and described in messages."""

import os
import re
from pathlib import Path

from .der import KeyProblem
from .urls import clean_text, is_redis_url, is_url

_LIST_OF_FILES = re.compile(r"\[|[^,]*\.\w+\s*,")
_FILE_SUFFIXES = (".pem", ".der", ".crt", ".cer", ".pub", ".key", ".jwk", ".jwks", ".json", ".txt")
# A host with a path or a port, with what is left of ``https://`` before it.
_HOST = re.compile(
    r"(?:https?:?)?/*(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+|localhost)(?::\d+)?/|[a-z0-9.-]+:\d+$", re.I
)
_STANDARD_BASE64 = re.compile(r"[A-Za-z0-9+/]{32,}={0,2}")
# A secret that is made at random from all signs has others too.
_WRITTEN_PATH = re.compile(r"(?:[A-Za-z]:|~\w*|\.{0,2})[/\\][\w./\\ ~-]*", re.ASCII)


def check_secret_text(text: str) -> None:
    """Check that *text* may be an HMAC secret: not what people write in place of a secret.

    :raises KeyProblem: if it is blank, a URL, or the path of a file.
    """
    if not clean_text(text):
        raise KeyProblem("a blank text, which is no secret")
    if is_url(text):
        raise KeyProblem("a URL, which is no secret; for a key set, give the URL alone")
    if _is_path(clean_text(text)):
        raise KeyProblem(
            'the path of a file, which is no secret; write {"secret": "..."} to the file, and give '
            "its path alone"
        )


def _is_path(text: str) -> bool:
    """Whether *text* is meant as the path of a file, even if it could be a secret by its length."""
    if _STANDARD_BASE64.fullmatch(text):
        # By chance a secret may begin with a slash, or with the name of a folder in this one.
        return text.startswith("/") and looks_like_path(text)
    return _WRITTEN_PATH.fullmatch(text) is not None or looks_like_path(text)


def missing_file(path: Path, is_path: bool, reason: str) -> str:
    """Return the problem of a text that is no key, and no file that can be read.

    :param is_path: whether *path* is meant as one; otherwise it may be a secret.
    """
    text = str(path)
    unknown = f"neither a key nor a readable file ({reason})"
    if _LIST_OF_FILES.match(text):
        return f'{unknown}; a list is JSON in an environment variable: ["one.pem", "two.pem"]'
    hint = "; if it is a URL, put https:// before it" if _HOST.match(text) else ""
    if is_path or looks_like_path(text):
        return f"the file {str(path.absolute())!r} cannot be read ({reason}){hint}"
    return (
        f"{unknown}{hint}. A key is PEM, a certificate, a JWK, a JWK Set, a text secret as "
        '{"secret": "..."}, the path of a file with one of these, or the URL of a JWK Set'
    )


def is_file_url(text: str) -> bool:
    """Whether *text* is the path of a file, written as a URL (RFC 8089)."""
    return clean_text(text).lower().startswith("file:/")


def looks_like_path(text: str) -> bool:
    """Whether *text* is the path of a file, which messages may quote, rather than a secret.

    It ends like the name of a key file, or one of its folders exists.
    """
    path = Path(text)
    folders = [folder for folder in path.parents if folder.name]
    return text.isprintable() and (
        path.suffix.lower() in _FILE_SUFFIXES or any(map(os.path.isdir, folders))
    )


def describe_unwritable(place: str) -> str:
    """Return why no backup can be written to *place* now; empty if it can, and for Redis."""
    folder = Path(place).absolute().parent
    if is_redis_url(place):
        return ""
    if not folder.is_dir():
        return f"there is no folder {str(folder)!r}"
    is_writable = os.access(folder, os.W_OK | os.X_OK)
    return "" if is_writable else f"this user cannot write to the folder {str(folder)!r}"


def describe_read_error(error: OSError | ValueError) -> str:
    """Return the system's reason why a file could not be read, without the name of the file."""
    return str(error.strerror) if isinstance(error, OSError) else "not a file name"
