"""What CONTRIBUTING, SECURITY and the distributions say and hold is so."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.project import PROJECT, ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.rst").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
CHANGES = (ROOT / "CHANGES.rst").read_text()
HEADINGS = ("Added", "Changed", "Fixed", "Removed", "Security")
STEM = f"flask_connector_auth-{PROJECT['version']}"
WHEEL = f"{STEM}-py3-none-any.whl"


@pytest.fixture
def tox() -> configparser.ConfigParser:
    """tox.ini, as it stands there."""
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    return tox


def test_each_environment_that_is_named_is_one_of_tox(tox: configparser.ConfigParser) -> None:
    """``tox -e`` in README, CONTRIBUTING, SECURITY and CI names what tox.ini has."""
    sources = ("README.rst", "CONTRIBUTING.rst", "SECURITY.md", ".ci/run")
    text = "".join((ROOT / source).read_text() for source in sources)
    named = re.findall(r"(?:tox(?: run)?(?: -q)? -e |environments=)([\w,]+)", text)
    names = {name for each in named for name in each.split(",")}
    sections = {section.removeprefix("testenv:") for section in tox.sections()}
    assert {"lint", "audit", "lowest", "package", "demo"} <= names
    assert names - sections == {"py"}


def test_each_group_that_is_named_is_there(tox: configparser.ConfigParser) -> None:
    """PEP 735: what developers need is a group, by its name in tox and CONTRIBUTING; the extras are
    those of users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    in_tox = {
        name
        for section in tox.sections()
        for name in tox[section].get("dependency_groups", "").replace(",", " ").split()
    }
    assert in_tox | {"dev"} == groups.keys()
    assert re.findall(r"--group (\w+)", CONTRIBUTING) == ["dev"]
    included = {each["include-group"] for each in groups["dev"] if isinstance(each, dict)}
    assert included == {"test", "live", "lint", "types", "docs"}
    extras = {"example", "openapi", "opentelemetry", "prometheus", "redis"}
    assert project["project"]["optional-dependencies"].keys() == extras


def test_ci_runs_what_contributing_says() -> None:
    """The environments that CI runs beside the README's command are those of the page."""
    [environments] = re.findall(r"^environments=([\w,]+)$", (ROOT / ".ci/run").read_text(), re.M)
    assert f"``tox -e {environments}``" in CONTRIBUTING


def test_ci_runs_every_test(tox: configparser.ConfigParser) -> None:
    """Whatever the README's command leaves aside, CI runs in the environments live and soak."""
    selected = tox["tests"]
    left_aside = re.findall(r"--ignore=(\S+)", selected["apart"])
    assert left_aside == tox["testenv:live"]["commands"].split()[2:-1]
    assert selected["of_the_package"] == '{[tests]apart} -m "not soak"'
    assert selected["in_the_soak"] == '{[tests]apart} -m "soak or hypothesis"'
    assert "{[tests]of_the_package}" in tox["testenv"]["commands"]
    assert "{[tests]in_the_soak}" in tox["testenv:soak"]["commands"]
    assert re.search(r"^environments=live,soak,", (ROOT / ".ci/run").read_text(), re.MULTILINE)


def test_each_hook_is_a_command_of_tox(tox: configparser.ConfigParser) -> None:
    """pre-commit runs what ``tox -e lint`` and ``tox -e types`` run, and needs no network."""
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    commands = "\n".join(tox[f"testenv:{name}"]["commands"] for name in ("lint", "types"))
    hooks = re.findall(r"entry: (.+)", text)
    assert hooks == ["ruff format --check", "ruff check", "lint-imports", "mypy"]
    assert all(re.search(rf"^{hook}(?: \.)?$", commands, re.MULTILINE) for hook in hooks)
    assert re.findall(r"repo: (\w+)", text) == ["local"]
    assert text.count("language: system") == len(hooks)


def test_the_supported_version_is_this_one() -> None:
    """The table of SECURITY.md: the minor version of pyproject.toml, and no older one."""
    rows = re.findall(r"^\| (\S+) +\| (\w+)", SECURITY, re.MULTILINE)[1:]
    assert rows == [(PROJECT["version"].rpartition(".")[0], "yes"), ("older", "no")]


def test_changes_have_the_headings_that_contributing_names() -> None:
    """Each line of CHANGES.rst stands under a version and one of the five headings."""
    assert all(f"*{heading}*" in CONTRIBUTING for heading in HEADINGS)
    version = r"^\d+\.\d+\.\d+ \((?:unreleased|\d{4}-\d\d-\d\d)\)\n-+\n"
    title, *versions = re.split(version, CHANGES, flags=re.MULTILINE)
    assert title == "Changes\n=======\n\n"
    assert versions
    for changes in versions:
        before, *parts = re.split(r"^(\w+)\n~+\n", changes, flags=re.MULTILINE)
        assert before.strip() == ""
        assert set(parts[::2]) <= {*HEADINGS}
        assert all(re.fullmatch(r"\n(?:(?:- |  )\S.*\n)+\n?", lines) for lines in parts[1::2])


