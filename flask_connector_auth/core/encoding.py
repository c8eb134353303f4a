"""Strict base64url and JSON: input that two parsers could read differently is refused."""

import json
from binascii import Error as Base64Error, a2b_base64
from math import isfinite
from typing import Any

#: Only integers between this and its negative are the same to all parsers (RFC 8259 section 6).
MAX_INTEGER: int = 2**53
# From base64url to base64. The strict decoder would also accept padding, and the two characters in
# which the standard alphabet differs: so each of these becomes one that it refuses.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/...")
# By length modulo 4: the last characters whose 4 or 2 spare bits are 0. If these bits could vary,
# one signature would have several spellings, and a digest of the text would not identify the token.
_CANONICAL_LAST = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}
_MAX_DEPTH = 32
_DOTS = 2  # in a compact JWS
_WHITESPACE = " \t\n\r"  # RFC 8259 section 2


class Malformed(ValueError):
    """The input is not strictly well-formed. The text of the error never quotes it."""


def decode_base64url(segment: bytes) -> bytes:
    """Return what *segment* encodes (RFC 7515 section 2: base64url without padding).

    :raises Malformed: for padding, white space, a foreign character, an impossible length, or
        spare bits that are not zero.
    """
    rest = len(segment) % 4
    if rest == 1:
        raise Malformed("not base64url")
    if rest and segment[-1] not in _CANONICAL_LAST[rest]:
        raise Malformed("not canonical base64url")
    try:
        return a2b_base64(segment.translate(_TO_STANDARD) + b"=="[: -rest % 4], strict_mode=True)
    except Base64Error:
        raise Malformed("not base64url") from None


def has_token_form(text: str) -> bool:
    """Whether *text* is a compact JWS (RFC 7515 section 7.1), maybe behind ``Bearer`` or in quotes.

    A name such as ``com.example.app`` is none: the first segment of a token encodes a JSON object.
    """
    word = text.strip("\"' \t\r\n").rpartition(" ")[2]
    if word.count(".") != _DOTS:
        return False
    try:
        return bool(load_json_object(decode_base64url(word.partition(".")[0].encode())))
    except ValueError:
        return False


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("duplicate member")
    return members


def _parse_finite(number: str) -> float:
    value = float(number)
    if not isfinite(value):
        raise Malformed("NaN, Infinity, or a number beyond the range of a double")
    return value


def _check_depth(value: Any) -> None:
    # Later code recurses into the value, and must not run out of stack. This loop does not recurse.
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
        if not level:
            return
    raise Malformed("nested too deeply")


_NUMBERS: dict[str, Any] = {"parse_float": _parse_finite, "parse_constant": _parse_finite}
_plain_decoder = json.JSONDecoder(**_NUMBERS)
_strict_decoder = json.JSONDecoder(object_pairs_hook=_object_without_duplicates, **_NUMBERS)


def load_json_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object in *text*.

    :raises Malformed: unless *text* is strict UTF-8 (RFC 8725 section 3.7) and one JSON object
        (RFC 8259) without duplicate members, NaN, Infinity (``1e400`` included), unpaired
        surrogates, integers beyond the interpreter's limit of digits, or more than 32 levels of
        nesting.
    """
    try:
        document = text.decode().strip(_WHITESPACE)
        value, end = None, 0
        is_plain = "[" not in document and "\\" not in document
        if is_plain:
            # Fast path, for claims as they usually are. A colon follows each name, and others may
            # stand in strings: if there is a member for each colon, no name stands there twice, and
            # no member is an object.
            value, end = _plain_decoder.raw_decode(document)
            is_plain = type(value) is dict and len(value) == document.count(":")
        if not is_plain:
            value, end = _strict_decoder.raw_decode(document)
            if type(value) is dict and text.count(b"{") + text.count(b"[") > _MAX_DEPTH:
                _check_depth(value)
            if b"\\u" in text:
                # Only an escape can produce half a surrogate pair, which UTF-8 cannot encode later.
                json.dumps(value, ensure_ascii=False).encode()
        if end != len(document):
            raise Malformed("more than one value")
    except (ValueError, RecursionError):
        # The cause holds the whole input, which would then be in every crash report.
        raise Malformed("not strict JSON") from None
    if type(value) is not dict:
        raise Malformed("not a JSON object")
    return value
