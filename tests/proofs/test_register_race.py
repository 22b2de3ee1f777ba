"""Many people register one address at the same instant, each in a spelling of their own."""

from __future__ import annotations

import secrets
from threading import Barrier, Thread

import pytest

from tests.house import House
from tests.notes import note
from tests.proofs import unrestricted
from tests.proofs.visitors import PASSWORD
from tests.proofs.wsgi import Browser, leftovers

CLIENTS = 16
# What one registration leaves: an account with its head and four roles, a person with a seat, a
# role, a session, and the mail that asks to confirm the address.
ONE_MORE = {
    "accounts": 1,
    "audit_heads": 1,
    "roles": 4,
    "identities": 1,
    "users": 1,
    "users_x_roles": 1,
    "sessions": 1,
    "email_tokens": 1,
    "outbox": 1,
}
ITS_EVENTS = {
    "audit_events": ["account.created", "user.created", "session.created"],
    "system_events": ["identity.created", "token.sent"],
}


def spellings(mark: str) -> list[str]:
    """Sixteen ways to write one address: case, composed and decomposed letters, the domain in Unicode and ASCII."""
    locals_ = [
        f"zoe\u0301.{mark}",
        f"zo\u00e9.{mark}",
        f"ZO\u00c9.{mark}",
        f"Zoe\u0301.{mark.upper()}",
    ]
    domains = [
        "b\u00fccher.example.com",
        "B\u00dcCHER.Example.com",
        "xn--bcher-kva.example.com",
        "bu\u0308cher.example.COM",
    ]
    return [f"{local}@{domain}" for local in locals_ for domain in domains]


def race(house: House, addresses: list[str]) -> list[tuple[int, int | None]]:
    """Register all at once; the status and error code of each."""
    barrier, answers = Barrier(len(addresses)), []
    left: list[object] = []

    def register(number: int, address: str) -> None:
        body = {"username": f"zoe{number}", "email": address, "password": PASSWORD}
        barrier.wait()
        answer = Browser(house.app).call("POST", "/api/register", body)
        answers.append((answer.status, answer.code))
        left.extend(leftovers().items())

    threads = [Thread(target=register, args=(n, address)) for n, address in enumerate(addresses)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left == []
    return answers


def check_races(house: House, races: int) -> None:
    for _ in range(races):
        mark = secrets.token_hex(6)
        with unrestricted.looking(house.urls) as eye:
            before = {table: unrestricted.rows(eye, table) for table in unrestricted.TABLES}
            answers = race(house, spellings(mark))
            after = {table: unrestricted.rows(eye, table) for table in unrestricted.TABLES}
            here = {row["account_id"] for table in (before, after) for row in table["accounts"]}
            new = here - {row["account_id"] for row in before["accounts"]}
            unrestricted.check_chains(eye, new)
        assert sorted(answers) == [(201, None)] + [(409, 40902)] * (CLIENTS - 1)
        for table, more in ONE_MORE.items():
            assert len(after[table]) == len(before[table]) + more, table
        for table, actions in ITS_EVENTS.items():
            known = {row["id"] for row in before[table]}
            assert sorted(
                row["action"] for row in after[table] if row["id"] not in known
            ) == sorted(actions)
        (identity,) = [row for row in after["identities"] if mark in row["email_key"]]
        (seat,) = [row for row in after["users"] if row["identity_id"] == identity["id"]]
        assert seat["account_id"] in {row["account_id"] for row in after["accounts"]}
    note(
        "interleaving",
        f"one address: {house.backend}: {CLIENTS} registrations at once, {races} times: one 201, "
        f"{CLIENTS - 1} times 409, one identity, no orphan, no event of the losers",
    )


def test_one_address_in_sixteen_spellings_is_registered_once(house: House) -> None:
    check_races(house, 2)


@pytest.mark.proof
def test_one_address_is_registered_once_in_a_hundred_races(house: House) -> None:
    check_races(house, 100)
