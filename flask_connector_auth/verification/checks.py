"""The order of all checks of a token, as data; and the checks of its claims and of its use.

To add a check: write its function, and give it a row at its place in the list of its stage. The
docs and ``inspect`` follow, and up to stage ``VALUE`` so does the verifier. The later rows have the
functions that ``Verifier.authenticate`` and ``web.guard`` call by name: call yours there as well.
``tests/spec/test_every_check.py`` fails for a row whose function is not called in a request.
"""

from collections.abc import Callable
from typing import Any

from ..core import MAX_INTEGER, AppJWT, ConsumerJWS, Reason, Rejected, TokenRequirement
from ..revocation import RevocationCache
from . import jws
from .examination import APP_JWT, CONSUMER_JWS, Check, Examination, Stage, TokenProfile

_TIMES = ("exp", "iat", "nbf")
_NUMBERS = (int, float)


def check_no_claims_of_other_token(examined: Examination) -> None:
    """Check that there is no claim that only the other token type has: ``lp_consumer_id`` or
    ``ext_consumer_id`` in an AppJWT, ``azp`` or ``scope`` in a ConsumerJWS
    (:rfc:`8725#section-3.12`).
    """
    if not examined.profile.claims_of_other_token.isdisjoint(examined.claims):
        raise Rejected(Reason.WRONG_TYPE)


def check_text_claims(examined: Examination) -> None:
    """Check that the mandatory claims are present and non-empty strings: ``azp`` of an AppJWT;
    ``account_id``, ``ext_consumer_id`` and ``lp_consumer_id`` of a ConsumerJWS.
    """
    claims = examined.claims
    for name in examined.profile.text_claims:
        if name not in claims:
            raise Rejected(Reason.MISSING_CLAIM)
        if type(claims[name]) is not str or not claims[name]:
            raise Rejected(Reason.BAD_CLAIM)


def check_issuer(examined: Examination) -> None:
    """Check that ``iss`` is present and exactly the configured issuer (:rfc:`8725#section-3.8`)."""
    if "iss" not in examined.claims:
        raise Rejected(Reason.MISSING_CLAIM)
    if examined.claims["iss"] != examined.rules.issuer:
        raise Rejected(Reason.WRONG_ISSUER)


def check_time_claims(examined: Examination) -> None:
    """Check that an AppJWT has ``exp`` and ``iat``, and that each of ``exp``, ``iat`` and ``nbf``
    in a token of either type is a finite number below 2\\ :sup:`53`.
    """
    claims = examined.claims
    for name in examined.profile.time_claims:
        if name not in claims:
            raise Rejected(Reason.MISSING_CLAIM)
    for name in _TIMES:
        # By exact type: a JSON boolean is an int to Python.
        if name in claims and not (
            type(claims[name]) in _NUMBERS and -MAX_INTEGER < claims[name] < MAX_INTEGER
        ):
            raise Rejected(Reason.BAD_CLAIM)


def check_expiry(examined: Examination) -> None:
    """Check that ``exp`` lies in the future, within the leeway (:rfc:`7519#section-4.1.4`)."""
    claims = examined.claims
    if "exp" in claims and claims["exp"] + examined.rules.leeway <= examined.now:
        raise Rejected(Reason.EXPIRED)


def check_start(examined: Examination) -> None:
    """Check that ``iat`` and ``nbf`` do not lie in the future, within the leeway
    (:rfc:`7519#section-4.1.5`, :rfc:`7519#section-4.1.6`).
    """
    claims, now = examined.claims, examined.now
    if max(claims.get("iat", now), claims.get("nbf", now)) > now + examined.rules.leeway:
        raise Rejected(Reason.NOT_YET_VALID)


def check_lifetime(examined: Examination) -> None:
    """Check that the token is valid for at most ``CONNECTOR_AUTH_MAX_LIFETIME``, if that is set
    (:rfc:`8725#section-3.10`).
    """
    longest, claims = examined.rules.max_lifetime, examined.claims
    if longest is not None and claims["exp"] - claims["iat"] > longest:
        raise Rejected(Reason.TOO_LONG_LIVED)


