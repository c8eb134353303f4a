"""Several issuers: which one a token is of, before any key is looked up."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from flask_connector_auth.core import (
    APP_JWT_CLAIMS,
    CONSUMER_JWS_CLAIMS,
    Reason,
    Rejected,
    Unavailable,
)
from flask_connector_auth.keys import KeySource, VerificationKey
from flask_connector_auth.testing import OMIT, Issuer
from flask_connector_auth.verification import (
    Authenticator,
    TokenProfile,
    Verifier,
    VerifierRules,
    consumer_jws_profile,
)
from tests.support.floor_helpers import (
    APP,
    CONSUMER,
    NOW,
    TokenType,
    both_tokens,
    cases,
    issuer_of,
    verifier as verifier_of,
)

A, B = "https://a.example", "https://b.example"
CACHED = {"cache_size": 4, "cache_max_age": 300}


class Watched(KeySource):
    """The keys of another source, with a note of each time that they are looked up."""

    def __init__(self, keys: KeySource) -> None:
        self.inner = keys
        self.asked = 0
        self.is_out = False

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Note the call, and pass it on."""
        self.asked += 1
        if self.is_out:
            raise Unavailable(Reason.KEYS_UNAVAILABLE)
        return self.inner.candidates(kid, algorithm)


def issuer(name: str, **settings: Any) -> Issuer:
    """Return the issuer of that name, whose key is its own."""
    made = issuer_of(owner=name, **settings)
    made.name = name
    return made


