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
    """Check that the header value is at most twice ``CONNECTOR_AUTH_MAX_TOKEN_BYTES`` long. A
    longer value is refused before it is searched for white space or a scheme.
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
    """Check that the header holds one token and nothing else. In ``Authorization``, ``Bearer`` may
    stand before the token. A comma, another scheme, white space within the token, or more than 64
    spaces and tabs is refused.
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
    """Check that the token is at most ``CONNECTOR_AUTH_MAX_TOKEN_BYTES`` long, 16 KiB by default.
    This check runs before anything is copied or split.
    """
    if len(examined.text) > examined.rules.max_token_bytes:
        raise Rejected(Reason.TOO_LARGE)


def check_segments(examined: Examination) -> None:
    """Check that the token has three segments (:rfc:`7515#section-7.1`), all in ASCII."""
    text = examined.text
    if text.count(".") != 2 or not text.isascii():
        raise Rejected(Reason.NOT_COMPACT)


def check_header_segment_size(examined: Examination) -> None:
    """Check that the first segment, the JOSE header, is at most ``CONNECTOR_AUTH_MAX_HEADER_BYTES``
    long, 2 KiB by default.
    """
    if examined.text.index(".") > examined.rules.max_header_bytes:
        raise Rejected(Reason.TOO_LARGE)


def check_encoding(examined: Examination) -> None:
    """Check that each segment is base64url in its canonical form, without padding
    (:rfc:`7515#section-2`).
    """
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
    """Check that the JOSE header is one JSON object in strict UTF-8. Duplicate members, NaN and
    Infinity are refused. So are more than 64 values, and more than 32 levels of nesting. Each
    opening bracket and each comma counts as a value.
    """
    check_values(examined.json_header, _MAX_VALUES)
    examined.parameters = _json_object(examined.json_header)


def check_values(text: bytes, limit: int) -> None:
    """Check that JSON, which no signature covers yet, costs less to read than to verify."""
    if sum(map(text.count, (b"{", b"[", b","))) > limit:
        raise Rejected(Reason.BAD_JSON)


def check_extensions(examined: Examination) -> None:
    """Check that the JOSE header has neither ``crit`` nor ``b64``, because no extension is
    supported (:rfc:`7515#section-4.1.11`). A ``zip`` other than ``NONE`` is refused too, because
    nothing is ever decompressed. Other unknown parameters are ignored (:rfc:`7515#section-4`), and
    so is every key in the token.
    """
    parameters = examined.parameters
    compression = parameters.get("zip", _UNCOMPRESSED)
    if compression != _UNCOMPRESSED or not _UNSUPPORTED.isdisjoint(parameters):
        raise Rejected(Reason.CRITICAL)


def check_algorithm(examined: Examination) -> None:
    """Check that ``alg`` is on the allow-list of the settings. ``none`` is never on it."""
    algorithm = examined.parameters.get("alg")
    # As a set: in a string, ``in`` would find a part of a name.
    if type(algorithm) is not str or algorithm not in frozenset(examined.rules.algorithms):
        raise Rejected(Reason.BAD_ALGORITHM)
    examined.algorithm = algorithm


def check_type_and_kid(examined: Examination) -> None:
    """Check that ``typ`` is an allowed type: ``JWT``, unless the settings name others
    (:rfc:`7515#section-4.1.9`). An absent ``typ`` counts as ``JWT``. Case does not matter, and
    ``application/`` may stand before the type. ``kid`` must be absent or a string of at most 256
    characters. An empty ``kid`` counts as absent.
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
    """Check that a configured key fits the ``kid`` and the algorithm. Where keys are fetched, the
    answer is 503 in two cases. Either there is no key set that may be used. Or no set has the
    ``kid``, and the fetch that looks for it has failed or is not finished.
    """
    # The short cut has asked before: a source may wait for a fetch, and counts what it is asked.
    if not examined.is_refuted:
        examined.candidates = examined.source.candidates(examined.kid, examined.algorithm)
    if not examined.candidates:
        raise Rejected(Reason.UNKNOWN_KEY)


def check_signature(examined: Examination) -> None:
    """Check that the signature of the first two segments was made with that key. If it was not,
    another key with the same ``kid`` is looked for. With one key set, the answer to a bad signature
    is 401, also while the server of the set is down. With several key sources, it is 503 while
    another source cannot be reached and has no usable key with that ``kid``.
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
    """Check that the payload is one JSON object, by the same rules as the JOSE header, but with any
    number of values.
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
