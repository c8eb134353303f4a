"""A verified token and what the endpoint asks in; nothing out, or the reason why not."""

from ..core import AppJWT, ConsumerJWS, Reason, Rejected, TokenRequirement


def check_scopes(token: AppJWT, requirement: TokenRequirement) -> None:
    """Check that *token* was granted what *requirement* asks for (RFC 6749 section 3.3).

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
    """Check that a token's account is the one that is served here (RFC 8725 section 3.9).

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


def check_distinct(app_text: str | None, consumer_text: str) -> None:
    """Check that the two headers of a request do not hold one text (RFC 8725 section 3.12).

    :raises Rejected: ``SAME_TOKEN``.
    """
    if app_text == consumer_text:
        raise Rejected(Reason.SAME_TOKEN)


def check_same_account(app_jwt: AppJWT | None, consumer_jws: ConsumerJWS) -> None:
    """Check that the two tokens of a request name one account, where there are two.

    :raises Rejected: ``WRONG_ACCOUNT``.
    """
    if app_jwt is not None and consumer_jws.account_id != app_jwt.account_id:
        raise Rejected(Reason.WRONG_ACCOUNT)