class Outage(KeySource):
    """Keys that cannot be had, which is told by one exception for all."""

    outage = Unavailable(Reason.KEYS_UNAVAILABLE, 7)

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Find nothing."""
        raise self.outage


class Two:
    """An authenticator for the tokens of two issuers, with their keys watched."""

    def __init__(self, token: TokenType, kids: Sequence[str | None] = ("k", "k"), **rules: Any):
        self.issuers = {
            name: issuer(name, kid=kid or "none") for name, kid in zip((A, B), kids, strict=True)
        }
        self.keys: dict[str, Watched] = {}
        verifiers = []
        for (name, made), kid in zip(self.issuers.items(), kids, strict=True):
            trusted: Any = made.pem() if kid is None else made.key_set()
            plain = verifier_of(token, keys=trusted, issuer=name, **rules)
            self.keys[name] = Watched(plain.keys)
            decided = replace(plain.rules, has_other_issuers=True)
            verifiers.append(Verifier(plain.profile, decided, self.keys[name]))
        self.authenticator: Authenticator[Any] = Authenticator(verifiers)

    def answer(self, text: str, of: str | None = None, now: float = NOW) -> Any:
        """Return the issuer of *text*, or the reason why it is refused."""
        try:
            entry = self.authenticator.authenticate(text, now, of)
        except (Rejected, Unavailable) as error:
            return error.reason
        assert entry is not None
        return entry.token.issuer


@pytest.mark.parametrize("name", [A, B])
def test_an_app_jwt_is_of_the_issuer_that_iss_names(name: str) -> None:
    """RFC 8725 section 3.8: its keys, and no others, are looked up."""
    two = Two(APP)
    assert two.answer(two.issuers[name].app_jwt()) == name
    assert {each: keys.asked > 0 for each, keys in two.keys.items()} == {A: name == A, B: name == B}


@cases(
    ("claims", "reason"),
    {
        "unknown": ({"iss": "https://c.example"}, Reason.WRONG_ISSUER),
        "trailing slash": ({"iss": f"{A}/"}, Reason.WRONG_ISSUER),
        "another case": ({"iss": A.upper()}, Reason.WRONG_ISSUER),
        "empty": ({"iss": ""}, Reason.WRONG_ISSUER),
        "null": ({"iss": None}, Reason.WRONG_ISSUER),
        "a list": ({"iss": [A]}, Reason.WRONG_ISSUER),
        "an object": ({"iss": {}}, Reason.WRONG_ISSUER),
        "absent": ({"iss": OMIT}, Reason.MISSING_CLAIM),
    },
)
def test_another_issuer_is_refused_before_any_key_is_looked_up(claims: Any, reason: Reason) -> None:
    """Row 40102: ``iss`` is compared exactly, and an unknown one causes no fetch."""
    two = Two(APP)
    assert two.answer(two.issuers[A].app_jwt(**claims)) is reason
    assert [keys.asked for keys in two.keys.values()] == [0, 0]
    assert two.answer(two.issuers[A].app_jwt()) == A


@both_tokens
def test_the_key_of_one_issuer_verifies_no_token_of_another(token: TokenType) -> None:
    """Row 40102 or 40103: the same ``kid``, account and ids, signed by the other issuer."""
    two = Two(token)
    forged = two.issuers[B].sign(token.claims(iss=A))
    assert two.answer(forged) is Reason.BAD_SIGNATURE
    assert two.keys[B].asked == 0
    assert two.answer(two.issuers[A].sign(token.claims(iss=A))) == A


@both_tokens
def test_a_payload_that_is_no_json_is_refused_before_any_key_is_looked_up(token: TokenType) -> None:
    """RFC 8725 section 3.7: as strict as behind a good signature."""
    two = Two(token)
    text = two.issuers[A].sign(b'{"iss":"%b","iss":"%b"}' % (A.encode(), A.encode()))
    assert two.answer(text) is Reason.BAD_JSON
    assert [keys.asked for keys in two.keys.values()] == [0, 0]


def test_an_unverified_payload_has_a_bounded_number_of_values() -> None:
    """docs/exhaustion.rst: reading it must not cost many times what verifying does."""
    two = Two(APP)
    longest, longer = ({"x": [0] * count} for count in (505, 506))
    assert two.answer(two.issuers[A].app_jwt(**longest)) == A
    assert two.answer(two.issuers[A].app_jwt(**longer)) is Reason.BAD_JSON
    assert verifier_of(APP).verify(issuer_of().app_jwt(**longer), NOW).token


def test_the_details_do_not_quote_a_token_that_is_not_verified() -> None:
    """docs/errors.rst: they have the issuers that are expected."""
    two = Two(APP)
    with pytest.raises(Rejected) as caught:
        two.authenticator.authenticate(two.issuers[A].app_jwt(iss="https://c.example"), NOW)
    assert caught.value.reason_details == {"expected_issuer": f"{A} or {B}"}


@cases(
    ("names", "told"),
    {
        "short": ([A, B], f"{A} or {B}"),
        "long": ([f"{A}/realms/{'x' * 20}", f"{A}/realms/{'y' * 20}"], "one of 2"),
        "a single one": ([f"{A}/{'x' * 99}"], f"{A}/{'x' * 99}"),
        "many": ([str(number) for number in range(9)], "one of 9"),
    },
)
def test_names_that_would_be_cut_are_counted(names: list[str], told: str) -> None:
    """docs/errors.rst: a half of two names could be the wrong half."""
    error = Rejected.of_expected(Reason.WRONG_ISSUER, "expected_issuer", names)
    assert error.reason_details == {"expected_issuer": told}


@cases(("rules",), {"remembered": (CACHED,), "not remembered": ({},)})
@pytest.mark.parametrize("name", [A, B])
def test_an_outage_of_keys_tells_whose_they_are(name: str, rules: dict[str, Any]) -> None:
    """Row 50301: the issuer is configured, so no text of the token is told."""
    two = Two(APP, **rules)
    text = two.issuers[name].app_jwt()
    assert two.answer(text) == name
    two.keys[name].is_out = True
    for header in (text, f"bearer {text}"):
        with pytest.raises(Unavailable) as caught:
            two.authenticator.authenticate(header, NOW)
        assert caught.value.reason_details == {"issuer": name}


def test_in_an_outage_a_consumer_jws_is_of_the_issuer_of_the_app_jwt() -> None:
    """Row 50301: not of the issuer under which it is remembered; alone, it may be of any."""
    two = Two(CONSUMER, **CACHED)
    text = two.issuers[A].consumer_jws()
    assert two.answer(text, of=A) == A
    for keys in two.keys.values():
        keys.is_out = True
    for of, told in ((A, {"issuer": A}), (B, {"issuer": B}), (None, {})):
        with pytest.raises(Unavailable) as caught:
            two.authenticator.authenticate(text, NOW, of)
        assert caught.value.reason_details == told


def test_where_there_is_one_issuer_an_outage_names_none() -> None:
    """docs/errors.rst: it is known."""
    plain = verifier_of(APP)
    keys = Watched(plain.keys)
    keys.is_out = True
    only = Authenticator([Verifier(plain.profile, plain.rules, keys)])
    with pytest.raises(Unavailable) as caught:
        only.authenticate(issuer_of().app_jwt(), NOW)
    assert caught.value.reason_details == {}


# A ConsumerJWS


def test_a_consumer_jws_is_judged_by_the_issuer_of_the_app_jwt() -> None:
    """Row 40103: one of another issuer is refused, whatever it says, remembered or new."""
    two = Two(CONSUMER, **CACHED)
    texts = {name: made.consumer_jws() for name, made in two.issuers.items()}
    assert two.answer(texts[A], of=A) == two.answer(texts[A], of=A) == A
    assert two.answer(texts[A], of=B) is Reason.BAD_SIGNATURE  # though it is remembered
    assert two.answer(texts[B], of=A) is Reason.BAD_SIGNATURE
    assert two.answer(texts[B], of=B) == B
    assert two.answer(two.issuers[A].consumer_jws(iss=A), of=A) == A
    assert two.answer(two.issuers[B].consumer_jws(iss=B), of=A) is Reason.WRONG_ISSUER
    assert two.answer(two.issuers[A].consumer_jws(iss=B), of=A) is Reason.WRONG_ISSUER


@cases(
    ("kids", "answers"),
    {
        "each its own": (("a", "b"), [A, B]),
        "the same": (("k", "k"), [Reason.MISSING_CLAIM, Reason.MISSING_CLAIM]),
        "one without": ((None, "b"), [A, B]),
        "both without": ((None, None), [Reason.MISSING_CLAIM, Reason.MISSING_CLAIM]),
    },
)
def test_a_consumer_jws_alone_is_of_the_only_issuer_that_has_its_kid(
    kids: Any, answers: Any
) -> None:
    """Row 40103: where two have it, the token must name its issuer."""
    two = Two(CONSUMER, kids)
    assert [two.answer(made.consumer_jws()) for made in two.issuers.values()] == answers
    named = [two.answer(made.consumer_jws(iss=name)) for name, made in two.issuers.items()]
    assert named == [A, B]


def test_a_consumer_jws_alone_whose_kid_no_issuer_has_is_refused() -> None:
    """Row 40103, and 503 while an issuer's keys cannot be had: they may have it."""
    two = Two(CONSUMER, ("a", "b"))
    stranger = issuer(A, kid="c").consumer_jws()
    assert two.answer(stranger) is Reason.UNKNOWN_KEY
    assert (
        two.answer(two.issuers[A].sign(CONSUMER.claims(), {"alg": "none"})) is Reason.BAD_ALGORITHM
    )
    two.keys[A].is_out = True
    assert two.answer(stranger) is Reason.KEYS_UNAVAILABLE
    assert two.answer(two.issuers[B].consumer_jws()) == B


