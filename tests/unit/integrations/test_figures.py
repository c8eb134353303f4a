"""The figures that Prometheus and OpenTelemetry get: each is what happened, under closed labels."""

import gc
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from flask_connector_auth import (
    AppJWT,
    ClaimRejected,
    ConnectorAuth,
    ConsumerJWS,
    KeySource,
    VerificationKey,
    keys_stale,
    require_app_jwt,
    require_consumer_jws,
    revocation_stale,
    token_rejected,
    token_verified,
)
from flask_connector_auth.integrations import opentelemetry, prometheus
from flask_connector_auth.integrations.figures import FIGURES
from flask_connector_auth.testing import Issuer, KeySetServer
from flask_connector_auth.web import current_runtime
from tests.support.floor_helpers import cases
from tests.support.http_helpers import assert_row, headers
from tests.support.outages import Outage
from tests.support.types import MakeApp

NOBODY = "redis://127.0.0.1:1"
ISS = "Sentinel"
Figures = dict[tuple[str, ...], float]


class Gauged:
    """Apps whose figures are reported, and what was reported."""

    def instrument(self, *apps: Flask) -> None:
        """Report the figures of *apps*."""
        raise NotImplementedError

    def of(self, app: Flask, name: str) -> Figures:
        """Return the values of a figure by its labels beside ``app``, in their order."""
        raise NotImplementedError

    def one(self, app: Flask, name: str, *labels: str) -> float | None:
        """Return the value of a figure for these labels, or ``None`` if there is none."""
        return self.of(app, name).get(labels)


class ByPrometheus(Gauged):
    """A registry of one test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def instrument(self, *apps: Flask) -> None:
        for app in apps:
            prometheus.instrument_app(app, self.registry)

    def of(self, app: Flask, name: str) -> Figures:
        figure = FIGURES[name]
        full = "connector_auth_" + name.replace(".", "_") + "_seconds" * bool(figure.unit)
        return {
            tuple(sample.labels[label] for label in figure.labels): sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name in (full, f"{full}_total") and sample.labels["app"] == app.name
        }


class ByOpenTelemetry(Gauged):
    """The SDK, with a reader in memory."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def instrument(self, *apps: Flask) -> None:
        for app in apps:
            opentelemetry.instrument_app(app, meter_provider=self.provider)

    def of(self, app: Flask, name: str) -> Figures:
        data: Any = self.reader.get_metrics_data()
        prefix = "connector_auth."
        return {
            tuple(point.attributes.get(prefix + each, "") for each in FIGURES[name].labels): (
                point.value
            )
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
            if metric.name == prefix + name and point.attributes[f"{prefix}app"] == app.name
        }


@pytest.fixture(params=[ByPrometheus, ByOpenTelemetry])
def gauged(request: pytest.FixtureRequest) -> Gauged:
    """Each of the two integrations."""
    made: Gauged = request.param()
    return made


def view() -> dict[str, str]:
    """Answer."""
    return {}


def with_views(app: Flask) -> Flask:
    """Return *app* with a view for each set of requirements."""
    app.add_url_rule("/app", "app", require_app_jwt(view))
    app.add_url_rule("/consumer", "consumer", require_consumer_jws(view))
    app.add_url_rule("/both", "both", require_app_jwt(require_consumer_jws(view)))
    app.add_url_rule("/optional", "optional", require_app_jwt(optional=True)(view))
    return app


