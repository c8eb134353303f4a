"""Run as a script: uses the package without what only Unix has, and prints what worked.

The functions, flags, clocks, signals, modules and files that Windows lacks are taken away before
the package is imported, and the locale has an encoding that is not UTF-8.
"""

import io
import os
import pkgutil
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

FORKS = "register_at_fork fork forkpty wait waitid wait3 wait4 WNOHANG posix_spawn posix_spawnp"
USERS = "geteuid getuid getegid getgid getresuid getgroups getlogin chown fchown lchown umask"
FLAGS = "O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_DIRECTORY O_SYNC O_NOCTTY"
MACHINE = "sysconf uname getloadavg sched_getaffinity sched_setaffinity getpgid setsid killpg nice"
CLOCKS = "clock_gettime clock_gettime_ns clock_getres clock_settime tzset"
SIGNALS = "SIGHUP SIGKILL SIGALRM SIGUSR1 SIGUSR2 SIGCHLD alarm setitimer pthread_sigmask"
#: What Windows lacks, by module.
ABSENT: Mapping[ModuleType, list[str]] = {
    os: f"{FORKS} {USERS} {FLAGS} {MACHINE}".split(),
    time: [*CLOCKS.split(), *(name for name in vars(time) if name.startswith("CLOCK_"))],
    signal: SIGNALS.split(),
    socket: ["AF_UNIX", "send_fds", "recv_fds"],
    select: ["poll", "epoll"],
}
MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "syslog", "pty", "tty")


def take_away() -> None:
    """Take away what Windows lacks."""
    import asyncio  # noqa: F401  (the standard library's own look-ups of these come first)
    import ssl  # noqa: F401
    import subprocess  # noqa: F401
    import tempfile  # noqa: F401

    for module, names in ABSENT.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(("/proc", "/dev", "/sys")):
            raise FileNotFoundError(arguments[0])

    sys.addaudithook(refuse)


def control() -> str:
    """Return whether it is gone."""
    kept = [name for module, names in ABSENT.items() for name in names if hasattr(module, name)]
    for name in MODULES:
        try:
            kept.append(import_module(name).__name__)
        except ImportError:
            continue
    with suppress(FileNotFoundError):
        kept.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8"))
    return repr(kept)


def imported(package: str) -> Iterator[str]:
    """Import each module of *package*, and yield its name."""
    root = import_module(package)
    for each in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not each.name.endswith("__main__"):
            yield import_module(each.name).__name__


def answers(keys: Any, issuer: Any, **settings: Any) -> str:
    """Return what an app with these *keys* answers to good tokens, to a forged one, and to none."""
    from flask import Flask

    from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
    from flask_connector_auth.testing import Issuer

    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = keys
    app.config |= {f"CONNECTOR_AUTH_{name}": value for name, value in settings.items()}
    connector_auth = ConnectorAuth(app)
    app.add_url_rule("/", "index", require_app_jwt(require_consumer_jws(lambda: "in")))
    client, consumer = app.test_client(), {"X-LP-ON-BEHALF": issuer.consumer_jws()}
    good = issuer.app_jwt()
    told = [
        client.get("/", headers={"Authorization": good, **consumer}).text,
        client.get("/", headers={"Authorization": Issuer().app_jwt(), **consumer}).status_code,
        client.get("/").json["body"]["errorCode"],
    ]
    with app.app_context():
        connector_auth.revocations.revoke(token=good)
    told.append(client.get("/", headers={"Authorization": good, **consumer}).status_code)
    return " ".join(map(str, told))


def saved(issuer: Any, folder: Path) -> Iterator[str]:
    """Verify with keys from a URL, then with the saved ones of it, and yield the answers."""
    from flask_connector_auth.testing import KeySetServer

    backup = str(folder / "jwks.backup")
    with KeySetServer(issuer) as server:
        yield answers(server.url, issuer, JWKS_BACKUP=backup)
        until = time.monotonic() + 20
        while not (files := [*folder.glob("jwks.backup.*")]) and time.monotonic() < until:
            time.sleep(0.01)
        assert files
        # What Windows says of each file and folder, even where others may write.
        for path in (folder, *files):
            path.chmod(0o777)
        server.fail("refuse")
        yield answers(server.url, issuer, JWKS_BACKUP=backup)


def commands(folder: Path) -> str:
    """Return the answers of an app that trusts the key that the command line makes."""
    import json

    from flask import Flask
    from joserfc.jwk import RSAKey

    from flask_connector_auth.cli import connector_auth
    from flask_connector_auth.testing import Issuer

    file = folder / "dev.jwk"
    runner = Flask("an_app").test_cli_runner()
    result = runner.invoke(connector_auth, ["keygen", "--force", str(file)])
    assert result.exit_code == 0, result.output
    key = RSAKey.import_key(json.loads(file.read_bytes()))
    return answers(f"{file}.pub", Issuer(key, kid=key.kid))


def example(folder: Path) -> str:
    """Return the status of the example app's key set, from its instance *folder*."""
    from example_app import create_app
    from example_app.sentinel import KEY_SET_PATH

    app = create_app({}, instance_path=str(folder / "instance"))
    return str(app.test_client().get(KEY_SET_PATH).status_code)


def main(folder: Path) -> None:
    """Print what worked, a line each."""
    from flask_connector_auth.testing import Issuer

    issuer = Issuer()
    print("kept", control())
    for package in ("flask_connector_auth", "example_app"):
        print("imported", package, len([*imported(package)]) > 10)
    print("static", answers(issuer.key_set(), issuer))
    for told in saved(issuer, folder):
        print("remote", told)
    print("keygen", commands(folder))
    print("example", example(folder))


if __name__ == "__main__":
    take_away()
    # Text is read and written in an encoding that is named, never in that of the system.
    warnings.filterwarnings(
        "error", category=EncodingWarning, module="(flask_connector_auth|example_app)"
    )
    assert isinstance(sys.stdout, io.TextIOWrapper)
    main(Path(sys.argv[1]))
