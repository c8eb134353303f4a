"""Checks of a verified token against the request: revocation, account, scopes, the other token."""

from typing import cast

from ..core import AppJWT, ConsumerJWS, Reason, Rejected, TokenRequirement
from .examination import Examination


def check_revocation(examined: Examination) -> None:
    """Check that neither the token is revoked, nor all that was issued to its account, app install
    or consumer. Here a 503 may arise too.
    """
    examined.revocation_cache.check_age()
    examined.revocation_cache.check_entries(examined.profile.subject(examined.token, examined.text))


def check_account_of(examined: Examination) -> None:
    """Check that the account is the one in the URL, the one that the view is called with, and one
    of ``CONNECTOR_AUTH_AUDIENCE``, compared code point by code point.
    """
    check_account(examined.token.account_id, examined.account, examined.audience)


def check_scopes_of(examined: Examination) -> None:
    """Check that the required scopes were granted."""
    check_scopes(cast(AppJWT, examined.token), examined.requirement)


def check_scopes(token: AppJWT, requirement: TokenRequirement) -> None:
    """Check that *token* was granted the scopes of *requirement* (RFC 6749 section 3.3).

    :raises Rejected: ``MISSING_SCOPE``.
    """
    granted = token.scopes
    if not requirement.scopes <= granted:
        raise Rejected(Reason.MISSING_SCOPE)
    for any_scope in requirement.any_scopes:
        if granted.isdisjoint(any_scope):
            raise Rejected(Reason.MISSING_SCOPE)


def check_account(
    account_id: str, view_account: object | None, audience: frozenset[str] | None
) -> None:
    """Check that the account of a token is the one that is served here (RFC 8725 section 3.9).

    Whole strings are compared, code point by code point.

    :param view_account: the account in the URL, as its converter made it (``<int:…>`` too), or
        ``None`` if the view takes none.
    :param audience: the configured accounts, or ``None`` for any.
    :raises Rejected: ``WRONG_ACCOUNT``.
    """
    if view_account is not None and account_id != str(view_account):
        raise Rejected(Reason.WRONG_ACCOUNT)
    if audience is not None and account_id not in audience:
        raise Rejected(Reason.WRONG_ACCOUNT)


def check_same_account(app_jwt: AppJWT | None, consumer_jws: ConsumerJWS) -> None:
    """Check that its account is that of the AppJWT, where the request has one."""
    if app_jwt is not None and consumer_jws.account_id != app_jwt.account_id:
        raise Rejected(Reason.WRONG_ACCOUNT)


def check_distinct(app_text: str | None, consumer_text: str) -> None:
    """Check that its text is not that of ``Authorization`` too (:rfc:`8725#section-3.12`). Only a
    ConsumerJWS that has failed another check, but that of its size, is compared: this reason takes
    the place of the other.
    """
    if app_text == consumer_text:
        raise Rejected(Reason.SAME_TOKEN)
