"""The canaries sing: a secret in a line, an error or an event is seen."""

from __future__ import annotations

import structlog
from sqlalchemy import update

from saas.models import AuditEventRow
from saas.security import signing, tokens
from tests import canaries
from tests.house import House
from tests.people import PASSWORD, Person
from tests.refusals import superuser


def test_secrets_of_the_suite_are_marked(house: House, ada: Person) -> None:
    cookie = ada.client.get_cookie("session")
    assert canaries.MARK in tokens.new_token()
    assert canaries.MARK in signing.new_secret()
    assert cookie is not None
    with superuser(house) as connection:
        assert canaries.in_events(connection) == []


def test_one_in_a_line_of_the_log_is_seen(lite: House) -> None:
    structlog.get_logger("test").info("x", about=f"a {tokens.new_token()}")
    structlog.get_logger("test").info("x", about=f"a {PASSWORD}")

    assert len(canaries.found) == 2
    canaries.found.clear()


def test_one_in_an_event_is_seen(house: House, ada: Person) -> None:
    events = AuditEventRow.__table__
    with superuser(house) as connection:
        mine = update(events).where(events.c.account_id == ada.account_id)
        connection.execute(mine.values(reason=f"x {tokens.new_token()}"))
        assert canaries.in_events(connection)
        connection.execute(mine.values(reason="x", changes=[{"new": PASSWORD}]))
        assert canaries.in_events(connection)
        connection.rollback()


def test_one_in_a_mail_is_seen() -> None:
    assert canaries.in_mail(f"your password is {PASSWORD}".encode())
    assert not canaries.in_mail(f"open {tokens.new_token()}".encode())
