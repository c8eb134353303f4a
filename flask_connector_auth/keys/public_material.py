"""Detection of HMAC secrets that are public key material (RFC 8725 section 2.1)."""

import json
import re
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from html import unescape
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_ssh_public_key

from ..core import decode_base64url
from .der import KeyProblem, load_public_key
from .material import split_keys

#: The private members of a JWK (RFC 7518 sections 6.2.2 and 6.3.2).
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
# Encodings inside each other: base64 of a JWK Set, whose x5c is base64 of DER, and one more.
_MAX_LAYERS = 4
_MIN_NUMBER_BYTES = 16
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


def is_public_key_material(secret: bytes, numbers: Collection[bytes] = ()) -> bool:
    """Whether *secret* is public key material, or an encoding of it.

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


def public_numbers(*values: Any) -> frozenset[bytes]:
    """Return the numbers of the public keys in *values*, to compare secrets with.

    A number alone looks like any random secret.

    :param values: what :func:`parse_keys` takes. Invalid items are skipped: :func:`parse_keys`
        reports them.
    """
    numbers = (
        number.lstrip(b"\0")
        for value in values
        for item in (value if isinstance(value, list | tuple) else [value])
        for number in _numbers_of_item(item)
    )
    # No sound key has a shorter number, and a secret may equal a short one by chance.
    return frozenset(number for number in numbers if len(number) >= _MIN_NUMBER_BYTES)


def _numbers_of_item(item: Any) -> Iterator[bytes]:
    with suppress(KeyProblem):
        for material in split_keys(item).materials:
            with suppress(Exception):
                is_jwk = not isinstance(material, bytes)
                jwk = material if is_jwk else load_public_key(material)[0].as_dict(private=False)
                for value in map(jwk.get, ("n", "x", "y")):
                    if isinstance(value, str):
                        yield decode_base64url(value.encode())


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