class OwnKeys(KeySource):
    """A key source of an app, whose health can fail."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        return []

    def health(self) -> dict[str, Any]:
        if self.fails:
            raise OSError("do-not-tell-this")
        # "Only values that JSON has", and no promise of any other member.
        return {"ready": True, "state": ["any"], "keys": "many", "age": "young", "counts": 3}


GOOD = (Issuer.app_jwt, Issuer.consumer_jws)


def expired(kind: Callable[..., str]) -> Callable[[Issuer], str]:
    """Return what makes an expired token of *kind*."""
    return lambda issuer: kind(issuer, exp=1)


@cases(
    "path, app_jwt, consumer_jws, labels",
    {
        "AppJWT": ("/app", *GOOD, ("verified", "", "", "app_jwt")),
        "ConsumerJWS": ("/consumer", *GOOD, ("verified", "", "", "consumer_jws")),
        "both": ("/both", *GOOD, ("verified", "", "", "both")),
        "none": ("/optional", None, None, ("verified", "", "", "")),
        "row 40105": ("/both", None, None, ("rejected", "missing", "40105", "app_jwt")),
        "row 40104": ("/both", GOOD[0], None, ("rejected", "missing", "40104", "consumer_jws")),
        "row 40102": (
            *("/both", expired(Issuer.app_jwt), GOOD[1]),
            ("rejected", "expired", "40102", "app_jwt"),
        ),
        "row 40103": (
            *("/both", GOOD[0], expired(Issuer.consumer_jws)),
            ("rejected", "expired", "40103", "consumer_jws"),
        ),
    },
)
def test_a_request_is_counted_by_outcome_reason_row_and_token(
    gauged: Gauged,
    make_app: MakeApp,
    issuer: Issuer,
    path: str,
    app_jwt: Any,
    consumer_jws: Any,
    labels: tuple[str, ...],
) -> None:
    """Once, with the tokens that were verified, or the one that was refused."""
    app = with_views(make_app())
    gauged.instrument(app)
    tokens = (make and make(issuer) for make in (app_jwt, consumer_jws))
    app.test_client().get(path, headers=headers(*tokens))
    assert gauged.of(app, "requests") == {labels: 1}


@cases("retry_after", {"known": 1, "unknown": None})
def test_an_outage_is_no_rejection(
    retry_after: Any, gauged: Gauged, make_app: MakeApp, issuer: Issuer
) -> None:
    """Row 50301: the fault is the server's, and no token was refused."""
    app = with_views(make_app(APP_JWT_KEYS=Outage(retry_after)))
    gauged.instrument(app)
    app.test_client().get("/app", headers=headers(issuer.app_jwt()))
    labels = ("unavailable", "keys_unavailable", "50301", "")
    assert gauged.of(app, "requests") == {labels: 1}


def test_a_word_of_the_app_is_counted_as_a_reason_is(gauged: Gauged, issuer: Issuer) -> None:
    """That of a check of its own, and the one for a caller without a user."""
    auth, app = ConnectorAuth(), Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    auth.init_app(with_views(app))
    auth.user_loader(lambda identity: None)

    @auth.claim_check(token="consumer_jws")
    def refuse(token: ConsumerJWS) -> None:
        raise ClaimRejected("no_consumers")

    gauged.instrument(app)
    for url in ("/app", "/both"):
        sent = headers(issuer.app_jwt(), issuer.consumer_jws())
        assert app.test_client().get(url, headers=sent).status_code == 401
    assert gauged.of(app, "requests") == {
        ("rejected", "unknown_user", "40102", "app_jwt"): 1,
        ("rejected", "no_consumers", "40103", "consumer_jws"): 1,
    }


def test_words_of_the_app_make_64_series(gauged: Gauged, issuer: Issuer) -> None:
    """docs/metrics.rst: all further words are ``other``, and reasons keep their own."""
    auth, app = ConnectorAuth(), Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    auth.init_app(with_views(app))

    @auth.claim_check
    def refuse(token: AppJWT | ConsumerJWS) -> None:
        raise ClaimRejected(f"word_{token.claims['number']}")

    gauged.instrument(app)
    client = app.test_client()
    for number in [*range(70), 0, 69]:
        client.get("/app", headers=headers(issuer.app_jwt(number=number)))
    client.get("/app", headers=headers(issuer.app_jwt(exp=1)))
    counts = {labels[1]: count for labels, count in gauged.of(app, "requests").items()}
    words = {f"word_{number}": 1 for number in range(64)}
    assert counts == {**words, "word_0": 2, "other": 7, "expired": 1}


def test_what_a_client_sends_is_no_label(gauged: Gauged, make_app: MakeApp, issuer: Issuer) -> None:
    """Any number of accounts, key ids, paths and methods make no new series."""
    app = with_views(make_app())
    gauged.instrument(app)
    client = app.test_client()
    for number in range(20):
        invented = issuer.sign({"aud": f"account-{number}"}, {"kid": f"key-{number}"})
        client.get("/app", headers=headers(invented))
        client.open(f"/{number}", method=f"M{number}", headers=headers(invented))
    assert gauged.of(app, "requests") == {("rejected", "unknown_key", "40102", "app_jwt"): 20}


