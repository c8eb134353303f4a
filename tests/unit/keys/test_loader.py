"""The loader: results of the responses of real servers, fetched by the built-in fetch."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from flask_connector_auth.keys import (
    Cancellation,
    Fetch,
    FetchFailed,
    FetchResponse,
    FileBackupStore,
    HttpFetch,
    KeyRules,
    KeySetBackup,
    KeySetLoader,
    LoadedKeySet,
    LoadFailed,
    RemoteRules,
    Snapshot,
    loggable_host,
)
from flask_connector_auth.testing import KeySetServer
from tests.support.floor_helpers import cases, issuer_of, jwk

KEY_RULES = KeyRules(("RS256",))
RULES = RemoteRules(timeout=30)
A, B, C = (issuer_of(owner=name, kid=name) for name in "abc")
URL = "https://issuer.example/jwks?tenant=do-not-tell-this"


@pytest.fixture
def server() -> Iterator[KeySetServer]:
    """A server of one key."""
    with KeySetServer(A) as running:
        yield running


@pytest.fixture
def servers() -> Iterator[list[KeySetServer]]:
    """Three servers, each of another key."""
    with ExitStack() as stack:
        yield [stack.enter_context(KeySetServer(issuer)) for issuer in (A, B, C)]


def loader(
    *urls: str, fetch: Fetch | None = None, rules: RemoteRules = RULES, **more: Any
) -> KeySetLoader:
    """Return a loader of *urls*."""
    return KeySetLoader(urls, fetch or HttpFetch(), KEY_RULES, rules, **more)


def known(loaded: LoadedKeySet) -> Snapshot:
    """Return what becomes of a set that was *loaded*."""
    return Snapshot(loaded.index, 0, 300, 200, loaded.url, loaded.conditional_headers)


def kids(loaded: LoadedKeySet) -> list[str | None]:
    """Return the ids of the keys that were loaded."""
    return [key.kid for key in loaded.index.keys]


def load_and_save(loading: KeySetLoader, snapshot: Snapshot | None = None) -> LoadedKeySet:
    """Return the result of a fetch, which is in the backup then."""
    results: list[LoadedKeySet | LoadFailed] = []
    loading.run(
        snapshot, Cancellation(), Event(), lambda: lambda _event, result: results.append(result)
    )
    (loaded,) = results
    assert isinstance(loaded, LoadedKeySet)
    return loaded


def failure(loading: KeySetLoader, snapshot: Snapshot | None = None) -> LoadFailed:
    """Return how loading fails."""
    with pytest.raises(LoadFailed) as caught:
        loading.load(snapshot)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings, without secrets, and forget them."""
    assert {level for _, level, _ in caplog.record_tuples} <= {logging.WARNING}
    assert "do-not-tell-this" not in caplog.text
    lines = [text for _, _, text in caplog.record_tuples]
    caplog.clear()
    return lines


def test_a_failure_is_logged_once_for_each_reason(
    server: KeySetServer, caplog: pytest.LogCaptureFixture
) -> None:
    """One WARNING, not one for each attempt of an outage; after a success it is logged again."""
    loading = loader(server.url)
    lines = []
    for name in ("status", "status", "reset", "reset", "status", "", "status"):
        if name:
            server.fail(name)
            failure(loading)
        else:
            server.recover()
            assert kids(loading.load(None)) == ["a"]
        lines.append(logged(caplog))
    assert [len(each) for each in lines] == [1, 0, 1, 0, 1, 0, 1]
    text = f"key set of {server.url} cannot be fetched: status 503"
    assert lines[0] == lines[4] == lines[6] == [text]


# One URL


def test_a_set_is_loaded(server: KeySetServer) -> None:
    """docs/keys.rst: its keys, their URL, and the headers of the next request."""
    loaded = loader(server.url).load(None)
    assert kids(loaded) == ["a"]
    assert loaded.url == server.url
    assert loaded.lifetime is None
    assert loaded.conditional_headers.keys() == {"If-None-Match"}


