"""Detection of what is no HMAC secret: public key material, a URL, or the path of a file."""

import json
import os
import re
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_ssh_public_key

from .der import KeyProblem
from .urls import clean_text, is_url

#: The private members of a JWK (RFC 7518 sections 6.2.2 and 6.3.2).
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
# Encodings inside each other: base64 of a JWK Set, whose x5c is base64 of DER, and one more.
_MAX_LAYERS = 4
_DER_LOADERS = (load_der_public_key, x509.load_der_x509_certificate, x509.load_der_x509_csr)
_CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1())
_PEM_LINE = re.compile("-{4,5} ?(?:BEGIN|END) [^-]*-{4,5}")
# The first line of a PEM, whatever stands for its spaces.
_PUBLIC_LABEL = re.compile("BEGIN.{1,20}(?:PUBLIC.KEY|CERTIFICATE)", re.DOTALL)
_PEM_HEADER = re.compile(r"^[A-Za-z-]+: .*$", re.MULTILINE)
_NOT_BASE64 = re.compile("[^A-Za-z0-9+/_-]")
_LONG_WORD = re.compile("[A-Za-z0-9+/_-]{32,}")
# At least 32 digits, as one number, as bytes with separators, as ``0x30, 0x82`` or ``\x30\x82``.
_HEXADECIMAL = re.compile(
    r"(?<![0-9A-Z])(?:0x|\\x)?[0-9A-F](?:(?:[\s:,-]|0x|\\x)*[0-9A-F]){31,}(?![0-9A-Z])",
    re.IGNORECASE,
)
_NOT_HEXADECIMAL = re.compile("0x|[^0-9A-F]", re.IGNORECASE)
_ESCAPED_LINE_END = re.compile(r"\\[rn]")
_FILE_SUFFIXES = (".pem", ".der", ".crt", ".cer", ".pub", ".key", ".jwk", ".jwks", ".json", ".txt")
_STANDARD_BASE64 = re.compile(r"[A-Za-z0-9+/]{32,}={0,2}")
# A secret that is made at random from all signs has others too.
_WRITTEN_PATH = re.compile(r"(?:[A-Za-z]:|~\w*|\.{0,2})[/\\][\w./\\ ~-]*", re.ASCII)


def is_public_key_material(secret: bytes, numbers: Collection[bytes] = ()) -> bool:
    """Whether *secret* is public key material (RFC 8725 section 2.1), or an encoding of it.

    :param numbers: see :func:`public_numbers`.
    """
    return any(
        any(_can_load(load, content) for load in _DER_LOADERS)
        or _is_ssh_key(content)
        or _is_point(content)
        or _has_public_jwk(content)
        or _is_listed_number(content, numbers)
        # Damaged or not: who knows the key can make the same text.
        or _PUBLIC_LABEL.search(_decode_text(content)) is not None
        for content in _decoded_layers(secret)
    )


def _is_listed_number(content: bytes, numbers: Collection[bytes]) -> bool:
    # A compressed point is one byte for the sign of y, then x (SEC 1 section 2.3.3).
    compressed_x = content[1:] if content[:1] in (b"\2", b"\3") else b""
    return any(number.lstrip(b"\0") in numbers for number in (content, compressed_x))


def _can_load(load: Callable[[bytes], object], content: bytes) -> bool:
    try:
        load(content)
    except UnsupportedAlgorithm:
        # A public key of an algorithm that the library does not support.
        return True
    except Exception:
        return False
    return True


def _is_ssh_key(content: bytes) -> bool:
    """Whether *content* is an SSH public key (RFC 4253 section 6.6)."""
    kind = content[4 : 4 + int.from_bytes(content[:4])]
    with suppress(Exception):
        load_ssh_public_key(kind + b" " + b64encode(content))
        return True
    return False


def _is_point(content: bytes) -> bool:
    """Whether *content* is an uncompressed point of a curve, with or without its first byte."""
    # The chance that a random secret is one is less than 1 in 2**250.
    for curve in _CURVES:
        for point in (content, b"\4" + content):
            with suppress(ValueError):
                if point[:1] == b"\4":
                    ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
                    return True
    return False


def _has_public_jwk(content: bytes) -> bool:
    """Whether *content* is JSON with a public JWK at any depth."""
    return any(
        isinstance(value, dict)
        and value.get("kty", "oct") != "oct"
        and not any(map(value.get, PRIVATE_MEMBERS))
        for value in _json_values(content)
    )


def _decoded_layers(secret: bytes) -> Iterator[bytes]:
    """Yield *secret*, what it encodes, what that encodes, and so on."""
    layer, seen = {secret}, {secret}
    for _ in range(_MAX_LAYERS):
        yield from layer
        layer = {inner for content in layer for inner in _decode_once(content)} - seen
        seen |= layer
    yield from layer


def _decode_once(content: bytes) -> Iterator[bytes]:
    """Yield what *content* encodes: base64, digits, percent-encoding, references of HTML, JSON."""
    text = _ESCAPED_LINE_END.sub("\n", _decode_text(content))
    pieces = [_PEM_HEADER.sub("", piece) for piece in _PEM_LINE.split(text)]
    for piece in {"".join(piece.split()) for piece in [*pieces, *_LONG_WORD.findall(text)]}:
        with suppress(ValueError):
            yield _decode_base64(piece)
        with suppress(ValueError, OverflowError):
            number = int(piece)
            yield number.to_bytes((number.bit_length() + 7) // 8)
    for match in _HEXADECIMAL.findall(text):
        digits = _NOT_HEXADECIMAL.sub("", match)
        yield bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    yield unescape(unquote(text)).encode(errors="replace")
    for value in _json_values(content):
        if isinstance(value, str):
            yield value.encode(errors="replace")


def _decode_text(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return content.decode(encoding, "ignore")


def _decode_base64(text: str) -> bytes:
    text = _NOT_BASE64.sub("", text).replace("+", "-").replace("/", "_")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _json_values(content: bytes) -> Iterator[Any]:
    """Yield all values in *content*, nested ones too; nothing if it is no JSON."""
    try:
        values = [json.loads(_decode_text(content))]
    except (ValueError, RecursionError):
        return
    while values:
        value = values.pop()
        yield value
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list):
            values += value


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


def looks_like_path(text: str) -> bool:
    """Whether *text* is the path of a file, which messages may quote, rather than a secret.

    It ends like the name of a key file, or one of its folders exists.
    """
    path = Path(text)
    folders = [folder for folder in path.parents if folder.name]
    return text.isprintable() and (
        path.suffix.lower() in _FILE_SUFFIXES or any(map(os.path.isdir, folders))
    )
