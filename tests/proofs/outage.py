"""A house whose database can be taken away, and visitors who write down what they were told meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from config import application
from tests import databases, house
from tests.databases import Urls
from tests.house import House
from tests.proofs import faults, unrestricted, visitors
from tests.proofs.proxy import Proxy, in_front_of
from tests.proofs.visitors import PASSWORD, Visitor
from tests.proofs.wsgi import Answer, leftovers

ALL_OF_THEM = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()",
    "mariadb": "SELECT id FROM information_schema.processlist WHERE db = :name AND id <> connection_id()",
}
KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mariadb": "KILL {}"}

ALL_WELL = [201, 200, 200, 200, 200]  # what a round of a ledger answers
AWAY = [503] * 5


@dataclass
class Outage:
    """An app on a database of its own, and the ways to take that away."""

    urls: Urls
    app: flask.Flask
    proxy: Proxy | None

    def kill_connections(self) -> int:
        """End every connection of the database from the server's side; how many there were."""
        with unrestricted.looking(self.urls) as eye:
            ids = list(
                eye.scalars(text(ALL_OF_THEM[self.urls.backend]), {"name": eye.engine.url.database})
            )
            for each in ids:
                with suppress(DBAPIError):  # it may have gone by itself meanwhile
                    eye.exec_driver_sql(KILL[self.urls.backend].format(int(each)))
        return len(ids)

    def run(self, statement: str) -> None:
        """Run a statement as the superuser, for every connection that comes after it."""
        with unrestricted.looking(self.urls) as eye:
            eye.exec_driver_sql(statement)
        self.kill_connections()


@contextmanager
def outage(backend: str, lite: House, label: str) -> Iterator[Outage]:
    """Make a database with an app on it, by way of a proxy where it has a server; raises DatabaseMissingError."""
    with ExitStack() as stack:
        directory = lite.settings.var_dir
        urls = stack.enter_context(databases.empty_database(backend, directory, label))
        house.migrate(house.settings_for(urls, directory))
        proxied, proxy = (
            (urls, None) if backend == "sqlite" else stack.enter_context(in_front_of(urls))
        )
        app = faults.add_to(
            application.create_app(house.settings_for(proxied, directory), serving=False)
        )
        stack.callback(app.extensions["database"].dispose)
        yield Outage(urls, app, proxy)


@dataclass
class Ledger:
    """What a visitor was told: names whose creation was acknowledged, and those whose fate is unknown."""

    visitor: Visitor
    done: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    slowest: float = 0.0

    def ask(self, what: Callable[[], Answer]) -> Answer:
        """Send one request: it is served or answered with 503 as one of ours, and leaves nothing behind."""
        began = time.monotonic()
        answer = what()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers.append(answer.status)
        assert leftovers() == {}
        if answer.status >= 500:
            page = (answer.header("Content-Type") or "").startswith("text/html")
            assert answer.status == 503 if page else answer.code == 50301, (
                f"{answer.status}: {answer.raw[:500]!r}"
            )
            assert int(answer.header("Retry-After") or 0) > 0
        return answer

    def create(self) -> Answer:
        name = f"entry {len(self.answers)} {self.visitor.mark}"
        answer = self.ask(lambda: self.visitor.post("/api/projects", {"name": name}))
        (self.done if answer.status == 201 else self.unknown).append(name)
        return answer

    def round(self) -> list[int]:
        """One request of every kind: a change, a list, a look across accounts, a sign-in, a page."""
        visitor, before = self.visitor, len(self.answers)
        self.create()
        self.ask(partial(visitor.get, "/api/projects"))
        self.ask(partial(visitor.get, "/api/session"))
        self.sign_in()
        self.ask(partial(visitor.get, "/projects"))
        return self.answers[before:]

    def sign_in(self) -> Answer:
        body = {"email": f"{self.visitor.mark}@example.com", "password": PASSWORD}
        return self.ask(partial(self.visitor.post, "/api/login", body))

    def check(self, urls: Urls) -> None:
        """Everything acknowledged is there; what is not known is there with its event, or not at all."""
        with unrestricted.looking(urls) as eye:
            rows = unrestricted.rows(eye, "projects", account_id=self.visitor.account_id)
            events = unrestricted.rows(eye, "audit_events", account_id=self.visitor.account_id)
            unrestricted.check_chains(eye, [self.visitor.account_id])
        names = sorted(row["name"] for row in rows)
        assert (
            set(self.done)
            <= set(names)
            <= {*self.done, *self.unknown, f"first {self.visitor.mark}"}
        )
        assert names == sorted(
            e["target_label"] for e in events if e["action"] == "project.created"
        )


def ledgers(app: flask.Flask, number: int) -> list[Ledger]:
    return [Ledger(visitors.register(app)) for _ in range(number)]


@contextmanager
def everybody_busy(books: list[Ledger]) -> Iterator[None]:
    """Let every visitor go round and round in a thread of their own; what fails there is raised at the end."""
    over, failures = threading.Event(), []

    def work(book: Ledger) -> None:
        try:
            while not over.is_set():
                book.round()
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(book,)) for book in books]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    if failures:
        raise failures[0]
