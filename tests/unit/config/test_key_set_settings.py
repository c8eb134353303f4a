"""The settings of remote key sets, and the key sources that they result in."""

import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from flask_connector_auth import ConfigurationError
from flask_connector_auth.config import JwksSchema, load_settings
from flask_connector_auth.keys import (
    CombinedKeys,
    HttpFetch,
    KeySource,
    RedisBackupStore,
    RemoteKeys,
    RemoteRules,
    StaticKeys,
    VerificationKey,
)
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import NO_KEY_OR_FILE, only_issuer

PREFIX = "CONNECTOR_AUTH_"
URL = "https://issuer.example/jwks.json"
STATIC = Issuer().key_set()


def load(**values: Any) -> KeySource:
    """Return the source of AppJWT keys that *values* configure."""
    config = {"APP_JWT_KEYS": URL, **values}
    settings = load_settings({PREFIX + name: value for name, value in config.items()})
    return only_issuer(settings).app_jwt.keys


def store_of(source: KeySource) -> Any:
    """Return the store in which a remote source keeps its backup."""
    assert isinstance(source, RemoteKeys)
    backup: Any = source._loader._backup
    return backup._store


#: Settings that result in different sources: none can use the backup of another.
SOURCES: list[dict[str, Any]] = [
    {},
    {"APP_JWT_KEYS": URL + "?v=2"},
    {"JWKS_FAILOVER": [URL + "?v=2"]},
    {"JWKS_FAILOVER": [URL + "?v=2", URL + "?v=3"]},
    {"APP_JWT_ALGORITHMS": ["RS256", "ES256"]},
    {"APP_JWT_ALGORITHMS": ["ES256"]},
    {"MIN_RSA_BITS": 3072},
]


def problems(**values: Any) -> dict[str, list[str]]:
    """Return what is wrong with *values*, by name without the prefix."""
    with pytest.raises(ConfigurationError) as caught:
        load(**values)
    return {key.removeprefix(PREFIX): texts for key, texts in caught.value.problems.items()}


def rules_of(source: KeySource) -> RemoteRules:
    """Return the rules of a remote source."""
    assert isinstance(source, RemoteKeys)
    return source._policy.rules


def test_every_rule_has_its_setting_and_default() -> None:
    """docs/settings.rst: the default of each setting is the default of its rule."""
    schema = JwksSchema()
    assert rules_of(load()) == RemoteRules()
    for rule in fields(RemoteRules):
        assert schema.fields[f"jwks_{rule.name}"].load_default == rule.default
    documented = {
        **{"max_age": 300, "min_age": 30, "cooldown": 10, "timeout": 5, "wait": 2},
        "max_waiting": 4,
        **{"retry": 1, "retry_max": 60, "max_stale": 3600},
        **{"max_bytes": 262144, "max_keys": 100},
    }
    assert {rule.name: rule.default for rule in fields(RemoteRules)} == documented


@pytest.mark.parametrize("name", [rule.name for rule in fields(RemoteRules)])
def test_every_rule_can_be_set(name: str) -> None:
    """Each setting reaches the refresh policy."""
    value = {"max_age": 400, "max_stale": 500, "cooldown": 20, "retry_max": 70}.get(name, 7)
    assert getattr(rules_of(load(**{f"JWKS_{name.upper()}": value})), name) == value


