"""Operators of the tests: Olga the administrator, Sam of support, Vic who looks; each with a browser signed in."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select

from saas.models import SystemEventRow
from saas.services import operator_staff_services
from tests.house import House
from tests.refusals import look

REASON = "They asked for it by telephone."
NAMES = {"administrator": "olga", "support": "sam", "viewer": "vic"}


@dataclass(frozen=True, slots=True)
class Desk:
    """One operator, and a browser signed in."""

    house: House = field(repr=False)
    id: UUID
    email: str
    role: str
    password: str
    recovery_codes: list[str] = field(repr=False)
    client: FlaskClient = field(repr=False)

    def code(self) -> str:
        """Return the present code of the app."""
        with self.house.in_use():
            return operator_staff_services.present_code(email=self.email)

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def token(self) -> str:
        """Return what every form of this session carries, as a page shows it."""
        found = re.search(
            r'name="csrf" value="(\w+)"', self.get("/admin/me/").get_data(as_text=True)
        )
        assert found
        return found[1]

    def post(self, path: str, **fields: Any) -> Any:
        """Send a form as the page would: with its token."""
        return self.client.post(path, data={"csrf": self.token(), **fields})

    def act(self, path: str, reason: str = REASON, **fields: Any) -> Any:
        return self.post(path, reason=reason, **fields)

    def told(self) -> list[Any]:
        """Return what the log of the house says of this operator, oldest first."""
        table = SystemEventRow.__table__
        mine = table.c.actor_id == str(self.id)
        return look(self.house, select(table).where(mine).order_by(table.c.seq))


def hire(house: House, role: str = "administrator", *, signed_in: bool = True) -> Desk:
    """Make an operator and sign them in over HTTP, with a recovery code: those of the app stay unused."""
    email = f"{NAMES[role]}.{secrets.token_hex(6)}@example.com"
    with house.in_use():
        made = operator_staff_services.add_operator(email=email, role=role)
    desk = Desk(
        house, made.id, email, role, made.password, made.recovery_codes, house.app.test_client()
    )
    if signed_in:
        answer = sign_in(desk, made.recovery_codes[-1])
        assert answer.status_code == 303, answer.get_data(as_text=True)
    return desk


def sign_in(desk: Desk, code: str, **other: str) -> Any:
    """Send the sign-in form."""
    fields = {"email": desk.email, "password": desk.password, "code": code, **other}
    return desk.client.post("/admin/sign-in", data=fields)


def alert(answer: Any) -> str:
    """Return what a refused form says on top."""
    found = re.search(r'role="alert"[^>]*>([^<]+)<', answer.get_data(as_text=True))
    return found[1] if found else ""