@pytest.mark.parametrize("page", ["CONTRIBUTING.rst", "SECURITY.md"])
def test_what_is_pointed_to_is_there(page: str) -> None:
    """Each file and folder of the project that the page names exists."""
    text = (ROOT / page).read_text()
    named = re.findall(r"(?:<|\]\(|``)((?:docs|tests|\.ci|[A-Z]+\.)[\w./]*)", text)
    assert len(named) > 1
    assert all((ROOT / name).exists() for name in named)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the sources make."""
    folder = tmp_path_factory.mktemp("built")
    return build(copied(ROOT, folder / "sources"), folder / "dist")


def copied(source: Path, target: Path) -> Path:
    """Return *target*: the sources without what tools have left there, with times of their own."""
    leftovers = (".git", ".tox", ".venv", ".coverage*", ".hypothesis", ".*_cache", "__pycache__")
    made = ("*.egg-info", "build", "dist", "_build", "instance")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*leftovers, *made))
    for path in target.rglob("*"):
        os.utime(path, (0, target.stat().st_ino))
    return target


def build(sources: Path, target: Path) -> Path:
    """Return *target*, with the sdist and the wheel of *sources*; their clock stands still."""
    target.mkdir()
    for kind in ("sdist", "wheel"):
        make = (
            f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
        )
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", make, str(target)],
            check=True,
            capture_output=True,
            cwd=sources,
            env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        )
    return target


def in_sdist(folder: Path) -> dict[str, bytes]:
    """Return the files of the sdist in *folder*, by name."""
    with tarfile.open(folder / f"{STEM}.tar.gz") as sdist:
        files = {each.name: sdist.extractfile(each) for each in sdist.getmembers()}
        return {
            name.removeprefix(f"{STEM}/"): content.read()
            for name, content in files.items()
            if content
        }


def test_a_build_is_the_same_wherever_it_is_made(built: Path, tmp_path: Path) -> None:
    """Reproducible: what the sdist is unpacked to makes the same wheel, byte for byte."""
    with tarfile.open(built / f"{STEM}.tar.gz") as sdist:
        sdist.extractall(tmp_path, filter="data")
    again = build(copied(tmp_path / STEM, tmp_path / "sources"), tmp_path / "dist")
    assert (again / WHEEL).read_bytes() == (built / WHEEL).read_bytes()


def test_the_wheel_has_the_package_alone(built: Path) -> None:
    """What is installed: the package with its types, its licence, its command; no test."""
    with zipfile.ZipFile(built / WHEEL) as wheel:
        names = set(wheel.namelist())
        entry_points = wheel.read(f"{STEM}.dist-info/entry_points.txt").decode()
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "flask_connector_auth").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    parts = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
    assert "flask_connector_auth/py.typed" in package
    assert names == package | {f"{STEM}.dist-info/{name}" for name in parts}
    assert "connector-auth = flask_connector_auth.cli:connector_auth" in entry_points


def test_the_sdist_has_all_that_a_fork_needs(built: Path) -> None:
    """Source, tests, docs, example, licence, what builds and checks it, each file of them; nothing
    that was built."""
    names = in_sdist(built).keys()
    folders = ("flask_connector_auth", "tests", "docs", "example_app", "benchmarks")
    sources = built.parent / "sources"
    files = {
        path.relative_to(sources).as_posix()
        for folder in folders
        for path in (sources / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert "docs/decisions/index.rst" in files
    assert files <= names
    assert {
        *("LICENSE", "README.rst", "CHANGES.rst", "CONTRIBUTING.rst", "SECURITY.md", "tox.ini"),
        *(
            ".ci/run",
            ".editorconfig",
            ".pre-commit-config.yaml",
            ".readthedocs.yaml",
            "pyproject.toml",
            "setup.py",
            "docs/conf.py",
        ),
        *("docs/threat_model.rst", "docs/_static/peers.svg", "tests/docs/test_house.py"),
        *("tests/dependencies/advisories.toml", "example_app/__init__.py"),
        *("benchmarks/__main__.py", "flask_connector_auth/py.typed"),
    } <= names
    assert not [name for name in names if re.search(r"\.pyc$|^(dist|build|\.tox|\.venv)/", name)]


def test_each_explained_mutant_is_of_a_line_that_is_there() -> None:
    """What ``tests/mutants.rst`` explains is code of today, in a module that its heading names."""
    package = ROOT / "flask_connector_auth"
    text = (ROOT / "tests" / "mutants.rst").read_text()
    modules = re.split(r"^(\S+)\n-+\n", text, flags=re.MULTILINE)[1:]
    for module, explained in zip(modules[::2], modules[1::2], strict=True):
        lines = {line.strip() for line in (package / f"{module}.py").read_text().splitlines()}
        assert set(re.findall(r"^    - (.+)$", explained, re.MULTILINE)) <= lines, module