def test_an_issuer_may_require_that_a_consumer_jws_names_it() -> None:
    """docs/claims.rst: ``issuer`` in CONSUMER_JWS_CLAIMS; then ``iss`` is mandatory."""
    names = replace(CONSUMER_JWS_CLAIMS, requires_issuer=True)
    profile: TokenProfile[Any] = consumer_jws_profile(names, APP_JWT_CLAIMS, frozenset({"jwt"}))
    plain = verifier_of(CONSUMER)
    strict = Verifier(profile, plain.rules, plain.keys)
    for verifying, said in (
        (plain, ["Sentinel"] * 3),
        (strict, ["Sentinel", Reason.MISSING_CLAIM, Reason.WRONG_ISSUER]),
    ):
        answers = []
        for claims in ({"iss": "Sentinel"}, {}, {"iss": "another"}):
            try:
                answers.append(
                    verifying.verify(issuer_of().consumer_jws(**claims), NOW).token.issuer
                )
            except Rejected as rejected:
                answers.append(rejected.reason)
        assert answers == said
    two = Two(CONSUMER, ("a", "b"))
    rules: VerifierRules = two.authenticator.verifiers[A].rules
    stricter = Verifier(profile, rules, two.keys[A])
    two.authenticator = Authenticator([stricter, two.authenticator.verifiers[B]])
    assert two.answer(two.issuers[A].consumer_jws()) is Reason.UNKNOWN_KEY
    assert two.answer(two.issuers[A].consumer_jws(iss=A)) == A


