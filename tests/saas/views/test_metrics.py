"""GET /metrics: what Prometheus reads, by the names of routes and not of rows; only where the setting says so."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from config import log
from saas import metrics
from tests.house import House
from tests.people import Person
from tests.refusals import nothing_changes, refused
from tests.variants import variant


def figures(house: House) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every figure: name and labels → value."""
    answer = house.app.test_client().get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.get_data(as_text=True))
        for sample in family.samples
    }


def requests(house: House, method: str, route: str, status: int) -> float:
    labels = (("method", method), ("route", route), ("status", str(status)))
    return figures(house).get(("tenantry_requests_total", labels), 0)


def test_requests_are_counted_by_the_template_of_their_route(house: House, ada: Person) -> None:
    route = "/api/projects/<uuid:project_id>"
    before = requests(house, "GET", route, 404)

    for number in range(3):
        ada.get(f"/api/projects/00000000-0000-7000-8000-00000000000{number}")

    assert requests(house, "GET", route, 404) == before + 3


def test_no_client_can_add_a_series(house: House) -> None:
    client = house.app.test_client()
    for path, method in (("/no/such/page/1", "GET"), ("/healthz", "MX"), ("/metrics", "GET")):
        client.open(path, method=method)
    before = len(figures(house))

    for number in range(20):
        client.get(f"/no/such/page/{number}")
        client.open("/healthz", method=f"M{number}")

    assert len(figures(house)) <= before + 3
    assert not re.search("such/page|M1", house.app.test_client().get("/metrics").get_data(True))


def test_lag_drops_and_outbox_are_there(house: House, ada: Person) -> None:
    told = figures(house)

    assert told["tenantry_audit_lag_events", (("destination", "webhooks"),)] >= 0
    assert told["tenantry_audit_lag_seconds", (("destination", "webhooks"),)] >= 0
    assert told["tenantry_outbox", (("state", "waiting"),)] >= 1  # a mail to Ada
    assert ("tenantry_outbox", (("state", "given_up"),)) in told


def test_dropped_lines_are_counted(lite: House) -> None:
    before = figures(lite)["tenantry_log_lines_dropped_total", ()]
    log.on_lost(lite.app.extensions["metrics"].drop_lines)

    log._count_lost(7)

    assert figures(lite)["tenantry_log_lines_dropped_total", ()] == before + 7


def test_without_the_setting_there_is_no_such_address(lite: House) -> None:
    with variant(lite, metrics=False) as quiet, nothing_changes(quiet):
        refused(quiet.app.test_client().get("/metrics"), 40401)
    assert isinstance(lite.app.extensions["metrics"], metrics.Metrics)
