"""What people do in many tests: make roles and keys, invite and accept, all over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient

from tests import mail
from tests.house import House
from tests.people import PASSWORD, Person


@dataclass(frozen=True, slots=True)
class Script:
    """A program with an API key and no cookie."""

    id: str
    key: str = field(repr=False)
    client: FlaskClient = field(repr=False)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return self.client.open(
            path,
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {self.key}"},
            **options,
        )

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)


def done(answer: Any, status: int = 200) -> Any:
    """Hold that something was done, and return its data, or its message."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    body = answer.get_json()
    return body.get("data", body)


def role_ids(person: Person) -> dict[str, str]:
    """Return the roles of the person's account: name → id."""
    return {row["name"]: row["id"] for row in done(person.get("/api/roles?limit=100"))}


def make_role(person: Person, name: str, *permissions: str) -> str:
    """Make a role and return its id."""
    body = {"name": name, "permissions": list(permissions)}
    return str(done(person.post("/api/roles", body), 201)["id"])


def give_role(person: Person, to: Person, role_id: str) -> None:
    done(person.post(f"/api/users/{to.user_id}/roles", {"role_id": role_id}), 201)


def give(person: Person, to: Person, name: str, *permissions: str) -> str:
    """Make a role, give it to somebody and return its id."""
    role_id = make_role(person, name, *permissions)
    give_role(person, to, role_id)
    return role_id


def permissions_of(person: Person) -> set[str]:
    """Return what the person's own session says that they may do."""
    return set(done(person.get("/api/session"))["permissions"])


def make_key(house: House, person: Person, *permissions: str, **more: Any) -> Script:
    """Make an API key and a program that has it."""
    body = {"name": "ci", "permissions": list(permissions)} | more
    made = done(person.post("/api/api-keys", body), 201)
    return Script(made["id"], made["key"], house.app.test_client())


def invite(person: Person, email: str, *roles: str) -> dict[str, Any]:
    """Invite an address with roles, by their names, and return the invitation."""
    known = role_ids(person)
    body = {"email": email, "role_ids": [known[name] for name in roles]}
    invitation: dict[str, Any] = done(person.post("/api/invitations", body), 201)
    return invitation


def accept(client: FlaskClient, token: str, username: str | None = None) -> Any:
    """Try to accept an invitation; with a username as somebody new."""
    new = {"username": username, "password": PASSWORD} if username else {}
    return client.post("/api/invitations/accept", json={"token": token} | new)


def invited(house: House, person: Person, email: str, *roles: str) -> str:
    """Invite an address, deliver the mail and return its token."""
    invite(person, email, *roles)
    return mail.token(house, email)