POSITIVE = ["MAX_AGE", "MIN_AGE", "COOLDOWN", "TIMEOUT", "WAIT", "RETRY", "RETRY_MAX"]
WHOLE = ["MAX_BYTES", "MAX_KEYS", "MAX_WAITING"]
BAD = [
    *((name, value) for name in POSITIVE for value in (0, -1, "30", True, None, float("inf"))),
    *(("MAX_STALE", value) for value in (-1, "0", None)),
    *((name, value) for name in WHOLE for value in (0, 1.5, "7", None)),
    *(("FAILOVER", value) for value in (URL, ["http://issuer.example/"], [""], [5], {})),
    *(("BACKUP", value) for value in ("", True)),
    *(("HTTP_HOSTS", value) for value in ("issuer", "issuer,other", None, {}, [""], [None])),
    *(("HTTP_HOSTS", [value]) for value in ("*", "*.example", "issuer:8080", "http://issuer")),
    *(
        ("HTTP_HOSTS", [value])
        for value in ("issuer/", "a b", "issuer\n", "fd00::1", "käse", "a@b")
    ),
    *(("CA_FILE", value) for value in ("", "/nowhere/ca.pem")),
    *(("PROXY", value) for value in ("", "proxy:3128", "https://proxy:3128", "http://proxy")),
    *(("PROXY", value) for value in ("http://us@er@proxy:1", "http://proxy:x", "http://p:1/x")),
    *(("FETCH", value) for value in ("fetch", 5)),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_reported_under_its_key(name: str, value: Any) -> None:
    """Fail early: type, bounds and form of each setting are checked at the start."""
    assert list(problems(**{f"JWKS_{name}": value})) == [f"JWKS_{name}"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"JWKS_MIN_AGE": 301}, {"JWKS_MIN_AGE": ["Must be at most CONNECTOR_AUTH_JWKS_MAX_AGE."]}),
        (
            {"JWKS_COOLDOWN": 300},
            {"JWKS_COOLDOWN": ["Must be less than CONNECTOR_AUTH_JWKS_MAX_AGE."]},
        ),
        (
            {"JWKS_TIMEOUT": 300},
            {"JWKS_TIMEOUT": ["Must be less than CONNECTOR_AUTH_JWKS_MAX_AGE."]},
        ),
        ({"JWKS_RETRY": 61}, {"JWKS_RETRY": ["Must be at most CONNECTOR_AUTH_JWKS_RETRY_MAX."]}),
        (
            {"JWKS_MAX_STALE": 299},
            {"JWKS_MAX_STALE": ["Must be 0, or at least CONNECTOR_AUTH_JWKS_MAX_AGE."]},
        ),
        (
            {"JWKS_MAX_STALE": 0.5},
            {"JWKS_MAX_STALE": ["Must be 0, or at least CONNECTOR_AUTH_JWKS_MAX_AGE."]},
        ),
    ],
)
def test_contradicting_settings_are_reported(
    values: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    """Settings that contradict each other are refused at start."""
    assert problems(**values) == expected


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({"JWKS_MAX_AGE": "600", "JWKS_COOLDOWN": 400}, "JWKS_MAX_AGE"),
        ({"JWKS_RETRY_MAX": 0, "JWKS_RETRY": 61}, "JWKS_RETRY_MAX"),
        ({"LEEWAY": -1, "MAX_LIFETIME": 60, "REVOCATION_KEEP": 60}, "LEEWAY"),
    ],
)
def test_nothing_is_compared_with_a_setting_that_has_no_value(
    values: dict[str, Any], reported: str
) -> None:
    """A setting that may be right once another one is right is not reported."""
    assert list(problems(**values)) == [reported]


@pytest.mark.parametrize(
    "values",
    [
        {"JWKS_MIN_AGE": 300},
        {"JWKS_COOLDOWN": 299},
        {"JWKS_RETRY": 60},
        {"JWKS_MAX_STALE": 0},
        {"JWKS_MAX_STALE": 300},
    ],
)
def test_values_at_the_bounds_are_accepted(values: dict[str, Any]) -> None:
    """Values at the bounds are accepted: the controls of the test above."""
    assert isinstance(load(**values), RemoteKeys)


HTTPS = "https is needed, except for loopback and the hosts in JWKS_HTTP_HOSTS"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://issuer.example/jwks", HTTPS),
        ("ftp://issuer.example/jwks", HTTPS),
        ("https:///jwks", "not an absolute URL"),
        (
            "https://user:do-not-tell-this@issuer.example/",
            "user info and fragments are not sent; remove them from the URL",
        ),
        (
            "https://issuer.example/#keys",
            "user info and fragments are not sent; remove them from the URL",
        ),
        ("https://issuer.example:99999/", "Port out of range 0-65535"),
        ("https://issuer.example/a b", "not an absolute URL"),
    ],
)
def test_a_url_that_is_not_safe_is_refused(url: str, problem: str) -> None:
    """https is required, user info and fragment are refused; the message does not quote the URL."""
    assert problems(APP_JWT_KEYS=url) == {"APP_JWT_KEYS": [f"a key set URL: {problem}."]}
    assert "do-not-tell-this" not in str(problems(APP_JWT_KEYS=[STATIC, url]))


