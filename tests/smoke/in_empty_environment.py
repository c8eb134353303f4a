"""A folder with the built wheel in; exit status 0 if a newcomer's first app works with it alone.

Run as a script: it makes a virtual environment with nothing in it but the wheel and what the wheel
itself asks for, and runs itself in there.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def install_and_run(dist: Path) -> int:
    """Install the one wheel in *dist* into an empty environment and run :func:`first_app` there."""
    (wheel,) = dist.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True)  # noqa: S603
        return subprocess.run([python, "-I", __file__], check=False, cwd=folder).returncode  # noqa: S603


def first_app() -> None:
    """Protect a view, and get in with tokens and not without."""
    from flask import Flask

    from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
    from flask_connector_auth.testing import Issuer

    issuer, app = Issuer(), Flask(__name__)
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    ConnectorAuth(app)
    app.add_url_rule("/", "index", require_app_jwt(require_consumer_jws(lambda: "in")))
    client = app.test_client()
    tokens = {"Authorization": issuer.app_jwt(), "X-LP-ON-BEHALF": issuer.consumer_jws()}
    answers = [client.get("/", headers=tokens).text, client.get("/").json["body"]["errorCode"]]
    print("the wheel works" if answers == ["in", 40105] else f"the wheel fails: {answers}")
    sys.exit(answers != ["in", 40105])


if __name__ == "__main__":
    sys.exit(install_and_run(Path(sys.argv[1])) if sys.argv[1:] else first_app())
