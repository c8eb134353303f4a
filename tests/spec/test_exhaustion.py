"""What hostile tokens may cost: sizes before copies, no verification in vain, nothing that stays.

What they do cost: ``python -m benchmarks.exhaustion``.
"""

import tracemalloc
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

from benchmarks import hostile, loads
from benchmarks.mint import of_unknown_key
from flask_connector_auth import KeySource, VerificationKey, require_app_jwt, require_consumer_jws
from flask_connector_auth.core import Reason, Rejected
from flask_connector_auth.keys import KeyIndex
from flask_connector_auth.testing import Issuer, KeySetServer
from flask_connector_auth.testing.tampering import TokenKind
from flask_connector_auth.web import current_runtime
from tests.support.floor_helpers import APP, authenticate, both_tokens, cases, issuer_of, verifier
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp

MEGABYTE = 2**20
# What is well-formed up to its signature, and signed with no known key.
FORGED = {
    *("bad signature", "bad signature, 16 KB"),
    *("header: an integer of 1,400 digits", "header: integers of 400 digits", "header: escapes"),
}
# What only the issuer can make, and is too large to be looked at.
TOO_LARGE = {"an integer of 100,000 digits"}


class Counted(KeySource):
    """The issuer's key, and the number of signatures that it was asked to verify."""

    def __init__(self, keys: KeyIndex) -> None:
        self.count = 0
        [key] = keys.keys
        self._verify = key.algorithms["RS256"]
        self._key = VerificationKey(key.kid, key.thumbprint, {"RS256": self._counting}, key.key)

    def _counting(self, *arguments: Any) -> bool:
        self.count += 1
        return self._verify(*arguments)

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """See :class:`KeySource`."""
        return [self._key] if kid == self._key.kid and algorithm == "RS256" else []


def with_views(app: Flask) -> FlaskClient:
    """Return a client of *app*, which asks for one token at ``/app_jwt``, for both elsewhere."""
    app.add_url_rule("/app_jwt", "one", require_app_jwt(lambda: {}))
    app.add_url_rule("/consumer_jws", "both", require_app_jwt(require_consumer_jws(lambda: {})))
    return app.test_client()


@pytest.mark.parametrize("kind", ["app_jwt", "consumer_jws"])
def test_a_hostile_token_costs_one_verification_or_none(
    kind: TokenKind, make_app: MakeApp, issuer: Issuer
) -> None:
    """Rows 40102 and 40103: none for what is too large, malformed or of no key; else one."""
    keys = Counted(cast(KeyIndex, current_runtime(make_app()).verifiers[0].keys))
    client, mint = with_views(make_app(APP_JWT_KEYS=keys)), hostile.Mint(issuer, kind)
    known = issuer.app_jwt()

    def ask(token: bytes) -> Any:
        text = token.decode()
        both = headers(text) if kind == "app_jwt" else headers(known, text)
        return client.get(f"/{kind}", headers=both)

    for make in (mint.good, *hostile.large(mint).values()):
        assert ask(make(1)).status_code == 200
    unsigned, signed = hostile.unsigned(mint), hostile.signed(mint)
    verified = set()
    for name, token in {**unsigned, **signed}.items():
        before = keys.count
        assert_row(ask(token), 40102 if kind == "app_jwt" else 40103)
        assert keys.count - before in (0, 1)
        if keys.count > before:
            verified.add(name)
    assert verified == FORGED | signed.keys() - TOO_LARGE


def peak(call: Callable[[], object]) -> int:
    """Return the bytes that *call* takes at a time beside what was there.

    The least of several times: other threads take memory too.
    """
    return min(_peak(call) for _ in range(5))


def _peak(call: Callable[[], object]) -> int:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    call()
    taken = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return taken


OVERSIZED = {
    "letters": "a" * MEGABYTE,
    "as a token starts": "eyJ" + "a" * MEGABYTE,
    "dots": "." * MEGABYTE,
    "three parts": ".".join(["eyJ" + "a" * MEGABYTE] * 3),
    "not ASCII": "eyJ" + "é" * MEGABYTE,
}


@both_tokens
@cases("text", OVERSIZED)
def test_an_oversized_token_is_refused_before_anything_is_copied(token: Any, text: str) -> None:
    """RFC 8725 has no limit, ours is 16 KiB: a megabyte takes less memory than a small token."""
    judge = verifier(token)
    good = token.mint(issuer_of())

    def refused() -> None:
        with pytest.raises(Rejected) as caught:
            authenticate(judge, text, issuer_of().clock())
        assert caught.value.reason is Reason.TOO_LARGE

    assert peak(refused) < MEGABYTE / 64
    assert peak(lambda: authenticate(judge, good, issuer_of().clock())) < MEGABYTE / 64


