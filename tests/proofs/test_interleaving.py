"""Clients of two accounts by turns at one server, over threads and processes: nobody hears anything of the other.

The server is the product's own command with two workers of eight threads; among the requests are some
that raise, that the database refuses, that are cut off in the middle and that nobody waits for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests import databases, house, needs
from tests.databases import DatabaseMissingError, Urls
from tests.house import House
from tests.notes import note
from tests.proofs import crowd, pgbouncer, processes, unrestricted
from tests.proofs.clients import Side

pytestmark = pytest.mark.timeout(600)  # on a machine that has much else to do
CLIENTS = 64
WAYS = {"postgresql": 6500, "pgbouncer": 6500, "sqlite": 3500, "mariadb": 3500}  # 20,000 answers
TEXTS = ("projects", "users", "accounts", "audit_events")


@contextmanager
def served(way: str, lite: House, app: str) -> Iterator[tuple[Urls, int, list[Side], str]]:
    """A server on a database of its own that holds two accounts."""
    directory = lite.settings.var_dir
    with ExitStack() as stack:
        backend = "postgresql" if way == "pgbouncer" else way
        urls = stack.enter_context(databases.empty_database(backend, directory, "served"))
        built = house.build(urls, directory)
        try:
            sides, ida = crowd.settle(built)
        finally:
            built.database.dispose()
        more = {"WEB_CONCURRENCY": "2", "FLASK_APP": f"tests.proofs.{app}:create_app"}
        through = urls
        if way == "pgbouncer":
            through = stack.enter_context(pgbouncer.in_front_of(urls))
            more["DATABASE_POOLER"] = "transaction"
        environment = processes.environment(through, directory, **more)
        log = directory / f"served_{way}.log"
        port = stack.enter_context(processes.serving(environment, log))
        yield urls, port, sides, ida


def check_stored(urls: Urls, sides: list[Side]) -> int:
    """No row of one account holds the mark of the other, nothing half done is there; how many rows were looked at."""
    looked_at = 0
    with unrestricted.looking(urls) as eye:
        unrestricted.check_chains(eye)
        for own, other in (sides, sides[::-1]):
            for table in TEXTS:
                for row in unrestricted.rows(eye, table, account_id=own.account_id):
                    looked_at += 1
                    assert other.mark not in str(dict(row)), f"{table}: {dict(row)}"
                    assert table != "projects" or "broken" not in row["name"]
    return looked_at


def check_interleaving(way: str, answers: int, lite: House) -> None:
    try:
        with served(way, lite, "served") as (urls, port, sides, ida):
            clients = crowd.gather(port, sides, ida, CLIENTS)
            crowd.run(clients, answers)
            rows = check_stored(urls, sides)
    except DatabaseMissingError as error:
        needs.skip_or_fail(error)
    foreign = [each for client in clients for each in client.foreign]
    wrong = [each for client in clients for each in client.wrong]
    assert not foreign, f"{len(foreign)} answers with a foreign mark, such as {foreign[0]}"
    assert not wrong, f"{len(wrong)} wrong answers, such as {wrong[0]}"
    heard = sum((client.answers for client in clients), Counter())
    assert heard.total() >= answers
    assert heard[500] > 0
    assert heard.keys() <= {200, 201, 400, 401, 403, 404, 405, 422, 500}
    cut = sum(client.cut for client in clients)
    assert cut > 0
    note(
        "interleaving",
        f"interleaving: {way}: {heard.total():,} answers to {CLIENTS} clients "
        f"({heard[500]:,} broken on purpose, {cut:,} more cut off): 0 foreign marks; "
        f"{rows:,} rows stored: 0 foreign marks",
    )


@pytest.mark.parametrize("way", WAYS)
def test_clients_of_two_accounts_hear_nothing_of_each_other(way: str, lite: House) -> None:
    check_interleaving(way, WAYS[way], lite)


@pytest.mark.proof
@pytest.mark.parametrize("way", WAYS)
def test_clients_of_two_accounts_hear_nothing_of_each_other_for_long(way: str, lite: House) -> None:
    check_interleaving(way, 10 * WAYS[way], lite)


def test_the_clients_hear_a_leak_that_was_put_in(lite: House) -> None:
    with served("sqlite", lite, "leaky") as (_, port, sides, ida):
        clients = crowd.gather(port, sides, ida, 16)
        crowd.run(clients, 320)
    foreign = sum(len(client.foreign) for client in clients)
    assert foreign > 0
    note(
        "interleaving",
        f"interleaving: a list kept without its account was heard {foreign} times in 320 answers",
    )
