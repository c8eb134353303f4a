"""Authentication of a header value: how it is read, remembered, and checked for revocation."""

from collections.abc import Sequence
from math import inf
from typing import Any, cast

import pytest

from flask_connector_auth.core import Reason, Rejected, shared_claims
from flask_connector_auth.keys import KeySource, VerificationKey
from flask_connector_auth.revocation import (
    Change,
    RevocationCache,
    RevocationSet,
    Subject,
    digest_of,
)
from flask_connector_auth.verification import CHECKS, Authenticator, Check, Stage, Verifier
from tests.support.floor_helpers import (
    APP,
    CONSUMER,
    NOW,
    TokenType,
    authenticate,
    both_tokens,
    cases,
    issuer_of,
    jwk,
    verifier,
)

REMEMBERING = {"cache_size": 10, "cache_max_age": 300}
APP_IDS = {"account_id": "le81823118", "install_id": "75588e18-0000-4000-8000-000000000000"}


def answer(verifying: Verifier[Any] | Authenticator[Any], header: str) -> Any:
    """Return the token in *header*, or the reason why *verifying* refuses it."""
    try:
        return authenticate(verifying, header)
    except Rejected as rejected:
        return rejected.reason


@both_tokens
@pytest.mark.parametrize("blank", ["", " ", "\t", " \t "])
def test_a_blank_header_is_no_token(token: TokenType, blank: str) -> None:
    """Which error wins: blank is missing, which is for the caller to judge."""
    assert answer(verifier(token), blank) is None


@both_tokens
@cases(
    "header",
    {
        "comma": "eyJ,a",
        "space": "eyJ a",
        "tab": "eyJ\ta",
        "scheme": "Basic a.b.c",
        "two spaces": "a  b",
    },
)
def test_a_header_that_is_not_one_token_is_refused(token: TokenType, header: str) -> None:
    """RFC 9110 section 11.4: also where it starts as a token does."""
    assert answer(verifier(token), header) is Reason.BAD_HEADER


@both_tokens
@pytest.mark.parametrize(
    "header", ["\xa0", "\x0b", "\x85", "X", "x", "e", "eyJ", "\ud800", "é.é.é"]
)
def test_a_header_that_holds_anything_is_not_blank(token: TokenType, header: str) -> None:
    """RFC 9110 section 5.6.3: only space and tab are white space; other text is refused, with what
    it cannot be encoded as too."""
    verifying = verifier(token, **REMEMBERING)
    assert answer(verifying, header) is Reason.NOT_COMPACT


@both_tokens
@cases(
    ("header", "said"),
    {
        "twice the limit": ("," * 200, Reason.BAD_HEADER),
        "more than that": ("," * 201, Reason.TOO_LARGE),
        "blank, and twice the limit": (" " * 200, None),
        "blank, and more than that": (" " * 201, Reason.TOO_LARGE),
    },
)
def test_a_huge_header_is_too_large(token: TokenType, header: str, said: Any) -> None:
    """docs/exhaustion.rst: over twice MAX_TOKEN_BYTES it is not searched, not even for blanks."""
    assert answer(verifier(token, max_token_bytes=100), header) is said


@pytest.mark.parametrize("header", ["Bearer {}", "bearer   {}", " {}\t", "{}"])
def test_a_token_is_read_off_its_header(header: str) -> None:
    """RFC 6750 section 2.1: behind ``Bearer`` or bare."""
    text = issuer_of().app_jwt()
    verifying, whole = verifier(APP), header.format(text)
    assert answer(verifying, whole) == verifying.verify(text, NOW).token


def test_a_consumer_jws_stands_bare() -> None:
    """Protocol page: ``X-LP-ON-BEHALF`` holds the token only."""
    text = issuer_of().consumer_jws()
    verifying = verifier(CONSUMER)
    assert answer(verifying, text) == verifying.verify(text, NOW).token
    assert answer(verifying, f"Bearer {text}") is Reason.BAD_HEADER


# What is remembered


@pytest.mark.parametrize("off", [{"cache_size": 0}, {"cache_max_age": 0}])
def test_without_a_cache_nothing_is_remembered(off: Any) -> None:
    """CACHE_SIZE or CACHE_MAX_AGE of 0: nothing is looked for and nothing kept."""
    verifying = verifier(APP, **{**REMEMBERING, **off})
    for _ in range(2):
        assert answer(verifying, issuer_of().app_jwt()).account_id
    assert verifying.cache.health() == {"size": 0, "entries": 0, "hits": 0, "misses": 0}


