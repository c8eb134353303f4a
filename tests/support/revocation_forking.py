"""Forks while a follower runs, in a process of its own; exit status 0 if the child goes on.

A thread holds the lock of the cache at the moment of the fork, as one that applies changes might.
The connection of the parent must stay the parent's.
"""

import os
import sys

from flask_connector_auth import Change
from flask_connector_auth.core import Rejected, Unavailable
from flask_connector_auth.revocation import RevocationRules, Revocations, Subject
from flask_connector_auth.revocation.redis import RedisStore
from tests.support.redis_servers import until

SUBJECTS = {name: Subject(b"", 0, (f"account:{name}",)) for name in ("before", "parent", "child")}


def refused(revocations: Revocations, name: str) -> bool:
    """Whether tokens of an account are refused."""
    try:
        revocations.cache.check_age()
        revocations.cache.check_not_revoked(SUBJECTS[name])
    except Rejected:
        return True
    return False


def in_child(revocations: Revocations, memory: Revocations) -> int:
    """Check what was inherited, read the store, and revoke."""
    try:
        # The first check of a child waits for the store, as that of any new process does.
        inherited = refused(revocations, "before") and refused(memory, "before")
    except Unavailable:
        return 2
    revocations.revoke(account_id="child")
    memory.revoke(account_id="child")
    until(lambda: refused(revocations, "parent"))
    return 0 if inherited and refused(revocations, "child") and refused(memory, "child") else 1


def main(url: str) -> int:
    """Return 0 if parent and child both refuse what either has revoked."""
    store = RedisStore(url)
    revocations = Revocations(store, RevocationRules(), lambda: 0.0)
    memory = Revocations(None, RevocationRules(), lambda: 0.0)
    for each in (revocations, memory):
        each.revoke(account_id="before")
    until(lambda: not refused(revocations, "child"))
    client = store._client
    with revocations.cache._lock, revocations._follower._lock, memory._store._lock:  # type: ignore[union-attr, attr-defined]
        child = os.fork()
    if child == 0:
        status = in_child(revocations, memory)
        os._exit(3 if revocations._store._client is client else status)  # type: ignore[attr-defined]
    RedisStore(url).change([Change("account:parent", 1.0)])
    _, status = os.waitpid(child, 0)
    until(lambda: refused(revocations, "parent") and refused(revocations, "child"))
    return 0 if status == 0 and not refused(memory, "child") else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
