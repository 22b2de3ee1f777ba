"""Figures for Prometheus: requests by route template, lines and refusals dropped, the lag of the log, the outbox.

prometheus-client counts; with several processes it needs ``PROMETHEUS_MULTIPROC_DIR`` set before it is imported,
which ``flask serve`` does. What the database knows is asked when somebody looks.
https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from time import perf_counter

import flask
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from saas import outbox
from saas.audit import lag
from saas.database import Database

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The figures of one process; ``expose`` adds those of its sisters and of the database."""

    def __init__(self, in_use: Database) -> None:
        self._registry = CollectorRegistry()
        self._database = in_use
        labels = ["method", "route", "status"]
        self._requests = Counter(
            "tenantry_requests", "Requests, by route template.", labels, registry=self._registry
        )
        self._seconds = Histogram(
            "tenantry_request_seconds",
            "How long requests took, by route template.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._dropped = Counter(
            "tenantry_log_lines_dropped",
            "Log lines that nobody took in time.",
            registry=self._registry,
        )
        self._dropped.inc(0)  # so that it is there before anything was lost

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. A route is a template, and a method is one of few: no client can add a series."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def drop_lines(self, lines: int) -> None:
        """Count log lines that were lost."""
        self._dropped.inc(lines)

    def expose(self) -> bytes:
        """Return every figure in the text format of Prometheus; raises DatabaseAwayError where it cannot be asked."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        asked = CollectorRegistry()
        asked.register(_Asked(self._database))
        return generate_latest(registry) + generate_latest(asked)


class _Asked:
    """What the database knows."""

    def __init__(self, in_use: Database) -> None:
        self._database = in_use

    def collect(self) -> Iterator[Metric]:
        events = GaugeMetricFamily(
            "tenantry_audit_lag_events",
            "Events that a destination has still to get.",
            labels=["destination"],
        )
        seconds = GaugeMetricFamily(
            "tenantry_audit_lag_seconds",
            "Age of the event that waits longest.",
            labels=["destination"],
        )
        for line in lag.lag(self._database):
            events.add_metric([line.destination], line.events_behind)
            seconds.add_metric([line.destination], line.seconds_behind)
        work = GaugeMetricFamily(
            "tenantry_outbox", "Pieces of work, by state: waiting, given_up.", labels=["state"]
        )
        for state, number in outbox.depth(self._database).items():
            work.add_metric([state], number)
        yield from (events, seconds, work)


def init_app(app: flask.Flask, on_drop: Callable[[Callable[[int], None]], None]) -> None:
    """Count every request of an app; ``on_drop`` is told whom to call when log lines are lost."""
    metrics = app.extensions["metrics"] = Metrics(app.extensions["database"])
    on_drop(metrics.drop_lines)

    @app.before_request
    def begin() -> None:
        flask.g.began = perf_counter()

    @app.after_request
    def end(response: flask.Response) -> flask.Response:
        rule = flask.request.url_rule
        seconds = perf_counter() - flask.g.get("began", perf_counter())
        metrics.count(
            flask.request.method, rule.rule if rule else "unmatched", response.status_code, seconds
        )
        return response
