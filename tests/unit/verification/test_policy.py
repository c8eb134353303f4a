"""Scopes and accounts: what a verified token must be good for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flask_connector_auth.core import (
    AppJWT,
    ConsumerJWS,
    Reason,
    Rejected,
    TokenRequirement,
    token_requirement,
)
from flask_connector_auth.verification import (
    Verifier,
    check_account,
    check_distinct,
    check_same_account,
    check_scopes,
    missing_scope,
)
from tests.support.floor_helpers import APP, verifier

READER = verifier(APP)


def app_jwt(account_id: str = "le1", scopes: str = "") -> AppJWT:
    """Return an AppJWT of *account_id* with *scopes*."""
    granted = frozenset(scopes.split())
    return AppJWT(account_id, "install-1", granted, "Sentinel", 0, 1, {"scope": scopes})


def consumer_jws(account_id: str) -> ConsumerJWS:
    """Return a ConsumerJWS of *account_id*."""
    return ConsumerJWS(account_id, "consumer-1", "abc", "Sentinel", {})


def refusal(check: Callable[..., None], *args: object) -> Reason | None:
    """Return why *check* refuses, or ``None`` where it does not."""
    try:
        check(*args)
    except Rejected as rejected:
        return rejected.reason
    return None


@pytest.mark.parametrize(
    ("granted", "required", "any_scope", "passes"),
    [
        ("", "", "", True),
        ("a", "", "", True),
        ("a b", "a", "", True),
        ("a b", "b a", "", True),
        ("a", "a b", "", False),
        ("", "a", "", False),
        ("ab", "a", "", False),
        ("a", "ab", "", False),
        ("A", "a", "", False),
        ("a.b", "a", "", False),
        ("a", "", "a b", True),
        ("b", "", "a b", True),
        ("c", "", "a b", False),
        ("", "", "a", False),
        ("a", "a", "b c", False),
        ("b", "a", "b c", False),
        ("a c", "a", "b c", True),
    ],
)
def test_scopes_are_compared_whole(
    granted: Any, required: Any, any_scope: Any, passes: Any
) -> None:
    """Row 40102, RFC 6749 section 3.3: all of these, one of those; no prefix, no other case."""
    requirement = token_requirement(required or (), any_scope or ())
    expected = None if passes else Reason.MISSING_SCOPE
    assert refusal(check_scopes, app_jwt(scopes=granted), requirement, READER) is expected


def test_each_list_of_alternatives_must_be_met() -> None:
    """docs/decorators.rst: two decorators with ``any_scope`` require one of each."""
    both = token_requirement((), "a b") | token_requirement((), "c d")
    assert refusal(check_scopes, app_jwt(scopes="a d"), both, READER) is None
    assert refusal(check_scopes, app_jwt(scopes="a b"), both, READER) is Reason.MISSING_SCOPE


def test_no_requirement_needs_no_scope() -> None:
    """RFC 6749 section 3.3: ``scope`` is optional."""
    assert refusal(check_scopes, app_jwt(), TokenRequirement(), READER) is None


def details(check: Callable[..., None], *args: object) -> object:
    """Return the details with which *check* refuses."""
    with pytest.raises(Rejected) as caught:
        check(*args)
    return caught.value.reason_details


def test_a_missing_scope_is_told_with_what_was_required_and_granted() -> None:
    """docs/errors.rst: alternatives are joined by a bar, as the command ``routes`` shows them."""
    required = token_requirement("a b", "y x")
    for granted, text in (("b c", "a x|y b"), ("a b c", "x|y a b")):
        told = {"required_scopes": text, "granted_scopes": granted}
        assert details(check_scopes, app_jwt(scopes=granted), required, READER) == told


def test_the_scopes_that_are_missing_come_first() -> None:
    """A long text is cut in the log."""
    rejected = missing_scope(app_jwt(scopes="c a b"), ["a", "d", "c", "x|y"], READER)
    assert rejected.reason_details == {"required_scopes": "d x|y a c", "granted_scopes": "a b c"}


def test_scopes_are_missing_because_no_claim_has_any() -> None:
    """docs/errors.rst: the issuer may write them into a claim that is not read."""
    names = replace(READER.profile.names, scopes=("scp", "scope"))
    reader = replace(READER.profile, names=names)
    other = Verifier(reader, READER.rules, READER.keys)
    required = token_requirement("a")
    told = {"required_scopes": "a", "granted_scopes": ""}
    for claims, absent in (
        ({"roles": "a"}, {"scope_claim": "absent: scp or scope"}),
        ({"scope": ""}, {}),
        ({"scp": []}, {}),
    ):
        token = AppJWT("le1", "install-1", frozenset(), "Sentinel", 0, 1, claims)
        assert details(check_scopes, token, required, other) == told | absent


def test_a_wrong_account_is_told_with_the_expected_one() -> None:
    """docs/errors.rst: that of the URL, of the setting, or of the other token."""
    assert details(check_account, "le1", 7, ONE) == {"expected_account": "7"}
    assert details(check_account, "le3", None, SEVERAL) == {"expected_account": "le1 or le2"}
    told = {"expected_account": "le1"}
    assert details(check_same_account, app_jwt("le1"), consumer_jws("le2")) == told


ONE, SEVERAL = frozenset({"le1"}), frozenset({"le1", "le2"})


@pytest.mark.parametrize(
    ("account", "view_account", "audience", "passes"),
    [
        ("le1", None, None, True),
        ("le1", "le1", None, True),
        ("le1", "le2", None, False),
        ("le1", "", None, False),
        ("le1", None, ONE, True),
        ("le2", None, ONE, False),
        ("le2", None, SEVERAL, True),
        ("le3", None, SEVERAL, False),
        ("le1", None, frozenset(), False),
        ("le1", "le1", ONE, True),
        ("le1", "le2", SEVERAL, False),
        ("le3", "le3", SEVERAL, False),
    ],
)
def test_the_token_is_of_the_account_that_is_served(
    account: str, view_account: Any, audience: Any, passes: Any
) -> None:
    """RFC 8725 section 3.9, ASVS 9.2.3: URL and setting decide; with both, both."""
    expected = None if passes else Reason.WRONG_ACCOUNT
    assert refusal(check_account, account, view_account, audience) is expected


@pytest.mark.parametrize(
    "near", ["LE1", "le", "le11", " le1", "le1 ", "\uff4ce1", "le1\0", "l\u0435" + "1"]
)
def test_accounts_are_compared_code_point_by_code_point(near: str) -> None:
    """RFC 8725 section 3.9: no trimming, case-folding, normalisation or prefix."""
    assert refusal(check_account, "le1", "le1", ONE) is None
    assert refusal(check_account, near, "le1", None) is Reason.WRONG_ACCOUNT
    assert refusal(check_account, near, None, ONE) is Reason.WRONG_ACCOUNT


def test_one_text_is_not_both_tokens() -> None:
    """Row 40103, RFC 8725 section 3.12: the two headers hold two texts, or one header none."""
    assert refusal(check_distinct, "a.b.c", "a.b.d") is None
    assert refusal(check_distinct, None, "a.b.c") is None
    assert refusal(check_distinct, "a.b.c", "a.b.c") is Reason.SAME_TOKEN


def test_both_tokens_name_one_account() -> None:
    """Row 40103: a ConsumerJWS of another account than the AppJWT's is refused."""
    assert refusal(check_same_account, app_jwt("le1"), consumer_jws("le1")) is None
    assert refusal(check_same_account, None, consumer_jws("le1")) is None
    assert refusal(check_same_account, app_jwt("le1"), consumer_jws("le2")) is Reason.WRONG_ACCOUNT
