"""Reading a token from a header value (RFC 6750 section 2.1, RFC 9110 section 11.4)."""

from ..core import Reason, Rejected
from .examination import Examination

# More spaces and tabs than any client sends; stripping a thousand costs more than a verification.
_MAX_BLANKS = 64


def check_header_size(examined: Examination) -> None:
    """Check that the header value is at most twice ``CONNECTOR_AUTH_MAX_TOKEN_BYTES`` long. A
    longer one is not searched, neither for white space nor for a scheme.
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
    """Check that the header holds one token: ``Authorization`` bare or behind ``Bearer``, the
    consumer header bare. A comma, another scheme, inner white space, or more than 64 spaces and
    tabs is refused.
    """
    examined.text = read_token(examined.text, bearer=examined.profile.allows_bearer_prefix)


def read_token(value: str | None, *, bearer: bool) -> str:
    """Return the token of a header *value*.

    :param value: the raw header, or ``None`` where it is absent.
    :param bearer: whether ``Bearer <token>`` (RFC 6750 section 2.1) is read too.
    :raises Rejected: ``MISSING`` if absent or blank; ``BAD_HEADER`` if it is anything but one token
        (RFC 9110 section 11.4; a credential is never a list, so a comma is refused), with at most
        64 spaces and tabs around it.
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
