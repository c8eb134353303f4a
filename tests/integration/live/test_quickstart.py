"""Pages, as a newcomer goes through them: their files, their commands, and what they print."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

from tests.support.ports import free_port
from tests.support.project import PROJECT, ROOT, blocks, files_of, write_files

PAGE, PROJECT_PAGE = "docs/quickstart.rst", "docs/project.rst"
PATIENCE = 60


def session(shown: list[str]) -> list[tuple[str, str]]:
    """Return each command of a page with what it prints, at other ports than the page's."""
    text = "".join(shown)
    for port in ("5000", "8081"):
        text = text.replace(port, str(free_port()))
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)


def assert_printed(expected: str, printed: str) -> None:
    """Assert that a command printed what the page shows; ``...`` stands for anything."""
    assert OutputChecker().check_output(expected, printed, ELLIPSIS | NORMALIZE_WHITESPACE), printed


@contextmanager
def serving(command: str, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run a server, and return what it prints until it listens."""
    with subprocess.Popen(  # noqa: S602
        f"exec {command}",
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            lines = []
            for line in process.stdout or ():
                lines.append(line)
                # Flask prints one line more.
                if "Serving HTTP on" in line or "Running on" in "".join(lines[-2:-1]):
                    break
            yield "".join(lines)
        finally:
            process.terminate()


def go_through(commands: list[tuple[str, str]], tmp_path: Path) -> None:
    """Type every command in the folder, and compare what it prints with the page."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with ExitStack() as stack:
        for command, expected in commands:
            if assigned := re.fullmatch(r"(?:export )?(\w+)=(\S+)", command):
                environment[assigned[1]] = assigned[2]
            elif " run " in command or "http.server" in command:
                printed = stack.enter_context(serving(command, tmp_path, environment))
                assert_printed(expected, printed)
            else:
                done = subprocess.run(  # noqa: S602
                    command,
                    shell=True,
                    cwd=tmp_path,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=PATIENCE,
                    check=False,
                )
                # A thread may log at any time.
                assert_printed(expected, re.sub(r"^INFO:.*\n", "", done.stdout, flags=re.MULTILINE))


def test_the_quickstart_leads_to_where_it_says(tmp_path: Path) -> None:
    """Every file is made and every command typed as the page has them, from first to last."""
    write_files(files_of(PAGE), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("service.py", "conftest.py", "test_service.py")
    }
    commands = session(blocks(PAGE, "console"))
    assert len(commands) == 16
    go_through(commands, tmp_path)


def test_the_project_is_called_as_its_page_says(tmp_path: Path) -> None:
    """A good request, a refused one, and one for the health of the worker."""
    write_files(files_of(PROJECT_PAGE), tmp_path)
    developing, calling, _in_production = blocks(PROJECT_PAGE, "console")
    commands = session([developing, calling])
    assert len(commands) == 9
    go_through(commands, tmp_path)


def test_the_quickstart_installs_this_package() -> None:
    """By its name in the metadata, in an environment of its own, on a Python that it supports."""
    install, _real_keys = blocks(PAGE, "shell")
    lines = install.split("\n")
    assert lines[1] == "python3 -m venv .venv"
    assert f"pip install {PROJECT['name']} pytest" in lines
    python = PROJECT["requires-python"].removeprefix(">=")
    assert f"Python {python} or newer" in (ROOT / PAGE).read_text()
