"""Reading key material: PEM, DER, certificates, JWK, JWK Set and files, split into single keys.

Whatever a key is given as, it becomes a JWK or the DER of a SubjectPublicKeyInfo here. So no other
code has to know the ways in which keys are passed on.
"""

import os
import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..core import Malformed, load_json_object
from .der import DER_START, KeyProblem, load_certificate, private_problem
from .urls import clean_text, is_file_url, is_url
from .weak_secrets import check_secret_text, looks_like_path

_PEM_BLOCK = re.compile("-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \\1-----", re.DOTALL)
_PUBLIC_LABELS = ("PUBLIC KEY", "RSA PUBLIC KEY")
_CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")
# Environment variables and .env files often hold a PEM whose line ends are written as \n.
_ESCAPED_LINE_END = re.compile(r"(?:\\r)?\\n")
# A public key is longer than a file name that happens to be base64.
_MIN_KEY_BYTES = 40
_LIST_OF_FILES = re.compile(r"\[|[^,]*\.\w+\s*,")
# A host with a path or a port, with what is left of ``https://`` before it.
_HOST = re.compile(
    r"(?:https?:?)?/*(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+|localhost)(?::\d+)?/|[a-z0-9.-]+:\d+$", re.I
)


class Entries(NamedTuple):
    """The material of single keys, not parsed yet."""

    materials: Sequence[Any]  #: each a JWK, or the DER of a SubjectPublicKeyInfo
    warnings: Sequence[str] = ()  #: what is wrong with them, though they are accepted
    is_set: bool = False  #: whether they are the entries of a JWK Set, which may be anything