@both_tokens
@pytest.mark.parametrize(("spare", "hits"), [(0, 1), (-1, 0)])
def test_the_longest_token_is_remembered(token: TokenType, spare: int, hits: int) -> None:
    """MAX_TOKEN_BYTES: what is longer is refused, and was never looked for."""
    text = token.mint(issuer_of())
    verifying = verifier(token, max_token_bytes=len(text) + spare, **REMEMBERING)
    first, second = (answer(verifying, text) for _ in range(2))
    assert first == second
    assert (first is Reason.TOO_LARGE) == (hits == 0)
    assert verifying.cache.hits == hits


def test_a_token_of_one_of_several_keys_is_remembered() -> None:
    """Whether its key is in force is asked by its own kid and algorithm."""
    keys = [jwk(kid="dev-1"), jwk("RS256", "another", kid="dev-2"), jwk("ES256", kid="dev-1")]
    verifying = verifier(APP, keys, ["RS256", "ES256"], **REMEMBERING)
    for text in (issuer_of().app_jwt(), issuer_of("ES256").app_jwt()):
        assert answer(verifying, text) is answer(verifying, text)
    assert verifying.cache.hits == 2


def test_a_header_is_read_once_and_no_more_than_64_are_kept() -> None:
    """The headers of one key are alike; an issuer of many others cannot fill the memory."""
    signer, plain = issuer_of(), verifier(APP)
    read: list[Any] = []
    note = Check(Stage.PARAMETERS, read.append, (), "Noted.")
    verifying = Verifier(plain.profile, plain.rules, plain.keys, checks=[note, *CHECKS])
    for number in range(70):
        for _ in range(2):
            verifying.verify(signer.sign(APP.payload(), {"x": number}), NOW)
    assert len(verifying.accepted_headers) == 64
    # Twice what was not kept.
    assert len(read) == 64 + 2 * 6


