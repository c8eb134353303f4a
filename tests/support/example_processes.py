"""The example app in a process of its own, which ends with the test in any case."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import example_app
from example_app.sentinel import KEY_SET_PATH
from tests.support.example_api import ACCOUNT, Api, over_http


def copy_of_the_app(folder: Path) -> Path:
    """Copy the example app into *folder*, and return *folder*."""
    source = Path(example_app.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, folder / source.name, ignore=ignored)
    return folder


def keys_at(port: int) -> dict[str, str]:
    """Return the setting that lets the app load its keys from *port* of this machine."""
    return {"CONNECTOR_AUTH_APP_JWT_KEYS": f"http://127.0.0.1:{port}{KEY_SET_PATH}"}


@contextmanager
def program(
    *command: str,
    folder: Path,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[subprocess.Popen[str]]:
    """Run *command* in *folder*, which is its home too; *settings* are those of the app, and
    *environment* is what else its environment has.

    It finds the programs that were installed with the interpreter first.
    """
    environment = {
        **os.environ,
        **(environment or {}),
        **{f"FLASK_{name}": str(value) for name, value in (settings or {}).items()},
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "error",
    }
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(  # noqa: S603  # of the tests' own making
        command, cwd=folder, env=environment, text=True, **{**pipes, **options}
    ) as process:
        # A test that waits for output must not wait forever.
        timer = Timer(120, process.terminate)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.terminate()
            process.communicate(timeout=30)


def python(*arguments: str, **options: Any) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run the interpreter with *arguments*; see :func:`program`."""
    return program(sys.executable, *arguments, **options)


def api_at(port: int, project: Path) -> Api:
    """Return the calls to the server at *port*, by the app install that its first start made."""
    api = Api(over_http(port), ACCOUNT, {})
    # The server answers as soon as a worker has started, and so has created the database.
    assert api.get(f"/api/account/{ACCOUNT}/service/baseURI.json").status_code == 200
    with closing(sqlite3.connect(project / "instance" / "connector.db")) as database:
        ((client_id, secret),) = database.execute(
            "SELECT client_id, client_secret FROM app_install"
        )
    api.credentials = {"client_id": client_id, "client_secret": secret}
    return api
