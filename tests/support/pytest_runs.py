"""A folder with a user's tests in; what a pytest of its own says of them out."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_pytest(folder: Path) -> dict[str, int]:
    """Return how many tests passed, failed and so on; warnings are errors there too."""
    left_out = ("-p", "no:cacheprovider", "-p", "no:schemathesis")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *left_out]
    told = subprocess.run(  # noqa: S603
        [*command, "--rootdir", folder, folder],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    print(told.stdout, told.stderr)
    *_, last = told.stdout.splitlines()
    return {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", last)}