class Changing(KeySource):
    """Has one key at first, and another one after a failure."""

    def __init__(self, first: VerificationKey, then: VerificationKey) -> None:
        self.first, self.then = first, then
        self.again: list[Any] = []

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the first key."""
        return [self.first]

    def candidates_after_failure(
        self, kid: Any, algorithm: Any, tried: Any
    ) -> Sequence[VerificationKey]:
        """Note the arguments, and return the other key."""
        self.again.append((kid, algorithm, tried))
        return [self.then]


def test_the_source_is_called_again_with_what_failed() -> None:
    """docs/key_sets.rst: the kid, the algorithm and the keys under which the signature failed."""
    one, other = (
        verifier(APP, jwk("RS256", owner, kid="dev-1")).keys.candidates("dev-1", "RS256")[0]
        for owner in ("another", "ours")
    )
    source = Changing(one, other)
    verifying = Verifier(APP.profile, verifier(APP).rules, source)
    assert verifying.verify(issuer_of().app_jwt(), NOW).token
    assert source.again == [("dev-1", "RS256", [one])]


# What is revoked


class Counting(RevocationCache):
    """Notes each subject that is looked for."""

    def __init__(self, table: RevocationSet) -> None:
        super().__init__(table)
        self.subjects: list[Subject] = []

    def check_not_revoked(self, subject: Subject) -> None:
        """Note *subject*, and check it."""
        self.subjects.append(subject)
        super().check_not_revoked(subject)


def revoking(token: TokenType, table: RevocationSet, **rules: Any) -> Authenticator[Any]:
    """Return an authenticator that goes by *table*."""
    verifying = verifier(token, **{**REMEMBERING, **rules})
    return Authenticator([verifying], Counting(table))


def keys_of(token: TokenType, text: str, said: Any) -> list[bytes | str]:
    """Return the names of all entries that revoke *text*."""
    shared = [digest_of(text), f"account:{said.account_id}"]
    if token is APP:
        return [*shared, f"install:{said.install_id}"]
    return [*shared, f"lp_consumer:{said.lp_consumer_id}", f"ext_consumer:{said.ext_consumer_id}"]


@pytest.mark.parametrize(
    ("token", "which"),
    [*((APP, which) for which in range(3)), *((CONSUMER, which) for which in range(4))],
)
@pytest.mark.parametrize("size", [0, 10])
def test_what_is_revoked_is_refused_however_often_it_came(
    token: TokenType, which: int, size: int
) -> None:
    """Row 40102 or 40103: before the token first comes, after it passed, and until restored."""
    text, table = token.mint(issuer_of()), RevocationSet({})
    said = verifier(token).verify(text, NOW).token
    key = keys_of(token, text, said)[which]
    for _ in range(2):
        verifying = revoking(token, table, cache_size=size)
        for value in (NOW, None, NOW, None):
            table.put(Change(key, value))
            assert answer(verifying, text) == (said if value is None else Reason.REVOKED)
            assert answer(verifying, text) == (said if value is None else Reason.REVOKED)


@pytest.mark.parametrize(("at", "reason"), [(NOW - 1, None), (NOW, Reason.REVOKED)])
def test_an_app_jwt_is_revoked_by_when_it_was_issued(at: Any, reason: Any) -> None:
    """docs/revocation.rst: what was issued until ``at``; a ConsumerJWS without ``iat``, always."""
    table = RevocationSet({})
    table.put(Change("account:le81823118", at))
    app, consumer = (revoking(token, table) for token in (APP, CONSUMER))
    refused = answer(app, issuer_of().app_jwt())
    assert refused is reason if reason else refused.account_id == "le81823118"
    assert answer(consumer, issuer_of().consumer_jws()) is Reason.REVOKED


def test_what_passed_is_not_looked_for_again_until_something_changes() -> None:
    """docs/revocation.rst, What it costs: so the number of entries makes no difference."""
    table, text = RevocationSet({}), issuer_of().app_jwt()
    table.put(Change(b"another token", inf))
    verifying = revoking(APP, table)
    for change in (b"a third token", b"a fourth token"):
        for _ in range(3):
            assert answer(verifying, text).account_id
        table.put(Change(change, inf))
    looked = cast(Counting, verifying.revocation_cache).subjects
    assert len(looked) == 2
    # What of a token can be revoked is worked out once.
    assert looked[0] is looked[1]


# What the log may tell of a refused token


def told_of(verifying: Authenticator[Any], text: str, reason: Reason) -> Any:
    """Return what a refusal for *reason* carries for the log."""
    with pytest.raises(Rejected) as caught:
        verifying.authenticate(text, NOW)
    assert caught.value.reason is reason
    return dict(caught.value.loggable_claims)


APP_TOLD = {"app_jwt.kid": "dev-1", **{f"app_jwt.{name}": of for name, of in APP_IDS.items()}}


def test_a_refusal_after_the_signature_tells_the_ids() -> None:
    """docs/operations.rst: what is vouched for by a key; nothing of a token that is not."""
    signer, table = issuer_of(), RevocationSet({})
    verifying = revoking(APP, table)
    assert told_of(verifying, signer.app_jwt(exp=1), Reason.EXPIRED) == APP_TOLD
    revoked = signer.app_jwt()
    table.put(Change(digest_of(revoked), inf))
    assert told_of(verifying, revoked, Reason.REVOKED) == APP_TOLD
    table.put(Change("account:le81823118", NOW))
    told = told_of(revoking(CONSUMER, table), signer.consumer_jws(), Reason.REVOKED)
    assert told == {"consumer_jws.kid": "dev-1", "consumer_jws.account_id": "le81823118"}
    assert told_of(verifying, signer.sign(b"{"), Reason.BAD_JSON) == {"app_jwt.kid": "dev-1"}
    stranger = issuer_of(owner="another").app_jwt()
    assert told_of(verifying, stranger, Reason.BAD_SIGNATURE) == {}


def test_what_a_refusal_carries_shows_no_claim() -> None:
    """Error reporters show the repr of all that is near an exception."""
    with pytest.raises(Rejected) as caught:
        authenticate(verifier(APP), issuer_of().app_jwt(exp=1, email="someone@example.com"))
    shown = repr((caught.value, vars(caught.value)))
    assert not [claim for claim in (*APP_IDS.values(), "someone@example.com") if claim in shown]


@pytest.mark.parametrize("known", [True, False])
def test_what_the_log_tells_of_a_good_token(known: bool) -> None:
    """The kid is in its header, whether that was read before or not."""
    verifying = verifier(APP)
    for _ in range(1 + known):
        entry = verifying.verify(issuer_of().app_jwt(), NOW)
    assert verifying.loggable_claims(entry.kid, shared_claims(entry.token)) == APP_TOLD
