"""A folder in; its files written whole, by one process at a time, out."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from changing *folder* meanwhile; reading needs no lock."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def write(path: Path, text: str) -> None:
    """Write *text* to *path*, for the owner alone; call it where the folder is locked."""
    # Under another name first: a reader finds the old file or the new one, never a part.
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
