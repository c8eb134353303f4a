"""Checks of a header value (RFC 6750 section 2.1, RFC 9110 section 11.4), and of the compact JWS in
it: form, JOSE header, key, signature, payload (RFC 7515).
"""

from collections.abc import Sequence
from typing import Any

from ..core import DEFAULT_TYPE, Malformed, Reason, Rejected, decode_base64url, load_json_object
from ..keys import MAX_KID, VerificationKey
from .examination import Examination

# No client sends as many spaces and tabs. Stripping a thousand costs more than a verification.
_MAX_BLANKS = 64
_UNSUPPORTED = frozenset({"crit", "b64"})
_UNCOMPRESSED = "NONE"
# Values in a JOSE header, at every depth: more than any real header has.
_MAX_VALUES = 64


def check_header_size(examined: Examination) -> None:
    """Check that the header value has at most twice ``CONNECTOR_AUTH_MAX_TOKEN_BYTES``. A longer
    value is refused before anything searches it for white space or a scheme.
    """
    if len(examined.text) > 2 * examined.rules.max_token_bytes:
        raise Rejected(Reason.TOO_LARGE)


def check_presence(examined: Examination) -> None:
    """Check that the header is present and not blank. Tokens in the query, the body or a cookie are
    never read.
    """
    if _blanks(examined.text) == len(examined.text):
        raise Rejected(Reason.MISSING)


def check_header_form(examined: Examination) -> None:
    """Check that the header holds exactly one token. In ``Authorization``, ``Bearer`` may precede
    it. A comma, another scheme, white space inside the token, or more than 64 spaces and tabs are
    refused.
    """
    examined.text = read_token(examined.text, bearer=examined.profile.allows_bearer_prefix)


def read_token(value: str | None, *, bearer: bool) -> str:
    """Return the token of a header *value*.

    :param value: the raw header, or ``None`` where it is absent.
    :param bearer: whether ``Bearer <token>`` (RFC 6750 section 2.1) is read too.
    :raises Rejected: ``MISSING`` if absent or blank; ``BAD_HEADER`` if it is anything but one token
        with at most 64 spaces and tabs around it. A comma is refused, since credentials are never a
        list (RFC 9110 section 11.4).
    """
    value = value or ""
    blanks = _blanks(value)
    if blanks == len(value):
        raise Rejected(Reason.MISSING)
    if blanks > _MAX_BLANKS:
        raise Rejected(Reason.BAD_HEADER)
    # Only space and tab are white space in a header; str.strip() would also remove NBSP and others.
    text = value.strip(" \t")
    if bearer and text[:6].lower() == "bearer" and text[6:7] in ("", " "):
        text = text[7:].lstrip(" ")
    if not text or "," in text or " " in text or "\t" in text:
        raise Rejected(Reason.BAD_HEADER)
    return text


def _blanks(value: str) -> int:
    return value.count(" ") + value.count("\t")


def check_token_size(examined: Examination) -> None:
    """Check that the token has at most ``CONNECTOR_AUTH_MAX_TOKEN_BYTES``, by default 16 KiB. This
    is checked before anything is copied or split.
    """
    if len(examined.text) > examined.rules.max_token_bytes:
        raise Rejected(Reason.TOO_LARGE)


def check_segments(examined: Examination) -> None:
    """Check that the token has three segments (:rfc:`7515#section-7.1`), in ASCII."""
    text = examined.text
    if text.count(".") != 2 or not text.isascii():
        raise Rejected(Reason.NOT_COMPACT)


def check_header_segment_size(examined: Examination) -> None:
    """Check that the first segment, the JOSE header, has at most
    ``CONNECTOR_AUTH_MAX_HEADER_BYTES``, by default 2 KiB.
    """
    if examined.text.index(".") > examined.rules.max_header_bytes:
        raise Rejected(Reason.TOO_LARGE)


def check_encoding(examined: Examination) -> None:
    """Check that each segment is canonical base64url (:rfc:`7515#section-2`)."""
    signing_input, _, signature = examined.text.encode("ascii").rpartition(b".")
    header, _, payload = signing_input.partition(b".")
    examined.signing_input, examined.header = signing_input, header
    try:
        if header not in examined.accepted_headers:
            examined.json_header = decode_base64url(header)
        examined.json_payload = decode_base64url(payload)
        examined.signature = decode_base64url(signature)
    except Malformed:
        raise Rejected(Reason.NOT_COMPACT) from None


