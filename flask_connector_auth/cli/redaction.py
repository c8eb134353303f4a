"""Removal of signatures from values that are printed, so that no token in them can be used."""

import re
from base64 import urlsafe_b64decode
from typing import Any

_CUT = "***"
# A compact JWS or JWE (RFC 7515 section 7.1), or what less strict libraries accept as one: with
# padding, or in the other alphabet of RFC 4648.
# It is searched for at the start of a word only: a long word without dots takes linear time.
_SEGMENTED = re.compile(r"(?<![\w+/=-])[\w+/=-]+(?:\.[\w+/=-]*){2,}", re.ASCII)
# How the JSON of a JOSE header starts, in UTF-8, UTF-16 or UTF-32.
_OBJECT = re.compile(rb'\{[ \t\r\n\0]*["}]')
_TO_URL_SAFE = str.maketrans("+/", "-_", "=")


def redact_signatures(value: Any) -> Any:
    """Return *value*, a JSON value, with the signatures cut off the tokens in its strings.

    A token is recognised by its first segment, which encodes a JSON object (RFC 7515 section 4),
    with or without white space around the brace. It may begin within a word.
    """
    match value:
        case str():
            return _SEGMENTED.sub(_redact_match, value)
        case list():
            return [redact_signatures(inner) for inner in value]
        case dict():
            redacted = {redact_signatures(name): redact_signatures(value[name]) for name in value}
            # The JSON serialization (RFC 7515 section 7.2), which can be turned into a compact JWS.
            return redacted | {"signature": _CUT} if _is_json_jws(redacted) else redacted
        case _:
            return value


def _is_json_jws(value: dict[str, Any]) -> bool:
    return "signature" in value and ("protected" in value or "header" in value)


def _redact_match(match: re.Match[str]) -> str:
    segments = match[0].split(".")
    for position, segment in enumerate(segments[:-2]):
        if _encodes_object(segment) and any(segments[position + 2 :]):
            return ".".join([*segments[: position + 2], _CUT])
    return match[0]


def _encodes_object(segment: str) -> bool:
    """Whether a JSON object begins in *segment*, at whatever character its encoding starts."""
    encoded = segment.translate(_TO_URL_SAFE)
    # Four characters encode three bytes: every start is one of these, or a multiple of four later.
    return any(_OBJECT.search(_decode(encoded[start:])) for start in range(4))


def _decode(encoded: str) -> bytes:
    return urlsafe_b64decode(encoded + "A" * (-len(encoded) % 4))
