"""Processes: forks, and an end without delay."""

import os
import subprocess
import sys
from time import monotonic

import pytest

from flask_connector_auth.core import reset_all_after_fork
from flask_connector_auth.revocation import MemoryStore, RevocationRules, Revocations
from tests.support.redis_servers import Server
from tests.support.revocation_worlds import KEPT_FOREVER

GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, time
from flask_connector_auth.revocation import RevocationRules, Revocations
from flask_connector_auth.revocation.redis import RedisStore
from tests.support.redis_servers import until
one, other = (
    Revocations(RedisStore(sys.argv[1]), RevocationRules(), time.time) for _ in range(2)
)
until(lambda: one.health()["ready"] and other.health()["ready"])
one.revoke(account_id="a")
until(lambda: other.health()["entries"] == 1, 4)
print(time.sleep.__module__)
"""
ENDING = """
import sys, time
from flask_connector_auth.revocation import RevocationRules, Revocations
from flask_connector_auth.revocation.redis import RedisStore
one = Revocations(RedisStore(sys.argv[1]), RevocationRules(), time.time)
one.revoke(account_id="a")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the output of a process, which ends soon."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, timeout=60
    )


def test_a_fork_while_the_store_is_followed(server: Server) -> None:
    """No thread, lock or connection is shared over a fork; the entries are."""
    # The test needs a thread at the fork, and a connection that is open at the end.
    ignored = [f"-Wignore::{name}" for name in ("DeprecationWarning", "ResourceWarning")]
    done = run(*ignored, "-m", "tests.support.revocation_forking", server.url)
    assert (done.returncode, done.stderr) == (0, "")


def test_gevent(server: Server) -> None:
    """With gevent's patches a greenlet reads the store, and changes arrive at once."""
    done = run("-c", GEVENT, server.url)
    assert done.stderr == ""
    assert done.stdout == "gevent.hub\n"


def test_nothing_keeps_a_process_from_ending(server: Server) -> None:
    """Neither the thread nor its connection delays it, and nothing is printed at the end."""
    begin = monotonic()
    done = run("-c", ENDING, server.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert monotonic() - begin < 20


def test_a_child_has_new_locks() -> None:
    """What the hook of a fork does, here without one: new locks, no thread, the same entries."""
    memory = Revocations(None, RevocationRules(), lambda: 0.0)
    followed = Revocations(MemoryStore(KEPT_FOREVER), RevocationRules(), lambda: 0.0)
    memory.revoke(account_id="a")
    with memory._store._lock, followed.cache._lock, followed._follower._lock:  # type: ignore[attr-defined, union-attr]
        reset_all_after_fork()
        assert not followed.cache.is_fresh()
        memory.revoke(account_id="b")
        followed.revoke(account_id="c")
    assert memory.health()["entries"] == 2
    assert followed.health()["entries"] == 1


def test_a_fork_without_hooks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """uWSGI runs no hook: the thread object of the parent seems alive in the child, but no such
    thread runs."""
    followed = Revocations(MemoryStore(KEPT_FOREVER), RevocationRules(), lambda: 0.0)
    followed.health()
    follower = followed._follower
    assert follower
    thread, monkeypatched = follower._thread, os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: monkeypatched)
    followed.health()
    assert follower._thread is not thread
