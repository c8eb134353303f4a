"""A pytest plugin: a test that leaves a thread or a child process behind fails, by name.

What a fixture of a wider scope starts during its setup may outlast the test. Nothing may outlast
the last test.
"""

import gc
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

# Seconds for threads and processes to end by themselves after a test: generous, because a machine
# may be busy, and spent by nothing that was closed.
PATIENCE = 10.0

Runner = threading.Thread | int  #: a thread, or the id of a child process


def pytest_configure(config: pytest.Config) -> None:
    """Check every test of this run."""
    config.pluginmanager.register(Leftovers())


class Leftovers:
    """Compares what runs after each test with what ran before it."""

    def __init__(self) -> None:
        self._at_first = self._before = running()
        self._of_fixtures: set[Runner] = set()

    def pytest_collection_finish(self) -> None:
        """Let a garbage collection look at what tests make, and not at the tests themselves."""
        gc.collect()
        gc.freeze()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Note what a fixture starts that is torn down later than the test."""
        before = running() if fixturedef.scope != "function" else None
        try:
            return (yield)
        finally:
            if before is not None:
                self._of_fixtures |= running() - before

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> Iterator[None]:
        """Fail the test if anything of it runs once its fixtures are torn down."""
        allowed = self._before | self._of_fixtures if nextitem else self._at_first
        try:
            result = yield
            left = outlasting(allowed)
        finally:
            self._before = running()
        if left:
            pytest.fail("left behind: " + "; ".join(map(described, left)), pytrace=False)
        return result


def running() -> set[Runner]:
    """Return the threads and the child processes of this process."""
    return {*threading.enumerate(), *children()}


def children() -> set[int]:
    """Return the ids of the child processes, those included that ended and were not waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()  # much faster than to look through all processes
    return {process for process in _processes() if _parent(process) == os.getpid()}


def outlasting(allowed: set[Runner]) -> set[Runner]:
    """Return what runs and is not *allowed*, after time to end and a garbage collection."""
    begin = monotonic()
    while (left := running() - allowed) and monotonic() - begin < PATIENCE:
        threading.Event().wait(0.01)
        gc.collect()
    return left


def described(runner: Runner) -> str:
    """Return what *runner* is, and for a thread, what it is doing."""
    if isinstance(runner, int):
        command = Path(f"/proc/{runner}/cmdline")
        words = command.read_bytes().replace(b"\0", b" ").decode() if command.exists() else ""
        return f"process {runner} {words}".strip()
    frame = sys._current_frames().get(runner.ident or 0)
    stack = traceback.extract_stack(frame)[-4:] if frame else []
    places = [f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in stack]
    return f"thread {runner.name} in {', '.join(reversed(places))}"


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _parent(process: int) -> int | None:
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return None
    # The name of the program stands in parentheses, and may have some in it (proc(5)).
    return int(stat.rpartition(b")")[2].split()[1])
