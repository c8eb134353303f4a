"""Traces and metrics for OpenTelemetry: ``instrument_app(app)``.

Needs ``pip install flask-connector-auth[opentelemetry]``; no other part of the package imports this
one.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakValueDictionary

from flask import Flask

from ..core import AppJWT, ConsumerJWS
from ..keys import Fetch, FetchFailed, FetchResponse, RemoteKeys
from .figures import FIGURES, Figure, FigureReporter

try:
    from opentelemetry import metrics, trace
except ImportError as _error:
    raise ImportError(
        "flask_connector_auth.integrations.opentelemetry needs opentelemetry-api: "
        "pip install flask-connector-auth[opentelemetry]"
    ) from _error

__all__ = ["instrument_app"]

_EXTENSION = "connector_auth_opentelemetry"
_PREFIX = "connector_auth."
_SCOPE = "flask_connector_auth", metadata.version("flask-connector-auth")


def instrument_app(
    app: Flask,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
    ids: bool = False,
) -> None:
    """Report the tokens, keys and revocations of *app* to OpenTelemetry.

    Call it after ``ConnectorAuth.init_app``. Calling it again changes nothing.

    - The span that is current when tokens are verified or refused gets the attributes
      ``connector_auth.outcome``, ``reason``, ``row`` and ``token``.
    - Each GET of a key set is a client span. It has no parent: the fetch has a thread of its own,
      and serves all requests.
    - The meter gets the same figures as Prometheus would, with the attribute
      ``connector_auth.app``, the name of the app. If several apps have one name, their counters of
      events are added up. All other figures are those of the last one.

    :param tracer_provider: by default the global one, even if it is set later.
    :param meter_provider: by default the global one, even if it is set later.
    :param ids: whether the span also gets ``connector_auth.account_id`` and
        ``connector_auth.install_id`` of a verified AppJWT.
    :raises RuntimeError: if *app* has no extension.

    .. versionadded:: 0.1
    """
    if _EXTENSION in app.extensions:
        return
    # The module stands for the global provider, which is a proxy until an application sets one.
    is_global = meter_provider in (None, metrics.get_meter_provider())
    provider = metrics if is_global else meter_provider
    instruments = _instruments.get(provider)
    if instruments is None:
        meter = metrics.get_meter(*_SCOPE, None if is_global else meter_provider)
        instruments = _instruments[provider] = _Instruments(meter)
    reporter = _Reporter(app, instruments.counters, ids=ids)
    instruments.reporters[app.name] = app.extensions[_EXTENSION] = reporter
    tracer = trace.get_tracer(*_SCOPE, tracer_provider)
    for sources in reporter.key_sources.values():
        for source in sources:
            if isinstance(source, RemoteKeys):
                source.wrap_fetch(lambda fetch: partial(_fetch_in_span, tracer, fetch))


class _Instruments:
    """The instruments of one meter, for all apps."""

    def __init__(self, meter: metrics.Meter) -> None:
        self.reporters: WeakValueDictionary[str, _Reporter] = WeakValueDictionary()
        self.counters: dict[str, metrics.Counter] = {}
        for figure in FIGURES.values():
            name = f"{_PREFIX}{figure.name}"
            about = {"unit": figure.unit or "1", "description": figure.description}
            callbacks = [partial(_observe, self.reporters, figure)]
            if figure.kind == "events":
                self.counters[figure.name] = meter.create_counter(name, **about)
            elif figure.kind == "counter":
                meter.create_observable_counter(name, callbacks, **about)
            else:
                meter.create_observable_gauge(name, callbacks, **about)


# By the provider of the meter.
_instruments: WeakKeyDictionary[object, _Instruments] = WeakKeyDictionary()


def _observe(
    reporters: Mapping[str, "_Reporter"], figure: Figure, _options: metrics.CallbackOptions
) -> Iterator[metrics.Observation]:
    """Yield the values of *figure* for all apps."""
    for reporter in list(reporters.values()):
        for name, labels, value in reporter.samples():
            if name == figure.name:
                yield metrics.Observation(value, reporter.attributes(name, labels))


class _Reporter(FigureReporter):
    """Reports the figures of one app to the counters of a meter, and annotates spans."""

    def __init__(self, app: Flask, counters: Mapping[str, metrics.Counter], *, ids: bool) -> None:
        super().__init__(app)
        self._counters = counters
        self._ids = ids
        self._attributes: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}

    def add(self, name: str, labels: tuple[str, ...]) -> None:
        """See :class:`FigureReporter`."""
        attributes = self.attributes(name, labels)
        self._counters[name].add(1, attributes)
        if name == "requests":
            trace.get_current_span().set_attributes(attributes)

    def on_verified(
        self, app: Flask, app_jwt: AppJWT | None, consumer_jws: ConsumerJWS | None
    ) -> None:
        """See :class:`FigureReporter`."""
        super().on_verified(app, app_jwt, consumer_jws)
        if self._ids and app_jwt is not None:
            span = trace.get_current_span()
            span.set_attribute(f"{_PREFIX}account_id", app_jwt.account_id)
            span.set_attribute(f"{_PREFIX}install_id", app_jwt.install_id)

    def attributes(self, name: str, labels: tuple[str, ...]) -> dict[str, Any]:
        """Return the labels of a figure as attributes; one without a value is left out."""
        attributes = self._attributes.get((name, labels))
        if attributes is None:
            values = dict(zip(FIGURES[name].labels, labels, strict=True), app=self.app_name)
            attributes = {f"{_PREFIX}{label}": value for label, value in values.items() if value}
            self._attributes[name, labels] = attributes
        return attributes


def _fetch_in_span(tracer: trace.Tracer, fetch: Fetch, url: str, **arguments: Any) -> FetchResponse:
    """Call *fetch* in a client span (OpenTelemetry, semantic conventions for HTTP spans)."""
    with tracer.start_as_current_span(
        "GET key set",
        kind=trace.SpanKind.CLIENT,
        attributes=_url_attributes(url),
        # The text of an exception may quote what was received.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            response = fetch(url, **arguments)
        except BaseException as error:
            reason = str(error) if isinstance(error, FetchFailed) else None
            span.set_status(trace.StatusCode.ERROR, reason)
            span.set_attribute("error.type", type(error).__name__)
            raise
        # A fetch function of the application may return anything.
        status = getattr(response, "status", None)
        if isinstance(status, int):
            span.set_attribute("http.response.status_code", status)
            if status >= 400:
                span.set_status(trace.StatusCode.ERROR)
                span.set_attribute("error.type", str(status))
        return response


def _url_attributes(url: str) -> dict[str, str | int]:
    """Return the attributes of a request for *url*, whose query may be secret."""
    parts = urlsplit(url)
    return {
        "http.request.method": "GET",
        "url.full": url.partition("?")[0],
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
    }
