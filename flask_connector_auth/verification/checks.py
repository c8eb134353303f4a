"""The order of all checks of a token, as data; and the checks of its use.

To add a check: write its function, and give it a row at its place in the list of its stage. The
docs and ``inspect`` follow. The verifier runs the checks up to stage ``VALUE`` from this list. It
does not run the later ones from here: call such a function in ``Authenticator.authenticate`` or in
``web.guard`` as well. ``tests/spec/test_every_check.py`` fails for a row whose function is not
called in a request.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..core import AppJWT, ConsumerJWS, Reason, Rejected, TokenRequirement, shared_claims
from ..revocation import RevocationCache
from . import claims, jws
from .examination import Check, Examination, Stage, itself
from .profiles import APP_JWT, CONSUMER_JWS, TokenProfile, VerifierRules

if TYPE_CHECKING:
    from .verifier import Verifier


def check_account(
    account_id: str, view_account: object | None, audience: frozenset[str] | None
) -> None:
    """Check that the token's account is the account of the request (:rfc:`8725#section-3.9`). If
    the view has an account argument, the account must equal it, both in the URL and as the view is
    called. If ``CONNECTOR_AUTH_AUDIENCE`` is set, the account must be one of these. Whole texts are
    compared, code point by code point.

    :param view_account: as its converter made it (``<int:…>`` too); ``None``: the view takes none.
    :param audience: the configured accounts; ``None``: any.
    """
    if view_account is not None and account_id != str(view_account):
        raise Rejected.wrong_account([str(view_account)])
    if audience is not None and account_id not in audience:
        raise Rejected.wrong_account(audience)


def check_scopes(
    token: AppJWT, requirement: TokenRequirement, verifier: "Verifier[AppJWT] | Examination"
) -> None:
    """Check that the token grants all required scopes (:rfc:`6749#section-3.3`).

    :param verifier: has the names of the claims that *token* may have them in.
    """
    granted = token.scopes
    if not requirement.scopes <= granted or any(map(granted.isdisjoint, requirement.any_scopes)):
        raise missing_scope(token, requirement.scope_texts(), verifier)


def missing_scope(
    token: AppJWT, required: Iterable[str], verifier: "Verifier[AppJWT] | Examination"
) -> Rejected:
    """Return the error of *token*, which was not granted all *required* scopes."""
    granted, names = token.scopes, verifier.profile.names.scopes
    # What is missing comes first: a long text is cut in the log.
    required = sorted(required, key=lambda scope: (scope in granted, scope))
    texts = {"required_scopes": " ".join(required), "granted_scopes": " ".join(sorted(granted))}
    if shared_claims(token).keys().isdisjoint(names):
        texts["scope_claim"] = f"absent: {' or '.join(names)}"
    return Rejected(Reason.MISSING_SCOPE, texts)


def check_same_account(app_jwt: AppJWT | None, consumer_jws: ConsumerJWS) -> None:
    """Check that the account is the account of the AppJWT, if the request has one."""
    if app_jwt is not None and consumer_jws.account_id != app_jwt.account_id:
        raise Rejected.wrong_account([app_jwt.account_id])


def check_distinct(app_text: str, consumer_text: str) -> None:
    """Check that the token is not the text of ``Authorization`` (:rfc:`8725#section-3.12`). The two
    texts are compared only after the ConsumerJWS has failed another check, and not if it is too
    large. If the texts are the same, ``same_token`` replaces the reason of the other check.
    """
    if app_text == consumer_text:
        raise Rejected(Reason.SAME_TOKEN)


_MISSING_OR_BAD = (Reason.MISSING_CLAIM, Reason.BAD_CLAIM)
# By stage: function, sentence, reasons.
_ROWS: dict[Stage, list[tuple[Callable[..., None], str, *tuple[Reason, ...]]]] = {
    Stage.HEADER: [
        (jws.check_header_size, "The header has at most {value_limit}.", Reason.TOO_LARGE),
        (jws.check_presence, "The header is not empty.", Reason.MISSING),
        (jws.check_header_form, "The header is exactly one token, {scheme}.", Reason.BAD_HEADER),
    ],
    Stage.FORM: [
        (jws.check_token_size, "The token has at most {token_limit}.", Reason.TOO_LARGE),
        (jws.check_segments, "The token has three segments.", Reason.NOT_COMPACT),
        (jws.check_header_segment_size, "Segment 1 has at most {header_limit}.", Reason.TOO_LARGE),
        (jws.check_encoding, "Each segment is canonical base64url.", Reason.NOT_COMPACT),
    ],
    Stage.ISSUER: [
        (
            claims.check_known_issuer,
            "The issuer is one of: {issuers}.",
            *(Reason.BAD_JSON, Reason.MISSING_CLAIM, Reason.WRONG_ISSUER),
        ),
    ],
    Stage.PARAMETERS: [
        (jws.check_header_json, "The JOSE header is one strict JSON object.", Reason.BAD_JSON),
        (jws.check_extensions, "The JOSE header has no crit, b64 or zip.", Reason.CRITICAL),
        (jws.check_algorithm, "alg is one of: {algorithms}.", Reason.BAD_ALGORITHM),
        (
            jws.check_type_and_kid,
            "typ is {types}; kid is absent or has {kid_length}.",
            Reason.BAD_PARAMETER,
        ),
    ],
    Stage.KEY: [
        (
            jws.check_key,
            "A key has this kid and alg; the known kids are: {kids}.",
            *(Reason.UNKNOWN_KEY, Reason.KEYS_UNAVAILABLE),
        ),
    ],
    Stage.SIGNATURE: [
        (
            jws.check_signature,
            "The signature verifies with that key.",
            *(Reason.BAD_SIGNATURE, Reason.KEYS_UNAVAILABLE),
        ),
    ],
    Stage.PAYLOAD: [
        (jws.check_payload_json, "The payload is one strict JSON object.", Reason.BAD_JSON),
    ],
    Stage.CLAIMS: [
        (
            claims.check_no_claims_of_other_token,
            "There is no {claims_of_other_token}, which only the other token type has.",
            Reason.WRONG_TYPE,
        ),
        (claims.check_text_claims, "Non-empty strings: {text_claims}.", *_MISSING_OR_BAD),
        (claims.check_issuer, "iss is {issuer}.", Reason.MISSING_CLAIM, Reason.WRONG_ISSUER),
    ],
    Stage.TIMES: [
        (
            claims.check_time_claims,
            "exp, iat and nbf are numbers; {time_claims}.",
            *_MISSING_OR_BAD,
        ),
        (claims.check_expiry, "exp is in the future, with a leeway of {leeway}.", Reason.EXPIRED),
        (
            claims.check_start,
            "iat and nbf are not in the future, with a leeway of {leeway}.",
            Reason.NOT_YET_VALID,
        ),
        (claims.check_lifetime, "The time from iat to exp is {lifetime}.", Reason.TOO_LONG_LIVED),
    ],
    Stage.VALUE: [
        (claims.check_scope_claim, "{scope_claim}, if present, is {scope_form}.", Reason.BAD_CLAIM),
        (claims.check_account_claim, "{account_claim} is one account.", *_MISSING_OR_BAD),
    ],
    Stage.REVOCATION: [
        (
            RevocationCache.check_age,
            "The revocations are known: {revocations}.",
            Reason.REVOCATION_UNAVAILABLE,
        ),
        (
            RevocationCache.check_not_revoked,
            "Neither the token nor its {revocable} is revoked.",
            Reason.REVOKED,
        ),
    ],
    Stage.ACCOUNT: [(check_account, "The account is {accounts}.", Reason.WRONG_ACCOUNT)],
    Stage.SCOPES: [(check_scopes, "The scopes include: {scopes}.", Reason.MISSING_SCOPE)],
    Stage.PAIR: [
        (check_same_account, "The account is that of the AppJWT.", Reason.WRONG_ACCOUNT),
        (check_distinct, "The text is not that of the AppJWT.", Reason.SAME_TOKEN),
    ],
}
_ONLY: dict[Callable[..., None], TokenProfile[Any]] = {
    **dict.fromkeys((claims.check_lifetime, check_scopes), APP_JWT),
    **dict.fromkeys((claims.check_scope_claim, claims.check_account_claim), APP_JWT),
    **dict.fromkeys((check_same_account, check_distinct), CONSUMER_JWS),
}
_NEEDED: dict[Callable[..., None], Callable[[TokenProfile[Any], VerifierRules], bool]] = {
    claims.check_known_issuer: lambda profile, rules: rules.has_other_issuers,
    claims.check_issuer: lambda profile, rules: (
        profile.names.requires_issuer or rules.has_other_issuers
    ),
}
# The arguments of the checks that take others than the examination.
_ARGUMENTS: dict[Callable[..., None], Callable[[Examination], tuple[Any, ...]]] = {
    RevocationCache.check_age: lambda examined: (examined.revocation_cache,),
    RevocationCache.check_not_revoked: lambda examined: (
        examined.revocation_cache,
        examined.profile.subject(examined.token, examined.text),
    ),
    check_account: attrgetter("token.account_id", "account", "rules.audience"),
    check_scopes: lambda examined: (examined.token, examined.requirement, examined),
}
#: All checks, in the order in which they run. A JOSE header that was checked before is not checked
#: again. A remembered token skips the checks up to ``VALUE``, but for its times and its key. The
#: later checks run again, and that of the entries only once the revocations have changed.
CHECKS: tuple[Check, ...] = tuple(
    Check(
        *(stage, run, tuple(reasons), sentence, _ONLY.get(run), _NEEDED.get(run)),
        _ARGUMENTS.get(run, itself),
    )
    for stage, rows in _ROWS.items()
    for run, sentence, *reasons in rows
)
