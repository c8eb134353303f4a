"""Base64url and JSON in; bytes and objects out, with nothing tolerated that two parsers could read
differently."""

import json
from binascii import a2b_base64
from typing import Any

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# The last character of a segment holds 2 or 4 spare bits. Were they free to vary, one signature
# would have several spellings, and a digest of the text would not name the token.
_LAST = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}


class Malformed(ValueError):
    """The input is not strictly well-formed. Its text never holds the input."""


def decode_base64url(segment: bytes) -> bytes:
    """Return what *segment* encodes (RFC 7515 section 2: base64url without padding).

    :raises Malformed: for padding, white space, a foreign character, an impossible length, or
        spare bits that are not zero.
    """
    rest = len(segment) % 4
    # bytes.translate with a deletion table is the fastest alphabet test there is in pure Python.
    if rest == 1 or segment.translate(None, _ALPHABET):
        raise Malformed("not base64url")
    if rest and segment[-1] not in _LAST[rest]:
        raise Malformed("not canonical base64url")
    return a2b_base64(segment.translate(_TO_STANDARD) + b"=="[: -rest % 4])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("duplicate member")
    return members


def _refuse_constant(_name: str) -> Any:
    raise Malformed("NaN and Infinity are not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def load_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object in *text*.

    :raises Malformed: unless *text* is strict UTF-8 (RFC 8725 section 3.7) and one JSON object
        (RFC 8259) without duplicate members, NaN, Infinity, unpaired surrogates, integers beyond
        the interpreter's limit of digits, or nesting beyond its stack.
    """
    try:
        value = _decoder.decode(text.decode())
        if b"\\u" in text:
            # Only an escape can smuggle in half a surrogate pair, which no later encoder takes.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        # The cause would carry the whole input into a crash report.
        raise Malformed("not strict JSON") from None
    if type(value) is not dict:
        raise Malformed("not a JSON object")
    return value
