"""Starting the app: what the first start makes, what the next one finds, what can be set."""

import json
import re
import sqlite3
import stat
from contextlib import ExitStack, closing
from urllib.parse import urlencode

import pytest

from example_app.database import Base, db
from tests.support.example_api import ACCOUNT, api_of, asking, message
from tests.support.example_desk import Desk
from tests.support.example_processes import python

# Waits for a line on its input, so that several processes start at the same moment.
FIRST_START = """
from example_app import create_app
from example_app.database import db
from example_app.keys import current_issuer
from example_app.sentinel import app_install
print("ready", flush=True)
input()
app = create_app()
with app.app_context():
    print(app_install().client_id, current_issuer().kid)
with app.app_context():
    db.engine.dispose()
"""


def test_the_first_start(start, tmp_path):
    """A folder for the owner alone, with the private key (RFC 7517), the database, and the
    console's key."""
    folder = tmp_path / "new" / "instance"
    start(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"signing-keys.json", "connector.db", "console-key", ".lock"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    key = folder / "signing-keys.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    kept = json.loads(key.read_text())
    assert [(jwk["kid"], "d" in jwk) for jwk in kept["keys"]] == [(kept["signing"], True)]


def test_a_restart(start, tmp_path):
    """Key, app install, tokens and conversations outlive the process."""
    before = api_of(start(tmp_path))
    tokens = before.someone()
    conversation = before.opened(tokens)
    assert before.send(tokens, message(conversation)).json["body"] == {"sequence": 0}
    after = api_of(start(tmp_path))
    assert after.credentials == before.credentials
    keys = [api.get("/sentinel/well-known/jwks").data for api in (before, after)]
    assert keys[0] == keys[1]
    assert after.send(tokens, message(conversation)).json["body"] == {"sequence": 1}


def test_a_restart_loses_nothing(start, tmp_path):
    """All tables and keys are as they were; a file and an agent's password too."""

    def kept():
        with closing(sqlite3.connect(tmp_path / "connector.db")) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema")]
            tables = [name for name in names if not name.startswith("sqlite_")]
            rows = {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in tables}  # noqa: S608
        return rows, (tmp_path / "signing-keys.json").read_text()

    app = start(tmp_path)
    api, desk = api_of(app), Desk(app)
    tokens = api.someone()
    conversation = api.opened(tokens)
    assert api.send(tokens, message(conversation)).status_code == 200
    assert desk.say(conversation, {"message": "Hello"}).json == {"sequence": 1}
    place = asking("ms.GenerateURLForUploadFile", {"fileSize": "1", "fileType": "PNG"})
    parts = api.send(tokens, place).json["body"]
    url = f"{parts['relativePath']}?{urlencode(parts['queryParams'])}"
    assert api.transport("PUT", url, {}, b"x").status_code == 201
    app.test_cli_runner().invoke(args=["knobs", "fail", "idp", "503"])
    before, keys = kept()
    assert all(before.values())
    assert set(before) == set(Base.metadata.tables)
    after = start(tmp_path)
    assert kept() == (before, keys)
    assert Desk(after).say(conversation, {"message": "Hello again"}).json == {"sequence": 2}


def test_another_folder_is_another_service(start, tmp_path):
    """Row 40102: tokens of another key are refused."""
    one, other = (api_of(start(tmp_path / name)) for name in ("one", "other"))
    assert one.credentials != other.credentials
    assert one.create(other.someone()).json["body"]["errorCode"] == 40102
    assert one.create(one.someone()).status_code == 200


def test_processes_that_start_together(project):
    """Workers that make key and database at the same moment agree on them."""
    with ExitStack() as stack:
        workers = [stack.enter_context(python("-c", FIRST_START, folder=project)) for _ in range(3)]
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 3
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        said = [worker.communicate(timeout=60) for worker in workers]
    assert said == [said[0]] * 3
    assert re.fullmatch(r"[0-9a-f-]{36} [\d-]{22}\n", said[0][0])


def test_settings_of_the_environment(start, tmp_path, monkeypatch):
    """One setting moves the database; an account id of digits is still a text."""
    database = tmp_path / "elsewhere.db"
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{database}")
    monkeypatch.setenv("FLASK_CONNECTOR_ACCOUNT_ID", "5313846")
    app = start(tmp_path / "instance")
    assert database.exists()
    names = {path.name for path in (tmp_path / "instance").iterdir()}
    assert names == {"signing-keys.json", "console-key", ".lock"}
    api = api_of(app, "5313846")
    assert api.create(api.someone()).status_code == 200
    with app.app_context():
        assert db.engine.url.database == str(database)


@pytest.mark.parametrize("account", [ACCOUNT, "qa1"])
def test_settings_of_the_caller(start, tmp_path, monkeypatch, account):
    """What create_app() is given stands over the environment."""
    monkeypatch.setenv("FLASK_CONNECTOR_ACCOUNT_ID", "5313846")
    api = api_of(start(tmp_path, CONNECTOR_ACCOUNT_ID=account), account)
    assert api.get(f"/api/account/{account}/service/baseURI").status_code == 200