@pytest.mark.parametrize("url", ["file:///etc/key.pem", "FILE:/etc/key.pem", " file://localhost/k"])
def test_a_url_of_a_file_is_refused(url: str) -> None:
    """APP_JWT_KEYS: the path alone is a form of it, as the message says; JWKS_FAILOVER has none."""
    text = "a URL of a file; give the path of the file alone."
    assert problems(APP_JWT_KEYS=url) == {"APP_JWT_KEYS": [text]}
    assert problems(APP_JWT_KEYS=[STATIC, url]) == {"APP_JWT_KEYS": [f"item 2: {text}"]}
    assert "path" not in str(problems(JWKS_FAILOVER=[url]))


def test_a_failover_url_without_a_scheme_is_refused_with_what_to_do() -> None:
    """JWKS_FAILOVER: the message says what to put before it."""
    expected = ["item 1: Not an absolute URL; put https:// before the host."]
    assert problems(JWKS_FAILOVER=["mirror.example/jwks"]) == {"JWKS_FAILOVER": expected}


SEVERAL = (
    "several URLs in one text; a list is JSON in an environment variable: "
    '["https://one.example/", "https://two.example/"]'
)
NO_FILE = (
    "neither a key nor a readable file (No such file or directory); a list is JSON in an "
    'environment variable: ["one.pem", "two.pem"]'
)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (f"{URL},{URL}", f"a key set URL: {SEVERAL}"),
        (f"{URL}, {URL}", f"a key set URL: {SEVERAL}"),
        (f"{URL};{URL}", f"a key set URL: {SEVERAL}"),
        (f"{URL} {URL}", f"a key set URL: {SEVERAL}"),
        (f"[{URL}]", NO_FILE),
        (f'["{URL}",]', NO_FILE),
        ("one.pem,two.pem", NO_FILE),
    ],
)
def test_a_list_of_keys_that_is_not_json_is_refused(value: str, problem: str) -> None:
    """docs/settings.rst, In the environment: such a text would be one URL, which leads nowhere."""
    assert problems(APP_JWT_KEYS=value) == {"APP_JWT_KEYS": [f"{problem}."]}
    assert load(APP_JWT_KEYS=f"{URL}?a=1,2;3&from=%2Chttps://x")


