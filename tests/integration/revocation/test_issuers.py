"""Revocations in apps of two issuers, which use the same ids and the same ``kid``."""

from math import inf
from typing import Any

import pytest

from flask_connector_auth import RevocationStoreError, verify_request
from flask_connector_auth.revocation import Kind
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import NOW, cases
from tests.support.http_helpers import headers
from tests.support.redis_servers import SOON, Server, until
from tests.support.revocation_worlds import ACCOUNT, INSTALL, MakeWorld, World

A, B = "https://a.example", "https://b.example"
CONSUMER = "1b7e2f1a"
#: Each kind of id, and the row that a request gets once it is revoked.
SUBJECTS = {
    "the app install": ({"install_id": INSTALL}, 40102),
    "the account": ({"account_id": ACCOUNT}, 40102),
    "the consumer": ({"lp_consumer_id": CONSUMER}, 40103),
    "the consumer, by its other id": ({"ext_consumer_id": "consumer-1"}, 40103),
}

Tokens = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def issuers() -> dict[str, Issuer]:
    """Two issuers, each with a key of its own."""
    return {name: Issuer(name=name, clock=lambda: NOW) for name in (A, B)}


@pytest.fixture(scope="module")
def trusted(issuers: dict[str, Issuer]) -> dict[str, Any]:
    """The settings of an app of both issuers."""
    return {"ISSUERS": {name: {"APP_JWT_KEYS": each.key_set()} for name, each in issuers.items()}}


@pytest.fixture(params=[0, 4096], ids=["verified anew", "cached"])
def one(
    request: pytest.FixtureRequest,
    world: MakeWorld,
    settings: dict[str, Any],
    trusted: dict[str, Any],
) -> World:
    """An app of both issuers that caches verified tokens, and one that does not."""
    return world(clock=lambda: NOW, CACHE_SIZE=request.param, **trusted, **settings)


@pytest.fixture(scope="module")
def tokens(issuers: dict[str, Issuer]) -> Tokens:
    """An AppJWT and a ConsumerJWS of each issuer, for the same account, install and consumer."""
    return {
        name: {
            "app_jwt": each.app_jwt(),
            "consumer_jws": each.consumer_jws(lp_consumer_id=CONSUMER),
        }
        for name, each in issuers.items()
    }


def answers(one: World, tokens: Tokens) -> tuple[int, int]:
    """Return the answers to the tokens of each issuer."""
    return one.answer(**tokens[A]), one.answer(**tokens[B])


@cases(("subject", "row"), SUBJECTS)
def test_an_id_of_one_issuer_is_not_that_of_another(
    subject: dict[str, Any], row: int, one: World, tokens: Tokens
) -> None:
    """Rows 40102 and 40103: only tokens of the issuer for which it is revoked are refused; without
    ``issuer``, those of all. Restoring one entry leaves the other."""
    assert answers(one, tokens) == (200, 200)
    one.revoke(**subject, issuer=A, at=NOW)
    assert answers(one, tokens) == (row, 200)
    one.revoke(**subject, at=NOW)
    assert answers(one, tokens) == (row, row)
    one.restore(**subject, issuer=A)
    until(lambda: one.health["entries"] == 1, SOON)
    assert answers(one, tokens) == (row, row)
    one.revoke(**subject, issuer=B, at=NOW)
    one.restore(**subject)
    until(lambda: answers(one, tokens) == (200, row), SOON)
    one.restore(**subject, issuer=B)
    until(lambda: answers(one, tokens) == (200, 200), SOON)


@cases(("subject", "row"), SUBJECTS)
@pytest.mark.parametrize("name", [A, B])
def test_only_tokens_that_were_issued_until_then_are_refused(
    name: str, subject: dict[str, Any], row: int, one: World, tokens: Tokens
) -> None:
    """``at`` is for one issuer too; a ConsumerJWS has no ``iat``."""
    one.revoke(**subject, issuer=name, at=NOW - 1)
    of_consumer = row == 40103 or "account_id" in subject
    expected = {A: 200, B: 200} | ({name: 40103} if of_consumer else {})
    assert answers(one, tokens) == (expected[A], expected[B])
    one.revoke(**subject, issuer=name, at=NOW)
    expected = {A: 200, B: 200, name: row}
    assert answers(one, tokens) == (expected[A], expected[B])


