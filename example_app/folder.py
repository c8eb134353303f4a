"""A folder in; its files written whole, by one process at a time, and for the owner alone, out."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

#: The mode of a file that holds a secret: read and written by its owner, and by nobody else.
PRIVATE = 0o600
LOCK_NAME = ".lock"
# Seconds; what is done under the lock takes far less, a new RSA key included.
_PATIENCE = 60


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from changing *folder* meanwhile; reading needs no lock."""
    # A lock of SQLite works on every system, and ends with the process that holds it.
    file = folder / LOCK_NAME
    reserve(file)
    restrict(file)
    with closing(sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        yield


def write(path: Path, text: str) -> None:
    """Write *text* to *path*, for the owner alone; call it where the folder is locked."""
    # Under another name first: a reader finds the old file or the new one, never a part. A draft
    # that was left behind may have another mode.
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    new = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def reserve(path: Path) -> None:
    """Make the file *path*, empty and for the owner alone, where there is none."""
    # Not by a change of the mode afterwards: who has opened the file by then reads it for ever.
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, PRIVATE))


def restrict(*paths: Path) -> None:
    """Take *paths* from all but their owner, where they exist: they may be copies or older."""
    for path in paths:
        # What belongs to another user is theirs to give.
        with suppress(FileNotFoundError, PermissionError):
            path.chmod(PRIVATE)
