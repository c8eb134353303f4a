"""``check``: settings without secrets, keys, what is out of reach, and what is weak."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import KeySource, require_app_jwt
from flask_connector_auth.cli.check import find_idle_settings, find_weaknesses
from flask_connector_auth.cli.common import list_settings, mask_url
from flask_connector_auth.cli.health import find_eviction
from flask_connector_auth.config import SettingsSchema
from flask_connector_auth.revocation import MemoryStore
from flask_connector_auth.testing import Issuer, KeySetServer
from flask_connector_auth.web import current_runtime
from tests.support.floor_helpers import cases, der, jwk, pem, signing_key
from tests.support.ports import free_port
from tests.support.proxy import ConnectProxy
from tests.support.redis_servers import Server
from tests.support.tls import Authority
from tests.support.types import MakeApp, RunCommand

PASSWORD = "hunter22"


@pytest.fixture
def check(run: RunCommand) -> Callable[..., Any]:
    """Return a function that checks an app, and returns what is said as JSON."""

    def call(app: Flask, *args: object, status: int = 0) -> Any:
        result = run("check", "--json", *args, app=app)
        assert result.exit_code == status, result.output
        assert run("check", *args, app=app).exit_code == status
        return json.loads(result.stdout)

    return call


def value(found: Any, name: str) -> Any:
    """Return the value that is shown of a setting."""
    [shown] = [one["value"] for one in found["settings"] if one["name"] == f"CONNECTOR_AUTH_{name}"]
    return shown


def codes(found: Any, level: str = "warnings") -> list[str]:
    """Return the words of the warnings, or of the errors."""
    return [each["code"] for each in found[level]]


def test_every_setting_with_its_value_and_source(
    check: Callable[..., Any], make_app: MakeApp
) -> None:
    """In the order of the reference; what was not configured has its default."""
    found = check(make_app(LEEWAY=30, REALM="ours", AUDIENCE={"le2", "le1"}))
    assert [one["name"] for one in found["settings"]] == [
        field.data_key for field in SettingsSchema().fields.values()
    ]
    told = {one["name"].removeprefix("CONNECTOR_AUTH_"): one for one in found["settings"]}
    given = {name for name, one in told.items() if one["source"] == "config"}
    assert given == {"APP_JWT_KEYS", "LEEWAY", "REALM", "AUDIENCE"}
    assert {one["source"] for one in told.values()} == {"config", "default"}
    shown = {name: value(found, name) for name in ("LEEWAY", "REALM", "ISSUER", "MAX_LIFETIME")}
    assert shown == {"LEEWAY": 30, "REALM": "ours", "ISSUER": "Sentinel", "MAX_LIFETIME": None}
    assert value(found, "AUDIENCE") == ["le1", "le2"]


def _fetch(*_args: Any, **_more: Any) -> Any:
    raise OSError


@cases(
    "settings, name, shown",
    {
        "JWK Set": ({}, "APP_JWT_KEYS", "a JWK Set of 1"),
        "JWK": ({"APP_JWT_KEYS": jwk()}, "APP_JWT_KEYS", "a JWK"),
        "PEM": ({"APP_JWT_KEYS": pem()}, "APP_JWT_KEYS", "PEM text"),
        "JSON": ({"APP_JWT_KEYS": json.dumps(jwk())}, "APP_JWT_KEYS", "JSON text"),
        "base64": (
            {"APP_JWT_KEYS": "".join(pem().splitlines()[1:-1])},
            "APP_JWT_KEYS",
            "base64 text",
        ),
        "list": (
            {
                "APP_JWT_KEYS": [pem(), jwk("HS256", kid="s")],
                "APP_JWT_ALGORITHMS": ["RS256", "HS256"],
            },
            "APP_JWT_KEYS",
            ["PEM text", "a JWK"],
        ),
        "secret": (
            {"APP_JWT_KEYS": {"secret": PASSWORD * 4}, "APP_JWT_ALGORITHMS": ["HS256"]},
            "APP_JWT_KEYS",
            "a secret",
        ),
        "callable": ({"JWKS_FETCH": _fetch}, "JWKS_FETCH", f"{__name__}._fetch"),
        "object": (
            {"REVOCATION_STORE": MemoryStore({})},
            "REVOCATION_STORE",
            "flask_connector_auth.revocation.store.MemoryStore",
        ),
        "mapping": (
            {"ERROR_CATALOGUE": {40102: {"title": "No"}}},
            "ERROR_CATALOGUE",
            {"40102": {"title": "No"}},
        ),
        "copy": (
            {"JWKS_BACKUP": f"redis://:{PASSWORD}@127.0.0.1/0?password={PASSWORD}"},
            "JWKS_BACKUP",
            "redis://***@127.0.0.1/0?***",
        ),
        "failover": (
            {"JWKS_FAILOVER": [f"https://k.example/a?key={PASSWORD}"]},
            "JWKS_FAILOVER",
            ["https://k.example/a?***"],
        ),
    },
)
def test_a_value_is_shown_without_secrets(
    run: RunCommand, make_app: MakeApp, settings: Mapping[str, Any], name: str, shown: Any
) -> None:
    """Key material by its form, objects by their class, URLs without user, password and query."""
    result = run("check", "--json", app=make_app(**settings))
    assert value(json.loads(result.stdout), name) == shown
    assert PASSWORD not in result.output
    assert jwk("HS256")["k"] not in result.output


def test_a_file_is_shown_by_its_path(
    check: Callable[..., Any], make_app: MakeApp, tmp_path: Path
) -> None:
    """As text or as a path object."""
    path = tmp_path / "issuer.pem"
    path.write_text(pem())
    for given in (path, str(path)):
        assert value(check(make_app(APP_JWT_KEYS=given)), "APP_JWT_KEYS") == str(path)


@cases(
    "url, shown",
    {
        "nothing to mask": ("redis://h:1/0", "redis://h:1/0"),
        "password": ("redis://u:p@h:1/0", "redis://***@h:1/0"),
        "password with signs": ("unix://:p@/s?x@/var/run/s", "unix://***@/var/run/s"),
        "query": ("https://h/p?a=1&b=@", "https://***@"),
        "query over lines": ("https://h/p?a\nb", "https://h/p?***"),
    },
)
def test_masking_takes_rather_too_much(url: str, shown: str) -> None:
    """Whatever may be a secret is gone, even if the URL is then hard to recognise."""
    assert mask_url(url) == shown


def test_each_key_with_all_that_is_known_of_it(
    check: Callable[..., Any], make_app: MakeApp
) -> None:
    """Kid, algorithms, type, size in bits, use, age and origin; a secret is no more than that.

    Of a public key also the beginning of its thumbprint (RFC 7638).
    """
    algorithms = ["RS256", "PS256", "ES384", "EdDSA", "HS256"]
    keys = [
        *(jwk("RS256", kid="rsa"), jwk("ES384", kid="ec"), jwk("EdDSA", kid="ed")),
        *(jwk("HS256", kid="secret"), pem(owner="other")),
    ]
    app = make_app(
        APP_JWT_KEYS=keys,
        APP_JWT_ALGORITHMS=algorithms,
        CONSUMER_JWS_KEYS=jwk("Ed448"),
        CONSUMER_JWS_ALGORITHMS=["Ed448"],
    )
    listed = [key for key in check(app)["keys"] if key["token"] == "app_jwt"]
    thumbprints = [key.pop("thumbprint") for key in listed]
    told = [tuple(key.values()) for key in listed]
    known = [signing_key(name).thumbprint()[:12] for name in ("RS256", "ES384", "EdDSA")]
    assert thumbprints[:4] == [*known, None]
    assert thumbprints[4] not in (None, known[0])
    bits = len(signing_key("HS256").raw_value) * 8  # type: ignore[attr-defined]
    assert told == [
        ("app_jwt", "rsa", ["RS256", "PS256"], "RSA", 2048, "sig", None, "configuration"),
        ("app_jwt", "ec", ["ES384"], "P-384", 384, "sig", None, "configuration"),
        ("app_jwt", "ed", ["EdDSA"], "Ed25519", 256, "sig", None, "configuration"),
        ("app_jwt", "secret", ["HS256"], "secret", bits, "sig", None, "configuration"),
        ("app_jwt", None, ["RS256", "PS256"], "RSA", 2048, "sig", None, "configuration"),
    ]
    [other] = [key for key in check(app)["keys"] if key["token"] == "consumer_jws"]
    assert list(other) == [
        *("token", "kid", "thumbprint", "algorithms", "type", "size", "use", "age", "from")
    ]
    assert (other["type"], other["size"]) == ("Ed448", 456)


def test_a_remote_set_is_fetched(run: RunCommand, make_app: MakeApp, issuer: Issuer) -> None:
    """Its keys have an age and the URL they came from, beside those of the configuration."""
    with KeySetServer(issuer) as server:
        app = make_app(APP_JWT_KEYS=[f"{server.url}?key=secret", jwk(kid="static")])
        result = run("check", app=app)
    assert result.exit_code == 0
    ours = signing_key().thumbprint()[:12]
    own = r"app_jwt +\"dev-1\" +[\w-]{12}  RS256       RSA   2048  sig  0 s  "
    assert re.search(own + re.escape(server.url), result.stdout)
    assert f'app_jwt       "static"  {ours}  RS256       RSA   2048  sig  -    c' in result.stdout
    assert "all is well" in result.stdout
    assert "secret" not in result.output


def test_what_is_out_of_reach_is_an_error(check: Callable[..., Any], make_app: MakeApp) -> None:
    """Key set and store are asked; the error says why, and what is fine is no error."""
    nowhere = free_port()
    app = make_app(
        CONSUMER_JWS_KEYS=f"http://127.0.0.1:{nowhere}/jwks.json",
        REVOCATION_URL=f"redis://127.0.0.1:{nowhere}",
    )
    found = check(app, status=1)
    told = {each["code"]: each["text"] for each in found["errors"]}
    assert list(told) == ["consumer_jws", "revocation"]
    assert "Refused" in told["consumer_jws"]
    assert "CONNECTOR_AUTH_REVOCATION_URL" in told["revocation"]


def test_the_store_is_asked(check: Callable[..., Any], make_app: MakeApp, store_url: str) -> None:
    """One that answers is no error, and its password is not shown."""
    found = check(make_app(REVOCATION_URL=store_url.replace("//", "//default:@")))
    assert codes(found, "errors") == []
    assert value(found, "REVOCATION_URL") == store_url.replace("//", "//***@")


class Hanging(KeySource):
    """Does not answer until the end of the test."""

    def __init__(self) -> None:
        self.over = Event()

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Hang."""
        self.over.wait(60)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    """A source that hangs during the test."""
    source = Hanging()
    yield source
    source.over.set()