def test_a_list_of_failover_urls_that_is_not_json_is_refused() -> None:
    """docs/settings.rst, In the environment: the message shows a list in JSON."""
    expected = 'Must be a list of URLs, such as ["https://mirror.example/jwks.json"].'
    assert problems(JWKS_FAILOVER=f"{URL},{URL}") == {"JWKS_FAILOVER": [expected]}
    expected = f"item 1: {SEVERAL[0].upper()}{SEVERAL[1:]}."
    assert problems(JWKS_FAILOVER=[f"{URL},{URL}"]) == {"JWKS_FAILOVER": [expected]}
    assert load(JWKS_FAILOVER=[URL])


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"APP_JWT_KEYS": "http://issuer:8080/jwks"}, ["issuer"]),
        ({"APP_JWT_KEYS": [STATIC, URL, "http://Issuer/jwks"]}, ["issuer"]),
        ({"CONSUMER_JWS_KEYS": "http://[fd00::1]/jwks"}, ["fd00::1"]),
        ({"JWKS_FAILOVER": ["https://mirror.example/", "http://issuer/jwks"]}, ["issuer"]),
        (
            {"APP_JWT_KEYS": ["http://issuer/a", "http://issuer/b"]}
            | {"CONSUMER_JWS_KEYS": "http://[fd00::1]/jwks"},
            ["fd00::1", "issuer"],
        ),
        ({"APP_JWT_KEYS": "http://localhost/jwks"}, []),
        ({"APP_JWT_KEYS": "https://issuer/jwks"}, []),
        ({"APP_JWT_KEYS": STATIC, "JWKS_FAILOVER": ["http://issuer/jwks"]}, []),
    ],
)
def test_plain_http_is_accepted_for_a_named_host_and_logged(
    values: dict[str, Any], named: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS_HTTP_HOSTS: off by default; each host that is in use is a warning at start."""
    load(**values, JWKS_HTTP_HOSTS=["ISSUER", "[fd00::1]"])
    text = "key set of {} is fetched by http: anyone on the way can forge tokens"
    found = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert found == [("WARNING", text.format(host)) for host in named]
    if named:
        # A failover URL is reported by its position.
        sentence = f"{HTTPS[0].upper()}{HTTPS[1:]}."
        for key, texts in problems(**values, JWKS_HTTP_HOSTS=["other"]).items():
            expected = (
                f"item 2: {sentence}" if key == "JWKS_FAILOVER" else f"a key set URL: {HTTPS}."
            )
            assert set(texts) == {expected}


def test_only_hosts_are_named_for_plain_http() -> None:
    """JWKS_HTTP_HOSTS: neither a pattern nor a URL; the message shows a list."""
    text = "Must be the host of a URL, without scheme, port and path; no pattern."
    for bad in ("*", "http://issuer", "issuer:80"):
        assert problems(JWKS_HTTP_HOSTS=["issuer", bad]) == {"JWKS_HTTP_HOSTS": [f"item 2: {text}"]}
    expected = {"JWKS_HTTP_HOSTS": ['Must be a list of hosts, such as ["issuer"].']}
    assert problems(JWKS_HTTP_HOSTS="issuer") == expected


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_plain_http_is_for_loopback(host: str) -> None:
    """Plain http is accepted only for loopback, where the answer cannot be changed on its way."""
    assert isinstance(load(APP_JWT_KEYS=f"http://{host}:8080/jwks"), RemoteKeys)


def test_urls_and_configured_keys_stand_side_by_side() -> None:
    """A static key and a URL together are common during a migration; configured keys come first."""
    source = load(APP_JWT_KEYS=[URL, STATIC, "https://other.example/jwks"])
    assert isinstance(source, CombinedKeys)
    assert [type(each) for each in source.sources] == [StaticKeys, RemoteKeys, RemoteKeys]


class AppKeys(KeySource):
    """A key source that the app brings."""

    def candidates(self, kid: str | None, algorithm: str) -> list[VerificationKey]:
        """Have none."""
        return []


def test_sources_of_the_app_can_stand_beside_others() -> None:
    """A KeySource is used as it is, alone or in a list."""
    app_keys = AppKeys()
    assert load(APP_JWT_KEYS=app_keys) is app_keys
    assert load(APP_JWT_KEYS=[app_keys]) is app_keys
    source = load(APP_JWT_KEYS=[app_keys, STATIC])
    assert isinstance(source, CombinedKeys)
    assert [type(each) for each in source.sources] == [StaticKeys, AppKeys]


@pytest.mark.parametrize("around", [" {} ", "{}\n", "\r\n{}\r\n", "\ufeff{}", "\n\ufeff\n{}"])
def test_white_space_around_a_location_is_dropped(around: str, tmp_path: Path) -> None:
    """docs/keys.rst: what an environment or a secret store adds belongs to no URL and no path."""
    urls = [URL, URL + "?v=2"]
    first, second = (around.format(url) for url in urls)
    place = "redis://127.0.0.1:6379/0"
    for keys in (first, [first]):
        source = load(APP_JWT_KEYS=keys, JWKS_FAILOVER=[second], JWKS_BACKUP=around.format(place))
        assert isinstance(source, RemoteKeys)
        assert source._loader.urls == urls
        assert isinstance(store_of(source), RedisBackupStore)
    backup = load(JWKS_BACKUP=around.format(tmp_path / "keys"))
    assert store_of(backup).path.parent == tmp_path
    assert problems(JWKS_CA_FILE=around.format(tmp_path / "ca.pem")) == {
        "JWKS_CA_FILE": [
            f"The file {str(tmp_path / 'ca.pem')!r} cannot be loaded (No such file or directory)."
        ]
    }
    assert "https is needed" in problems(APP_JWT_KEYS="http://issuer.example/ ")["APP_JWT_KEYS"][0]
    assert problems(APP_JWT_KEYS="https://issuer.example/a b") == {
        "APP_JWT_KEYS": ["a key set URL: not an absolute URL."]
    }


NO_KEY = f"{NO_KEY_OR_FILE}."


def test_problems_are_numbered_by_position() -> None:
    """A list can mix all forms; a bad item is reported by its position in the whole list."""
    reported = problems(APP_JWT_KEYS=[URL, "nothing", AppKeys(), 5])
    assert reported == {
        "APP_JWT_KEYS": [
            f"item 2: {NO_KEY}",
            "item 4: a key cannot be given as int.",
        ]
    }


def test_too_many_static_keys_beside_a_url_are_reported() -> None:
    """At most four keys are tried for a token, wherever they stand."""
    keys = [Issuer().key_set() for _ in range(5)]
    reported = problems(APP_JWT_KEYS=[URL, *keys])
    assert reported == {"APP_JWT_KEYS": ["5 keys for the kid 'dev-1': at most 4 are tried."]}


def test_failover_belongs_to_one_url() -> None:
    """JWKS_FAILOVER names the set of one issuer: with two URLs it is ambiguous."""
    assert isinstance(load(JWKS_FAILOVER=["https://mirror.example/jwks"]), RemoteKeys)
    reported = problems(APP_JWT_KEYS=[URL, URL + "?v=2"], JWKS_FAILOVER=["https://mirror.example/"])
    assert reported == {"APP_JWT_KEYS": ["with JWKS_FAILOVER only one URL is allowed."]}
    assert load(APP_JWT_KEYS=STATIC, JWKS_FAILOVER=["https://mirror.example/"])


def test_both_tokens_share_one_source_unless_configured_apart() -> None:
    """CONSUMER_JWS_KEYS defaults to the AppJWT's: one set, one fetch for both."""
    issuer = only_issuer(load_settings({f"{PREFIX}APP_JWT_KEYS": URL}))
    assert issuer.consumer_jws.keys is issuer.app_jwt.keys
    apart = load_settings(
        {f"{PREFIX}APP_JWT_KEYS": URL, f"{PREFIX}CONSUMER_JWS_KEYS": URL + "?v=2"}
    )
    assert only_issuer(apart).consumer_jws.keys is not only_issuer(apart).app_jwt.keys


def test_a_fetch_of_the_app_replaces_the_built_in_one() -> None:
    """JWKS_FETCH takes a callable; without it, the built-in fetch gets CA file and proxy."""

    def fetch(*_args: Any, **_kwargs: Any) -> Any:
        return None

    def fetch_of(source: KeySource) -> Any:
        assert isinstance(source, RemoteKeys)
        return source._loader._fetch

    assert fetch_of(load(JWKS_FETCH=fetch)) is fetch
    built_in = fetch_of(load(JWKS_PROXY="http://127.0.0.1:3128"))
    assert isinstance(built_in, HttpFetch)
    assert built_in._proxy is not None
    assert (built_in._proxy.host, built_in._proxy.port) == ("127.0.0.1", 3128)


@pytest.mark.parametrize(
    ("path", "name", "why"),
    [
        ("/nowhere/do-not-tell-this", "file", "No such file or directory"),
        ("/nowhere/ca.pem", "file '/nowhere/ca.pem'", "No such file or directory"),
        (__file__, f"file {__file__!r}", "no certificates in it"),
        ("a\0b", "file", "not a file name"),
        ("\ud800", "file", "not a file name"),
    ],
)
def test_a_ca_file_that_cannot_be_loaded_is_reported_with_the_reason(
    path: str, name: str, why: str
) -> None:
    """JWKS_CA_FILE: fail early, by its key; the path is quoted where it looks like one."""
    assert problems(JWKS_CA_FILE=path) == {
        "JWKS_CA_FILE": [f"The {name} cannot be loaded ({why})."]
    }


def test_a_folder_is_no_place_for_a_backup(tmp_path: Path) -> None:
    """JWKS_BACKUP: the message says to name a file; a folder that does not exist yet, too."""
    expected = {"JWKS_BACKUP": ["A folder; name a file in it, such as keys.json."]}
    for folder in (f"{tmp_path}", f"{tmp_path}/", f"{tmp_path}/later/", "."):
        assert problems(JWKS_BACKUP=folder) == expected
    assert load(JWKS_BACKUP=f"{tmp_path}/keys.json")


def test_each_source_has_its_own_backup(tmp_path: Path) -> None:
    """JWKS_BACKUP: the path is extended by a name for the source, so no two share a file."""
    place = str(tmp_path / "keys")
    sources = [load(**changes, JWKS_BACKUP=place) for changes in SOURCES]
    paths = [Path(store_of(source).path) for source in sources]
    assert len(set(paths)) == len(SOURCES)
    assert {path.parent for path in paths} == {tmp_path}
    assert all(re.fullmatch("keys[.][0-9a-f]{16}", path.name) for path in paths)


@pytest.mark.parametrize(
    "changes",
    [
        {"APP_JWT_ALGORITHMS": ["PS256", "RS256", "PS256"]},
        # An operator who raises a limit during an outage still needs the backup.
        {"JWKS_MAX_STALE": 7200, "JWKS_MAX_BYTES": 300_000, "JWKS_MAX_KEYS": 50},
    ],
)
def test_a_backup_is_found_by_the_settings_that_decide_its_keys(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    """JWKS_BACKUP: neither the order of an allow-list nor a limit makes another source."""
    place = str(tmp_path / "keys")
    before = load(JWKS_BACKUP=place, APP_JWT_ALGORITHMS=["RS256", "PS256"])
    after = load(JWKS_BACKUP=place, **{"APP_JWT_ALGORITHMS": ["RS256", "PS256"], **changes})
    assert store_of(before).path == store_of(after).path


PLACE = [
    "Must be a file path, or the URL of one Redis server (redis://, rediss:// or unix://). A path "
    "with a colon needs / or ./ at its start."
]
NO_PLACE = {
    "a NUL": "a\0b",
    "half a surrogate pair": "a\ud800b",
    "Sentinel": "redis+sentinel://:do-not-tell-this@one,two/service",
    "Sentinel by TLS": "rediss+sentinel://:do-not-tell-this@one/service",
    "a Cluster": "redis+cluster://:do-not-tell-this@one",
    "a socket, as others write it": "redis+unix://:do-not-tell-this@/run/redis.sock",
    "a socket without slashes": "unix:/run/redis.sock",
    "capital letters": "REDIS://:do-not-tell-this@one",
    "quotes around it": '"redis://:do-not-tell-this@one"',
    "one slash": "redis:/:do-not-tell-this@one",
    "no slash": "redis::do-not-tell-this@one",
    "no scheme": "user:do-not-tell-this@one/0",
    "an empty scheme": "://:do-not-tell-this@one",
    "a host and a port": "one:6379",
    "Valkey": "valkey://:do-not-tell-this@one",
    "a typing error": "reddis://:do-not-tell-this@one",
    "http": "http://user:do-not-tell-this@one/keys",
    "https": "https://one/keys",
    "a file": "file:///var/lib/keys",
    "an object store": "s3://bucket/keys",
    "memcached": "memcached://one",
}


@pytest.mark.parametrize("place", list(NO_PLACE.values()), ids=list(NO_PLACE))
def test_a_place_that_is_neither_file_nor_redis_url_is_refused(place: str) -> None:
    """JWKS_BACKUP: a mistyped URL never becomes a file whose name shows the password."""
    assert problems(JWKS_BACKUP=place) == {"JWKS_BACKUP": PLACE}


@pytest.mark.parametrize(
    "place",
    [
        *("keys", "./keys", "../keys", "/var/lib/app/keys", "~/keys", "keys of app", "redis.copy"),
        *("./redis://one", "./jwks:prod", "/var/lib/jwks:prod", "folder/jwks:prod", "a\udc80b"),
        *("C:\\app\\keys", "C:/app/keys", "c:keys", "\\\\host\\share\\keys:prod", "folder\\a:b"),
    ],
)
def test_a_file_path_can_contain_a_colon(place: str) -> None:
    """RFC 3986 section 4.2: a colon behind a slash is no scheme; one letter is a Windows drive."""
    assert str(store_of(load(JWKS_BACKUP=place)).path).startswith(str(Path(place)))


@pytest.mark.parametrize("place", ["redis://127.0.0.1:1/0", "rediss://127.0.0.1:1", "unix:///no"])
def test_a_backup_can_be_kept_in_redis(place: str) -> None:
    """JWKS_BACKUP: a Redis URL instead of a path; no connection is made at start."""
    stores = [store_of(load(**changes, JWKS_BACKUP=place)) for changes in SOURCES]
    assert {type(store) for store in stores} == {RedisBackupStore}
    names = {store._name for store in stores}
    assert len(names) == len(SOURCES)
    assert all(re.fullmatch("flask-connector-auth:jwks:[0-9a-f]{16}", name) for name in names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("JWKS_MAX_KEYS", 1), ("JWKS_MAX_BYTES", 1)),
        *(
            ("JWKS_BACKUP", None),
            ("JWKS_PROXY", None),
            ("JWKS_CA_FILE", None),
            ("JWKS_FETCH", None),
        ),
    ],
)
def test_the_least_that_can_be_set(name: str, value: int | None) -> None:
    """One key, one byte; and None where that is the default."""
    assert load(**{name: value})


