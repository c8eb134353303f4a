"""Keys of several sources side by side: which are tried, which are asked, who is out of reach."""

from collections.abc import Sequence

import pytest

from flask_connector_auth.core import Reason, Unavailable
from flask_connector_auth.keys import (
    CombinedKeys,
    Health,
    KeyRules,
    KeySource,
    StaticKeys,
    VerificationKey,
    parse_keys,
)
from tests.support.simulation import World, new_key

RULES = KeyRules(["ES256"])


def static(*entries: dict[str, str]) -> StaticKeys:
    """Return configured keys."""
    return StaticKeys(parse_keys(list(entries), RULES)[0])


class Down(KeySource):
    """A source that is out of reach."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Fail."""
        raise Unavailable(Reason.KEYS_UNAVAILABLE, 7)

    def health(self) -> Health:
        """Not be ready."""
        return {"ready": False}


def kids(keys: Sequence[VerificationKey]) -> list[str | None]:
    """Return the ids of *keys*."""
    return [key.kid for key in keys]


def test_tokens_of_a_configured_key_never_cost_a_fetch() -> None:
    """V1 static, V2 remote: the first source that has the key answers alone."""
    world = World("v2")
    source = CombinedKeys([static(new_key("v1")), world.source()])
    assert kids(source.candidates("v1", "ES256")) == ["v1"]
    assert world.fetches == []
    assert kids(source.candidates("v2", "ES256")) == ["v2"]
    assert len(world.fetches) == 1


def test_two_sources_may_have_different_keys_under_one_kid() -> None:
    """Protocol page, Client Credentials: one kid, two keys; the second is tried when the first
    fails."""
    world = World("same")
    source = CombinedKeys([static(new_key("same")), world.source()])
    first = source.candidates("same", "ES256")
    second = source.candidates_after_failure("same", "ES256", first)
    assert kids(first) == kids(second) == ["same"]
    assert first[0].thumbprint != second[0].thumbprint
    assert source.candidates_after_failure("same", "ES256", [*first, *second]) == []


def test_new_material_is_found_behind_another_source() -> None:
    """Every source is asked to reconsider what was tried of it."""
    world = World("a")
    source = CombinedKeys([static(new_key("b")), world.source()])
    old = source.candidates("a", "ES256")
    world.renew("a")
    world.now += 11
    (new,) = source.candidates_after_failure("a", "ES256", old)
    assert new.thumbprint != old[0].thumbprint


def test_a_key_is_in_force_whatever_stands_before_its_source() -> None:
    """A key without kid answers for every kid, and one that is out of reach for none."""
    pem, jwk = new_key("a"), new_key("b")
    del pem["kid"]
    world = World("a")
    for first in (static(pem), static(new_key("b")), Down()):
        source = CombinedKeys([first, static(jwk), world.source()])
        (key,) = static(jwk).candidates("b", "ES256")
        assert source.is_active(key, "b", "ES256")
        assert not source.is_active(key, "a", "ES256")
        # Without a kid there must be no doubt, as for a new token.
        assert not source.is_active(key, None, "ES256")
    assert CombinedKeys([static(jwk)]).is_active(key, None, "ES256")


def test_no_more_than_four_keys_are_tried_again() -> None:
    """At most four, among all sources."""
    sources = [static(*(new_key("a") for _ in range(3))) for _ in range(3)]
    source = CombinedKeys(sources)
    first = source.candidates("a", "ES256")
    assert len(first) == 3
    assert len(source.candidates_after_failure("a", "ES256", first)) == 4


class Noted(KeySource):
    """Notes what it is asked."""

    def __init__(self, *entries: dict[str, str]) -> None:
        self.keys = static(*entries)
        self.asked: list[tuple[str, str | None]] = []

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return what there is at first."""
        self.asked.append(("candidates", kid))
        return self.keys.candidates(kid, algorithm)

    def candidates_after_failure(
        self, kid: str | None, algorithm: str, tried: Sequence[VerificationKey]
    ) -> Sequence[VerificationKey]:
        """Return nothing more."""
        self.asked.append(("reconsider", kid))
        return []


def test_no_source_is_asked_in_vain() -> None:
    """One that has no key of that kid has none to reconsider; after four keys none is asked."""
    first, second, third = Noted(new_key("a")), Noted(new_key("b")), Noted(new_key("a"))
    source = CombinedKeys([first, second, third])
    tried = source.candidates("a", "ES256")
    assert kids(source.candidates_after_failure("a", "ES256", tried)) == ["a"]
    assert first.asked == [("candidates", "a"), ("candidates", "a"), ("reconsider", "a")]
    assert second.asked == third.asked == [("candidates", "a")]
    last = Noted(new_key("a"))
    enough = [static(*(new_key("a") for _ in range(size))) for size in (1, 4)]
    source = CombinedKeys([*enough, last])
    assert len(source.candidates_after_failure("a", "ES256", source.candidates("a", "ES256"))) == 4
    assert last.asked == []


def test_a_token_without_kid_must_leave_no_doubt() -> None:
    """A token without kid is tried only where one key fits, among all sources."""
    one = new_key("a")
    assert kids(CombinedKeys([static(one), static(one)]).candidates(None, "ES256"))
    both = CombinedKeys([static(one), static(new_key("b"))])
    assert both.candidates(None, "ES256") == []
    # Two in one source and the third in another: each alone would answer with one or none.
    doubtful = static(new_key("a"), new_key("b"))
    for other in (static(one), Down()):
        for sources in ([doubtful, other], [other, doubtful]):
            assert CombinedKeys(sources).candidates(None, "ES256") == []
    assert CombinedKeys([static(one)]).candidates(None, "RS256") == []
    # Nobody knows whether there is one.
    with pytest.raises(Unavailable):
        CombinedKeys([Down(), static(one)]).candidates(None, "RS256")


def test_503_only_if_a_source_that_could_have_the_key_is_out_of_reach() -> None:
    """jwks.md, failover: another source's key serves; an unknown one cannot be judged."""
    for sources in ([Down(), static(new_key("a"))], [static(new_key("a")), Down()]):
        source = CombinedKeys(sources)
        found = source.candidates("a", "ES256")
        assert kids(found) == ["a"]
        with pytest.raises(Unavailable) as caught:
            source.candidates("b", "ES256")
        assert caught.value.retry_after == 7
        # The signature failed under the one key that is known; the other source may have another.
        with pytest.raises(Unavailable):
            source.candidates_after_failure("a", "ES256", found)


def test_health_is_that_of_each_source() -> None:
    """Ready only if all are."""
    good, down = static(new_key("a")), Down()
    assert CombinedKeys([good]).health()["ready"] is True
    health = CombinedKeys([good, down]).health()
    assert health["ready"] is False
    assert [each["ready"] for each in health["sources"]] == [True, False]


def test_a_source_of_ones_own_needs_one_method() -> None:
    """KeySource: reconsider and health have defaults."""

    class Own(KeySource):
        def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
            return []

    assert Own().candidates_after_failure("a", "ES256", []) == ()
    assert Own().health() == {"source": "Own", "ready": True}
    assert static(new_key("a")).health() == {
        **{"source": "configuration", "state": "static", "ready": True},
        **{"keys": 1, "kids": ["a"]},
    }
