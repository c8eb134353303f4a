"""The short cut of the verifier: it accepts only what the checks accept, and refuses nothing."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, strategies as st
from joserfc.jws import JWSRegistry

from flask_connector_auth.core import ClaimNames, Reason, Rejected, Unavailable
from flask_connector_auth.keys import KeyIndex, KeySource, VerificationKey
from flask_connector_auth.testing import OMIT
from flask_connector_auth.verification import (
    CHECKS,
    Check,
    Examination,
    Stage,
    Verifier,
    app_jwt_profile,
    consumer_jws_profile,
)
from tests.support.floor_helpers import (
    APP,
    CONSUMER,
    NOW,
    TokenType,
    both_tokens,
    cases,
    encoded,
    examples,
    issuer_of,
    jwk,
    outcome,
    signing_key,
    verifier,
    with_known_header,
)

CHECK_CODE = {check.run.__code__ for check in CHECKS}


def check_nothing(examined: Examination) -> None:
    """Check that the token is under examination."""


NOTHING = Check(Stage.CLAIMS, check_nothing, (Reason.BAD_CLAIM,), "It is a token.")
SECRET = issuer_of("HS256")
HS256 = JWSRegistry.algorithms["HS256"]
NAMES = ClaimNames({"account_id": "acct", "install_id": "app"}, ("scp", "scope"), True, True)
CONSUMER_NAMES = replace(CONSUMER.profile.names, requires_issuer=True)
JWT = frozenset({"jwt"})


def listed(short: Verifier[Any]) -> Verifier[Any]:
    """Return a verifier like *short* that runs the list for every token: it has a check more."""
    checks = [*CHECKS, NOTHING]
    return Verifier(short.profile, short.rules, short.keys, checks)


def of_secret(token: TokenType, profile: Any = None, **rules: Any) -> Verifier[Any]:
    """Return a verifier that trusts :data:`SECRET`."""
    made = verifier(token, [jwk("HS256")], ["HS256"], **rules)
    return Verifier(profile or made.profile, made.rules, made.keys)


#: For each way in which settings change what is checked, a verifier.
VERIFIERS: Mapping[str, tuple[TokenType, Verifier[Any]]] = {
    "AppJWT": (APP, of_secret(APP)),
    "ConsumerJWS": (CONSUMER, of_secret(CONSUMER)),
    "short-lived AppJWT": (APP, of_secret(APP, max_lifetime=3600, leeway=0)),
    "AppJWT of one of several issuers": (APP, of_secret(APP, has_other_issuers=True)),
    "ConsumerJWS of one of several issuers": (
        CONSUMER,
        of_secret(CONSUMER, has_other_issuers=True),
    ),
    "AppJWT with other claims": (APP, of_secret(APP, app_jwt_profile(NAMES, CONSUMER_NAMES, JWT))),
    "ConsumerJWS with an issuer": (
        CONSUMER,
        of_secret(CONSUMER, consumer_jws_profile(CONSUMER_NAMES, NAMES, JWT)),
    ),
}
each_verifier = cases("token, short", VERIFIERS)
CLAIMS = (
    *("aud", "azp", "acct", "app", "scope", "scp", "iss", "exp", "iat", "nbf"),
    *("account_id", "ext_consumer_id", "lp_consumer_id", "x"),
)
moments = st.sampled_from([NOW, NOW - 30, NOW + 30, NOW + 3600, NOW - 3600, 2**53, -(2**53)])
values: st.SearchStrategy[Any] = st.one_of(
    st.builds(lambda moment, change: moment + change, moments, st.sampled_from([-1, 0, 1, 0.5])),
    st.sampled_from([None, True, False, "", [], {}, 1.5, 10**400, -(10**400)]),
    st.sampled_from(["Sentinel", "le1", "a b", ["le1"], [""], ["a", "b"], ["a", 1], "7"]),
)
members = st.dictionaries(st.sampled_from(CLAIMS), values, max_size=4)
absent = st.sets(st.sampled_from(CLAIMS), max_size=2)
GOOD = {"acct": "le1", "app": "install"}


@each_verifier
@examples(300)
@given(changes=members, left_out=absent, repeated=st.none() | st.sampled_from(CLAIMS))
def test_for_any_claims_the_outcome_is_that_of_the_list(
    token: TokenType, short: Verifier[Any], changes: Any, left_out: Any, repeated: str | None
) -> None:
    """docs/security.rst: the list decides: the same token, or the same refusal with its details."""
    start = token.claims(**GOOD) if short.profile.names.ids.get("install_id") == "app" else None
    claims = {**(start or token.claims()), **changes}
    text = json.dumps({name: claims[name] for name in claims.keys() - left_out})
    if repeated is not None:
        text = f'{text[:-1]},"{repeated}":1}}'
    signed = SECRET.sign(text.encode())
    warm = with_known_header(short, signed)
    assert warm.has_short_cut
    assert outcome(warm, signed) == outcome(listed(short), signed)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@each_verifier
@examples(200)
@given(data=st.data())
def test_for_any_change_of_the_text_the_outcome_is_that_of_the_list(
    token: TokenType, short: Verifier[Any], data: Any
) -> None:
    """RFC 7515 section 5.2: a character replaced, removed or added anywhere in a token."""
    good = token.mint(SECRET, **(GOOD if "app" in short.profile.names.ids.values() else {}))
    place = data.draw(st.integers(0, len(good) - 1))
    kept = data.draw(st.sampled_from([place, place + 1]))
    sign = data.draw(st.sampled_from([*ALPHABET, ".", "=", "+", "/", " ", "", "\ud800", "é"]))
    changed = good[:place] + sign + good[kept:]
    warm = with_known_header(short, good)
    assert outcome(warm, changed) == outcome(listed(short), changed)


HEAD, PAYLOAD, SIGNATURE = SECRET.app_jwt().split(".")


@cases(
    "token, text, reason",
    {
        "too large": (APP, SECRET.app_jwt(x="x" * 16384), Reason.TOO_LARGE),
        "two segments, well signed": (
            APP,
            f"{HEAD}.{encoded(HS256.sign(HEAD.encode(), signing_key('HS256')))}",
            Reason.NOT_COMPACT,
        ),
        "four segments": (APP, f"{HEAD}.{PAYLOAD}.{SIGNATURE}.", Reason.NOT_COMPACT),
        "payload not encoded": (APP, f"{HEAD}.{PAYLOAD}=.{SIGNATURE}", Reason.NOT_COMPACT),
        "signature not encoded": (APP, f"{HEAD}.{PAYLOAD}.{SIGNATURE}=", Reason.NOT_COMPACT),
        "no ASCII": (APP, f"{HEAD}.{PAYLOAD}é.{SIGNATURE}", Reason.NOT_COMPACT),
        "another header": (APP, SECRET.sign(b"{}", {"alg": "none"}), Reason.BAD_ALGORITHM),
        "forged": (APP, issuer_of("HS256", owner="theirs").app_jwt(), Reason.BAD_SIGNATURE),
        "payload no JSON": (APP, SECRET.sign(b'{"aud":1,"aud":1}'), Reason.BAD_JSON),
        "empty payload": (APP, SECRET.sign(b"{}"), Reason.MISSING_CLAIM),
        "no azp": (APP, SECRET.app_jwt(azp=OMIT), Reason.MISSING_CLAIM),
        "empty azp": (APP, SECRET.app_jwt(azp=""), Reason.BAD_CLAIM),
        "azp a number": (APP, SECRET.app_jwt(azp=1), Reason.BAD_CLAIM),
        "no aud": (APP, SECRET.app_jwt(aud=OMIT), Reason.MISSING_CLAIM),
        "aud null": (APP, SECRET.app_jwt(aud=None), Reason.BAD_CLAIM),
        "two accounts": (APP, SECRET.app_jwt(aud=["le1", "le2"]), Reason.BAD_CLAIM),
        "no lp_consumer_id": (
            *(CONSUMER, SECRET.consumer_jws(lp_consumer_id=OMIT), Reason.MISSING_CLAIM),
        ),
        "no iss": (APP, SECRET.app_jwt(iss=OMIT), Reason.MISSING_CLAIM),
        "another iss": (APP, SECRET.app_jwt(iss="Sentinel2"), Reason.WRONG_ISSUER),
        "no exp": (APP, SECRET.app_jwt(exp=OMIT), Reason.MISSING_CLAIM),
        "exp null": (APP, SECRET.app_jwt(exp=None), Reason.BAD_CLAIM),
        "exp true": (APP, SECRET.app_jwt(exp=True, iat=0), Reason.BAD_CLAIM),
        "exp huge": (APP, SECRET.app_jwt(exp=2**53), Reason.BAD_CLAIM),
        "exp of 400 digits": (APP, SECRET.app_jwt(exp=10**400), Reason.BAD_CLAIM),
        "expired just now": (APP, SECRET.app_jwt(exp=NOW - 30), Reason.EXPIRED),
        "no iat": (APP, SECRET.app_jwt(iat=OMIT), Reason.MISSING_CLAIM),
        "iat null": (APP, SECRET.app_jwt(iat=None), Reason.BAD_CLAIM),
        "iat true": (APP, SECRET.app_jwt(iat=True), Reason.BAD_CLAIM),
        "iat long ago": (APP, SECRET.app_jwt(iat=-(2**53)), Reason.BAD_CLAIM),
        "iat in a while": (APP, SECRET.app_jwt(iat=NOW + 31), Reason.NOT_YET_VALID),
        "nbf in a while": (APP, SECRET.app_jwt(nbf=NOW + 31), Reason.NOT_YET_VALID),
        "nbf null": (APP, SECRET.app_jwt(nbf=None), Reason.BAD_CLAIM),
        "exp of a consumer": (CONSUMER, SECRET.consumer_jws(exp=NOW - 30), Reason.EXPIRED),
        "iat of a consumer": (CONSUMER, SECRET.consumer_jws(iat=None), Reason.BAD_CLAIM),
        "nbf of a consumer": (CONSUMER, SECRET.consumer_jws(nbf=NOW + 31), Reason.NOT_YET_VALID),
        "for too long": (APP, SECRET.app_jwt(exp=NOW + 7201), Reason.TOO_LONG_LIVED),
        "AppJWT with a consumer": (APP, SECRET.app_jwt(lp_consumer_id="a"), Reason.WRONG_TYPE),
        "ConsumerJWS with a scope": (CONSUMER, SECRET.consumer_jws(scope="a"), Reason.WRONG_TYPE),
        "scope a list": (APP, SECRET.app_jwt(scope=["a"]), Reason.BAD_CLAIM),
        "scope null": (APP, SECRET.app_jwt(scope=None), Reason.BAD_CLAIM),
    },
)
def test_what_a_check_refuses_the_short_cut_does_not_accept(
    token: TokenType, text: str, reason: Reason
) -> None:
    """docs/security.rst: each rule holds for a token whose JOSE header was seen before, too."""
    is_limited = reason is Reason.TOO_LONG_LIVED
    short = of_secret(token, max_lifetime=7200 if is_limited else None)
    warm = with_known_header(short, token.mint(SECRET))
    assert outcome(warm, token.mint(SECRET))["token"]
    assert outcome(warm, text) == outcome(listed(short), text)
    assert outcome(warm, text)["reason"] is reason


def test_the_issuer_of_a_consumer_is_checked_where_there_are_several() -> None:
    """RFC 8725 section 3.8: a ConsumerJWS need not have an issuer, and then it is not read."""
    for several, reason in ((True, Reason.WRONG_ISSUER), (False, None)):
        text = SECRET.consumer_jws(iss="other")
        warm = with_known_header(of_secret(CONSUMER, has_other_issuers=several), text)
        assert outcome(warm, text).get("reason") is reason


def checks_run(short: Verifier[Any], text: str) -> list[str]:
    """Return the names of the checks that run for *text*."""
    called: list[str] = []

    def note_call(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code in CHECK_CODE:
            called.append(frame.f_code.co_name)

    sys.setprofile(note_call)
    try:
        outcome(short, text)
    finally:
        sys.setprofile(None)
    return called


@cases(
    "token, claims",
    {
        "AppJWT": (APP, {}),
        "AppJWT without scopes": (APP, {"scope": OMIT}),
        "AppJWT with fractions of seconds": (APP, {"iat": NOW - 0.5, "exp": NOW + 0.5}),
        "AppJWT with more claims": (APP, {"jti": "1", "roles": [{"a": 1}]}),
        "AppJWT at the end of the leeway": (APP, {"exp": NOW - 29, "iat": NOW - 60}),
        "AppJWT at the start of the leeway": (APP, {"iat": NOW + 30}),
        "AppJWT for as long as allowed": (APP, {"exp": NOW + 7200}),
        "ConsumerJWS": (CONSUMER, {}),
        "ConsumerJWS of whatever issuer": (CONSUMER, {"iss": "any"}),
    },
)
def test_a_plain_token_is_accepted_by_the_short_cut(token: TokenType, claims: Any) -> None:
    """docs/performance.rst: no check runs from the list, once the JOSE header was seen."""
    short, text = of_secret(token, max_lifetime=7200), token.mint(SECRET, **claims)
    assert len(checks_run(short, text)) > 10
    assert checks_run(short, text) == []
    assert outcome(short, text) == outcome(listed(short), text)


@both_tokens
def test_one_more_check_is_never_skipped(token: TokenType) -> None:
    """A check that the short cut does not know runs for plain tokens too."""
    plain = of_secret(token)
    for stage in (Stage.FORM, Stage.KEY, Stage.SIGNATURE, Stage.PAYLOAD, Stage.CLAIMS, Stage.VALUE):

        def refuse(examined: Examination) -> None:
            raise Rejected(Reason.BAD_CLAIM)

        more = Check(stage, refuse, (Reason.BAD_CLAIM,), "Never.")
        strict = Verifier(plain.profile, plain.rules, plain.keys, [*CHECKS, more])
        assert not strict.has_short_cut
        assert outcome(with_known_header(strict, token.mint(SECRET)), token.mint(SECRET))["reason"]


class Watched(KeySource):
    """Counts look-ups and verifications; its answers can be changed."""

    def __init__(self, *keys: VerificationKey) -> None:
        self.verified: list[bool] = []
        self.keys = [self.watch(key) for key in keys]
        self.later: list[VerificationKey] = []
        self.lookups = 0
        self.outage: Unavailable | None = None

    def watch(self, key: VerificationKey) -> VerificationKey:
        """Return *key*, with its verifications counted."""

        def watched(verify: Any) -> Any:
            def count(*args: Any) -> bool:
                self.verified.append(verify(*args))
                return self.verified[-1]

            return count

        algorithms = {name: watched(verify) for name, verify in key.algorithms.items()}
        return replace(key, algorithms=algorithms)

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys."""
        self.lookups += 1
        if self.outage:
            raise self.outage
        return self.keys

    def candidates_after_failure(self, *_args: Any) -> Sequence[VerificationKey]:
        """Return the later keys."""
        return self.later