def test_nothing_is_waited_for_beyond_the_time(
    check: Callable[..., Any], make_app: MakeApp, store_url: str, hanging: Hanging
) -> None:
    """Sources of the app's own and a server that hangs are left behind, all of them at once; a
    store that answers meanwhile is fine."""
    with KeySetServer(Issuer()) as server:
        server.delay = 60
        settings = {"APP_JWT_KEYS": hanging, "CONSUMER_JWS_KEYS": server.url}
        app = make_app(**settings, REVOCATION_URL=store_url)
        begin = monotonic()
        found = check(app, "--timeout", 0.5, status=1)
        assert monotonic() - begin < 5
    assert codes(found, "errors") == ["app_jwt", "consumer_jws"]
    assert found["errors"][0]["text"] == "no answer in time"
    assert found["errors"][1]["text"].startswith(f"{server.url}: no answer in time. ")


def test_a_store_that_hangs_is_left_behind(
    check: Callable[..., Any], make_app: MakeApp, store_url: str, valkey: Any
) -> None:
    """It is an error too, after the time."""
    app = make_app(REVOCATION_URL=store_url)
    valkey.pause()
    try:
        found = check(app, "--timeout", 0.3, status=1)
    finally:
        valkey.resume()
    assert codes(found, "errors") == ["revocation"]
    assert found["errors"][0]["text"].startswith(f"{store_url}: no answer in time. ")


