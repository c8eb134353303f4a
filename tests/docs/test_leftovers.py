"""What a test leaves behind is found, in a run of its own: see ``tests/support/leftovers.py``."""

import re
from pathlib import Path

import pytest

from tests.support.pytest_runs import run_pytest


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """The file of a suite that is checked."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.support.leftovers"]')
    return tmp_path / "test_suite.py"


SUITE = """
import subprocess
import sys
import threading

import pytest

from tests.support import leftovers

leftovers.PATIENCE = 0.2
over = threading.Event()


@pytest.fixture(scope="session", autouse=True)
def the_end():
    yield
    over.set()


def start(event=over):
    threading.Thread(target=event.wait, name="one too many").start()


def popen():
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


@pytest.fixture(scope="module")
def shared():
    ending = threading.Event()
    start(ending)
    with popen() as process:
        yield process
        process.communicate(b"end")
    ending.set()


@pytest.fixture
def forgotten():
    start()


def test_good_thread():
    thread = threading.Thread(target=int)
    thread.start()


def test_bad_thread():
    start()


def test_bad_fixture(forgotten):
    pass


def test_good_process():
    with popen() as process:
        process.communicate(b"end")


def test_bad_process():
    test_bad_process.process = popen()


def test_bad_zombie():
    test_bad_process.process.communicate(b"end")
    test_bad_zombie.process = popen()
    test_bad_zombie.process.stdin.close()


@pytest.mark.parametrize("number", range(2))
def test_good_shared(shared, number):
    test_bad_zombie.process.wait()
    assert shared.poll() is None


def test_good_after():
    pass
"""


def test_a_test_that_leaves_something_behind_fails(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Threads and processes, of the test or of its fixture; beside them those that clean up, and
    those that share what lasts for a module."""
    suite.write_text(SUITE)
    assert run_pytest(suite.parent) == {"passed": 9, "errors": 4}
    told = capsys.readouterr().out
    found = re.findall(r"ERROR at teardown of (\w+) _+\n.*?left behind: (\w+)", told, re.DOTALL)
    assert found == [
        ("test_bad_thread", "thread"),
        ("test_bad_fixture", "thread"),
        ("test_bad_process", "process"),
        ("test_bad_zombie", "process"),
    ]
    assert re.search(r"left behind: thread one too many in threading\.py:\d+ wait, ", told)


ENDLESS = """
import threading

import pytest

from tests.support import leftovers

leftovers.PATIENCE = 0.2


@pytest.fixture(scope="session")
def endless():
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def test_first(endless):
    pass


def test_last():
    pass
"""


def test_nothing_outlasts_the_last_test(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a fixture of the whole run starts and does not end is found after the last test."""
    suite.write_text(ENDLESS)
    assert run_pytest(suite.parent) == {"passed": 2, "error": 1}
    assert "ERROR at teardown of test_last " in capsys.readouterr().out
