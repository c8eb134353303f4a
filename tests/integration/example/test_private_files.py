"""The files of the app hold secrets, so only their owner may read them, in any folder."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from example_app import folder
from example_app.certificates import certificate_in
from example_app.database import db, keep_private
from tests.support.example_api import api_of, message

PRIVATE = 0o600


@pytest.fixture(autouse=True)
def umask():
    """The usual one: what is made without a mode is for all to read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def shared(tmp_path):
    """A folder that exists already, and that others can look into."""
    path = tmp_path / "shared"
    path.mkdir(mode=0o755)
    return path


def modes(path):
    """Return the mode of each file in the folder *path*, by its name."""
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.iterdir()}


def use(app):
    """Let all be written that is written."""
    api = api_of(app)
    tokens = api.someone()
    assert api.send(tokens, message(api.opened(tokens))).status_code == 200
    certificate_in(Path(app.instance_path))
    app.extensions["signing_keys"].add()


def test_a_folder_that_others_can_look_into(start, shared):
    """Database, signing keys, certificate with its key, the console's key, and the lock, which
    others could hold; the folder itself, which has an owner, stays as it is."""
    use(start(shared))
    kept = {
        "connector.db",
        "signing-keys.json",
        "certificate.pem",
        "ca.pem",
        "console-key",
        ".lock",
    }
    assert modes(shared) == dict.fromkeys(kept, PRIVATE)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "url",
    ["sqlite:///{}/a.db", "sqlite:///file:{}/a.db?uri=true", "sqlite:///file:{}/%2561.db?uri=true"],
)
def test_a_database_elsewhere(start, shared, tmp_path, url):
    """At any path in the setting; a file URI of SQLite is parsed as SQLite does."""
    use(start(tmp_path / "instance", SQLALCHEMY_DATABASE_URI=url.format(shared)))
    assert modes(shared) == {"a.db": PRIVATE}


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:a?mode=memory&cache=shared&uri=true",
        "postgresql://localhost/a",
    ],
)
def test_no_file(shared, monkeypatch, url):
    """A database in memory, or of a server, has none, and none is made for it."""
    monkeypatch.chdir(shared)
    keep_private(make_url(url))
    assert modes(shared) == {}
    keep_private(make_url("sqlite:///a"))
    assert modes(shared) == {"a": PRIVATE}


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_sqlite_writes_beside_it(start, shared, mode):
    """The journal has rows of the database in it, and its mode, in both ways of keeping one."""
    app = start(shared)
    with app.app_context(), closing(sqlite3.connect(shared / "connector.db")) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("UPDATE app_install SET account_id = account_id")
        beside = {name: mode for name, mode in modes(shared).items() if "db-" in name}
        connection.rollback()
        db.engine.dispose()
    expected = {"wal": ("wal", "shm"), "delete": ("journal",)}[mode]
    assert beside == {f"connector.db-{end}": PRIVATE for end in expected}


def test_files_that_others_could_read(start, shared):
    """Those of an older version, or copies, are taken from the others at the next start."""
    use(start(shared))
    for path in shared.iterdir():
        if path.name != "ca.pem":
            path.chmod(0o644)
    app = start(shared)
    certificate_in(shared)
    assert set(modes(shared).values()) == {PRIVATE}
    use(app)


def test_what_sqlite_has_left_behind(shared):
    """The journals of a process that was killed, which are read at the next start."""
    names = {f"a.db{end}" for end in ("", "-journal", "-wal", "-shm")}
    for name in names:
        (shared / name).touch(mode=0o644)
    keep_private(make_url(f"sqlite:///{shared}/a.db"))
    assert modes(shared) == dict.fromkeys(names, PRIVATE)


def test_a_draft_that_was_left_behind(shared):
    """Its mode is not that of the file which takes its name."""
    path = shared / "a.txt"
    draft = path.with_suffix(".draft")
    draft.write_text("left behind")
    folder.write(path, "secret")
    assert (modes(shared), path.read_text()) == ({"a.txt": PRIVATE}, "secret")


def test_a_file_of_another_user(shared, monkeypatch):
    """It cannot be taken from others, and is used as it is; what is not there is not made."""

    def refused(*_arguments):
        raise PermissionError

    path = shared / "a.txt"
    path.touch()
    folder.restrict(path, shared / "b.txt")
    assert modes(shared) == {"a.txt": PRIVATE}
    path.chmod(0o640)
    monkeypatch.setattr(Path, "chmod", refused)
    folder.restrict(path, shared / "b.txt")
    assert modes(shared) == {"a.txt": 0o640}