@cases("subject", {name: subject for name, (subject, _) in SUBJECTS.items()})
def test_a_consumer_jws_is_of_the_issuer_whose_keys_have_verified_it(
    subject: dict[str, Any], one: World, issuers: dict[str, Issuer]
) -> None:
    """Not of one that it names: without ``iss``, it is of the issuer of the AppJWT."""
    for name, other in ((A, B), (B, A)):
        sent = headers(issuers[name].app_jwt(), issuers[name].consumer_jws(of=other, issuer=other))
        with one.app.test_request_context(headers=sent):
            identity = verify_request(app_jwt=True, consumer_jws=True)
            assert "iss" not in identity.consumer_jws.claims
            assert identity.consumer_jws.issuer == name
        one.revoke(**subject, issuer=other, at=NOW)
        assert one.answer(sent["Authorization"], sent["X-LP-ON-BEHALF"]) == 200
        one.restore(**subject, issuer=other)
        until(lambda: one.health["entries"] == 0, SOON)


def test_other_workers_hear_of_which_issuer_an_id_is_revoked(
    world: MakeWorld, server: Server, trusted: dict[str, Any], tokens: Tokens
) -> None:
    """Through the store and back: what a worker lists restores the entry, for that issuer alone."""
    here, there, alone = (
        world(clock=lambda: NOW, REVOCATION_URL=server.url, **settings)
        for settings in (trusted, trusted, {"ISSUER": A})
    )
    assert answers(there, tokens) == (200, 200)
    here.revoke(account_id=ACCOUNT, issuer=B, at=NOW)
    here.revoke(account_id=ACCOUNT, at=NOW - 9)
    until(lambda: answers(there, tokens) == (40103, 40102), SOON)
    listed = sorted(there.revocations.entries(), key=str)
    assert listed == [
        ("account", {"account_id": ACCOUNT, "issuer": B}, NOW, inf),
        ("account", {"account_id": ACCOUNT}, NOW - 9, inf),
    ]
    # A service of another issuer lists it, revokes nothing for that issuer, and can restore it.
    assert sorted(alone.revocations.entries(), key=str) == listed
    with pytest.raises(ValueError, match=f"only of: '{A}'$"):
        alone.revoke(account_id=ACCOUNT, issuer=B)
    there.restore(**listed[1].subject)
    until(lambda: answers(here, tokens) == (200, 40102), SOON)
    alone.restore(**listed[0].subject)
    until(lambda: answers(here, tokens) == (200, 200), SOON)


def test_in_an_outage_no_token_of_either_issuer_passes(
    world: MakeWorld, own_server: Server, trusted: dict[str, Any], tokens: Tokens
) -> None:
    """Row 50301, and what is revoked for one issuer is in force in this process."""
    one = world(clock=lambda: NOW, REVOCATION_URL=own_server.url, REVOCATION_MAX_LAG=1, **trusted)
    assert answers(one, tokens) == (200, 200)
    own_server.kill()
    with pytest.raises(RevocationStoreError):
        one.revoke(install_id=INSTALL, issuer=B)
    assert one.health["entries"] == 1
    until(lambda: answers(one, tokens) == (50301, 50301), SOON)


@cases(
    ("lifetimes", "kept"),
    {
        "the longest": ((60, 600), 600 + 30 + 60),
        "one without limit": ((60, None), inf),
    },
)
def test_an_entry_is_kept_for_the_longest_lifetime(
    lifetimes: tuple[Any, Any], kept: float, world: MakeWorld, issuers: dict[str, Issuer]
) -> None:
    """``MAX_LIFETIME``: an entry for all issuers must outlast the tokens of each."""
    settings = {
        name: {"APP_JWT_KEYS": each.key_set(), "MAX_LIFETIME": lifetime}
        for (name, each), lifetime in zip(issuers.items(), lifetimes, strict=True)
    }
    one = world(ISSUERS=settings)
    assert one.revocations._factory.retention[Kind.INSTALL] == kept