def test_a_key_set_is_reported_through_its_life(
    gauged: Gauged, make_app: MakeApp, issuer: Issuer
) -> None:
    """Empty, fetched, stale: its state, keys, age, fetches and events."""
    with KeySetServer(issuer) as server:
        app = with_views(make_app(APP_JWT_KEYS=server.url))
        gauged.instrument(app)
        assert gauged.one(app, "keys.ready", "app_jwt", ISS) == 0
        assert gauged.one(app, "keys.sources", "app_jwt", ISS, "empty") == 1
        assert gauged.of(app, "keys.age") == {}
        assert server.requests == []  # reporting does no I/O
        app.test_client().get("/app", headers=headers(issuer.app_jwt()))
        keys_stale.send(current_runtime(app).verifiers[0].keys)
    assert gauged.of(app, "keys.ready") == {("app_jwt", ISS): 1}
    states = {labels[2]: value for labels, value in gauged.of(app, "keys.sources").items()}
    assert {state for state, value in states.items() if value} == {"fresh"}
    assert states.keys() == {"static", "custom", "empty", "fresh", "due", "stale", "outage"}
    assert gauged.of(app, "keys.entries") == {("app_jwt", ISS): 1}
    age = gauged.one(app, "keys.age", "app_jwt", ISS)
    assert age is not None
    assert 0 <= age < 300
    assert gauged.of(app, "keys.fetches") == {
        ("app_jwt", ISS, "succeeded"): 1,
        ("app_jwt", ISS, "failed"): 0,
    }
    assert gauged.one(app, "keys.lookups", "app_jwt", ISS, "waits") == 1
    assert gauged.one(app, "keys.events", "app_jwt", ISS, "refreshed") == 1
    assert gauged.one(app, "keys.events", "app_jwt", ISS, "stale") == 1


def test_an_issuer_out_of_reach_is_reported(
    gauged: Gauged, make_app: MakeApp, issuer: Issuer
) -> None:
    """A failed fetch and the outage are counted, and the keys are not ready."""
    with KeySetServer(issuer) as server:
        server.fail("refuse")
        app = with_views(make_app(APP_JWT_KEYS=server.url))
        gauged.instrument(app)
        assert app.test_client().get("/app", headers=headers(issuer.app_jwt())).status_code == 503
    assert gauged.one(app, "keys.fetches", "app_jwt", ISS, "failed") == 1
    assert gauged.one(app, "keys.events", "app_jwt", ISS, "outage") == 1
    assert gauged.one(app, "keys.ready", "app_jwt", ISS) == 0


def test_several_sources_are_added_up(gauged: Gauged, make_app: MakeApp, issuer: Issuer) -> None:
    """Configured keys, a key set and a source of the app, whose details nothing relies on."""
    with KeySetServer(issuer) as server:
        keys = [Issuer(kid="configured").key_set(), server.url, OwnKeys()]
        app = with_views(make_app(APP_JWT_KEYS=keys))
        gauged.instrument(app)
        app.test_client().get("/app", headers=headers(issuer.app_jwt()))
    sources = gauged.of(app, "keys.sources")
    assert {labels: value for labels, value in sources.items() if value} == {
        ("app_jwt", ISS, "static"): 1,
        ("app_jwt", ISS, "fresh"): 1,
        ("app_jwt", ISS, "custom"): 1,
    }
    assert gauged.of(app, "keys.entries") == {("app_jwt", ISS): 2}


@cases(
    "settings, tokens",
    {
        "the same keys": ({}, {"app_jwt"}),
        "keys of its own": ({"CONSUMER_JWS_KEYS": Issuer().key_set()}, {"app_jwt", "consumer_jws"}),
    },
)
def test_keys_that_serve_both_tokens_are_counted_once(
    gauged: Gauged, make_app: MakeApp, settings: Any, tokens: set[str]
) -> None:
    """Under the AppJWT; the ConsumerJWS is there if it has a source of its own."""
    app = make_app(**settings)
    gauged.instrument(app)
    assert {token for token, _ in gauged.of(app, "keys.ready")} == tokens


def test_figures_of_several_issuers_are_told_apart(
    gauged: Gauged, make_app: MakeApp, issuer: Issuer
) -> None:
    """Keys and caches, by the label that one issuer has too; requests are counted for all."""
    other = Issuer(name="other")
    with KeySetServer(other) as server:
        issuers: dict[str, dict[str, Any]] = {"Sentinel": {"APP_JWT_KEYS": issuer.key_set()}}
        issuers["other"] = {"APP_JWT_KEYS": server.url, "CONSUMER_JWS_KEYS": OwnKeys()}
        app = with_views(make_app(ISSUERS=issuers))
        gauged.instrument(app)
        twice = other.app_jwt()
        for token in (issuer.app_jwt(), twice, twice):
            assert app.test_client().get("/app", headers=headers(token)).status_code == 200
    assert gauged.of(app, "keys.ready") == {
        **{("app_jwt", ISS): 1, ("app_jwt", "other"): 1},
        ("consumer_jws", "other"): 1,
    }
    assert gauged.one(app, "keys.events", "app_jwt", "other", "refreshed") == 1
    assert gauged.one(app, "keys.fetches", "app_jwt", "other", "succeeded") == 1
    assert gauged.of(app, "cache.misses") == {
        **{("app_jwt", ISS): 1, ("consumer_jws", ISS): 0},
        **{("app_jwt", "other"): 1, ("consumer_jws", "other"): 0},
    }
    assert gauged.one(app, "cache.hits", "app_jwt", "other") == 1
    assert gauged.of(app, "requests") == {("verified", "", "", "app_jwt"): 3}