def without_nulls(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Return *jwk* without the members that are null: serialisers write absent ones so."""
    return {name: value for name, value in jwk.items() if value is not None}


def split_keys(value: Any) -> Entries:
    """Return the single keys in *value*: anything that :func:`parse_keys` takes but a list.

    :raises KeyProblem: if *value* is none of those, or its file cannot be read.
    """
    if isinstance(value, Mapping):
        return _entries_of_object(value)
    if isinstance(value, os.PathLike):
        return _entries_of_file(Path(value), is_path=True)
    if not isinstance(value, str):
        raise KeyProblem(f"a key cannot be given as {type(value).__name__}")
    text = clean_text(value)
    if not text:
        raise KeyProblem("an empty value; give a key, the path of its file, or a URL")
    entries = _entries_of_text(text)
    # Text that cannot be a key is used as a path, but quoted only if it looks like one: it may be a
    # secret.
    return _entries_of_file(Path(text), is_path=False) if entries is None else entries


def _entries_of_object(value: Mapping[str, Any]) -> Entries:
    if "secret" in value:
        return Entries([_jwk_of_secret(value)])
    if "keys" not in value:
        if problem := describe_other_document(value):
            raise KeyProblem(problem)
        if value.get("kty") is None:
            raise KeyProblem(
                "it has no kty (RFC 7517 section 4.1); an object is a JWK, a JWK Set or "
                '{"secret": "..."}'
            )
        return Entries([value])
    if not isinstance(value["keys"], list | tuple):
        raise KeyProblem("the member keys of a JWK Set is a list (RFC 7517 section 5.1)")
    return Entries(value["keys"], is_set=True)


def _jwk_of_secret(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JWK of an HMAC secret that is given as text, perhaps with ``kid`` and ``alg``.

    Its bytes are the UTF-8 of the text, as in other packages. The form is of the configuration
    alone: a set from a URL has JWKs.
    """
    members = dict(value)
    text = members.pop("secret")
    if not isinstance(text, str):
        raise KeyProblem("a secret is text")
    if members.keys() - {"kid", "alg"}:
        raise KeyProblem("beside secret there are only kid and alg")
    check_secret_text(text)
    try:
        encoded = urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    except UnicodeEncodeError:
        raise KeyProblem("a secret that is no Unicode text") from None
    return {**members, "kty": "oct", "k": encoded}


def describe_other_document(value: Mapping[str, Any]) -> str:
    """Return what *value* is, and what to do, if it is a known document other than a JWK.

    Otherwise the text is empty.
    """
    if "jwks_uri" in value:
        return "an OpenID discovery document, which has no keys; use its jwks_uri"
    texts = list(value.values())
    if texts and all(isinstance(text, str) and "BEGIN CERTIFICATE" in text for text in texts):
        return (
            "a map of certificates, which is no JWK Set; use the URL of the issuer's JWK Set, or "
            "configure each certificate as an item of a list"
        )
    return ""


def _entries_of_text(text: str) -> Entries | None:
    """Return the keys in *text*, or ``None`` if it may be the path of a file."""
    entries = _entries_of_json_or_pem(text)
    if entries is not None:
        return entries
    if is_file_url(text):
        raise KeyProblem("a URL of a file; give the path of the file alone")
    if is_url(text):
        raise KeyProblem("a URL, where only a key or the path of a file is accepted")
    if text.startswith(("ssh-", "ecdsa-sha2-")):
        raise KeyProblem("a key of OpenSSH; convert it: ssh-keygen -e -m PKCS8 -f FILE")
    try:
        content = a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        return None
    return (
        _entries_of_content(content, _entries_of_json_or_pem)
        if len(content) > _MIN_KEY_BYTES
        else None
    )


def _entries_of_content(
    content: bytes, entries_of_text: Callable[[str], Entries | None]
) -> Entries | None:
    """Return the keys in DER or in UTF-8; ``None`` if *content* is neither, or has none."""
    if content[:1] == DER_START:
        return _entries_of_ders([content])
    with suppress(UnicodeDecodeError):
        return entries_of_text(clean_text(content.decode()))
    return None


def _entries_of_json_or_pem(text: str) -> Entries | None:
    if text.startswith("{"):
        try:
            return _entries_of_object(load_json_object(text.encode()))
        except (Malformed, UnicodeEncodeError):
            raise KeyProblem("a JWK or JWK Set that is not strict JSON") from None
    if "-----BEGIN" not in text:
        return None
    blocks = _PEM_BLOCK.findall(_ESCAPED_LINE_END.sub("\n", text))
    if not blocks:
        raise KeyProblem("an incomplete PEM block")
    if sum(label in _CERTIFICATE_LABELS for label, _ in blocks) > 1:
        # The keys of the authorities in a chain must not verify tokens.
        raise KeyProblem(
            "several certificates, perhaps a chain; give only that of the signing key, or several "
            "of signing keys as a list"
        )
    return _entries_of_ders([_der_of_pem(label, content) for label, content in blocks])


def _der_of_pem(label: str, content: str) -> bytes:
    if label.endswith("PRIVATE KEY"):
        command = "ssh-keygen -e -m PKCS8 -f" if "OPENSSH" in label else "openssl pkey -pubout -in"
        raise private_problem(command)
    if label not in (*_PUBLIC_LABELS, *_CERTIFICATE_LABELS):
        raise KeyProblem(f"a PEM block {label}, where PUBLIC KEY or CERTIFICATE belongs")
    try:
        return a2b_base64("".join(content.split()), strict_mode=True)
    except ValueError:
        raise KeyProblem("not a public key in PEM or DER") from None


def _entries_of_ders(ders: Sequence[bytes]) -> Entries:
    """Return the keys in *ders*, each a SubjectPublicKeyInfo or a certificate."""
    certificates = [load_certificate(der) or (der, None) for der in ders]
    warnings = [
        f"its certificate expired on {expiry:%Y-%m-%d}; its key is used nevertheless"
        for _, expiry in certificates
        if expiry and expiry < datetime.now(UTC)
    ]
    return Entries([key for key, _ in certificates], warnings)


def _entries_of_file(path: Path, is_path: bool) -> Entries:
    """Return the keys in a file.

    :param is_path: whether *path* is meant as one; otherwise it may be a secret.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise KeyProblem(_missing_file(path, is_path, describe_read_error(error))) from None
    if content[:2] in (BOM_UTF16_LE, BOM_UTF16_BE):
        raise KeyProblem("a file in UTF-16; save it as UTF-8")
    entries = _entries_of_content(content, _entries_of_text)
    if entries is None:
        raise KeyProblem("a file that holds no PEM, DER, JWK or JWK Set")
    return entries


def _missing_file(path: Path, is_path: bool, reason: str) -> str:
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


def describe_read_error(error: OSError | ValueError) -> str:
    """Return the system's reason why a file could not be read, without the name of the file."""
    return str(error.strerror) if isinstance(error, OSError) else "not a file name"
