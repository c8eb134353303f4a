"""The settings of revocation: every mistake that can be found at start is reported there."""

import sys
from typing import Any

import pytest

from flask_connector_auth.revocation import MemoryStore
from flask_connector_auth.revocation.redis import RedisStore
from tests.support.floor_helpers import cases, load, problems
from tests.support.revocation_worlds import KEPT_FOREVER

BAD_URL = "Not a valid Redis URL."
BAD_SCHEME = (
    "Not a Redis URL; the schemes are redis, rediss, unix, redis+sentinel, rediss+sentinel, "
    "redis+cluster, rediss+cluster."
)
BELOW_LIFETIME = (
    "Must be at least CONNECTOR_AUTH_MAX_LIFETIME + CONNECTOR_AUTH_LEEWAY: an AppJWT can be "
    "accepted for that long."
)
SECRET = "do-not-tell-this"

GOOD = {
    "plain": "redis://127.0.0.1:6379",
    "a database": "redis://127.0.0.1:6379/2",
    "a slash": "redis://127.0.0.1/",
    "the default host": "redis://",
    "IPv6": "redis://[::1]:6379/0",
    "a password": f"redis://:{SECRET}@127.0.0.1:6379",
    "a user": f"redis://user:{SECRET}@127.0.0.1:6379",
    "TLS": "rediss://127.0.0.1:6379",
    "TLS options": "rediss://127.0.0.1:6379/0?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem",
    "a socket": "unix:///run/redis.sock?db=2",
    "Sentinel": "redis+sentinel://one:26379,two:26379,three/service",
    "Sentinel with all": (
        f"rediss+sentinel://user:{SECRET}@one,two/service/3"
        f"?sentinel_username=user&sentinel_password={SECRET}&ssl_ca_certs=/ca.pem"
    ),
    "Cluster": "redis+cluster://one:7000,two:7001",
    "Cluster with all": f"rediss+cluster://user:{SECRET}@one,two/?ssl_ca_certs=/ca.pem",
}
OTHER_SCHEME = {
    "another scheme": f"http://:{SECRET}@127.0.0.1:6379",
    "no scheme": "127.0.0.1:6379",
    "a typing error": f"reddis://:{SECRET}@127.0.0.1",
    "an unknown kind": "redis+ring://one",
}
BAD = {
    "empty host": "redis+cluster://",
    "a port that is none": f"redis://127.0.0.1:{SECRET}",
    "a port too high": "redis://127.0.0.1:70000",
    "a database that is none": "redis://127.0.0.1/zero",
    "an option that is none": f"redis://127.0.0.1/0?passwort={SECRET}",
    "an option of a wrong type": f"redis://127.0.0.1/0?db={SECRET}",
    "two hosts": "redis://one,two",
    "an option of TLS that is none": f"rediss://one?ssl_cert_reqs={SECRET}",
    "an option of TLS to Sentinel": f"rediss+sentinel://one/service?ssl_cert_reqs={SECRET}",
    "an option of TLS to a Cluster": f"rediss+cluster://one?ssl_cert_reqs={SECRET}",
    "a fragment": "redis://one/0#2",
    "a database called X": "redis://one/X",
    "no service": "redis+sentinel://one:26379",
    "no service either": "redis+sentinel://one:26379/",
    "a service and more": "redis+sentinel://one/service/0/1",
    "a database of a service that is none": "redis+sentinel://one/service/zero",
    "a host that is empty": "redis+sentinel://one,,two/service",
    "an option of Sentinel that is none": "redis+sentinel://one/service?foo=1",
    "a database of a Cluster": "redis+cluster://one/0",
    "an option of a Cluster that is none": "redis+cluster://one?foo=1",
    "a port of a Cluster that is none": "redis+cluster://one:seven",
    "a socket with an option that is none": "unix:///run/redis.sock?foo=1",
}


@cases("url", GOOD)
def test_a_good_url(url: str) -> None:
    """Standalone, Sentinel and Cluster by URL; no connection is made."""
    settings = load(REVOCATION_URL=url)
    assert isinstance(settings.revocation_store, RedisStore)
    assert SECRET not in repr(settings)


@cases("url", BAD)
def test_a_bad_url(url: str) -> None:
    """The error names the setting and never quotes the URL, which has a password."""
    reported = problems(REVOCATION_URL=url)
    assert reported == {"REVOCATION_URL": [BAD_URL]}


@cases("url", OTHER_SCHEME)
def test_another_scheme(url: str) -> None:
    """The error lists the schemes, and never quotes the URL, which has a password."""
    assert problems(REVOCATION_URL=url) == {"REVOCATION_URL": [BAD_SCHEME]}


