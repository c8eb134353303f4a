"""Checks of the claims of a token, and of the issuer that it is of."""

from collections.abc import Sequence

from ..core import MAX_INTEGER, Reason, Rejected, Unavailable
from ..keys import FetchingSource, Lookup, LookupResults, finish, has_kid, look_up, look_up_all
from . import jws
from .examination import Examination

_TIMES = ("exp", "iat", "nbf")
_NUMBERS = (int, float)
# The longest claim that is known of an issuer is a list of two hundred groups.
_MAX_UNVERIFIED_VALUES = 512
# Seconds for which a token waits for the key sets of several issuers.
_MAX_SEARCH = 2


def check_known_issuer(examined: Examination) -> None:
    """Check that the token is of one of the issuers in ``CONNECTOR_AUTH_ISSUERS``. This check runs
    only where there are several. ``iss`` of an AppJWT must be exactly one of them. A ConsumerJWS is
    of the issuer of the AppJWT in the same request, and its ``iss`` must not name another. In a
    request without an AppJWT, it is of the issuer that its ``iss`` names. If it has no ``iss``
    either, it is of the only issuer that has a key for its ``kid``. The checks of JOSE header and
    key find that issuer. A token with any other ``iss`` is refused before a key is looked up
    (:rfc:`8725#section-3.8`). The payload is not verified yet, so it may have 512 values at most.
    """
    jws.check_values(examined.json_payload, _MAX_UNVERIFIED_VALUES)
    claims, expected = jws.read_payload(examined), examined.expected_issuer
    issuer = claims.get("iss", expected)
    if "iss" in claims:
        known = type(issuer) is str and issuer in examined.verifiers
        if not known or expected not in (None, issuer):
            # The token is not verified, so the details do not quote it.
            expected_issuers = [expected] if expected else examined.verifiers.keys()
            raise Rejected.of_expected(Reason.WRONG_ISSUER, "expected_issuer", expected_issuers)
    elif expected is None:
        issuer = _issuer_by_key(examined)
    examined.use_issuer(str(issuer))


def _issuer_by_key(examined: Examination) -> str:
    """Return the only issuer that has a key for the token: first by ``kid``, then without one."""
    issuers = [
        name
        for name, verifier in examined.verifiers.items()
        if not verifier.profile.names.requires_issuer
    ]
    if issuers:
        jws.check_header_json(examined)
        kid = examined.parameters.get("kid")
        # The keys at hand come first: a token with a known key waits for no other issuer.
        known = [
            name
            for name in issuers
            if type(kid) is str and has_kid(examined.verifiers[name].keys, kid)
        ]
        issuers = known or _with_candidates(examined, issuers)
    if len(issuers) != 1:
        raise Rejected(Reason.MISSING_CLAIM, {"claim": "iss"})
    return issuers[0]


def _with_candidates(examined: Examination, issuers: Sequence[str]) -> list[str]:
    """Return those *issuers* that have keys for the token, fetched if necessary.

    If some have its ``kid``, return only these. Once one has it, no key set is waited for.

    :raises Unavailable: if no issuer has its ``kid``, and the keys of one cannot be had.
    :raises Rejected: why no issuer has a key, if none has.
    """
    lookups: dict[str, Lookup] = {}
    rejections: dict[str, Rejected] = {}
    for issuer in issuers:
        examined.use_issuer(issuer)
        try:
            for run in _PARAMETER_CHECKS:
                run(examined)
            lookups[issuer] = look_up(examined.source, examined.kid, examined.algorithm)
        except Rejected as rejected:
            rejections[issuer] = rejected
    # The other sources answer at once, and all of them are asked.
    at_once = {
        name for name in lookups if not isinstance(examined.verifiers[name].keys, FetchingSource)
    }

    def with_kid(results: LookupResults[str]) -> list[str]:
        return [
            name
            for name, keys in results.items()
            if not isinstance(keys, Unavailable) and any(key.kid == examined.kid for key in keys)
        ]

    results = finish(
        look_up_all(lookups, lambda found: at_once <= found.keys() and with_kid(found), _MAX_SEARCH)
    )
    if found := with_kid(results):
        return found
    for result in results.values():
        if isinstance(result, Unavailable):
            raise result
    found = [name for name, keys in results.items() if keys]
    if not found:
        raise rejections.get(issuers[0]) or Rejected(Reason.UNKNOWN_KEY)
    return found


# The JOSE header itself was read before.
_PARAMETER_CHECKS = (jws.check_extensions, jws.check_algorithm, jws.check_type_and_kid)


