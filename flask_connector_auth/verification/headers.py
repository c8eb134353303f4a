"""A header value in; the token text out, or a reason."""

from ..core import Reason, Rejected

# More spaces and tabs than any client sends; to take a thousand away costs more than to verify.
_MAX_BLANKS = 64


def read_token(value: str | None, *, bearer: bool) -> str:
    """Return the token of a header *value*.

    :param value: the raw header, or ``None`` where it is absent.
    :param bearer: whether ``Bearer <token>`` (RFC 6750 section 2.1) is read beside the bare token.
    :raises Rejected: ``MISSING`` if absent or blank; ``BAD_HEADER`` if it is anything but one token
        (RFC 9110 section 11.4; a credential is never a list, so a comma is refused), with 64 spaces
        and tabs around it at most.
    """
    value = value or ""
    blanks = value.count(" ") + value.count("\t")
    if blanks == len(value):
        raise Rejected(Reason.MISSING)
    if blanks > _MAX_BLANKS:
        raise Rejected(Reason.BAD_HEADER)
    # Only space and tab are whitespace in a header; str.strip() would also eat NBSP and others.
    text = value.strip(" \t")
    if bearer and text[:6].lower() == "bearer" and text[6:7] in ("", " "):
        text = text[7:].lstrip(" ")
    if not text or "," in text or " " in text or "\t" in text:
        raise Rejected(Reason.BAD_HEADER)
    return text
