"""Files of a folder: written as a whole, by one process at a time, readable by the owner only."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

#: Mode of a file that holds a secret: its owner may read and write it, no other user may.
PRIVATE = 0o600
LOCK_NAME = ".lock"
# Seconds; the work under the lock takes far less, even with a new RSA key.
_PATIENCE = 60


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from changing *folder*; reading it needs no lock."""
    # A lock of SQLite works on every system, and is released when its process ends.
    file = folder / LOCK_NAME
    reserve(file)
    restrict(file)
    with closing(sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        yield


def write(path: Path, text: str) -> None:
    """Write *text* to *path*, readable by the owner only; the caller holds the folder's lock."""
    # Written under another name first: a reader finds the old file or the new one, never a part.
    # An old draft is deleted, since it may have another mode.
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    new = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def reserve(path: Path) -> None:
    """Create the file *path*, empty and readable by the owner only, if it does not exist."""
    # Created with its mode: a process that opens the file before a later chmod keeps access to it.
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, PRIVATE))


def restrict(*paths: Path) -> None:
    """Restrict *paths* to their owner, where they exist: copied or old files may be open to all."""
    for path in paths:
        # Only the owner of a file can change its mode.
        with suppress(FileNotFoundError, PermissionError):
            path.chmod(PRIVATE)