def check_no_claims_of_other_token(examined: Examination) -> None:
    """Check that there is no claim that only the other token type has (:rfc:`8725#section-3.12`).
    An AppJWT has no ``lp_consumer_id`` or ``ext_consumer_id``. A ConsumerJWS has no ``azp`` or
    ``scope``. If the settings name other claims for these, those count instead.
    """
    if not examined.profile.claims_of_other_token.isdisjoint(examined.claims):
        raise Rejected(Reason.WRONG_TYPE)


def check_text_claims(examined: Examination) -> None:
    """Check that the mandatory claims are present and are non-empty strings. An AppJWT must have
    ``azp``. A ConsumerJWS must have ``account_id``, ``ext_consumer_id`` and ``lp_consumer_id``. If
    the settings name other claims for these, those count instead.
    """
    claims = examined.claims
    for name in examined.profile.text_claims:
        if name not in claims:
            raise Rejected(Reason.MISSING_CLAIM, {"claim": name})
        if type(claims[name]) is not str or not claims[name]:
            raise Rejected(Reason.BAD_CLAIM, {"claim": name})


def check_issuer(examined: Examination) -> None:
    """Check that ``iss`` is present and is exactly the configured issuer (:rfc:`8725#section-3.8`).
    A ConsumerJWS may lack ``iss``, unless the settings require it. With one issuer, its ``iss`` is
    read only if the settings require it.
    """
    if "iss" not in examined.claims:
        if examined.profile.names.requires_issuer:
            raise Rejected(Reason.MISSING_CLAIM, {"claim": "iss"})
    elif (issuer := examined.claims["iss"]) != examined.rules.issuer:
        text = issuer if type(issuer) is str else "not a string"
        raise Rejected(Reason.WRONG_ISSUER, {"issuer": text})


def check_time_claims(examined: Examination) -> None:
    """Check that an AppJWT has ``exp`` and ``iat``. In tokens of both types, each of ``exp``,
    ``iat`` and ``nbf`` that is present must be a finite number below 2\\ :sup:`53`.
    """
    claims = examined.claims
    for name in examined.profile.time_claims:
        if name not in claims:
            raise Rejected(Reason.MISSING_CLAIM, {"claim": name})
    for name in _TIMES:
        # By exact type: a JSON boolean is an int to Python.
        if name in claims and not (
            type(claims[name]) in _NUMBERS and -MAX_INTEGER < claims[name] < MAX_INTEGER
        ):
            raise Rejected(Reason.BAD_CLAIM, {"claim": name})


def check_expiry(examined: Examination) -> None:
    """Check that ``exp`` plus the leeway lies in the future (:rfc:`7519#section-4.1.4`)."""
    claims = examined.claims
    if "exp" in claims and claims["exp"] + examined.rules.leeway <= examined.now:
        raise Rejected(Reason.EXPIRED)


def check_start(examined: Examination) -> None:
    """Check that neither ``iat`` nor ``nbf`` lies in the future by more than the leeway
    (:rfc:`7519#section-4.1.5`, :rfc:`7519#section-4.1.6`).
    """
    claims, now = examined.claims, examined.now
    if max(claims.get("iat", now), claims.get("nbf", now)) > now + examined.rules.leeway:
        raise Rejected(Reason.NOT_YET_VALID)


def check_lifetime(examined: Examination) -> None:
    """Check that the time from ``iat`` to ``exp`` is at most ``CONNECTOR_AUTH_MAX_LIFETIME``, if
    that is set (:rfc:`8725#section-3.10`).
    """
    longest, claims = examined.rules.max_lifetime, examined.claims
    if longest is not None and claims["exp"] - claims["iat"] > longest:
        raise Rejected(Reason.TOO_LONG_LIVED)


def check_scope_claim(examined: Examination) -> None:
    """Check that ``scope`` is absent or a string (:rfc:`6749#section-3.3`). If the settings name
    the claim for the scopes, it may also be a list of strings.
    """
    names = examined.profile.names
    name = names.scope_claim(examined.claims)
    scopes = examined.claims.get(name, "")
    if type(scopes) is not str and not (
        names.allows_scope_list
        and type(scopes) is list
        and all(type(each) is str for each in scopes)
    ):
        raise Rejected(Reason.BAD_CLAIM, {"claim": name})


def check_account_claim(examined: Examination) -> None:
    """Check that ``aud`` is present, and is a non-empty string or a list of exactly one
    (:rfc:`7519#section-4.1.3`). If the settings name another claim for the account, that claim
    counts instead.
    """
    name = examined.profile.names.ids["account_id"]
    if name not in examined.claims:
        raise Rejected(Reason.MISSING_CLAIM, {"claim": name})
    account = examined.claims[name]
    if type(account) is list and len(account) == 1:
        account = account[0]
    if type(account) is not str or not account:
        raise Rejected(Reason.BAD_CLAIM, {"claim": name})
