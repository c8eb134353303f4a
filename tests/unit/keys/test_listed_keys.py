"""The keys that a source has at hand, for a command that lists them."""

from flask_connector_auth.keys import CombinedKeys, KeySource, list_keys
from tests.support.simulation import URL, World, new_key
from tests.unit.keys.test_combined import Down, static


def told(source: KeySource) -> list[tuple[str | None, str, float | None]]:
    """Return kid, origin and age of each key."""
    return [(one.key.kid, one.origin, one.age) for one in list_keys(source)]


def test_keys_are_listed_with_their_origin_and_age() -> None:
    """Configured keys have no age; of a URL there is what was fetched; others cannot be listed."""
    world = World("a", "b")
    remote, configured = world.source(), static(new_key("c"))
    source = CombinedKeys([configured, Down(), CombinedKeys([remote])])
    assert told(source) == [("c", "configuration", None)]
    assert world.fetches == []
    remote.candidates("a", "ES256")
    world.now += 7
    assert told(source) == [("c", "configuration", None), ("a", URL, 7), ("b", URL, 7)]
    assert told(remote) == [("a", URL, 7), ("b", URL, 7)]
    assert told(Down()) == []
