"""A header value in; the token text out, or a reason."""

from .reasons import Reason, Rejected


def read_token(value: str | None, *, bearer: bool) -> str:
    """Return the token of a header *value*.

    :param value: the raw header, or ``None`` where it is absent.
    :param bearer: whether ``Bearer <token>`` (RFC 6750 section 2.1) is read beside the bare token.
    :raises Rejected: ``MISSING`` if absent or blank; ``BAD_HEADER`` if it is anything but one token
        (RFC 9110 section 11.4; a credential is never a list, so a comma is refused).
    """
    # Only space and tab are whitespace in a header; str.strip() would also eat NBSP and others.
    text = value.strip(" \t") if value else ""
    if not text:
        raise Rejected(Reason.MISSING)
    if bearer and text[:6].lower() == "bearer" and text[6:7] in ("", " "):
        text = text[7:].lstrip(" ")
    if not text or "," in text or " " in text or "\t" in text:
        raise Rejected(Reason.BAD_HEADER)
    return text
