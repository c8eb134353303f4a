"""Traces for OpenTelemetry: attributes of the request's span, and a span for each key fetch."""

import subprocess
import sys
from collections.abc import Mapping
from textwrap import dedent
from typing import Any

import pytest
from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from flask_connector_auth import FetchFailed, FetchResponse, require_app_jwt, require_consumer_jws
from flask_connector_auth.integrations.opentelemetry import instrument_app
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.floor_helpers import cases
from tests.support.http_helpers import headers
from tests.support.types import MakeApp


class Traced:
    """A tracer provider that keeps its spans in memory."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def instrument(self, app: Flask, **options: Any) -> Flask:
        """Instrument *app*, and its requests as applications do."""
        FlaskInstrumentor().instrument_app(
            app, tracer_provider=self.provider, meter_provider=MeterProvider(shutdown_on_exit=False)
        )
        instrument_app(app, tracer_provider=self.provider, **options)
        app.add_url_rule("/", "index", require_app_jwt(require_consumer_jws(lambda: {})))
        return app

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        """Return the finished spans of one *kind*."""
        return [span for span in self.exporter.get_finished_spans() if span.kind is kind]


@pytest.fixture
def traced() -> Traced:
    """The spans of one test."""
    return Traced()


def attributes_of(span: ReadableSpan, prefix: str = "connector_auth.") -> Mapping[str, Any]:
    """Return the attributes of *span* that begin with *prefix*, without it."""
    attributes = span.attributes or {}
    return {
        name.removeprefix(prefix): value
        for name, value in attributes.items()
        if name.startswith(prefix)
    }


@cases(
    "ids, account_id, expected",
    {
        "verified": (False, "le1", {"outcome": "verified", "token": "both"}),
        "rejected": (
            *(False, None),
            {"outcome": "rejected", "reason": "missing", "row": "40105", "token": "app_jwt"},
        ),
        "verified, with ids": (
            *(True, "le1"),
            {
                **{"outcome": "verified", "token": "both"},
                **{"account_id": "le1", "install_id": "install-1"},
            },
        ),
        "rejected, with ids": (
            *(True, None),
            {"outcome": "rejected", "reason": "missing", "row": "40105", "token": "app_jwt"},
        ),
    },
)
def test_the_span_of_a_request_says_how_its_tokens_fared(
    traced: Traced,
    make_app: MakeApp,
    issuer: Issuer,
    ids: bool,
    account_id: str | None,
    expected: dict[str, str],
) -> None:
    """Row, reason and token type; ids only where they were switched on."""
    app = traced.instrument(make_app(), ids=ids)
    tokens = account_id and (
        issuer.app_jwt(aud=account_id, azp="install-1"),
        issuer.consumer_jws(account_id=account_id),
    )
    app.test_client().get("/", headers=headers(*tokens or ()))
    [span] = traced.spans(SpanKind.SERVER)
    assert attributes_of(span) == {"app": "an_app", **expected}


def test_an_optional_token_has_no_ids(traced: Traced, make_app: MakeApp) -> None:
    """Where no AppJWT was sent, there is nothing to name."""
    app = traced.instrument(make_app(), ids=True)
    app.add_url_rule("/optional", "optional", require_app_jwt(optional=True)(lambda: {}))
    app.test_client().get("/optional")
    [span] = traced.spans(SpanKind.SERVER)
    assert attributes_of(span) == {"app": "an_app", "outcome": "verified"}


def test_without_the_sdk_nothing_fails(make_app: MakeApp, issuer: Issuer) -> None:
    """The API alone records nothing."""
    with KeySetServer(issuer) as server:
        app = make_app(APP_JWT_KEYS=server.url)
        instrument_app(app)
        app.add_url_rule("/", "index", require_app_jwt(lambda: {}))
        response = app.test_client().get("/", headers=headers(issuer.app_jwt()))
        assert response.status_code == 200


def test_the_fetch_of_a_key_set_is_a_client_span(
    traced: Traced, make_app: MakeApp, issuer: Issuer
) -> None:
    """OpenTelemetry, semantic conventions for HTTP client spans; once, for all its requests."""
    with KeySetServer(issuer) as server:
        app = traced.instrument(make_app(APP_JWT_KEYS=f"{server.url}?secret=1"))
        instrument_app(app, tracer_provider=traced.provider)
        for _ in range(2):
            app.test_client().get("/", headers=headers(issuer.app_jwt(), issuer.consumer_jws()))
    [span] = traced.spans(SpanKind.CLIENT)
    assert span.name == "GET key set"
    assert span.parent is None
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.full": server.url,
        "server.address": "127.0.0.1",
        "server.port": int(server.url.split(":")[2].split("/")[0]),
    }


def failing_fetch(url: str, **_arguments: Any) -> FetchResponse:
    """Fail as a fetch function may."""
    raise FetchFailed("no complete response within 5 s")


def broken_fetch(url: str, **_arguments: Any) -> FetchResponse:
    """Fail as a fetch function must not, with a text that may quote anything."""
    raise OSError("secret")


def fetch_of(response: Any) -> Any:
    """Return a fetch function that returns *response*."""
    return lambda url, **_arguments: response


@cases(
    "fetch, description, attributes",
    {
        "no response": (
            *(failing_fetch, "no complete response within 5 s"),
            {"error.type": "FetchFailed"},
        ),
        "an exception of the app's": (broken_fetch, None, {"error.type": "OSError"}),
        "a status of failure": (
            *(fetch_of(FetchResponse(503, b"", {})), None),
            {"error.type": "503", "http.response.status_code": 503},
        ),
    },
)
def test_the_span_of_a_failed_fetch_says_why(
    traced: Traced,
    make_app: MakeApp,
    issuer: Issuer,
    fetch: Any,
    description: str | None,
    attributes: dict[str, Any],
) -> None:
    """The class of an exception alone: its text may quote what was received."""
    url = "https://issuer.example/jwks?token=secret"
    app = traced.instrument(make_app(APP_JWT_KEYS=url, JWKS_FETCH=fetch))
    app.test_client().get("/", headers=headers(issuer.app_jwt()))
    [span] = traced.spans(SpanKind.CLIENT)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, description)
    assert span.events == ()
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.full": "https://issuer.example/jwks",
        "server.address": "issuer.example",
        "server.port": 443,
        **attributes,
    }
    assert "secret" not in span.to_json()


def test_a_fetch_that_returns_no_response_is_left_to_the_loader(
    traced: Traced, make_app: MakeApp, issuer: Issuer
) -> None:
    """The span has no status then, and the request is answered with 503."""
    app = traced.instrument(
        make_app(APP_JWT_KEYS="https://issuer.example/jwks", JWKS_FETCH=fetch_of("text"))
    )
    assert app.test_client().get("/", headers=headers(issuer.app_jwt())).status_code == 503
    [span] = traced.spans(SpanKind.CLIENT)
    assert "http.response.status_code" not in (span.attributes or {})


def test_a_fetch_function_of_the_app_runs_within_the_span(
    traced: Traced, make_app: MakeApp, issuer: Issuer
) -> None:
    """So the spans of an instrumented HTTP client are its children."""
    seen = []

    def fetch(url: str, **arguments: Any) -> FetchResponse:
        seen.append((get_current_span().get_span_context(), arguments.keys()))
        raise FetchFailed("no")

    app = traced.instrument(make_app(APP_JWT_KEYS="https://issuer.example/", JWKS_FETCH=fetch))
    app.test_client().get("/", headers=headers(issuer.app_jwt()))
    [span] = traced.spans(SpanKind.CLIENT)
    # The arguments of a fetch function, and not those of the built-in one.
    assert seen == [(span.context, {"headers", "timeout", "max_bytes"})]


def test_the_default_is_the_global_providers(issuer: Issuer) -> None:
    """Even if they are set after the app was instrumented, as in each worker after a fork; and
    apps that are instrumented before and after share the instruments."""
    code = f"""
        from flask import Flask
        from flask_connector_auth import ConnectorAuth, require_app_jwt
        from flask_connector_auth.integrations.opentelemetry import instrument_app
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider

        def make(name, **options):
            app = Flask(name)
            app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = {issuer.key_set()!r}
            ConnectorAuth(app)
            instrument_app(app, **options)
            app.add_url_rule("/", "index", require_app_jwt(lambda: {{}}))
            return app

        apps = [make("before")]
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader])
        metrics.set_meter_provider(provider)
        trace.set_tracer_provider(TracerProvider())
        apps += [make("after"), make("named", meter_provider=provider)]
        for app in apps:
            app.test_client().get("/")
        [resource] = reader.get_metrics_data().resource_metrics
        [scope] = resource.scope_metrics
        for name in ("requests", "keys.ready"):
            [metric] = [each for each in scope.metrics if each.name == "connector_auth." + name]
            points = metric.data.data_points
            print(sorted(point.attributes["connector_auth.app"] for point in points))
    """
    command = [sys.executable, "-W", "error", "-c", dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert (done.stdout, done.stderr) == ("['after', 'before', 'named']\n" * 2, "")