def test_a_backup_is_not_read_in_the_clear() -> None:
    """JWKS_BACKUP: an attacker on the network path could forge tokens, as with the set itself."""
    expected = ["A Redis server on another host needs rediss:// and a verified certificate."]
    for place in (
        *("redis://db.test/0", "rediss://db.test?ssl_cert_reqs=none"),
        *("rediss://db.test?ssl_check_hostname=n", "rediss://db.test?ssl_cert_reqs=%6eone"),
    ):
        assert problems(JWKS_BACKUP=place) == {"JWKS_BACKUP": expected}
    assert load(JWKS_BACKUP="rediss://db.test")


@pytest.mark.parametrize("place", ["/nowhere/keys", "redis://localhost"])
def test_a_backup_can_hold_the_largest_key_set(place: str) -> None:
    """JWKS_MAX_BYTES: a backup is larger than the fetched set, and its limit allows for that."""
    source = load(JWKS_BACKUP=place, JWKS_MAX_BYTES=1000)
    assert isinstance(source, RemoteKeys)
    backup: Any = source._loader._backup
    assert backup._store._limit == 4 * 1000 + 65536


def test_a_backup_obeys_the_rules_of_its_source() -> None:
    """JWKS_BACKUP: a key that is refused from the issuer is refused from the backup."""
    rules = {"JWKS_MAX_STALE": 600, "JWKS_MAX_KEYS": 7, "APP_JWT_ALGORITHMS": ["ES256"]}
    source = load(JWKS_BACKUP="/nowhere/keys", **rules)
    assert isinstance(source, RemoteKeys)
    backup: Any = source._loader._backup
    assert (backup._rules.max_stale, backup._rules.max_keys) == (600, 7)
    assert [*backup._key_rules.algorithms] == ["ES256"]


def test_a_bad_redis_url_is_reported_without_quoting_it() -> None:
    """JWKS_BACKUP: the start fails, and the message does not show the password."""
    for wrong in (
        *("redis://:do-not-tell-this@localhost:port/0", "redis://one,two", "redis://one/zero"),
        *("redis://one/0?passwort=do-not-tell-this", "rediss://one?ssl_cert_reqs=do-not-tell-this"),
        "unix:///run/redis.sock?foo=1",
    ):
        assert problems(JWKS_BACKUP=wrong) == {"JWKS_BACKUP": ["Not a valid Redis URL."]}


def test_redis_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """JWKS_BACKUP: where redis-py is not installed, the message says what to install."""
    monkeypatch.setitem(sys.modules, "redis.backoff", None)
    assert problems(JWKS_BACKUP="redis://127.0.0.1:1/0") == {
        "JWKS_BACKUP": ["Redis support is not installed: pip install flask-connector-auth[redis]."]
    }
    assert load(JWKS_BACKUP="/nowhere/keys")