class Unready(KeySource):
    """Answers, but says that it is not ready."""

    def __init__(self, **health: Any) -> None:
        self._health = health

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Return no key."""
        return []

    def health(self) -> Mapping[str, Any]:
        """Return what it was told to."""
        return self._health


@cases(
    "health, errors, warnings",
    {
        "ready": ({"ready": True}, [], []),
        "not ready": ({"ready": False}, ["not ready"], []),
        "nothing said": ({}, ["not ready"], []),
        "not ready, and why": ({"ready": False, "last_error": "E"}, ["E"], []),
        "of several": (
            {
                "ready": False,
                "sources": [{"ready": True}, {"last_error": "A"}, {"last_error": "B"}],
            },
            ["A", "B"],
            [],
        ),
        "it serves an old set": ({"ready": True, "last_error": "E"}, [], ["app_jwt: E"]),
    },
)
def test_what_a_source_says_of_itself_counts(
    check: Callable[..., Any],
    make_app: MakeApp,
    health: Mapping[str, Any],
    errors: list[str],
    warnings: list[str],
) -> None:
    """Not ready is an error; a last error of one that is ready, a warning."""
    app = make_app(APP_JWT_KEYS=Unready(**health), CONSUMER_JWS_KEYS=pem())
    found = check(app, status=1 if errors else 0)
    assert [each["text"] for each in found["errors"]] == errors
    assert [each["text"] for each in found["warnings"]] == warnings
    assert codes(found) == ["not_confirmed"] * len(warnings)
    assert [key["token"] for key in found["keys"]] == ["consumer_jws"]


@cases(
    "settings, code, text",
    {
        "nothing": ({}, None, ""),
        "RSA of 1024 bits": (
            {"APP_JWT_KEYS": b64encode(der("RSA-1024")).decode(), "MIN_RSA_BITS": 1024},
            "short_rsa_key",
            "1024 bits",
        ),
        "a secret": (
            {"APP_JWT_ALGORITHMS": ["RS256", "HS512", "HS256"]},
            "symmetric_algorithm",
            "HS256, HS512",
        ),
        "for the other token": (
            {"CONSUMER_JWS_ALGORITHMS": ["RS256", "HS256"]},
            "symmetric_algorithm",
            "HS256",
        ),
        "leeway": ({"LEEWAY": 301}, "long_leeway", "301 s"),
        "leeway of five minutes": ({"LEEWAY": 300}, None, ""),
        "open in an outage": (
            {"REVOCATION_STORE": MemoryStore({}), "REVOCATION_ON_OUTAGE": "open"},
            "revocation_open",
            "Revoked tokens",
        ),
        "no store to be out of reach": ({"REVOCATION_ON_OUTAGE": "open"}, None, ""),
    },
)
def test_a_weak_choice_is_a_warning(
    check: Callable[..., Any],
    make_app: MakeApp,
    settings: Mapping[str, Any],
    code: str | None,
    text: str,
) -> None:
    """One word and one sentence each; the status is 0, and 1 with --strict."""
    app = make_app(**settings)
    found = check(app)
    assert codes(found) == ([code] if code else [])
    assert all(text in each["text"] for each in found["warnings"])
    assert codes(check(app, "--strict", status=1 if code else 0)) == codes(found)


@pytest.mark.parametrize(
    ("url", "weak"),
    [
        ("redis+sentinel://127.0.0.1,db.test/service", True),
        ("\nredis://db.test\n", True),
        ("redis://[::1]:1", False),
        (" redis://[::1]:1\r\n", False),
    ],
)
def test_a_store_that_is_reached_in_the_clear_is_a_warning(
    url: str, weak: bool, make_app: MakeApp
) -> None:
    """Others on the way could undo a revocation; not on this machine."""
    app = make_app(REVOCATION_URL=url)
    told = dict(find_weaknesses(app, current_runtime(app)))
    assert ("revocation_in_the_clear" in told) is weak


@pytest.mark.parametrize(
    ("url", "weak"), [("http://issuer:8080/jwks", True), ("http://localhost:1/jwks", False)]
)
def test_a_key_set_that_is_fetched_in_the_clear_is_a_warning(
    url: str, weak: bool, make_app: MakeApp
) -> None:
    """JWKS_HTTP_HOSTS: the host is named; not if it is this machine."""
    app = make_app(APP_JWT_KEYS=[pem(), url], JWKS_HTTP_HOSTS=["issuer"])
    told = dict(find_weaknesses(app, current_runtime(app)))
    assert ("issuer" in told.get("key_set_in_the_clear", "")) is weak


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAILOVER", ["https://mirror.example/"]),
        ("PROXY", "http://user:do-not-tell-this@proxy.example:3128"),
        ("BACKUP", "/nowhere/keys.json"),
        ("FETCH", print),
        ("HTTP_HOSTS", ["issuer"]),
    ],
)
def test_a_setting_for_key_sets_without_any_is_a_warning(
    name: str, value: Any, check: Callable[..., Any], make_app: MakeApp
) -> None:
    """JWKS_FAILOVER and the like, where all keys are configured; none where a URL is among them."""
    settings = {f"JWKS_{name}": value}
    assert check(make_app(**settings))["warnings"] == [
        {
            "code": "unused_setting",
            "text": f"JWKS_{name} has no effect: no keys come from a URL.",
        }
    ]
    for keys in ("APP_JWT_KEYS", "CONSUMER_JWS_KEYS"):
        app = make_app(**settings, **{keys: "https://issuer.example/"})
        assert "unused_setting" not in dict(find_idle_settings(app, current_runtime(app)))


def test_a_backup_that_cannot_be_written_is_a_warning(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_BACKUP: where its folder does not exist, is no folder, or is not writable."""
    (tmp_path / "file").touch()

    def warning(place: str) -> str | None:
        app = make_app(APP_JWT_KEYS="https://issuer.example/", JWKS_BACKUP=place)
        return dict(find_idle_settings(app, current_runtime(app))).get("backup_not_writable")

    text = "JWKS_BACKUP cannot be written: "
    for name in ("none", "file"):
        folder = tmp_path / name
        assert warning(f"{folder}/keys.json\n") == f"{text}there is no folder {str(folder)!r}."
    assert warning(f"{tmp_path}/keys.json\n") is None
    assert warning("redis://127.0.0.1:1") is None
    # Root may write everywhere.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    expected = f"{text}this user cannot write to the folder {str(tmp_path)!r}."
    assert warning(f"{tmp_path}/keys.json") == expected


