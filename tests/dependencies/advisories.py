"""A distribution in; the versions of all that it runs on, and what is known against these, out."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

_LIST = tomllib.loads(Path(__file__).with_name("advisories.toml").read_text())
#: The day on which the list was brought up to date.
READ = _LIST["read"]
#: By package and advisory: the versions that it is about.
KNOWN: Mapping[str, Mapping[str, SpecifierSet]] = {
    package: {name: SpecifierSet(affected) for name, affected in advisories.items()}
    for package, advisories in _LIST["known"].items()
}


def runs_on(name: str, *extras: str) -> dict[str, str]:
    """Return the installed version of each distribution that *name* with *extras* needs here."""
    versions: dict[str, str] = {}
    waiting = [(name, extras)]
    for one, of_one in waiting:
        for text in requires(one) or ():
            need = Requirement(text)
            wanted = need.marker is None or any(
                need.marker.evaluate({"extra": extra}) for extra in ("", *of_one)
            )
            key = canonicalize_name(need.name)
            if wanted and key not in versions:
                versions[key] = version(need.name)
                waiting.append((need.name, tuple(need.extras)))
    return versions


def open_in(versions: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each advisory of the list that is about one of *versions*."""
    for package, installed in versions.items():
        for name, affected in KNOWN.get(package, {}).items():
            if affected.contains(installed, prereleases=True):
                yield f"{package} {installed}: {name}, about {affected}"
