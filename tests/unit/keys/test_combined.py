"""Several sources combined: which keys are tried, which sources are queried, and outages."""

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
    list_keys,
    parse_keys,
)
from tests.support.simulation import URL, World, new_key

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
    """Every source is queried for further keys after a failure."""
    world = World("a")
    source = CombinedKeys([static(new_key("b")), world.source()])
    old = source.candidates("a", "ES256")
    world.renew("a")
    world.now += 11
    (new,) = source.candidates_after_failure("a", "ES256", old)
    assert new.thumbprint != old[0].thumbprint


def test_a_key_is_in_force_whatever_stands_before_its_source() -> None:
    """A key without kid is active for every kid; a source out of reach has no active key."""
    pem, jwk = new_key("a"), new_key("b")
    del pem["kid"]
    world = World("a")
    for first in (static(pem), static(new_key("b")), Down()):
        source = CombinedKeys([first, static(jwk), world.source()])
        (key,) = static(jwk).candidates("b", "ES256")
        assert source.is_active(key, "b", "ES256")
        assert not source.is_active(key, "a", "ES256")
        # Without a kid, exactly one key must match, as for a new token.
        assert not source.is_active(key, None, "ES256")
    assert CombinedKeys([static(jwk)]).is_active(key, None, "ES256")


def test_no_more_than_four_keys_are_tried_again() -> None:
    """At most four, among all sources."""
    sources = [static(*(new_key("a") for _ in range(3))) for _ in range(3)]
    source = CombinedKeys(sources)
    first = source.candidates("a", "ES256")
    assert len(first) == 3
    assert len(source.candidates_after_failure("a", "ES256", first)) == 4


class RecordingSource(KeySource):
    """Records the calls of its methods."""

    def __init__(self, *entries: dict[str, str]) -> None:
        self.keys = static(*entries)
        self.calls: list[tuple[str, str | None]] = []

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys."""
        self.calls.append(("candidates", kid))
        return self.keys.candidates(kid, algorithm)

    def candidates_after_failure(
        self, kid: str | None, algorithm: str, tried: Sequence[VerificationKey]
    ) -> Sequence[VerificationKey]:
        """Return nothing more."""
        self.calls.append(("candidates_after_failure", kid))
        return []


def test_no_source_is_queried_needlessly() -> None:
    """A source without that kid has no further keys; after four keys no source is queried."""
    first, second, third = (
        RecordingSource(new_key("a")),
        RecordingSource(new_key("b")),
        RecordingSource(new_key("a")),
    )
    source = CombinedKeys([first, second, third])
    tried = source.candidates("a", "ES256")
    assert kids(source.candidates_after_failure("a", "ES256", tried)) == ["a"]
    assert first.calls == [
        ("candidates", "a"),
        ("candidates", "a"),
        ("candidates_after_failure", "a"),
    ]
    assert second.calls == third.calls == [("candidates", "a")]
    last = RecordingSource(new_key("a"))
    enough = [static(*(new_key("a") for _ in range(size))) for size in (1, 4)]
    source = CombinedKeys([*enough, last])
    assert len(source.candidates_after_failure("a", "ES256", source.candidates("a", "ES256"))) == 4
    assert last.calls == []


def test_a_token_without_kid_must_be_unambiguous() -> None:
    """A token without kid is tried only where one key fits, among all sources."""
    single = new_key("a")
    assert kids(CombinedKeys([static(single), static(single)]).candidates(None, "ES256"))
    both = CombinedKeys([static(single), static(new_key("b"))])
    assert both.candidates(None, "ES256") == []
    # Two keys in one source and a third in another: each alone would return one key or none.
    doubtful = static(new_key("a"), new_key("b"))
    for other in (static(single), Down()):
        for sources in ([doubtful, other], [other, doubtful]):
            assert CombinedKeys(sources).candidates(None, "ES256") == []
    assert CombinedKeys([static(single)]).candidates(None, "RS256") == []
    # The source out of reach may have a key.
    with pytest.raises(Unavailable):
        CombinedKeys([Down(), static(single)]).candidates(None, "RS256")


def test_503_only_if_a_source_that_could_have_the_key_is_out_of_reach() -> None:
    """Decision 0006: another source with the key is used; for an unknown kid, 503."""
    for sources in ([Down(), static(new_key("a"))], [static(new_key("a")), Down()]):
        source = CombinedKeys(sources)
        found = source.candidates("a", "ES256")
        assert kids(found) == ["a"]
        with pytest.raises(Unavailable) as caught:
            source.candidates("b", "ES256")
        assert caught.value.retry_after == 7
        # The signature failed with the only key in reach; the other source may have another.
        with pytest.raises(Unavailable):
            source.candidates_after_failure("a", "ES256", found)


def test_health_is_that_of_each_source() -> None:
    """Ready only if all are."""
    good, down = static(new_key("a")), Down()
    assert CombinedKeys([good]).health()["ready"] is True
    health = CombinedKeys([good, down]).health()
    assert health["ready"] is False
    assert [each["ready"] for each in health["sources"]] == [True, False]


def test_a_custom_source_needs_one_method() -> None:
    """KeySource: candidates_after_failure and health have defaults."""

    class Own(KeySource):
        def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
            return []

    assert Own().candidates_after_failure("a", "ES256", []) == ()
    assert Own().health() == {"source": "Own", "ready": True}
    assert static(new_key("a")).health() == {
        **{"source": "configuration", "state": "static", "ready": True},
        **{"keys": 1, "kids": ["a"]},
    }


def listed(source: KeySource) -> list[tuple[str | None, str, float | None]]:
    """Return kid, origin and age of each key."""
    return [(key.kid, origin, age) for key, origin, age in list_keys(source)]


def test_keys_are_listed_with_their_origin_and_age() -> None:
    """Configured keys have no age; of a URL the fetched keys; custom sources cannot be listed."""
    world = World("a", "b")
    remote, configured = world.source(), static(new_key("c"))
    source = CombinedKeys([configured, Down(), CombinedKeys([remote])])
    assert listed(source) == [("c", "configuration", None)]
    assert world.fetches == []
    remote.candidates("a", "ES256")
    world.now += 7
    assert listed(source) == [("c", "configuration", None), ("a", URL, 7), ("b", URL, 7)]
    assert listed(remote) == [("a", URL, 7), ("b", URL, 7)]
    assert listed(Down()) == []
