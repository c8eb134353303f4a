"""Dependencies: no bound and no installed version has a known advisory, and who says so."""

import configparser
import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.dependencies.advisories import KNOWN, READ, open_in, runs_on
from tests.dependencies.audit import verdict
from tests.support.project import PROJECT, ROOT

EXTRAS = PROJECT["optional-dependencies"]
INTEGRATIONS = ("openapi", "opentelemetry", "prometheus", "redis")
RUNTIME = [*PROJECT["dependencies"], *(each for name in INTEGRATIONS for each in EXTRAS[name])]
VERSIONS = {"flask": "3.1.3", "redis": "5.0.1"}
BY_LIST = f"the list of {READ}"


def lowest(requirements: list[str]) -> dict[str, str]:
    """Return the lower bound of each of *requirements*."""
    bounds = {}
    for need in map(Requirement, requirements):
        [bounds[need.name]] = [each.version for each in need.specifier if each.operator == ">="]
    return bounds


def report(**of: Any) -> str:
    """Return what pip-audit writes, with *of* in place of "no finding" for a package."""
    clean: Mapping[str, Any] = {"vulns": []}
    return json.dumps(
        {
            "dependencies": [
                {"name": name, "version": number, **of.get(name, clean)}
                for name, number in VERSIONS.items()
            ],
            "fixes": [],
        }
    )


SKIPPED = {"skip_reason": "Dependency not found on PyPI and could not be audited"}
FINDING = {"vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.4"], "aliases": []}]}


def test_no_lower_bound_has_a_known_advisory() -> None:
    """What we allow to be installed has no advisory that we know of."""
    assert [*open_in(lowest(RUNTIME))] == []
    assert [*open_in(lowest(EXTRAS["example"]))] == []


def test_the_lowest_environment_has_the_lower_bounds() -> None:
    """What ``tox -e lowest`` pins is what pyproject.toml allows, and nothing above it."""
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    pins = dict(line.split("==") for line in tox["testenv:lowest"]["deps"].split())
    assert {name: Version(pin) for name, pin in pins.items()} == {
        name: Version(bound) for name, bound in lowest(RUNTIME).items()
    }


def test_nothing_that_is_installed_has_a_known_advisory() -> None:
    """What the package runs on here, its dependencies' dependencies included."""
    versions = runs_on("flask-connector-auth", "redis")
    assert versions.keys() >= {"flask", "werkzeug", "joserfc", "cryptography", "redis"}
    assert "flask-connector-auth" not in versions
    assert "pytest" not in versions
    assert [*open_in(versions)] == []


@pytest.mark.parametrize("package", KNOWN)
def test_the_list_is_about_what_we_run_on(package: str) -> None:
    """Each package of the list is one of ours, and each range is one that has an end."""
    assert version(package)
    assert all(not affected.contains("99") for affected in KNOWN[package].values())


@pytest.mark.parametrize(
    ("package", "bad", "good", "name"),
    [
        ("flask", "3.0.0", "3.1.3", "CVE-2026-27205"),
        ("marshmallow", "4.0.0", "3.26.2", "CVE-2025-68480"),
        ("joserfc", "1.7.5", "1.7.6", "CVE-2026-119284"),
    ],
)
def test_an_affected_version_is_told(package: str, bad: str, good: str, name: str) -> None:
    """The list finds a version below the fix, and none that has it."""
    assert any(name in line for line in open_in({package: bad}))
    assert [*open_in({package: good})] == []


@pytest.mark.parametrize(
    ("told", "complaint", "versions", "status", "said"),
    [
        pytest.param(
            report(),
            "No known vulnerabilities found",
            VERSIONS,
            0,
            f"0 open in 2 packages, by PyPI and {BY_LIST}",
            id="clean",
        ),
        pytest.param(
            report(flask=FINDING),
            "",
            VERSIONS,
            1,
            f"flask 3.1.3: PYSEC-1, fixed in 3.1.4\n1 open in 2 packages, by PyPI and {BY_LIST}",
            id="finding",
        ),
        pytest.param(
            report(redis=SKIPPED),
            "No known vulnerabilities found",
            VERSIONS,
            0,
            f"not audited, no advisory database in reach: {SKIPPED['skip_reason']}\n"
            f"0 open in 2 packages, by {BY_LIST}",
            id="an index without advisories",
        ),
        pytest.param(
            "",
            "Traceback\nConnectionError: no route\n",
            VERSIONS,
            0,
            "not audited, no advisory database in reach: ConnectionError: no route\n"
            f"0 open in 2 packages, by {BY_LIST}",
            id="no network",
        ),
        pytest.param(
            "",
            "",
            {"redis": "4.5.3"},
            1,
            "not audited, no advisory database in reach: pip-audit said nothing\n"
            f"redis 4.5.3: CVE-2023-28859, about <4.5.4,>=4.2, by {BY_LIST}\n"
            f"1 open in 1 packages, by {BY_LIST}",
            id="on the list, without network",
        ),
        pytest.param(
            '{"dependencies": [], "fixes": []}',
            "",
            {"redis": "5.0.1"},
            0,
            "not audited, no advisory database in reach: redis was not asked for\n"
            f"0 open in 1 packages, by {BY_LIST}",
            id="a report of nothing",
        ),
    ],
)
def test_the_verdict(
    told: str, complaint: str, versions: Mapping[str, str], status: int, said: str
) -> None:
    """Red for a finding alone; green only by name of who was asked, however pip-audit ends."""
    assert verdict(told, complaint, versions) == (status, said)


def test_security_md_says_when_the_list_was_read() -> None:
    """The day in SECURITY.md is that of the list."""
    days = re.findall(r"\d{4}-\d\d-\d\d", (ROOT / "SECURITY.md").read_text())
    assert days == [str(READ)]