def keys_of(*owners: str) -> list[VerificationKey]:
    """Return the public keys of *owners*."""
    made = [verifier(APP, issuer_of("ES256", owner).key_set(), ["ES256"]).keys for owner in owners]
    return [key for each in made if isinstance(each, KeyIndex) for key in each.keys]


def watching(*owners: str, **rules: Any) -> tuple[Watched, Verifier[Any]]:
    """Return a source of the keys of *owners*, and a verifier that has seen the JOSE header."""
    source = Watched(*keys_of(*owners))
    made = verifier(APP, issuer_of("ES256").key_set(), ["ES256"], **rules)
    short = with_known_header(
        Verifier(made.profile, made.rules, source), issuer_of("ES256").app_jwt()
    )
    return source, short


@cases(
    "owners, claims, verified, reason",
    {
        "good": (["ours"], {}, [True], None),
        "good by the second key": (["theirs", "ours"], {}, [False, True], None),
        "forged": (["theirs"], {}, [False], Reason.BAD_SIGNATURE),
        "of an unknown key": ([], {}, [], Reason.UNKNOWN_KEY),
        "expired": (["ours"], {"exp": NOW - 60}, [True], Reason.EXPIRED),
        "unusual": (["ours"], {"aud": ["le1"]}, [True], None),
    },
)
def test_each_key_is_tried_once(
    owners: list[str], claims: Any, verified: list[bool], reason: Reason | None
) -> None:
    """docs/performance.rst: no signature is verified twice, and the keys are looked up once."""
    source, short = watching(*owners)
    assert outcome(short, issuer_of("ES256").app_jwt(**claims)).get("reason") is reason
    assert (source.verified, source.lookups) == (verified, 1)


