"""The facts that the numbers depend on: the machine, the versions and the date."""

import os
import platform
import sysconfig
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

PACKAGES = (
    *("flask-connector-auth", "flask", "werkzeug", "joserfc", "authlib", "cryptography"),
    *("pyjwt", "flask-httpauth", "flask-jwt-extended", "gunicorn"),
)


def about() -> dict[str, object]:
    """Return date, machine, interpreter and versions."""
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "python": python + (" free-threaded" if free_threaded else ""),
        "versions": {
            **{package: version(package) for package in PACKAGES},
            "openssl": backend.openssl_version_text().split()[1],
        },
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
