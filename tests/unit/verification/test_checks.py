"""The order of the checks, as data: one list for the verifier, ``inspect`` and the docs."""

import pytest

from flask_connector_auth.core import Reason, Rejected
from flask_connector_auth.verification import (
    APP_JWT,
    CHECKS,
    CONSUMER_JWS,
    Check,
    Examination,
    Stage,
    Verifier,
)
from tests.support.floor_helpers import (
    TokenType,
    authenticate,
    both_tokens,
    issuer_of,
    verifier,
)


def test_the_checks_of_a_stage_stand_together_in_the_order_of_the_stages() -> None:
    """docs/security.rst: the first check that fails decides, so the order is part of the rule."""
    places = [list(Stage).index(check.stage) for check in CHECKS]
    assert places == sorted(places)
    assert set(places) == set(range(len(Stage)))


def test_each_check_has_a_name_of_its_own_and_its_rule() -> None:
    """The docs have the docstring of a check as its rule."""
    names = [check.run.__name__ for check in CHECKS]
    assert len(set(names)) == len(names)
    assert all((check.run.__doc__ or "").startswith("Check that ") for check in CHECKS)
    assert all(check.reasons and check.sentence.endswith(".") for check in CHECKS)


def check_tenant(examined: Examination) -> None:
    """Check that the claim ``tenant`` is present."""
    if "tenant" not in examined.claims:
        raise Rejected(Reason.MISSING_CLAIM)


TENANT = Check(Stage.CLAIMS, check_tenant, (Reason.MISSING_CLAIM,), "tenant is present.")


@both_tokens
def test_one_more_check_is_one_more_entry(token: TokenType) -> None:
    """The verifier runs whatever is listed, at its place: here before the times."""
    plain = verifier(token)
    place = [check.stage for check in CHECKS].index(Stage.TIMES)
    checks = [*CHECKS[:place], TENANT, *CHECKS[place:]]
    strict = Verifier(plain.profile, plain.rules, plain.keys, checks=checks)
    without, expired, good = (
        issuer_of().sign(token.claims(**claims)) for claims in ({}, {"exp": 1}, {"tenant": "a"})
    )
    assert authenticate(plain, without)
    assert authenticate(strict, good)
    for text in (without, expired):
        with pytest.raises(Rejected) as caught:
            authenticate(strict, text)
        assert caught.value.reason is Reason.MISSING_CLAIM
        assert f"{token.profile.label}.kid" in caught.value.loggable_claims


def test_a_check_may_be_for_one_type_of_token() -> None:
    """RFC 8725 section 3.12: the rules of the two types differ; the list says where."""
    only = {check.run.__name__: check.only for check in CHECKS if check.only}
    assert {name for name, profile in only.items() if profile is APP_JWT} == {
        *("check_lifetime", "check_scope_claim", "check_account_claim", "check_scopes"),
    }
    assert {name for name, profile in only.items() if profile is CONSUMER_JWS} == {
        *("check_same_account", "check_distinct"),
    }