def test_keys_that_serve_two_issuers_are_counted_once(gauged: Gauged, make_app: MakeApp) -> None:
    """Under the first of them; both are shown in the health, and closed with the app."""
    first, second = Issuer(name=ISS), Issuer(name="second", kid="second")
    service = Issuer(kid="service")
    with KeySetServer(service) as server:
        app = make_app(
            ISSUERS={each.name: {"APP_JWT_KEYS": each.key_set()} for each in (first, second)},
            CONSUMER_JWS_KEYS=server.url,
            CONSUMER_JWS_CLAIMS={"issuer": "iss"},
        )
        with_views(app)
        gauged.instrument(app)
        for each in (first, second):
            texts = each.app_jwt(), service.consumer_jws(iss=each.name)
            assert app.test_client().get("/both", headers=headers(*texts)).status_code == 200
        assert len(server.requests) == 1
    assert gauged.of(app, "keys.ready") == {
        **{("app_jwt", ISS): 1, ("app_jwt", "second"): 1},
        ("consumer_jws", ISS): 1,
    }
    assert gauged.one(app, "keys.events", "consumer_jws", ISS, "refreshed") == 1
    assert gauged.one(app, "keys.fetches", "consumer_jws", ISS, "succeeded") == 1
    for health in current_runtime(app).health()["issuers"].values():
        assert health["keys"]["consumer_jws"]["state"] == "fresh"
    ConnectorAuth().close(app)


def test_the_cache_is_reported(gauged: Gauged, make_app: MakeApp, issuer: Issuer) -> None:
    """Hits, misses, entries and size, for each token."""
    app = with_views(make_app(CACHE_SIZE=10))
    gauged.instrument(app)
    client, sent = app.test_client(), headers(issuer.app_jwt())
    for number in range(3):
        client.get("/app", headers=sent)
        # What was reported before is not added again.
        assert gauged.one(app, "cache.hits", "app_jwt", ISS) == number
    assert gauged.one(app, "cache.misses", "app_jwt", ISS) == 1
    assert gauged.one(app, "cache.entries", "app_jwt", ISS) == 1
    assert gauged.of(app, "cache.size") == {("app_jwt", ISS): 10, ("consumer_jws", ISS): 10}
    assert gauged.one(app, "cache.entries", "consumer_jws", ISS) == 0


def test_revocations_are_reported(gauged: Gauged, make_app: MakeApp, issuer: Issuer) -> None:
    """Each change by kind, never by id; entries, age and readiness of the copy."""
    app = make_app()
    gauged.instrument(app)
    revocations = current_runtime(app).revocations
    revocations.revoke(account_id="le1")
    revocations.revoke(account_id="le2")
    revocations.restore(account_id="le1")
    revocations.revoke(token=issuer.app_jwt())
    revocation_stale.send(revocations)
    assert gauged.of(app, "revocation.changes") == {
        ("account", "revoked"): 2,
        ("account", "restored"): 1,
        ("token", "revoked"): 1,
    }
    assert gauged.of(app, "revocation.entries") == {(): 2}
    assert gauged.of(app, "revocation.ready") == {(): 1}
    assert gauged.of(app, "revocation.lag") == {(): 0}
    assert gauged.of(app, "revocation.stale") == {(): 1}


def test_a_store_out_of_reach_is_not_ready_and_has_no_age(
    gauged: Gauged, make_app: MakeApp
) -> None:
    """No age is better than a wrong one, of a copy that was never confirmed."""
    app = make_app(REVOCATION_URL=NOBODY)
    gauged.instrument(app)
    assert gauged.of(app, "revocation.ready") == {(): 0}
    assert gauged.of(app, "revocation.lag") == {}


