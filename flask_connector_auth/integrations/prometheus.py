"""Metrics for Prometheus: ``instrument_app(app)``.

Needs ``pip install flask-connector-auth[prometheus]``; no other part of the package imports this
one.
"""

import os
import threading
from collections.abc import Iterator
from math import inf
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from flask import Flask

from ..core import register_fork_reset, steady_time
from .figures import FIGURES, Figure, FigureReporter

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Metric
except ImportError as _error:
    raise ImportError(
        "flask_connector_auth.integrations.prometheus needs prometheus-client: "
        "pip install flask-connector-auth[prometheus]"
    ) from _error

__all__ = ["instrument_app"]

_EXTENSION = "connector_auth_prometheus"
# Seconds between two samples of a process whose figures another process exposes.
_SAMPLE_INTERVAL = 1.0


def instrument_app(app: Flask, registry: CollectorRegistry = REGISTRY) -> None:
    """Add the metrics of the tokens, keys and revocations of *app* to *registry*.

    Call it after ``ConnectorAuth.init_app``. Calling it again changes nothing. Apps of one process
    may share a registry: each metric has the label ``app``, the name of the app. If several apps
    have one name, their counters are added up, and the gauges are those of the last one.

    In the multiprocess mode of prometheus-client (``PROMETHEUS_MULTIPROC_DIR``) each process also
    writes all figures to files for the others. It does so with each event of keys and revocations,
    and in requests that require a token, there at most once a second.

    :param registry: where the metrics are collected; *app* can have only one.
    :raises RuntimeError: if *app* has no extension.
    :raises ValueError: if *app* was instrumented with another registry, or *registry* has metrics
        of these names.

    .. versionadded:: 0.1
    """
    collector = _collectors.get(registry)
    if _EXTENSION in app.extensions:
        if app.extensions[_EXTENSION].collector is not collector:
            raise ValueError("the app was instrumented with another registry")
        return
    new = collector or _Collector()
    reporter = _Reporter(app, new)
    if collector is None:
        registry.register(new)
        _collectors[registry] = new
    new.reporters[app.name] = app.extensions[_EXTENSION] = reporter


class _Collector:
    """The metrics of all apps of one registry."""

    def __init__(self) -> None:
        self.is_multiprocess = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self.metrics = {name: _new_metric(figure) for name, figure in FIGURES.items()}
        self.reporters: WeakValueDictionary[str, _Reporter] = WeakValueDictionary()
        self.reset_after_fork()
        register_fork_reset(self)

    def reset_after_fork(self) -> None:
        """Replace the lock in a child process: one that was held at the fork stays locked."""
        # Reentrant: a collection takes it again for each sample.
        self.lock = threading.RLock()

    def describe(self) -> Iterator[Metric]:
        """Yield the names of the metrics; a registry would sample the figures to learn them."""
        for metric in self.metrics.values():
            yield from metric.describe()

    def collect(self) -> list[Metric]:
        """Return all metrics, with the figures of this moment."""
        with self.lock:
            # Apps that are gone leave nothing. What was written down for others cannot be removed.
            if not self.is_multiprocess:
                for metric in self.metrics.values():
                    if isinstance(metric, Gauge):
                        metric.clear()
            for reporter in list(self.reporters.values()):
                reporter.sample()
            return [family for metric in self.metrics.values() for family in metric.collect()]


_collectors: WeakKeyDictionary[CollectorRegistry, _Collector] = WeakKeyDictionary()


def _new_metric(figure: Figure) -> Counter | Gauge:
    name, labels = figure.prometheus_name, ("app", *figure.labels)
    # A collector of the registry returns the metric: so it is registered nowhere itself.
    if figure.kind != "gauge":
        return Counter(name, figure.description, labels, registry=None)
    # Each process has a cache of its own. All else is the same for all of them, and a process that
    # gets no requests has old figures.
    mode = "livesum" if figure.name.startswith("cache.") else "livemostrecent"
    return Gauge(name, figure.description, labels, registry=None, multiprocess_mode=mode)  # type: ignore[arg-type]


class _Reporter(FigureReporter):
    """Reports the figures of one app to the metrics of a registry."""

    def __init__(self, app: Flask, collector: _Collector) -> None:
        super().__init__(app)
        self.collector = collector
        self._counted: dict[tuple[str, tuple[str, ...]], float] = {}
        self._known_series: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._sampled_at = -inf
        # A series that begins with its first event shows no increase.
        for name, labels in self.rare_events:
            self._series(name, labels)

    def add(self, name: str, labels: tuple[str, ...]) -> None:
        """See :class:`FigureReporter`."""
        # Hot path: labels() takes longer than the counting.
        series = self._known_series.get((name, labels))
        if series is None:
            series = self._known_series[name, labels] = self._series(name, labels)
        series.inc()
        if self.collector.is_multiprocess:
            now = steady_time()
            if name != "requests" or now - self._sampled_at >= _SAMPLE_INTERVAL:
                self._sampled_at = now
                self.sample()

    def sample(self) -> None:
        """Bring all metrics up to date that are not counted by events."""
        with self.collector.lock:
            for name, labels, value in self.samples():
                if FIGURES[name].kind == "counter":
                    # A count is read without a lock, and may be a little less than before.
                    before = self._counted.get((name, labels), 0)
                    self._counted[name, labels] = max(value, before)
                    self._series(name, labels).inc(max(value - before, 0))
                else:
                    self._series(name, labels).set(value)

    def _series(self, name: str, labels: tuple[str, ...]) -> Any:
        return self.collector.metrics[name].labels(self.app_name, *labels)
