"""A pytest plugin: which tests pytest-xdist may run at the same time, with ``--dist loadfile``.

The tests of a module run in one process, so that what they share is made once. So do the tests of
all modules in :data:`DEADLINES`, in which something has to happen in time: no two of them compete
for the machine.
"""

import pytest
from xdist.scheduler import LoadFileScheduling

DEADLINES = (
    "tests/unit/cli/test_check.py",
    "tests/unit/cli/test_process.py",
    "tests/unit/cli/test_revoke.py",
    "tests/unit/cli/test_revoke_many.py",
    "tests/unit/keys/test_backup.py",
    "tests/unit/keys/test_http.py",
    "tests/unit/keys/test_loader.py",
    "tests/unit/keys/test_remote.py",
    "tests/integration/revocation/",
    "tests/unit/revocation/",
    "tests/integration/test_concurrency.py",
    "tests/spec/test_exhaustion.py",
    "tests/spec/test_isolation.py",
    "tests/unit/testing/test_key_server.py",
    "tests/integration/live/",
)


class SideBySide(LoadFileScheduling):
    """Hands out the tests of a module together."""

    def _split_scope(self, nodeid: str) -> str:
        return "deadlines" if nodeid.startswith(DEADLINES) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SideBySide | None:
    """Decide where ``--dist loadfile`` would."""
    return SideBySide(config, log) if config.getoption("dist") == "loadfile" else None
