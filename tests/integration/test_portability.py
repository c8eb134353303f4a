"""Systems other than Linux: what they lack is not needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flask_connector_auth.core import register_at_fork

SCRIPT = Path(__file__).parents[1] / "support" / "bare_system.py"
REMOTE = "remote in 401 40105 401"


def test_without_what_only_unix_has_everything_imports_and_verifies(tmp_path: Path) -> None:
    """No fork, user id, POSIX clock, signal, ``fcntl`` or ``/proc``; permission bits that say
    nothing; a locale that is not UTF-8: keys of a file, of a URL, and saved ones all verify."""
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-X", "warn_default_encoding", str(SCRIPT), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=SCRIPT.parents[2],
        env={
            **os.environ,
            "PYTHONPATH": str(SCRIPT.parents[2]),
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "LC_ALL": "C",
        },
    )
    assert (result.stdout.splitlines(), result.returncode) == (
        [
            "kept []",
            "imported flask_connector_auth True",
            "imported example_app True",
            "static in 401 40105 401",
            REMOTE,
            REMOTE,
            "keygen in 401 40105 401",
            "example 200",
        ],
        0,
    ), result.stderr


def test_a_hook_at_a_fork_is_no_use_where_nothing_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no ``os.register_at_fork``; elsewhere it gets all hooks as they are."""
    asked = []
    monkeypatch.setattr(os, "register_at_fork", lambda **hooks: asked.append(hooks))
    register_at_fork(before=print, after_in_child=repr)
    assert asked == [{"before": print, "after_in_child": repr}]
    monkeypatch.delattr(os, "register_at_fork")
    register_at_fork(before=print)
    assert len(asked) == 1
