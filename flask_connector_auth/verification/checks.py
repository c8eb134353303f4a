"""The claims of a token whose signature was verified in; nothing out, or the reason why not."""

from typing import Any

from ..core import MAX_INTEGER, Reason, Rejected
from .profiles import TokenProfile

_TIMES = ("exp", "iat", "nbf")
_NUMBERS = (int, float)


def check_names(profile: TokenProfile[Any], issuer: str, claims: dict[str, Any]) -> None:
    """Check that *claims* are those of a token of *profile*, made by *issuer*.

    :raises Rejected: ``WRONG_TYPE`` (RFC 8725 section 3.12), ``MISSING_CLAIM``, ``BAD_CLAIM``, or
        ``WRONG_ISSUER`` (section 3.8).
    """
    if not profile.foreign_claims.isdisjoint(claims):
        raise Rejected(Reason.WRONG_TYPE)
    for name in profile.text_claims:
        if name not in claims:
            raise Rejected(Reason.MISSING_CLAIM)
        if type(claims[name]) is not str or not claims[name]:
            raise Rejected(Reason.BAD_CLAIM)
    if profile.has_issuer:
        if "iss" not in claims:
            raise Rejected(Reason.MISSING_CLAIM)
        if claims["iss"] != issuer:
            raise Rejected(Reason.WRONG_ISSUER)


def check_times(
    profile: TokenProfile[Any],
    leeway: float,
    longest: float | None,
    claims: dict[str, Any],
    now: float,
) -> None:
    """Check that *claims* are valid at *now* (RFC 7519 sections 4.1.4 to 4.1.6).

    :param leeway: seconds that the issuer's clock may be off.
    :param longest: seconds from ``iat`` to ``exp``, at most; ``None``: any.
    :param now: seconds since the epoch.
    :raises Rejected: ``MISSING_CLAIM``, ``BAD_CLAIM``, ``EXPIRED``, ``NOT_YET_VALID``, or
        ``TOO_LONG_LIVED``.
    """
    for name in profile.time_claims:
        if name not in claims:
            raise Rejected(Reason.MISSING_CLAIM)
    for name in _TIMES:
        # By exact type: a JSON boolean is an int to Python.
        if name in claims and not (
            type(claims[name]) in _NUMBERS and -MAX_INTEGER < claims[name] < MAX_INTEGER
        ):
            raise Rejected(Reason.BAD_CLAIM)
    if "exp" in claims and claims["exp"] + leeway <= now:
        raise Rejected(Reason.EXPIRED)
    if max(claims.get("iat", now), claims.get("nbf", now)) > now + leeway:
        raise Rejected(Reason.NOT_YET_VALID)
    limited = longest is not None and "exp" in profile.time_claims
    if limited and claims["exp"] - claims["iat"] > longest:
        raise Rejected(Reason.TOO_LONG_LIVED)
