"""Real workers, of gunicorn and uWSGI, and a real store: a revocation reaches each of them, and
none accepts the token again when the store has lost its data."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from flask_connector_auth import RevocationStoreError
from flask_connector_auth.revocation import RevocationRules, Revocations
from flask_connector_auth.revocation.redis import RedisStore
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.live_workers import UWSGI, WORKERS, Served, running, served
from tests.support.redis_servers import BINARIES, Server

LAG = 1


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """The issuer of all tokens of this module."""
    return Issuer(kid="key-1")


@pytest.fixture
def store() -> Iterator[Server]:
    """A store for one test, which may break it."""
    with Server(BINARIES["valkey"]) as server:
        yield server


@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("worker", WORKERS)
def test_revocations_with_two_workers(
    worker: str, preload: bool, store: Server, issuer: Issuer, tmp_path: Path
) -> None:
    """gunicorn: each worker follows the store on its own, from whichever process it was forked."""
    arguments = [*WORKERS[worker], *(["--preload"] if preload else [])]
    settings = {"REVOCATION_URL": store.url, "REVOCATION_MAX_LAG": LAG}
    with (
        KeySetServer(issuer, headers={"Cache-Control": "max-age=3600"}) as keys,
        served(keys.url, tmp_path, arguments, **settings) as app,
    ):
        check_the_life_of_a_revocation(app, store, issuer)


@pytest.mark.parametrize("options", ["enable-threads", "lazy-apps enable-threads", "threads=4"])
def test_revocations_with_uwsgi(
    options: str, store: Server, issuer: Issuer, tmp_path: Path
) -> None:
    """uWSGI, with threads, as the page on revocation says."""
    settings = {"REVOCATION_URL": store.url, "REVOCATION_MAX_LAG": LAG}
    command = [*UWSGI, *(f"--{option}" for option in options.split())]
    with (
        KeySetServer(issuer, headers={"Cache-Control": "max-age=3600"}) as keys,
        running(keys.url, tmp_path, command, **settings) as app,
    ):
        check_the_life_of_a_revocation(app, store, issuer)


def check_the_life_of_a_revocation(app: Served, store: Server, issuer: Issuer) -> None:
    """Assert what each of two workers does while the store works, forgets, hangs and comes back."""
    good, bad = issuer.app_jwt(), issuer.app_jwt(azp="stolen")
    operator = Revocations(RedisStore(store.url), RevocationRules(), lambda: 0.0)
    app.meet(2, bad)
    operator.revoke(token=bad)
    is_refused_within(1, app, bad)
    operator.restore(token=bad)
    app.until(bad, {200})
    operator.revoke(install_id="stolen")
    is_refused_within(1, app, bad)
    # All data is lost. The workers write back what they have.
    store.do("FLUSHALL")
    is_refused_within(0, app, bad)
    app.until(good, {200})
    # The store hangs: good tokens get 503, which does not call them invalid.
    store.pause()
    app.until(good, {503})
    assert app.statuses(issuer.app_jwt(exp=1)) == {401}
    with pytest.raises(RevocationStoreError):
        operator.revoke(install_id="another")
    store.resume()
    is_refused_within(0, app, bad)
    app.until(good, {200})
    # It is killed, and comes back without its data.
    store.kill()
    while 503 not in app.statuses(good, 4):
        is_refused_within(0, app, bad)
    store.start()
    is_refused_within(0, app, bad)
    app.until(good, {200})


def is_refused_within(seconds: float, app: Served, token: str) -> None:
    """Assert that after so many seconds no worker accepts *token*, and soon all say why.

    On a busy machine a copy may be too old for a moment: 503.
    """
    end = monotonic() + seconds
    # To the end: some answers without a 200 may all be of the worker that has heard of it first.
    while monotonic() < end:
        app.statuses(token, 8)
    assert app.statuses(token) <= {401, 503}
    if seconds:
        app.until(token, {401})
