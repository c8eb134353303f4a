"""The order of all checks of a token, as data, and the checks of its claims.

To add a check of a token: write its function, and give it a row at its place in the list of its
stage. The verifier, ``inspect`` and the docs follow. The rows from ``REVOCATION`` on describe what
``Verifier.authenticate`` and ``web.guard`` call for every request: change these too.
"""

from collections.abc import Callable
from typing import Any

from ..core import MAX_INTEGER, Reason, Rejected
from . import headers, jws, policy
from .examination import Check, Examination, Stage
from .profiles import APP_JWT, CONSUMER_JWS, TokenProfile

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
    """Check that ``exp`` and ``iat`` are present in an AppJWT, and in both token types each of
    ``exp``, ``iat`` and ``nbf`` that is present is a finite number below 2\\ :sup:`53`.
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
    """Check that it is valid for at most ``CONNECTOR_AUTH_MAX_LIFETIME``, where that is set
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


_MISSING_OR_BAD = (Reason.MISSING_CLAIM, Reason.BAD_CLAIM)

_Row = tuple[Callable[..., None], tuple[Reason, ...], str, *tuple[TokenProfile[Any], ...]]
# Function, reasons, sentence; and the token type, if the check is for one of them.
_ROWS: dict[Stage, list[_Row]] = {
    Stage.HEADER: [
        (
            headers.check_header_size,
            (Reason.TOO_LARGE,),
            "The header has at most {max_value_bytes}.",
        ),
        (headers.check_presence, (Reason.MISSING,), "There is a token."),
        (headers.check_header_form, (Reason.BAD_HEADER,), "It is one token, {scheme}."),
    ],
    Stage.FORM: [
        (jws.check_token_size, (Reason.TOO_LARGE,), "It has at most {max_token_bytes}."),
        (jws.check_segments, (Reason.NOT_COMPACT,), "It has three segments."),
        (
            jws.check_header_segment_size,
            (Reason.TOO_LARGE,),
            "The first has at most {max_header_bytes}.",
        ),
        (jws.check_encoding, (Reason.NOT_COMPACT,), "Each segment is canonical base64url."),
    ],
    Stage.PARAMETERS: [
        (jws.check_header_json, (Reason.BAD_JSON,), "Its header is one strict JSON object."),
        (jws.check_extensions, (Reason.CRITICAL,), "No crit, b64 or zip is in the header."),
        (jws.check_algorithm, (Reason.BAD_ALGORITHM,), "alg is one of: {algorithms}."),
        (
            jws.check_type_and_kid,
            (Reason.BAD_PARAMETER,),
            "typ is absent or JWT; kid is absent or has {kid_length}.",
        ),
    ],
    Stage.KEY: [
        (
            jws.check_key,
            (Reason.UNKNOWN_KEY, Reason.KEYS_UNAVAILABLE),
            "A key fits kid and alg; known are: {kids}.",
        ),
    ],
    Stage.SIGNATURE: [
        (
            jws.check_signature,
            (Reason.BAD_SIGNATURE, Reason.KEYS_UNAVAILABLE),
            "The signature is that key's.",
        ),
    ],
    Stage.PAYLOAD: [
        (jws.check_payload_json, (Reason.BAD_JSON,), "The payload is one strict JSON object."),
    ],
    Stage.CLAIMS: [
        (
            check_no_claims_of_other_token,
            (Reason.WRONG_TYPE,),
            "No {claims_of_other_token}: the other token has these.",
        ),
        (check_text_claims, _MISSING_OR_BAD, "Non-empty strings: {text_claims}."),
        (check_issuer, (Reason.MISSING_CLAIM, Reason.WRONG_ISSUER), "iss is {issuer}.", APP_JWT),
    ],
    Stage.TIMES: [
        (check_time_claims, _MISSING_OR_BAD, "exp, iat and nbf are numbers, {time_claims}."),
        (check_expiry, (Reason.EXPIRED,), "exp lies in the future, {leeway}."),
        (check_start, (Reason.NOT_YET_VALID,), "iat and nbf do not, {leeway}."),
        (check_lifetime, (Reason.TOO_LONG_LIVED,), "From iat to exp it is {lifetime}.", APP_JWT),
    ],
    Stage.VALUE: [
        (check_scope_claim, (Reason.BAD_CLAIM,), "scope, if present, is a string.", APP_JWT),
        (check_audience_claim, _MISSING_OR_BAD, "aud is one account.", APP_JWT),
    ],
    Stage.REVOCATION: [
        (
            policy.check_revocation,
            (Reason.REVOKED, Reason.REVOCATION_UNAVAILABLE),
            "Not revoked: neither the token, nor its {revocable}.",
        ),
    ],
    Stage.ACCOUNT: [
        (policy.check_account_of, (Reason.WRONG_ACCOUNT,), "The account is {accounts}."),
    ],
    Stage.SCOPES: [
        (policy.check_scopes_of, (Reason.MISSING_SCOPE,), "Its scopes include: {scopes}.", APP_JWT),
    ],
    Stage.PAIR: [
        (
            policy.check_same_account,
            (Reason.WRONG_ACCOUNT,),
            "Its account is that of the AppJWT.",
            CONSUMER_JWS,
        ),
        (
            policy.check_distinct,
            (Reason.SAME_TOKEN,),
            "Its text is not that of the AppJWT.",
            CONSUMER_JWS,
        ),
    ],
}
#: All checks, in the order in which they run. Those of the JOSE header are skipped for a header
#: that was checked before. Those up to ``VALUE`` are skipped for a remembered token, whose times
#: and key are checked again; the later ones run for every request.
CHECKS: tuple[Check, ...] = tuple(
    Check(stage, *row) for stage, rows in _ROWS.items() for row in rows
)
