"""Paths and what belongs there in; files that their owner alone can read out."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .loading import CannotRun


def create(contents: Mapping[Path, str]) -> None:
    """Create all files of *contents*, or none of them.

    :raises CannotRun: if one cannot be created; no file is ever overwritten.
    """
    created: list[Path] = []
    for path, content in contents.items():
        try:
            with open(path, "x", encoding="utf-8", opener=_open_for_owner) as file:
                created.append(path)
                file.write(content)
        except OSError as error:
            for each in created:
                with suppress(OSError):
                    each.unlink()
            raise CannotRun(f"{path}: {error.strerror}; nothing was written.") from None


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
