"""A source of keys in; each key that it has at hand, where from and how old, out. No I/O."""

from collections.abc import Iterator
from typing import NamedTuple

from .index import KeyIndex
from .remote import RemoteKeys
from .several import SeveralSources
from .source import KeySource, VerificationKey


class ListedKey(NamedTuple):
    """One key of a source."""

    key: VerificationKey
    origin: str  #: ``configuration``, or the URL it was fetched from, without its query
    age: float | None  #: seconds since its issuer confirmed it; ``None`` for a configured key


def listed(source: KeySource) -> Iterator[ListedKey]:
    """Yield the keys of *source*; those of an app's own kind of source cannot be listed."""
    if isinstance(source, SeveralSources):
        for each in source.sources:
            yield from listed(each)
    elif isinstance(source, RemoteKeys) and source.snapshot:
        told = source.health()
        for key in source.snapshot.index.keys:
            yield ListedKey(key, told["source"], told["age"])
    elif isinstance(source, KeyIndex):
        for key in source.keys:
            yield ListedKey(key, "configuration", None)
