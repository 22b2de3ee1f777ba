"""The demo data: acme and globex, and people who can sign in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from saas import errors
from saas.actor import Actor
from saas.permissions import SYSTEM_ROLES
from saas.services import (
    account_services,
    identity_services,
    operator_staff_services,
    project_services,
    user_services,
)
from saas.services.session_services import Client
from tenants import enter_account

# (account, username, address, roles); the first of each account registers it. Ida sits in both.
PEOPLE = (
    ("acme", "ada", "ada@example.com", ["owner"]),
    ("acme", "ben", "ben@example.com", ["admin"]),
    ("acme", "cleo", "cleo@example.com", ["member"]),
    ("acme", "vera", "vera@example.com", ["viewer"]),
    ("acme", "ida", "ida@example.com", ["member"]),
    ("globex", "gus", "gus@example.com", ["owner"]),
    ("globex", "ida", "ida@example.com", ["viewer"]),
)
# (address, role): who signs in to the console.
OPERATORS = (
    ("olga@example.com", "administrator"),
    ("sam@example.com", "support"),
    ("vic@example.com", "viewer"),
)
PROJECTS = {"acme": ("Apollo", "Gemini"), "globex": ("Manhattan",)}
_CLIENT = Client(ip="", user_agent="flask seed")


def seed(var_dir: Path) -> None:
    """Make what is missing of the demo data, and print how to sign in.

    Passwords are random. They are printed when they are made and kept, for the owner of the files only, in
    ``demo_sign_ins.json``; a later run finds everything in place and changes nothing.
    """
    kept = var_dir / "demo_sign_ins.json"
    known: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    missing = dict.fromkeys(email for _, _, email, _ in PEOPLE if email not in known)
    # Somebody who is there already keeps the password they have, though nobody wrote it down.
    made = {email: secrets.token_urlsafe(12) for email in missing if not _is_known(email)}
    known |= made
    _keep(kept, known)
    owners: dict[str, Actor] = {}
    for account, username, email, role_keys in PEOPLE:
        owners[account] = _place(
            owners.get(account), account, username, email, known.get(email, ""), role_keys
        )
    for account, names in PROJECTS.items():
        _add_projects(owners[account], names)
    _tell(made, kept)
    _add_operators(var_dir / "demo_operators.json")


def _is_known(email: str) -> bool:
    return identity_services.find_identity(email_key=email) is not None


def _place(
    owner: Actor | None,
    account: str,
    username: str,
    email: str,
    password: str,
    role_keys: list[str],
) -> Actor:
    seat = _find_seat(email, account)
    if owner is None:
        if seat is not None:
            return _owner_in(seat)
        return account_services.register(
            username=username, email=email, password=password, account_name=account, client=_CLIENT
        )
    if seat is None:
        with enter_account(owner.account_id):
            user_services.add_user(
                owner, email=email, username=username, password=password, role_keys=role_keys
            )
    return owner


def _find_seat(email: str, account: str) -> Any:
    known = identity_services.find_identity(email_key=email)
    seats = identity_services.list_seats(known.id) if known else []
    return next((seat for seat in seats if seat.account_name == account), None)


def _owner_in(seat: Any) -> Actor:
    user_id: UUID = seat.user_id
    return Actor(
        "user",
        user_id,
        seat.username,
        seat.account_id,
        SYSTEM_ROLES["owner"],
        account_name=seat.account_name,
    )


def _add_projects(owner: Actor, names: tuple[str, ...]) -> None:
    with enter_account(owner.account_id):
        for name in names:
            try:
                project_services.create_project(owner, name=name)
            except errors.NameAlreadyExistsError:
                continue  # there already, from an earlier run


def _add_operators(kept: Path) -> None:
    """Make the operators that are missing, tell how they sign in, and keep it for the owner of the files."""
    known: dict[str, dict[str, str]] = json.loads(kept.read_text()) if kept.exists() else {}
    there = {row.email for row in operator_staff_services.everybody()}
    made = {}
    for email, role in OPERATORS:
        if email not in there:
            new = operator_staff_services.add_operator(email=email, role=role)
            made[email] = {"password": new.password, "role": role, "totp_secret": new.totp_secret}
    _keep(kept, known | made)
    if made:
        click.echo(f"  {'OPERATOR':<20}{'PASSWORD':<22}{'ROLE':<15}SECRET OF THE SECOND FACTOR")
    for email, each in made.items():
        told = f"{each['password']:<22}{each['role']:<15}{each['totp_secret']}"
        click.echo(f"  {email:<20}{told}")
    click.echo(f"  Operators sign in at /admin/sign-in (kept in {kept}).")
    command = ".venv/bin/python -m flask operators code olga@example.com"
    click.echo(f"  A code without an app: {command}\n")


def _keep(path: Path, known: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(known, indent=1) + "\n")


def _tell(made: dict[str, str], kept: Path) -> None:
    click.echo("\nDemo accounts: acme and globex.")
    if not made:
        click.echo(f"They were here already; the passwords of the first run stand in {kept}\n")
        return
    click.echo(f"  {'SIGN IN AS':<22}{'PASSWORD':<20}IN")
    for email, password in made.items():
        seats = ", ".join(
            f"{account} ({' '.join(roles)})"
            for account, _, address, roles in PEOPLE
            if address == email
        )
        click.echo(f"  {email:<22}{password:<20}{seats}")
    click.echo(f"  (kept in {kept}, readable by you alone)\n")