def test_a_key_published_since_verifies() -> None:
    """RFC 7517 section 4.5: the issuer may replace a key and keep its kid."""
    source, short = watching("theirs")
    source.later = [source.watch(key) for key in keys_of("ours")]
    assert outcome(short, issuer_of("ES256").app_jwt())["token"]
    assert source.verified == [False, True]


def test_a_key_that_was_withdrawn_is_unknown() -> None:
    """RFC 7517 section 4.5: a JOSE header that was seen before does not keep its key in force."""
    source, short = watching("ours")
    assert outcome(short, issuer_of("ES256").app_jwt())["token"]
    source.keys = []
    assert outcome(short, issuer_of("ES256").app_jwt())["reason"] is Reason.UNKNOWN_KEY


@pytest.mark.parametrize("several", [False, True], ids=["one issuer", "several issuers"])
def test_an_outage_is_told_as_by_the_list(several: bool) -> None:
    """docs/operations.rst: 503 while the keys cannot be had, with the issuer if there are more."""
    source, short = watching("ours", has_other_issuers=several)
    source.outage = Unavailable(Reason.KEYS_UNAVAILABLE, 7)
    for judge in (short, listed(short)):
        with pytest.raises(Unavailable) as caught:
            judge.verify(issuer_of("ES256").app_jwt(), NOW)
        assert caught.value.retry_after == 7
        assert caught.value.reason_details == ({"issuer": "Sentinel"} if several else {})
    assert source.lookups == 2