@pytest.mark.parametrize("accepted", [True, False])
def test_no_one_is_told_the_user_and_password_of_a_proxy(
    accepted: bool,
    run: RunCommand,
    make_app: MakeApp,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """JWKS_PROXY: not by the command, the log, health or a repr, whether or not it lets us in."""
    caplog.set_level("DEBUG")
    authority, issuer = Authority(tmp_path), Issuer()
    user, password = "do-not-tell", "this%40secret"
    credentials = b"do-not-tell:this@secret"
    with (
        KeySetServer(issuer, ssl_context=authority.context("issuer.test")) as server,
        ConnectProxy(credentials if accepted else b"others:" + credentials) as proxy,
    ):
        proxy.names = {"issuer.test:443": server.port}
        app = make_app(
            APP_JWT_KEYS="https://issuer.test/jwks",
            JWKS_CA_FILE=str(authority.ca_file),
            JWKS_PROXY=proxy.url.replace("//", f"//{user}:{password}@"),
        )
        app.add_url_rule("/x", "x", require_app_jwt(lambda: {}))
        found = run("check", "--json", app=app)
        answer = app.test_client().get("/x", headers={"Authorization": issuer.app_jwt()})
    assert answer.status_code == (200 if accepted else 503)
    shown = proxy.url.replace("//", "//***@")
    assert value(json.loads(found.stdout), "JWKS_PROXY") == shown
    assert ("status 407" in found.output) is not accepted
    runtime = current_runtime(app)
    source: Any = runtime.verifiers[0].keys
    everything = [
        *(found.output, run("check", app=app).output, run("health", app=app).output, caplog.text),
        *(runtime.health(), runtime.settings, source._loader._fetch._proxy, answer.text),
    ]
    encoded = b64encode(credentials).decode()
    for secret in (user, password, "this@secret", encoded):
        assert secret not in repr(everything)


def test_white_space_around_a_location_is_not_shown(tmp_path: Path) -> None:
    """docs/keys.rst: it belongs to no URL and no path."""
    path = tmp_path / "key.pem"
    path.write_text(pem())
    keys = [f" {path}\n", "\nhttps://issuer.example/jwks\r\n"]
    shown = next(iter(list_settings({"CONNECTOR_AUTH_APP_JWT_KEYS": keys})))
    assert shown["value"] == [str(path), "https://issuer.example/jwks"]


def test_the_keys_of_an_issuer_are_shown_without_secrets() -> None:
    """By their form, as those for all issuers; its other settings as they are."""
    own = {
        "APP_JWT_KEYS": [{"secret": PASSWORD * 4}, jwk("HS256"), pem()],
        "CONSUMER_JWS_KEYS": f"https://k.example/jwks?key={PASSWORD}",
        "APP_JWT_CLAIMS": {"scopes": ["scp"]},
        "AUDIENCE": {"le2", "le1"},
        "MAX_LIFETIME": None,
    }
    listed = list_settings({"CONNECTOR_AUTH_ISSUERS": {"one": own, "two": {}}})
    shown = {each["name"].removeprefix("CONNECTOR_AUTH_"): each["value"] for each in listed}
    assert shown["ISSUERS"] == {
        "one": {
            "APP_JWT_KEYS": ["a secret", "a JWK", "PEM text"],
            "CONSUMER_JWS_KEYS": "https://k.example/jwks?***",
            "APP_JWT_CLAIMS": {"scopes": ["scp"]},
            "AUDIENCE": ["le1", "le2"],
            "MAX_LIFETIME": None,
        },
        "two": {},
    }
    assert (shown["APP_JWT_TYPES"], shown["APP_JWT_CLAIMS"]) == (["JWT"], {})
    # Neither has a default there, and both are for one issuer.
    assert (shown["APP_JWT_KEYS"], shown["ISSUER"]) == (None, None)
    alone = {each["name"]: each["value"] for each in list_settings({})}
    assert alone["CONNECTOR_AUTH_ISSUER"] == "Sentinel"


@cases(
    "policy, weak",
    {
        "keeps all": ("noeviction", False),
        "evicts anything": ("allkeys-lru", True),
        "evicts what has a time to live": ("volatile-lru", True),
    },
)
def test_a_store_that_may_evict_what_is_revoked_is_a_warning(
    check: Callable[..., Any], make_app: MakeApp, valkey: Server, policy: str, weak: bool
) -> None:
    """Any ``maxmemory-policy`` but noeviction."""
    app = make_app(REVOCATION_URL=valkey.renew().url)
    valkey.do("CONFIG", "SET", "maxmemory-policy", policy)
    try:
        found = check(app)
    finally:
        valkey.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert codes(found) == ["revocation_eviction"] * weak
    assert all(policy in each["text"] for each in found["warnings"])


def test_a_policy_that_cannot_be_known_is_no_warning(make_app: MakeApp) -> None:
    """A store of the app's own has none, and a server that is gone does not say."""
    gone = {"REVOCATION_URL": f"redis://127.0.0.1:{free_port()}"}
    for settings in ({"REVOCATION_STORE": MemoryStore({})}, gone, {}):
        assert [*find_eviction(current_runtime(make_app(**settings)))] == []


@cases(
    "rule, settings, names",
    {
        "no account anywhere": ("/", {}, "view, again"),
        "in the URL": ("/<account_id>", {}, None),
        "by AUDIENCE": ("/", {"AUDIENCE": "le1"}, None),
    },
)
def test_tokens_of_every_account_are_a_warning(
    check: Callable[..., Any], make_app: MakeApp, rule: str, settings: Any, names: str | None
) -> None:
    """RFC 8725 section 3.9: where neither URL nor AUDIENCE names an account; by endpoint."""
    app = make_app(**settings)
    view = require_app_jwt(lambda account_id="": {})
    app.add_url_rule(f"/a{rule}", "view", view, methods=["GET", "POST"])
    app.add_url_rule(f"/b{rule}", "again", view)
    app.add_url_rule("/open", "open", lambda: {})
    found = check(app)
    assert codes(found) == (["any_account"] if names else [])
    assert all(f"accept every account: {names}." in each["text"] for each in found["warnings"])


def test_a_decorator_above_the_route_is_a_warning(
    check: Callable[..., Any], make_app: MakeApp
) -> None:
    """It protects nothing; with its file and line, and the endpoints that it leaves open."""
    app = make_app()

    @require_app_jwt
    @app.get("/a", endpoint="first")
    @app.get("/b", endpoint="second")
    def view() -> dict[str, Any]:
        return {}

    found = check(app)
    assert codes(found) == ["misplaced_decorator"]
    assert f"{__file__}:" in found["warnings"][0]["text"]
    assert "does not protect first, second." in found["warnings"][0]["text"]
    check(app, "--strict", status=1)
