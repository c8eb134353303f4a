"""The signing keys: several are published, one signs, and all workers read the same file."""

import json
import stat
from threading import Event, Thread

import pytest

from example_app.keys import KeyFile
from tests.support.concurrent_calls import at_once
from tests.support.example_api import api_of, claims, header, message


@pytest.fixture
def app(start, tmp_path):
    """An app with keys of its own."""
    return start(tmp_path)


@pytest.fixture
def keys(app):
    """Return a function that runs ``flask --app example_app keys`` with what it is given."""

    def keys(*arguments):
        return app.test_cli_runner().invoke(args=["keys", *arguments])

    return keys


def published(api):
    """Return the kids in the published key set."""
    return [key["kid"] for key in api.get("/sentinel/well-known/jwks").json["keys"]]


def signing(app):
    """Return the kid of new tokens, AppJWT and ConsumerJWS."""
    tokens = api_of(app).someone().values()
    [kid] = {header(token)["kid"] for token in tokens}
    return kid


def test_the_commands(app, keys):
    """A key is published, then signs, and is withdrawn when another one does."""
    api = api_of(app)
    [first] = published(api)
    second = keys("add").output.strip()
    assert published(api) == [first, second]
    assert keys("list").output == f"{first}  signs\n{second}  published\n"
    assert signing(app) == first
    assert keys("use", second).output == f"{first}\n"
    assert keys("list").output == f"{first}  published\n{second}  signs\n"
    assert (published(api), signing(app)) == ([first, second], second)
    assert keys("withdraw", first).output == ""
    assert keys("list").output == f"{second}  signs\n"
    assert (published(api), signing(app)) == ([second], second)


@pytest.mark.parametrize("command", ["use", "withdraw"])
def test_a_key_that_is_not_there(app, keys, command):
    """It is refused with exit status 1, and nothing changes."""
    before = keys("list").output
    result = keys(command, "another")
    assert (result.exit_code, result.output) == (1, "Error: There is no key another.\n")
    assert keys("list").output == before


def test_the_key_that_signs_is_not_withdrawn(app, keys):
    """The key that signs cannot be withdrawn: no verifier would accept its tokens."""
    [kid] = published(api_of(app))
    result = keys("withdraw", kid)
    assert result.exit_code == 1
    assert result.output == f"Error: {kid} signs: put another key to use first.\n"
    assert keys("list").output == f"{kid}  signs\n"


def test_tokens_of_both_keys(app, keys):
    """A token of a key that is new to the API passes at once, one of the published old key too."""
    api = api_of(app)
    old = api.someone()
    conversation = api.opened(old)
    keys("use", keys("add").output.strip())
    new = api_of(app).someone()
    assert header(new["Authorization"])["kid"] != header(old["Authorization"])["kid"]
    assert api.create(new).status_code == 200
    assert api.send(old, message(conversation)).status_code == 200


def test_a_worker_that_is_running(start, app, tmp_path, keys):
    """What is changed by one process, the other one publishes and signs with, without a restart."""
    worker = start(tmp_path)
    old = signing(worker)
    new = keys("add").output.strip()
    assert published(api_of(worker)) == [old, new]
    keys("use", new)
    assert signing(worker) == new


def test_changes_at_the_same_moment(tmp_path):
    """Concurrent additions: no key is lost, and each has a different name."""
    first = KeyFile(tmp_path).read().signing
    added = at_once(lambda: KeyFile(tmp_path).add())
    assert len(set(added)) == len(added)
    assert set(KeyFile(tmp_path).read().keys) == {first, *added}


def test_reading_while_keys_change(tmp_path):
    """A reader finds the keys of before or after, and one of them signs."""
    keys, done, rings = KeyFile(tmp_path), Event(), []

    def read():
        while not done.is_set():
            rings.append(keys.read())

    reader = Thread(target=read)
    reader.start()
    for _ in range(3):
        new = keys.add()
        keys.withdraw(keys.use(new))
    done.set()
    reader.join()
    assert {ring.signing in ring.keys for ring in rings} == {True}
    assert {len(ring.keys) for ring in rings} <= {1, 2}


def test_the_file(app, keys, tmp_path):
    """For its owner alone, also once it was changed; a withdrawn key is in no file any more."""
    old = keys("use", keys("add").output.strip()).output.strip()
    assert old in (tmp_path / "signing-keys.json").read_text()
    keys("withdraw", old)
    files = {path.name: path for path in tmp_path.iterdir()}
    assert set(files) == {"signing-keys.json", "connector.db", "console-key", ".lock"}
    kept = files["signing-keys.json"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [key["kid"] for key in json.loads(kept.read_text())["keys"]] != [old]
    assert not [path for path in files.values() if old.encode() in path.read_bytes()]


def test_how_long_the_keys_may_be_kept(app, keys):
    """RFC 9111 section 5.2.2.1, and RFC 9110 section 13.1.2: a minute, then it is asked whether
    they are the same."""
    client = app.test_client()
    answer = client.get("/sentinel/well-known/jwks")
    assert answer.headers["Cache-Control"] == "max-age=60"
    condition = {"If-None-Match": answer.headers["ETag"]}
    assert client.get("/sentinel/well-known/jwks", headers=condition).status_code == 304
    keys("add")
    assert client.get("/sentinel/well-known/jwks", headers=condition).status_code == 200


def test_the_life_of_a_token(start, tmp_path):
    """A setting, in seconds, which is also in the answer (RFC 6749 section 5.1)."""
    api = api_of(start(tmp_path, CONNECTOR_TOKEN_LIFE=5))
    answer = api.token({}, {"grant_type": "client_credentials", **api.credentials}).json
    said = claims(answer["access_token"])
    assert (said["exp"] - said["iat"], answer["expires_in"]) == (5, 5)