@pytest.mark.parametrize("name", ["Authorization", "X-LP-ON-BEHALF"])
@cases("text", {**OVERSIZED, "commas": "," * MEGABYTE, "words": "a " * (MEGABYTE // 2)})
def test_an_oversized_header_is_not_copied(
    name: str, text: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """What the server has read is in memory anyhow; it does not become twice as much."""
    app = make_app()
    with_views(app)
    latin = text.encode().decode("latin-1")
    prefix = "Bearer " if name == "Authorization" else ""
    environ = EnvironBuilder("/consumer_jws").get_environ()
    environ["HTTP_AUTHORIZATION"] = issuer.app_jwt()
    environ[f"HTTP_{name.upper().replace('-', '_')}"] = prefix + latin

    def ask() -> None:
        assert run_wsgi_app(app, environ)[1].startswith("401")

    assert peak(ask) < len(latin) / 4


def test_where_only_the_consumer_is_asked_for_a_large_authorization_is_left_alone(
    make_app: MakeApp, issuer: Issuer
) -> None:
    """Row 40103: whether both headers hold one text is not looked for in a megabyte."""
    app = make_app()
    app.add_url_rule("/x", "x", require_consumer_jws(lambda: {}))
    environ = EnvironBuilder("/x").get_environ()
    environ["HTTP_X_LP_ON_BEHALF"] = issuer.broken("forged", "consumer_jws")
    environ["HTTP_AUTHORIZATION"] = "Bearer " + "a" * MEGABYTE

    def ask() -> None:
        assert run_wsgi_app(app, environ)[1].startswith("401")

    assert peak(ask) < MEGABYTE / 4


def test_garbage_leaves_nothing(make_app: MakeApp, issuer: Issuer) -> None:
    """Distinct bad tokens, cut, forged and of unknown keys: neither cache nor headers grow."""
    app = make_app()
    client, verifier_in_use = with_views(app), current_runtime(app).verifiers[0]
    for case in islice(loads.garbage(issuer.app_jwt().encode()), 300):
        token = case.headers["HTTP_AUTHORIZATION"].decode()
        assert_row(client.get("/app_jwt", headers=headers(token)), 40102)
    assert verifier_in_use.cache.health()["entries"] == len(verifier_in_use.accepted_headers) == 0
    assert client.get("/app_jwt", headers=headers(issuer.app_jwt())).status_code == 200
    assert verifier_in_use.cache.health()["entries"] == len(verifier_in_use.accepted_headers) == 1


def test_good_tokens_stay_within_the_size_of_the_cache(make_app: MakeApp, issuer: Issuer) -> None:
    """CACHE_SIZE: however many tokens the issuer makes, under however many headers."""
    app = make_app(CACHE_SIZE=20)
    client, verifier_in_use = with_views(app), current_runtime(app).verifiers[0]
    for number in range(100):
        claims = issuer._app_jwt_claims({"azp": f"install-{number}"})
        token = issuer.sign(claims, {"x": number})
        assert client.get("/app_jwt", headers=headers(token)).status_code == 200
    assert verifier_in_use.cache.health()["entries"] == 20
    assert len(verifier_in_use.accepted_headers) == 64


def test_unknown_keys_cost_one_fetch(make_app: MakeApp, issuer: Issuer) -> None:
    """JWKS_COOLDOWN, by real HTTP: 500 kids that no key has are refused by what is known."""
    with KeySetServer(issuer) as server:
        client = with_views(
            make_app(APP_JWT_KEYS=server.url, JWKS_MAX_AGE=3600, JWKS_COOLDOWN=3000)
        )
        good = headers(issuer.app_jwt())
        assert client.get("/app_jwt", headers=good).status_code == 200
        token = issuer.app_jwt().encode()
        for number in range(500):
            text = of_unknown_key(token, number).decode()
            assert_row(client.get("/app_jwt", headers=headers(text)), 40102)
        assert client.get("/app_jwt", headers=good).status_code == 200
        assert len(server.requests) == 2


class Watched(str):
    """A kid that counts how often it is compared."""

    compared = 0
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Watched.compared += 1
        return str.__eq__(self, other)


def test_a_key_set_is_indexed_in_one_pass() -> None:
    """Ten times the keys, about ten times the comparisons: not each with each other one."""
    [key] = verifier(APP).keys.keys  # type: ignore[attr-defined]
    counts = []
    for size in (100, 1000):
        Watched.compared = 0
        keys = [
            VerificationKey(Watched(f"key-{n}"), f"{n}", key.algorithms, key.key)
            for n in range(size)
        ]
        index = KeyIndex(keys)
        assert index.candidates("key-7", "RS256") == [keys[7]]
        counts.append(Watched.compared)
    assert counts[1] < 15 * counts[0] + 100