def test_apps_of_one_process_are_told_apart_by_name(gauged: Gauged, issuer: Issuer) -> None:
    """Each has its own series; an app that is not instrumented has none, and no receiver."""
    apps = [Flask(name) for name in ("first", "second", "other")]
    for app in apps:
        app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
        ConnectorAuth(app)
        with_views(app)
    signals = (token_verified, token_rejected)
    receivers = [[*signal.receivers_for(apps[2])] for signal in signals]
    gauged.instrument(*apps[:2])
    for app in apps:
        app.test_client().get("/app", headers=headers(issuer.app_jwt()))
    counted = [sum(gauged.of(app, "requests").values()) for app in apps]
    assert counted == [1, 1, 0]
    assert [bool(gauged.of(app, "cache.size")) for app in apps] == [True, True, False]
    assert [[*signal.receivers_for(apps[2])] for signal in signals] == receivers


def test_an_app_that_is_instrumented_twice_is_counted_once(
    gauged: Gauged, make_app: MakeApp, issuer: Issuer
) -> None:
    """The second call changes nothing."""
    app = with_views(make_app())
    gauged.instrument(app, app)
    app.test_client().get("/app", headers=headers(issuer.app_jwt()))
    assert gauged.of(app, "requests") == {("verified", "", "", "app_jwt"): 1}
    assert gauged.one(app, "cache.misses", "app_jwt", ISS) == 1


def test_apps_of_one_name_share_their_series(
    gauged: Gauged, make_app: MakeApp, issuer: Issuer
) -> None:
    """As a factory makes them for tests: events are added up, gauges are those of the last one."""
    apps = [with_views(make_app(CACHE_SIZE=size)) for size in (1, 2)]
    gauged.instrument(*apps)
    for app in apps:
        app.test_client().get("/app", headers=headers(issuer.app_jwt()))
    assert gauged.of(app, "requests") == {("verified", "", "", "app_jwt"): 2}
    assert gauged.one(app, "cache.size", "app_jwt", ISS) == 2


def test_an_app_that_is_gone_has_no_gauges(gauged: Gauged, make_app: MakeApp) -> None:
    """Reporting does not keep an app alive."""
    app = make_app()
    gauged.instrument(app)
    assert gauged.of(app, "keys.ready")
    again = Flask(app.name)
    del app
    gc.collect()
    assert gauged.of(again, "keys.ready") == {}


def test_a_source_that_cannot_tell_its_health_is_not_ready(
    gauged: Gauged, make_app: MakeApp, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, by its class and without the text of the error, and hides no other figure."""
    app = with_views(make_app(APP_JWT_KEYS=[issuer.key_set(), OwnKeys(fails=True)]))
    gauged.instrument(app)
    app.test_client().get("/app", headers=headers(issuer.app_jwt()))
    with caplog.at_level(logging.ERROR, "flask_connector_auth"):
        assert gauged.one(app, "keys.ready", "app_jwt", ISS) == 0
    assert {record.getMessage() for record in caplog.records} == {
        "the health of OwnKeys cannot be read: OSError"
    }
    assert gauged.one(app, "keys.entries", "app_jwt", ISS) == 1
    assert gauged.one(app, "cache.misses", "app_jwt", ISS) == 1
    assert gauged.of(app, "revocation.ready") == {(): 1}


@cases("module", {"Prometheus": prometheus, "OpenTelemetry": opentelemetry})
def test_figures_that_cannot_be_reported_fail_no_request(
    module: Any,
    make_app: MakeApp,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A good token gets its answer and a bad one its row; each class of error is logged once."""
    errors = [OSError("do-not-tell-this"), OSError("nor-this"), ValueError(), ValueError()]
    calls = iter(errors)

    def add(_self: object, _name: str, _labels: tuple[str, ...]) -> None:
        raise next(calls)

    monkeypatch.setattr(module._Reporter, "add", add)
    app = with_views(make_app())
    (ByPrometheus() if module is prometheus else ByOpenTelemetry()).instrument(app)
    client = app.test_client()
    for _ in errors[::2]:
        assert client.get("/app", headers=headers(issuer.app_jwt())).json == {}
        assert_row(client.get("/app", headers=headers("junk")), 40102)
    assert [*calls] == []
    assert [each.getMessage() for each in caplog.records if each.name.endswith("figures")] == [
        "figures of an_app are lost: OSError",
        "figures of an_app are lost: ValueError",
    ]


def test_an_app_without_the_extension_cannot_be_instrumented(gauged: Gauged) -> None:
    """Nothing would ever be counted; afterwards another app still can be."""
    with pytest.raises(RuntimeError, match="has no ConnectorAuth"):
        gauged.instrument(Flask("an_app"))
