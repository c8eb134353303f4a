"""What the verifier remembers, and what was revoked: nothing of it lets another request in.

RFC 8725 section 3.3. Other tests show the rest with real parts:
``tests/unit/verification/test_cache.py`` times on each hit, withdrawn keys, floods and eviction;
``tests/integration/revocation/test_apps.py`` and ``test_faults.py`` a store out of reach. Each test
of the playbook shows that no attack poisons the cache, since the good tokens pass after it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from flask_connector_auth.testing.tampering import TokenKind
from tests.support.attack_harness import assert_passes, assert_refused, untouched
from tests.support.attack_stage import HEADERS, KINDS, Stage, good, good_token, stages
from tests.support.floor_helpers import decoded, encoded
from tests.support.http_helpers import ACCOUNT, INVALID

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
REVOCATIONS: dict[str, tuple[int, Callable[[], dict[str, Any]]]] = {
    "the AppJWT": (40102, lambda: {"token": good_token("app_jwt", "RS256")}),
    "the ConsumerJWS": (40103, lambda: {"token": good_token("consumer_jws", "RS256")}),
    "the app install": (40102, lambda: {"install_id": good("app_jwt").claims["azp"]}),
    "the account": (40102, lambda: {"account_id": ACCOUNT}),
    "the consumer": (
        40103,
        lambda: {"lp_consumer_id": good("consumer_jws").claims["lp_consumer_id"]},
    ),
    "the consumer, by its other id": (
        40103,
        lambda: {"ext_consumer_id": good("consumer_jws").claims["ext_consumer_id"]},
    ),
}


def revocations(stage: Stage) -> Any:
    """Return what is revoked in the app of *stage*."""
    return stage.app.extensions["connector_auth"].revocations


@pytest.mark.parametrize("name", REVOCATIONS)
def test_what_is_revoked_is_refused_though_remembered(name: str) -> None:
    """Decision 0011: checked on every hit, and gone as soon as it is restored."""
    row, what = REVOCATIONS[name]
    for stage in stages():
        with untouched(stage):
            revocations(stage).revoke(**what())
            assert_refused(stage, row, stage.environ())
            revocations(stage).restore(**what())


def twin(token: str) -> str:
    """Return the other ES256 signature of a *token*, which anybody can make of the first."""
    message, _, signature = token.rpartition(".")
    r, s = decoded(signature)[:32], int.from_bytes(decoded(signature)[32:])
    return f"{message}.{encoded(r + (_P256_ORDER - s).to_bytes(32))}"


@pytest.mark.parametrize("revoked", [0, 1], ids=["the token", "the twin"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_revoked_token_has_no_twin(kind: TokenKind, revoked: int) -> None:
    """RFC 7518 section 3.4: a twin is as good as the token, and as bad once one is revoked."""
    token = good_token(kind, "ES256")
    twins = token, twin(token)
    for stage in stages("ES256"):
        for text in twins:
            assert stage.send(stage.environ(**{HEADERS[kind]: text})).status_code == 200
        revocations(stage).revoke(token=twins[revoked])
        for text in twins:
            assert_refused(stage, INVALID[kind], stage.environ(**{HEADERS[kind]: text}))
        revocations(stage).restore(token=twins[revoked])
        assert_passes(stage)


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_of_a_remembered_token_is_its_name(kind: TokenKind) -> None:
    """Decision 0011: the digest is of the whole text; one character makes another."""
    token = good_token(kind, "RS256")
    stage = stages()[0]
    with untouched(stage):
        for place in range(0, len(token), 11):
            other = "B" if token[place] == "A" else "A"
            text = token[:place] + other + token[place + 1 :]
            answer = stage.send(stage.environ(**{HEADERS[kind]: text}))
            assert answer.status_code == 401


def test_a_remembered_token_is_not_good_for_another_account() -> None:
    """RFC 8725 section 3.9: the account is compared on every hit; the AppJWT's comes first."""
    for stage in stages():
        with untouched(stage):
            for _ in range(2):
                assert_refused(stage, 40102, stage.environ(), path="/api/another")
