"""Tells HMAC secrets from the text of something public (RFC 8725 section 2.1)."""

import json
import re
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_ssh_public_key

from ..core import decode_base64url
from .material import KeyProblem, entries
from .spki import load_public_key

#: The members of a JWK that nobody else may know.
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
# Base64 of a JWK Set whose x5c is base64 of DER, and one to spare.
_LAYERS = 4
_MIN_WORD = 32
_MIN_NUMBER_BYTES = 16
_DER_LOADERS = (
    load_der_public_key,
    x509.load_der_x509_certificate,
    x509.load_der_x509_csr,
)
_CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1())
_NUMBERS = ("n", "x", "y")
_ARMOUR = re.compile("-{4,5} ?(?:BEGIN|END) [^-]*-{4,5}")
_ARMOUR_HEADER = re.compile(r"^[A-Za-z-]+: .*$", re.MULTILINE)
_NOT_BASE64 = re.compile("[^A-Za-z0-9+/_-]")
_ESCAPED_LINE_END = re.compile(r"\\[rn]")


def is_public(secret: bytes, numbers: Collection[bytes] = ()) -> bool:
    """Whether *secret* is public key material, or an encoding of it.

    :param numbers: see :func:`public_numbers`.
    """
    return any(
        _is_key(content) or _is_jwk(content) or _is_number(content, numbers)
        for content in _contents(secret)
    )


def public_numbers(*values: Any) -> frozenset[bytes]:
    """Return the numbers that the public keys in *values* are made of.

    A number alone does not show that it belongs to a key, so secrets are compared with these.

    :param values: what :func:`parse_keys` takes; what is wrong with it is not told here.
    """
    numbers = (
        number.lstrip(b"\0")
        for value in values
        for item in (value if isinstance(value, list | tuple) else [value])
        for number in _numbers_in(item)
    )
    # No sound key has a shorter one, and a short one might stand in a secret by chance.
    return frozenset(number for number in numbers if len(number) >= _MIN_NUMBER_BYTES)


def _numbers_in(item: Any) -> Iterator[bytes]:
    with suppress(KeyProblem):
        for entry in entries(item):
            with suppress(Exception):
                if isinstance(entry.material, Mapping):
                    yield from _numbers_of_jwk(entry.material)
                else:
                    yield from _numbers_of(load_public_key(entry.material).native)


def _numbers_of_jwk(jwk: Mapping[str, Any]) -> Iterator[bytes]:
    for name in _NUMBERS:
        if isinstance(jwk.get(name), str):
            yield decode_base64url(jwk[name].encode())


def _numbers_of(native: Any) -> Iterator[bytes]:
    """Yield the numbers of a key of the library cryptography."""
    if isinstance(native, RSAPublicKey):
        yield _bytes(native.public_numbers().n)
    elif isinstance(native, ec.EllipticCurvePublicKey):
        point = native.public_numbers()
        yield from (_bytes(point.x), _bytes(point.y))
    else:
        yield native.public_bytes_raw()


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _is_number(content: bytes, numbers: Collection[bytes]) -> bool:
    # The second is a point, compressed (SEC 1 section 2.3.3).
    compressed = content[1:] if content[:1] in (b"\2", b"\3") else b""
    return any(each.lstrip(b"\0") in numbers for each in (content, compressed))


def _is_key(content: bytes) -> bool:
    """Whether *content* is the encoding of a public key, a certificate, or a request for one."""
    return (
        any(_is_der(load, content) for load in _DER_LOADERS)
        or _is_ssh_key(content)
        or _is_point(content)
    )


def _is_der(load: Callable[[bytes], object], content: bytes) -> bool:
    try:
        load(content)
    except UnsupportedAlgorithm:
        # A public key all the same, of an algorithm that the library does not have.
        return True
    except Exception:
        return False
    return True


def _is_ssh_key(content: bytes) -> bool:
    """Whether *content* is a public key of RFC 4253 section 6.6."""
    kind = content[4 : 4 + int.from_bytes(content[:4])]
    with suppress(Exception):
        load_ssh_public_key(kind + b" " + b64encode(content))
        return True
    return False


def _is_point(content: bytes) -> bool:
    """Whether *content* is a point of a curve, with or without the byte that begins one.

    That other bytes are on a curve is as likely as that a signature is guessed.
    """
    for curve in _CURVES:
        for point in (content, b"\4" + content):
            with suppress(ValueError):
                if point[:1] == b"\4":
                    ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
                    return True
    return False


def _is_jwk(content: bytes) -> bool:
    """Whether *content* is JSON with a public JWK somewhere in it."""
    return any(
        isinstance(value, dict)
        and value.get("kty", "oct") != "oct"
        and not PRIVATE_MEMBERS & value.keys()
        for value in _values_in(content)
    )


def _contents(secret: bytes) -> Iterator[bytes]:
    """Yield *secret*, what it encodes, what that encodes, and so on."""
    layer, seen = {secret}, {secret}
    for _ in range(_LAYERS):
        yield from layer
        layer = {inner for content in layer for inner in _decoded(content)} - seen
        seen |= layer
    yield from layer


def _decoded(content: bytes) -> Iterator[bytes]:
    """Yield what *content* is the text of: by base64, hexadecimal or decimal digits, or in JSON."""
    text = _ESCAPED_LINE_END.sub("\n", _text(content))
    pieces = [_ARMOUR_HEADER.sub("", piece) for piece in _ARMOUR.split(text)]
    words = [word for word in text.split() if len(word) >= _MIN_WORD]
    for piece in {"".join(piece.split()) for piece in [*pieces, *words]}:
        for decode in (_base64, _hexadecimal, _decimal):
            with suppress(ValueError, OverflowError):
                yield decode(piece)
    for value in _values_in(content):
        if isinstance(value, str):
            yield value.encode(errors="replace")


def _text(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return content.decode(encoding, "ignore")


def _base64(text: str) -> bytes:
    text = _NOT_BASE64.sub("", text).replace("+", "-").replace("/", "_")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _hexadecimal(text: str) -> bytes:
    digits = text.replace(":", "")
    return bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))


def _decimal(text: str) -> bytes:
    return _bytes(int(text))


def _values_in(content: bytes) -> Iterator[Any]:
    """Yield all values of a JSON text, those in others too; nothing, if it is none."""
    try:
        found = [json.loads(_text(content))]
    except (ValueError, RecursionError):
        return
    while found:
        value = found.pop()
        yield value
        if isinstance(value, dict):
            found += value.values()
        elif isinstance(value, list):
            found += value
