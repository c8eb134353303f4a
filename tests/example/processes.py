"""A Python command line in; the process that runs it, and is ended whatever happens, out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def python(*arguments: str, folder: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run the interpreter with *arguments* in *folder*, which is its home too."""
    with subprocess.Popen(  # noqa: S603  # the interpreter that runs the tests
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONUTF8": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=30)