def check_header_json(examined: Examination) -> None:
    """Check that the JOSE header is one JSON object in strict UTF-8. It has no duplicate members,
    no NaN and no Infinity. It has at most 64 values (each opening bracket and each comma counts),
    and at most 32 levels.
    """
    check_values(examined.json_header, _MAX_VALUES)
    examined.parameters = _json_object(examined.json_header)


def check_values(text: bytes, limit: int) -> None:
    """Check that JSON, which no signature covers yet, costs less to read than to verify."""
    if sum(map(text.count, (b"{", b"[", b","))) > limit:
        raise Rejected(Reason.BAD_JSON)


def check_extensions(examined: Examination) -> None:
    """Check that the JOSE header has no ``crit`` or ``b64``: no extension is supported
    (:rfc:`7515#section-4.1.11`). A ``zip`` other than ``NONE`` is refused too: nothing is ever
    decompressed. Other unknown parameters are ignored (:rfc:`7515#section-4`). Keys in the token
    are ignored too.
    """
    parameters = examined.parameters
    compression = parameters.get("zip", _UNCOMPRESSED)
    if compression != _UNCOMPRESSED or not _UNSUPPORTED.isdisjoint(parameters):
        raise Rejected(Reason.CRITICAL)


def check_algorithm(examined: Examination) -> None:
    """Check that the settings allow ``alg``. ``none`` is never allowed."""
    algorithm = examined.parameters.get("alg")
    # As a set: in a string, ``in`` would find a part of a name.
    if type(algorithm) is not str or algorithm not in frozenset(examined.rules.algorithms):
        raise Rejected(Reason.BAD_ALGORITHM)
    examined.algorithm = algorithm


def check_type_and_kid(examined: Examination) -> None:
    """Check that the settings allow ``typ``, by default ``JWT``. Upper and lower case are the same,
    a leading ``application/`` is ignored, and an absent ``typ`` counts as ``JWT``
    (:rfc:`7515#section-4.1.9`). ``kid`` is absent, or a string of at most 256 characters. An empty
    ``kid`` counts as absent.
    """
    parameters = examined.parameters
    kid = parameters.get("kid", "")
    types = examined.profile.types
    typ = parameters.get("typ", DEFAULT_TYPE)
    # Media types have no case (RFC 2045 section 5.1).
    if type(typ) is not str or typ.lower().removeprefix("application/") not in types:
        # The token is not verified, so the details do not quote it.
        accepted = " or ".join(sorted(types))
        raise Rejected(Reason.BAD_PARAMETER, {"parameter": "typ", "accepted": accepted})
    if type(kid) is not str or len(kid) > MAX_KID:
        raise Rejected(Reason.BAD_PARAMETER, {"parameter": "kid"})
    examined.kid = kid or None


def check_key(examined: Examination) -> None:
    """Check that a configured key has this ``kid`` and this algorithm. If the keys are not
    available at the moment, the answer is 503.
    """
    # The short cut has asked before: a source may wait for a fetch, and counts what it is asked.
    if not examined.is_refuted:
        examined.candidates = examined.source.candidates(examined.kid, examined.algorithm)
    if not examined.candidates:
        raise Rejected(Reason.UNKNOWN_KEY)


def check_signature(examined: Examination) -> None:
    """Check that the signature of the first two segments verifies with that key. If it does not,
    the issuer may have published another key under the same ``kid``. While that cannot be known,
    the answer is 503.
    """
    candidates = examined.candidates
    key = None if examined.is_refuted else _verifying_key(examined, candidates)
    key = key or _verifying_key(
        examined,
        examined.source.candidates_after_failure(examined.kid, examined.algorithm, candidates),
    )
    if key is None:
        raise Rejected(Reason.BAD_SIGNATURE)
    examined.key = key


def _verifying_key(
    examined: Examination, keys: Sequence[VerificationKey]
) -> VerificationKey | None:
    for key in keys:
        if key.verifies(examined.algorithm, examined.signing_input, examined.signature):
            return key
    return None


def check_payload_json(examined: Examination) -> None:
    """Check that the payload is JSON, by the same rules as the JOSE header. Only the number of
    values is not limited.
    """
    read_payload(examined)


def read_payload(examined: Examination) -> dict[str, Any]:
    """Return the claims, which may not be verified yet; read once.

    :raises Rejected: if the payload is not a JSON object.
    """
    if not examined.claims:
        examined.claims = _json_object(examined.json_payload)
    return examined.claims


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        return load_json_object(text)
    except Malformed:
        raise Rejected(Reason.BAD_JSON) from None