def check_scope_claim(examined: Examination) -> None:
    """Check that ``scope`` is absent or a string (:rfc:`6749#section-3.3`)."""
    if type(examined.claims.get("scope", "")) is not str:
        raise Rejected(Reason.BAD_CLAIM)


def check_audience_claim(examined: Examination) -> None:
    """Check that ``aud``, the account, is a non-empty string or a list of exactly one
    (:rfc:`7519#section-4.1.3`).
    """
    if "aud" not in examined.claims:
        raise Rejected(Reason.MISSING_CLAIM)
    audience = examined.claims["aud"]
    if type(audience) is list and len(audience) == 1:
        audience = audience[0]
    if type(audience) is not str or not audience:
        raise Rejected(Reason.BAD_CLAIM)


def check_account(
    account_id: str, view_account: object | None, audience: frozenset[str] | None
) -> None:
    """Check that the token's account is the one in the URL, the one that the view is called with,
    and one of ``CONNECTOR_AUTH_AUDIENCE`` (:rfc:`8725#section-3.9`). Whole texts are compared, code
    point by code point.

    :param view_account: as its converter made it (``<int:…>`` too); ``None``: the view takes none.
    :param audience: the configured accounts; ``None``: any.
    """
    if view_account is not None and account_id != str(view_account):
        raise Rejected(Reason.WRONG_ACCOUNT)
    if audience is not None and account_id not in audience:
        raise Rejected(Reason.WRONG_ACCOUNT)


def check_scopes(token: AppJWT, requirement: TokenRequirement) -> None:
    """Check that the required scopes were granted (:rfc:`6749#section-3.3`)."""
    granted = token.scopes
    if not requirement.scopes <= granted:
        raise Rejected(Reason.MISSING_SCOPE)
    for any_scope in requirement.any_scopes:
        if granted.isdisjoint(any_scope):
            raise Rejected(Reason.MISSING_SCOPE)


def check_same_account(app_jwt: AppJWT | None, consumer_jws: ConsumerJWS) -> None:
    """Check that the account is that of the AppJWT, if the request has one."""
    if app_jwt is not None and consumer_jws.account_id != app_jwt.account_id:
        raise Rejected(Reason.WRONG_ACCOUNT)


def check_distinct(app_text: str, consumer_text: str) -> None:
    """Check that ``Authorization`` does not hold the same text (:rfc:`8725#section-3.12`). This
    check runs only if a ConsumerJWS has failed another one, except for its size. The reason of this
    check then replaces that of the other.
    """
    if app_text == consumer_text:
        raise Rejected(Reason.SAME_TOKEN)


