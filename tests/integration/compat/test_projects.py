"""What users copy from the pages as files: a project tree, and tests for unittest."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.project import ROOT, blocks, files_of, write_files
from tests.support.pytest_runs import run_pytest

#: ``python -m unittest``, where there is no pytest.
UNITTEST = "import sys, unittest; sys.modules['pytest'] = None; unittest.main(module=None)"
PROJECT_PAGE, UNIT_TESTS = "docs/project.rst", "test_with_unittest.py"
PROJECT = files_of(PROJECT_PAGE)
CHECK, *_ = re.findall(r"^\$ (.+)$", blocks(PROJECT_PAGE, "console")[-1], re.MULTILINE)
BUILD, LIMIT = blocks(PROJECT_PAGE, "shell")
#: Where nothing answers.
NO_ISSUER = "http://127.0.0.1:9/keys.json"


def changed(files: dict[str, str], name: str, old: str, new: str) -> dict[str, str]:
    """Return *files* with the text *old* of one of them replaced."""
    assert old in files[name]
    return {**files, name: files[name].replace(old, new)}


def test_the_project_is_the_tree_that_the_page_shows() -> None:
    """Each file that is listed has its text on the page, and no other has."""
    listing = (ROOT / PROJECT_PAGE).read_text().partition("::\n\n    inbox")[2]
    listed = re.findall(r"^    (\S+\.py)", f"    inbox{listing}".partition("\n\n")[0], re.MULTILINE)
    assert sorted(listed) == sorted(PROJECT)


def build(folder: Path, files: dict[str, str]) -> tuple[dict[str, int], str]:
    """Return what the tests of a project say, and what its list of routes finds."""
    write_files(files, folder)
    listed = subprocess.run(  # noqa: S603
        [sys.executable, "-m", *shlex.split(BUILD.replace("\\\n", ""))],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "FLASK_CONNECTOR_AUTH_APP_JWT_KEYS": NO_ISSUER},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert bool(listed.stderr) is (listed.returncode == 1), listed.stderr
    return run_pytest(folder), listed.stderr


def test_a_project_is_built(tmp_path: Path) -> None:
    """A factory, its extension object and its blueprints, each imported from its own module."""
    assert build(tmp_path, PROJECT) == ({"passed": 5}, "")


@pytest.mark.parametrize(
    ("name", "old", "new", "tests", "open_route"),
    [
        (
            "inbox/conversations.py",
            "connector_auth.protect(blueprint)",
            "",
            {"failed": 2, "passed": 3},
            "unprotected: GET,HEAD /api/account/<account_id>/conversations",
        ),
        (
            "inbox/conversations.py",
            '(scopes="conversations.close")',
            "",
            {"failed": 1, "passed": 4},
            "",
        ),
        (
            "inbox/status.py",
            '{"up": True}',
            '{"up": True}\n\n@blueprint.get("/forgotten")\ndef forgotten():\n    return {}',
            {"passed": 5},
            "unprotected: GET,HEAD /forgotten",
        ),
        (
            "inbox/reports.py",
            "consumer_jws=False, ",
            "",
            {"failed": 1, "passed": 4},
            "",
        ),
    ],
    ids=["an open blueprint", "no scope", "a forgotten route", "a consumer too"],
)
def test_a_project_with_other_protection_is_not_built(
    name: str, old: str, new: str, tests: dict[str, int], open_route: str, tmp_path: Path
) -> None:
    """Its tests notice, or its list of routes does."""
    told, found = build(tmp_path, changed(PROJECT, name, old, new))
    assert told == tests
    assert open_route in found
    assert bool(found) is bool(open_route)


@pytest.mark.parametrize(
    ("limit", "options", "status", "is_warned"),
    [
        ("", "", 0, True),
        ("", "--strict", 1, True),
        (LIMIT, "--strict", 0, False),
    ],
    ids=["no limit", "no limit, strict", "the limit of the page"],
)
def test_a_route_for_every_account_is_found(
    limit: str, options: str, status: int, is_warned: bool, tmp_path: Path, issuer: Issuer
) -> None:
    """Limit the accounts: check warns of a protected blueprint without an account in its URL."""
    prefix = "/api/account/<account_id>/reports"
    write_files(changed(PROJECT, "inbox/reports.py", prefix, "/reports"), tmp_path)
    view = tmp_path / "inbox/reports.py"
    view.write_text(view.read_text().replace("day(account_id)", "day()"))
    check = f"{shlex.quote(sys.executable)} -m {CHECK} {options}"
    with KeySetServer(issuer) as server:
        done = subprocess.run(  # noqa: S602
            f"{limit}\n{check}",
            shell=True,
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "FLASK_CONNECTOR_AUTH_APP_JWT_KEYS": server.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == status, done.stderr
    warning = "warning: any_account: No AUDIENCE is set, so these endpoints accept every account: "
    assert (f"{warning}reports.day." in done.stdout) is is_warned


def run_unittest(folder: Path, service: str) -> subprocess.CompletedProcess[str]:
    """Run the page's test cases for the app in *service*, without pytest."""
    tests = files_of("docs/testing.rst")[UNIT_TESTS]
    write_files({"service.py": service, UNIT_TESTS: tests}, folder)
    return subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", UNITTEST],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_kit_works_without_pytest(tmp_path: Path) -> None:
    """unittest's test cases pass where pytest cannot be imported, and fail for an open app."""
    files = files_of("docs/quickstart.rst")
    passed = run_unittest(tmp_path, files["service.py"])
    assert re.search(r"^Ran 4 tests in .*\n\nOK$", passed.stderr, re.MULTILINE), passed.stderr
    asked = '@require_app_jwt(scopes="msg.consumer")'
    failed = run_unittest(tmp_path, changed(files, "service.py", asked, "")["service.py"])
    assert "FAILED (failures=2, errors=1)" in failed.stderr, failed.stderr