@cases(
    ("value", "text"),
    {
        "a number": (True, "Must be a non-empty string."),
        "empty": ("", "Must be a non-empty string."),
    },
)
def test_a_url_that_is_not_text(value: Any, text: str) -> None:
    """Another type, and empty text, are refused before the URL is parsed."""
    assert problems(REVOCATION_URL=value) == {"REVOCATION_URL": [text]}


@pytest.mark.parametrize(("lag", "timeout"), [(1, 0.8), (2, 1.0), (5, 2.5), (60, 30.0)])
def test_an_answer_may_take_half_of_the_lag(lag: float, timeout: float) -> None:
    """A copy is two reads old before the next one ends; and no less than any client waits."""
    store: Any = load(REVOCATION_URL="redis://one", REVOCATION_MAX_LAG=lag).revocation_store
    options = store._connect().connection_pool.connection_kwargs
    assert options["socket_timeout"] == options["socket_connect_timeout"] == timeout


def test_redis_py_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without redis-py, the error says what to install; without a URL it is not needed."""
    monkeypatch.setitem(sys.modules, "redis.backoff", None)
    text = "Redis support is not installed: pip install flask-connector-auth[redis]."
    assert problems(REVOCATION_URL="redis://") == {"REVOCATION_URL": [text]}
    assert load().revocation_store is None


def test_a_store_of_ones_own_is_an_object() -> None:
    """Whatever has the three methods; not its class, and not beside a URL."""
    store = MemoryStore(KEPT_FOREVER)
    assert load(REVOCATION_STORE=store).revocation_store is store
    for wrong in (MemoryStore, "redis://", {}, 5):
        expected = {"REVOCATION_STORE": ["Must be an instance of RevocationStore."]}
        assert problems(REVOCATION_STORE=wrong) == expected
    assert problems(REVOCATION_STORE=store, REVOCATION_URL="redis://") == {
        "REVOCATION_URL": ["Cannot be combined with CONNECTOR_AUTH_REVOCATION_STORE."]
    }


@pytest.mark.parametrize(
    ("others", "keep", "good"),
    [
        ({}, 0.5, True),
        ({"MAX_LIFETIME": 3600}, None, True),
        ({"MAX_LIFETIME": 3600}, 3630, True),
        ({"MAX_LIFETIME": 3600}, 3629, False),
        ({"MAX_LIFETIME": 3600, "LEEWAY": 0}, 3600, True),
        ({"MAX_LIFETIME": 3600, "LEEWAY": 0}, 3599, False),
    ],
)
def test_a_revocation_is_kept_longer_than_any_app_jwt_lives(
    others: dict[str, Any], keep: float | None, good: bool
) -> None:
    """``REVOCATION_KEEP`` is at least the longest lifetime plus the leeway."""
    if good:
        assert load(REVOCATION_KEEP=keep, **others).revocation_keep == keep
    else:
        expected = {"REVOCATION_KEEP": [BELOW_LIFETIME]}
        assert problems(REVOCATION_KEEP=keep, **others) == expected


@pytest.mark.parametrize("around", [" {} ", "{}\n", "\ufeff{}\r\n"])
def test_white_space_around_a_url_is_dropped(around: str) -> None:
    """docs/keys.rst: what an environment or a secret store adds belongs to no URL."""
    store = load(REVOCATION_URL=around.format("redis://127.0.0.1:6379/2")).revocation_store
    assert isinstance(store, RedisStore)
    assert problems(REVOCATION_URL=around.format("")) == {
        "REVOCATION_URL": ["Must be a non-empty string."]
    }


def test_all_problems_are_reported_together() -> None:
    """One error lists all, even if one problem prevents a full check of another setting."""
    reported = problems(
        REVOCATION_URL=f"http://{SECRET}",
        REVOCATION_KEEP=10,
        MAX_LIFETIME=60,
        LEEWAY="thirty",
        REVOCATION_MAX_LAG=0,
        REVOCATION_ON_OUTAGE="fail",
    )
    assert reported == {
        "REVOCATION_URL": [BAD_SCHEME],
        "REVOCATION_KEEP": [BELOW_LIFETIME],
        "LEEWAY": [
            "Must be a finite number, not text. Write it without quotes, and in the environment "
            "as in JSON."
        ],
        "REVOCATION_MAX_LAG": ["Must be greater than or equal to 1."],
        "REVOCATION_ON_OUTAGE": ['Must be "closed" or "open".'],
    }