_MISSING_OR_BAD = (Reason.MISSING_CLAIM, Reason.BAD_CLAIM)
# By stage: function, sentence, reasons.
_ROWS: dict[Stage, list[tuple[Callable[..., None], str, *tuple[Reason, ...]]]] = {
    Stage.HEADER: [
        (jws.check_header_size, "The header has at most {value_limit}.", Reason.TOO_LARGE),
        (jws.check_presence, "There is a token.", Reason.MISSING),
        (jws.check_header_form, "It is one token, {scheme}.", Reason.BAD_HEADER),
    ],
    Stage.FORM: [
        (jws.check_token_size, "It has at most {token_limit}.", Reason.TOO_LARGE),
        (jws.check_segments, "It has three segments.", Reason.NOT_COMPACT),
        (jws.check_header_segment_size, "Segment 1 has at most {header_limit}.", Reason.TOO_LARGE),
        (jws.check_encoding, "Each segment is canonical base64url.", Reason.NOT_COMPACT),
    ],
    Stage.PARAMETERS: [
        (jws.check_header_json, "Its header is one strict JSON object.", Reason.BAD_JSON),
        (jws.check_extensions, "No crit, b64 or zip is in the header.", Reason.CRITICAL),
        (jws.check_algorithm, "alg is one of: {algorithms}.", Reason.BAD_ALGORITHM),
        (
            jws.check_type_and_kid,
            "typ is absent or JWT; kid is absent or has {kid_length}.",
            Reason.BAD_PARAMETER,
        ),
    ],
    Stage.KEY: [
        (
            jws.check_key,
            "A key fits kid and alg; known are: {kids}.",
            *(Reason.UNKNOWN_KEY, Reason.KEYS_UNAVAILABLE),
        ),
    ],
    Stage.SIGNATURE: [
        (
            jws.check_signature,
            "The signature is that key's.",
            *(Reason.BAD_SIGNATURE, Reason.KEYS_UNAVAILABLE),
        ),
    ],
    Stage.PAYLOAD: [
        (jws.check_payload_json, "The payload is one strict JSON object.", Reason.BAD_JSON),
    ],
    Stage.CLAIMS: [
        (
            check_no_claims_of_other_token,
            "No {claims_of_other_token}, which only the other token type has.",
            Reason.WRONG_TYPE,
        ),
        (check_text_claims, "Non-empty strings: {text_claims}.", *_MISSING_OR_BAD),
        (check_issuer, "iss is {issuer}.", Reason.MISSING_CLAIM, Reason.WRONG_ISSUER),
    ],
    Stage.TIMES: [
        (check_time_claims, "exp, iat and nbf are numbers; {time_claims}.", *_MISSING_OR_BAD),
        (check_expiry, "exp lies in the future, {leeway}.", Reason.EXPIRED),
        (check_start, "iat and nbf do not lie in the future, {leeway}.", Reason.NOT_YET_VALID),
        (check_lifetime, "From iat to exp it is {lifetime}.", Reason.TOO_LONG_LIVED),
    ],
    Stage.VALUE: [
        (check_scope_claim, "scope, if present, is a string.", Reason.BAD_CLAIM),
        (check_audience_claim, "aud is one account.", *_MISSING_OR_BAD),
    ],
    Stage.REVOCATION: [
        (RevocationCache.check_age, "Revocations can be checked.", Reason.REVOCATION_UNAVAILABLE),
        (
            RevocationCache.check_not_revoked,
            "Not revoked: neither the token, nor its {revocable}.",
            Reason.REVOKED,
        ),
    ],
    Stage.ACCOUNT: [(check_account, "The account is {accounts}.", Reason.WRONG_ACCOUNT)],
    Stage.SCOPES: [(check_scopes, "Its scopes include: {scopes}.", Reason.MISSING_SCOPE)],
    Stage.PAIR: [
        (check_same_account, "Its account is that of the AppJWT.", Reason.WRONG_ACCOUNT),
        (check_distinct, "Its text is not that of the AppJWT.", Reason.SAME_TOKEN),
    ],
}
_ONLY: dict[Callable[..., None], TokenProfile[Any]] = {
    **dict.fromkeys((check_issuer, check_lifetime, check_scopes), APP_JWT),
    **dict.fromkeys((check_scope_claim, check_audience_claim), APP_JWT),
    **dict.fromkeys((check_same_account, check_distinct), CONSUMER_JWS),
}
# The arguments of the checks that take others than the examination.
_ARGUMENTS: dict[Callable[..., None], Callable[[Examination], tuple[Any, ...]]] = {
    RevocationCache.check_age: lambda examined: (examined.revocation_cache,),
    RevocationCache.check_not_revoked: lambda examined: (
        examined.revocation_cache,
        examined.subject,
    ),
    check_account: lambda examined: (
        examined.token.account_id,
        examined.account,
        examined.audience,
    ),
    check_scopes: lambda examined: (examined.token, examined.requirement),
}
#: All checks, in the order in which they run. Those of the JOSE header are skipped for a header
#: that was checked before. Those up to ``VALUE`` are skipped for a remembered token, whose times
#: and key are checked again; the later ones run for every request.
CHECKS: tuple[Check, ...] = tuple(
    Check(stage, run, tuple(reasons), sentence, _ONLY.get(run), _ARGUMENTS.get(run))
    for stage, rows in _ROWS.items()
    for run, sentence, *reasons in rows
)