@cases("kids", {"by its kid": ("a", "b"), "by no kid": ("a", None)})
def test_a_known_key_waits_for_no_other_issuer(kids: Any) -> None:
    """docs/issuers.rst: the source of another issuer, which may be out of reach, is not asked."""
    two = Two(CONSUMER, kids)
    two.keys[B].is_out = True
    verifiers = [two.authenticator.verifiers[A], two.authenticator.verifiers[B]]
    known = Verifier(verifiers[0].profile, verifiers[0].rules, two.keys[A].inner)
    two.authenticator = Authenticator([known, verifiers[1]])
    assert two.answer(two.issuers[A].consumer_jws()) == A
    assert two.keys[B].asked == 0


def test_a_key_without_kid_does_not_hide_that_another_issuer_is_out_of_reach() -> None:
    """Row 50301: the token may be of the issuer whose keys cannot be had."""
    two = Two(CONSUMER, ("a", None))
    assert two.answer(two.issuers[A].consumer_jws()) == A
    two.keys[A].is_out = True
    assert two.answer(two.issuers[A].consumer_jws()) is Reason.KEYS_UNAVAILABLE
    assert two.answer(two.issuers[B].consumer_jws(iss=B)) == B


def test_the_search_for_an_unknown_kid_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 50301: issuers that hang, one after the other, hold a request for a bounded time."""
    two = Two(CONSUMER, ("a", "b"))
    times = iter(range(0, 100, 3))
    clock = "flask_connector_auth.keys.lookups.steady_time"
    monkeypatch.setattr(clock, lambda: next(times))
    assert two.answer(issuer(A, kid="c").consumer_jws()) is Reason.KEYS_UNAVAILABLE
    assert [keys.asked for keys in two.keys.values()] == [0, 0]


# What is remembered


def test_what_is_remembered_beside_an_app_jwt_is_not_alone_of_a_certain_issuer() -> None:
    """Row 40103: two issuers have its ``kid``, whatever was sent before."""
    two = Two(CONSUMER, **CACHED)
    text = two.issuers[A].consumer_jws()
    for _ in range(2):
        assert two.answer(text) is Reason.MISSING_CLAIM
        assert two.answer(text, of=A) == A
    named = two.issuers[A].consumer_jws(iss=A)
    assert [two.answer(named, of=of) for of in (A, None, A, None)] == [A] * 4


@both_tokens
def test_each_issuer_has_a_cache_of_its_own(token: TokenType) -> None:
    """CACHE_SIZE: many tokens of one issuer evict none of another."""
    two = Two(token, ("a", "b"), **CACHED)
    first = two.issuers[A].sign(token.claims(iss=A))
    assert two.answer(first) == A
    for number in range(20):
        assert two.answer(two.issuers[B].sign(token.claims(iss=B, jti=str(number)))) == B
    entries = {name: each.cache.health() for name, each in two.authenticator.verifiers.items()}
    assert {name: each["entries"] for name, each in entries.items()} == {A: 1, B: 4}
    assert two.answer(first) == A
    assert two.authenticator.verifiers[A].cache.hits == 1
    assert two.answer(two.issuers[B].sign(token.claims(iss=B, jti="0"))) == B
    assert two.authenticator.verifiers[B].cache.hits == 0


def test_the_log_names_the_issuer_where_there_are_several() -> None:
    """docs/operations.rst: the ids of two issuers may be the same."""
    two = Two(CONSUMER, ("a", "b"))
    with pytest.raises(Rejected) as caught:
        two.authenticator.authenticate(two.issuers[A].consumer_jws(exp=1), NOW)
    assert caught.value.loggable_claims["consumer_jws.issuer"] == A


def test_an_outage_names_its_issuer_though_the_exception_is_the_same() -> None:
    """docs/issuers.rst: a key source of the application may raise one object for all issuers."""
    two = Two(APP)
    verifiers = [
        Verifier(each.profile, each.rules, Outage())
        for each in two.authenticator.verifiers.values()
    ]
    authenticator: Authenticator[Any] = Authenticator(verifiers)
    for name in (A, B, A):
        with pytest.raises(Unavailable) as caught:
            authenticator.authenticate(two.issuers[name].app_jwt(), NOW)
        assert caught.value.reason_details == {"issuer": name}
        assert caught.value.retry_after == 7