@pytest.mark.parametrize(
    ("control", "lifetime"), [("max-age=60", 60), ("no-store", 0), ("x", None)]
)
def test_an_issuer_limits_the_lifetime_of_its_set(
    control: str, lifetime: float | None, server: KeySetServer
) -> None:
    """RFC 9111 section 5.2: Cache-Control, of 200 and of 304 alike; the policy limits it."""
    server.headers = {"Cache-Control": control}
    loaded = loader(server.url).load(None)
    assert loaded.lifetime == lifetime
    server.headers = {"Cache-Control": "max-age=7"}
    assert loader(server.url).load(known(loaded)).lifetime == 7


YESTERDAY = "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.mark.parametrize(
    "headers", [{}, {"Last-Modified": YESTERDAY, "ETag": None}], ids=["ETag", "Last-Modified"]
)
def test_a_set_is_confirmed_by_304(headers: dict[str, str | None], server: KeySetServer) -> None:
    """RFC 9110 section 13.1: the same keys, the same object, until there are others."""
    server.headers = headers
    loading = loader(server.url)
    first = loading.load(None)
    second = loading.load(known(first))
    third = loading.load(known(second))
    assert second.index is third.index is first.index
    assert second.conditional_headers == third.conditional_headers == first.conditional_headers
    assert [request.conditional for request in server.requests] == [False, True, True]
    server.publish(B)
    server.headers = {**headers, "Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}
    assert kids(loading.load(known(third))) == ["b"]


def test_a_set_without_a_validator_is_loaded_again(server: KeySetServer) -> None:
    """Without ETag or date, the next request is unconditional."""
    server.headers = {"ETag": None}
    loading = loader(server.url)
    loaded = loading.load(None)
    assert loaded.conditional_headers == {}
    assert kids(loading.load(known(loaded))) == ["a"]
    assert [request.conditional for request in server.requests] == [False, False]


def test_304_to_an_unconditional_request_is_a_failure(server: KeySetServer) -> None:
    """docs/keys.rst: also if there is a set without a validator, as from a backup."""
    loading = loader(server.url)
    loaded = loading.load(None)
    server.fail("not_modified")
    assert str(failure(loading)) == "status 304"
    unvalidated = Snapshot(loaded.index, 0, -1, -1, server.url)
    assert str(failure(loading, unvalidated)) == "status 304"
    assert kids(loading.load(known(loaded))) == ["a"]
    assert [request.conditional for request in server.requests] == [False, False, False, True]


@cases(
    ("fault", "options", "why", "retry_after"),
    {
        "unavailable": ("status", {"status": 503}, "status 503", None),
        "for a while": ("status", {"status": 503, "retry_after": 7}, "status 503", 7),
        "too often": ("status", {"status": 429, "retry_after": "120"}, "status 429", 120),
        "not found": ("status", {"status": 404}, "status 404", None),
        "no content": ("status", {"status": 204}, "status 204", None),
        "a part": ("status", {"status": 206}, "status 206", None),
        "redirect": ("redirect", {"to": "https://x.test/?s=1"}, "status 302 to x.test", None),
        "to nowhere": ("redirect", {"to": "/elsewhere"}, "status 302", None),
        "to no URL": ("redirect", {"to": "https://[x"}, "status 302 to an unreadable URL", None),
        "no JSON": ("junk", {}, "not strict JSON", None),
        "no set": ("junk", {"body": b"{}"}, "not a JWK Set", None),
        "no key": ("junk", {"body": b'{"keys":[]}'}, "no usable key: the set is empty", None),
        "a part of the set": ("lie_short", {}, "not strict JSON", None),
        "encoded": ("bomb", {}, "the body has a Content-Encoding", None),
        "no server there": ("refuse", {}, "ConnectionRefusedError", None),
    },
)
def test_what_is_no_set_is_a_failure(
    fault: str,
    options: dict[str, Any],
    why: str,
    retry_after: float | None,
    server: KeySetServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """docs/keys.rst: only 200 with a usable key is a success; one log line, with the URL."""
    loading = loader(server.url)
    server.fail(fault, **options)
    failed = failure(loading)
    assert (str(failed), failed.retry_after, failed.backup) == (why, retry_after, None)
    assert logged(caplog) == [f"key set of {server.url} cannot be fetched: {why}"]
    server.recover()
    assert kids(loading.load(None)) == ["a"]


def test_a_problem_of_a_set_is_logged_once(
    server: KeySetServer, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 7517 section 5: one WARNING each; the same bytes are not read twice, others are."""
    bad = jwk(kid="odd", kty="odd")
    server.headers = {"ETag": None}
    server.publish(A, {"keys": [bad]})
    loading = loader(server.url)
    first = loading.load(None)
    assert loading.load(known(first)).index is first.index
    assert len(logged(caplog)) == 1
    server.publish(B, {"keys": [bad]})
    assert kids(loading.load(None)) == ["b"]
    assert len(logged(caplog)) == 1


# A fetch function of the application


def returning(outcome: Any) -> Fetch:
    """Return a fetch that raises or returns *outcome*."""

    def fetch(url: str, **_more: Any) -> FetchResponse:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    return fetch


BODY = json.dumps(A.key_set()).encode()


def test_a_fetch_function_of_the_app_is_used() -> None:
    """JWKS_FETCH: its arguments, and any result with the three members."""
    calls: list[Any] = []

    def fetch(url: str, **more: Any) -> Any:
        calls.append((url, more))
        return SimpleNamespace(status=200, body=bytearray(BODY), headers={"etag": '"1"'})

    loading = loader(URL, fetch=fetch, rules=RemoteRules(timeout=3, max_bytes=len(BODY)))
    loaded = loading.load(None)
    assert kids(loaded) == ["a"]
    loading.load(known(loaded))
    limits = {"timeout": 3, "max_bytes": len(BODY)}
    assert calls == [
        (URL, {"headers": {}, **limits}),
        (URL, {"headers": {"If-None-Match": '"1"'}, **limits}),
    ]


@cases(
    ("outcome", "why"),
    {
        "its own failure": (FetchFailed("the cable is cut"), "the cable is cut"),
        "an error": (ValueError("do-not-tell-this"), "ValueError"),
        "a timeout": (TimeoutError("do-not-tell-this"), "TimeoutError"),
        "no memory": (MemoryError(), "MemoryError"),
        "no stack": (RecursionError(), "RecursionError"),
        # The timeout of a greenlet is a BaseException; if it passed, no refresh would follow.
        "the end": (SystemExit(1), "SystemExit"),
        "nothing": (None, "AttributeError"),
        "bytes": (BODY, "AttributeError"),
        "no headers": (FetchResponse(200, BODY, None), "AttributeError"),  # type: ignore[arg-type]
        "text": (FetchResponse(200, BODY.decode(), {}), "TypeError"),  # type: ignore[arg-type]
        "no body": (FetchResponse(200, None, {}), "TypeError"),  # type: ignore[arg-type]
        "status in words": (FetchResponse("do-not-tell-this", BODY, {}), "ValueError"),  # type: ignore[arg-type]
        "a status as text": (FetchResponse("200", BODY, {}), "ValueError"),  # type: ignore[arg-type]
        "headers of bytes": (
            FetchResponse(200, BODY, {"cache-control": b"do-not-tell-this"}),  # type: ignore[dict-item]
            "TypeError",
        ),
        "too much": (
            FetchResponse(200, b" " * 262145, {}),
            "the body is over 262144 bytes (JWKS_MAX_BYTES)",
        ),
        "not modified": (FetchResponse(304, b"", {}), "status 304"),
    },
)
def test_a_fetch_function_of_the_app_may_do_anything(
    outcome: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS_FETCH: a failure like others; only the text of a FetchFailed is quoted."""
    failed = failure(loader(URL, fetch=returning(outcome)))
    assert str(failed) == why
    assert logged(caplog) == [f"key set of https://issuer.example/jwks cannot be fetched: {why}"]


# Several URLs


def test_the_first_url_that_answers_is_used(servers: list[KeySetServer]) -> None:
    """JWKS_FAILOVER: in order, within one refresh; the next one starts at the first again."""
    loading = loader(*[server.url for server in servers])
    assert kids(loading.load(None)) == ["a"]
    servers[0].fail("status", status=500)
    servers[1].fail("junk")
    third = loading.load(None)
    assert (kids(third), third.url) == (["c"], servers[2].url)
    assert [len(server.requests) for server in servers] == [2, 1, 1]
    servers[0].recover()
    first = loading.load(known(third))
    assert (kids(first), first.url) == (["a"], servers[0].url)
    assert [len(server.requests) for server in servers] == [3, 1, 1]


def test_sets_are_never_joined(servers: list[KeySetServer]) -> None:
    """JWKS_FAILOVER: a union would let the weakest mirror add keys."""
    loading = loader(*[server.url for server in servers])
    for number, server in enumerate(servers):
        assert kids(loading.load(None)) == ["abc"[number]]
        server.fail("refuse")


def test_a_condition_is_for_the_url_that_set_it(servers: list[KeySetServer]) -> None:
    """RFC 9110 section 8.8.3: an ETag is valid only for its URL."""
    for server in servers:
        server.headers = {"ETag": '"the same"'}
    loading = loader(*[server.url for server in servers])
    first = known(loading.load(None))
    servers[0].fail("refuse")
    assert kids(loading.load(first)) == ["b"]
    assert not servers[1].requests[0].conditional


def test_each_failure_is_logged_and_the_last_is_the_reason(
    servers: list[KeySetServer], caplog: pytest.LogCaptureFixture
) -> None:
    """Retry-After: the longest pause that one of them asks for is kept."""
    loading = loader(*[server.url for server in servers])
    servers[0].fail("status", status=503, retry_after=30)
    servers[1].fail("status", status=429, retry_after=5)
    servers[2].fail("junk")
    failed = failure(loading)
    assert (str(failed), failed.retry_after) == ("not strict JSON", 30)
    reasons = ("status 503", "status 429", "not strict JSON")
    assert logged(caplog) == [
        f"key set of {server.url} cannot be fetched: {reason}"
        for server, reason in zip(servers, reasons, strict=True)
    ]


@cases(
    ("takes", "timeouts"),
    {
        # Seconds that each URL takes to fail; those that each of them is given.
        "one": ([5], [5]),
        "two": ([5, 5], [5, 5]),
        "four that hang": ([2.5] * 4, [2.5] * 4),
        "one that refuses at once": ([0, 5, 5], [10 / 3, 5, 5]),
        "one that takes a little": ([1, 4.5, 4.5], [10 / 3, 4.5, 4.5]),
        "one that takes all of it": ([10, 0, 0], [10 / 3]),
        "one that does not keep to it": ([11, 0, 0], [10 / 3]),
    },
)
def test_all_of_them_share_the_time(takes: list[float], timeouts: list[float]) -> None:
    """JWKS_FAILOVER: each at most JWKS_TIMEOUT, all of them twice that; each has its turn."""
    now, given = [0.0], []

    def fetch(url: str, *, timeout: float, **_more: Any) -> FetchResponse:
        now[0] += takes[len(given)]
        given.append(timeout)
        raise FetchFailed("no")

    urls = [f"https://{number}.example/" for number in range(len(takes))]
    failure(loader(*urls, fetch=fetch, rules=RemoteRules(timeout=5), clock=lambda: now[0]))
    assert given == pytest.approx(timeouts)


def test_urls_that_hang_are_given_up_in_time(servers: list[KeySetServer]) -> None:
    """JWKS_TIMEOUT: the last one answers, though the others would be silent for a minute."""
    loading = loader(*[server.url for server in servers], rules=RemoteRules(timeout=0.9))
    servers[0].fail("hang")
    servers[1].fail("drip_body")
    assert kids(loading.load(None)) == ["c"]


# The backup


@pytest.fixture
def open_backup(tmp_path: Path) -> Callable[[], KeySetBackup]:
    """Return a function that opens the same backup again, as after a restart."""
    return lambda: KeySetBackup(FileBackupStore(tmp_path / "backup"), KEY_RULES, RULES)


def test_a_backup_is_read_only_without_a_set(
    server: KeySetServer, open_backup: Callable[[], KeySetBackup]
) -> None:
    """JWKS_BACKUP: read after the first fetch has failed, and not where there is a set."""
    loading = loader(server.url, backup=open_backup())
    loaded = load_and_save(loading)
    server.fail("status", status=503, retry_after=7)
    restarted = loader(server.url, backup=open_backup())
    failed = failure(restarted)
    assert failed.backup is not None
    assert failed.backup.index.identities == loaded.index.identities
    assert (failed.backup.url, failed.retry_after) == (server.url, 7)
    assert failure(restarted, known(loaded)).backup is None
    assert (
        failure(loader("https://x.test/", backup=open_backup(), fetch=returning(None))).backup
        is None
    )


def test_each_confirmation_writes_the_backup(
    server: KeySetServer, tmp_path: Path, open_backup: Callable[[], KeySetBackup]
) -> None:
    """JWKS_BACKUP: its age counts from the last one; else a set that stays would be too old."""
    loading = loader(server.url, backup=open_backup())
    loaded = load_and_save(loading)
    (tmp_path / "backup").unlink()
    load_and_save(loading, known(loaded))
    assert server.requests[-1].conditional
    assert (tmp_path / "backup").exists()


def test_the_backup_of_a_mirror_names_the_mirror(
    servers: list[KeySetServer], open_backup: Callable[[], KeySetBackup]
) -> None:
    """JWKS_BACKUP: of any of the issuer's URLs, together with that URL."""
    urls = [server.url for server in servers]
    servers[0].fail("refuse")
    loading = loader(*urls, backup=open_backup())
    load_and_save(loading)
    servers[1].fail("refuse")
    servers[2].fail("refuse")
    failed = failure(loader(*urls, backup=open_backup()))
    assert failed.backup is not None
    assert failed.backup.url == urls[1]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:secret@issuer.example:8443/jwks?key=secret#x", "issuer.example"),
        ("https://[::1]:8443/", "::1"),
        ("https://x\x1bc.test/", "x\\x1bc.test"),
        ("https://it's.test/", "it's.test"),
        (f"https://{'x' * 100}.test/", "x" * 64),
        ("/elsewhere", ""),
        ("", ""),
        ("https://[x", "an unreadable URL"),
    ],
)
def test_only_the_host_of_a_url_from_outside_is_logged(url: str, host: str) -> None:
    """Other parts may hold secrets. The host is escaped, and cut to 64 characters."""
    assert loggable_host(url) == host


def test_a_configured_url_is_logged_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    """The query may hold a secret. Two issuers may have one host, as realms and tenants have."""
    for realm in ("one", "two"):
        url = f"https://issuer.example:8443/{realm}/jwks"
        loading = loader(
            f"{url}?key=do-not-tell-this", fetch=returning(FetchResponse(500, b"", {}))
        )
        assert loading.shown_url == url
        failure(loading)
        assert logged(caplog) == [f"key set of {url} cannot be fetched: status 500"]


@pytest.mark.parametrize("is_built_in", [True, False])
def test_a_fetch_function_that_is_wrapped_gets_the_same_arguments(
    server: KeySetServer, is_built_in: bool
) -> None:
    """The built-in one can still be cancelled; one of the application takes no cancellation."""
    built_in, seen = HttpFetch(), []

    def fetch(url: str, **arguments: Any) -> FetchResponse:
        return built_in(url, **arguments)

    def wrap(fetch: Fetch) -> Fetch:
        def wrapped(url: str, **arguments: Any) -> FetchResponse:
            seen.append(arguments.keys())
            return fetch(url, **arguments)

        return wrapped

    loading = loader(server.url, fetch=built_in if is_built_in else fetch)
    loading.wrap_fetch(wrap)
    assert kids(loading.load(None)) == ["a"]
    cancellation = {"cancellation"} if is_built_in else set()
    assert seen == [{"headers", "timeout", "max_bytes"} | cancellation]
