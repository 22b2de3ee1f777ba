"""``flask worker`` and ``flask permissions …``."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select

from config import command_tools
from config import worker as outbox_worker
from saas import database
from saas.models import Role, UserRole
from saas.permissions import BY_NAME, SYSTEM_ROLES, Permission
from saas.routes import ROUTES
from saas.security import emails
from saas.services import held_permissions, identity_services
from tenants import enter_account


@click.command("worker")
@click.option("--once", is_flag=True, help="Do what is due and stop.")
@with_appcontext
def worker(once: bool) -> None:
    """Deliver what waits in the outbox, and audit events; any number may run. SIGTERM finishes the piece at hand."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    chosen = command_tools.settings()
    command_tools.log_to_output()
    with command_tools.talking_to_database() as in_use:
        tried = outbox_worker.run(chosen, in_use, stop, until_idle=once)
    command_tools.say(f"{tried} done or put off.", tried=tried)


permissions = AppGroup("permissions", help="Who may do what, and why.")


@permissions.command("matrix")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "csv", "json"]), default="text"
)
def matrix(form: str) -> None:
    """Print roles × permissions, and routes × permissions."""
    roles = [
        {"permission": p.value, **{r: p in held for r, held in SYSTEM_ROLES.items()}}
        for p in Permission
    ]
    routes = [{"method": r.method, "path": r.path, "permission": str(r.permission)} for r in ROUTES]
    if form == "json":
        click.echo(json.dumps({"roles": roles, "routes": routes}))
        return
    for rows in (roles, routes):
        click.echo(_table(rows, form))


@permissions.command("explain")
@click.argument("email")
@click.argument("permission", type=click.Choice([p.value for p in Permission]))
@command_tools.as_json
@command_tools.command
def explain(email: str, permission: str, as_json: bool) -> None:
    """Say for each account of a person whether they hold a permission, and which role gives it."""
    known = identity_services.find_identity(email_key=emails.email_key(email))
    if known is None:
        raise click.ClickException(f"Nobody signs in with {email}.")
    wanted = BY_NAME[permission]
    rows = []
    for seat in identity_services.list_seats(known.id):
        givers = _givers(seat, wanted)
        open_seat = (
            seat.user_status == seat.account_status == "active" and known.suspended_at is None
        )
        why = ", ".join(givers) if givers else "no role of theirs gives it"
        rows.append(
            {
                "account": seat.account_name,
                "allowed": bool(givers) and open_seat,
                "because": why if open_seat else f"suspended ({why})",
            }
        )
    command_tools.print_rows(rows, json_wanted=as_json)


def _givers(seat: Any, wanted: Permission) -> list[str]:
    held = (
        select(Role)
        .join(UserRole, UserRole.role_id == Role.id)
        .where(UserRole.user_id == seat.user_id)
    )
    with enter_account(seat.account_id), database.reading() as unit:
        found = unit.session.scalars(held).all()
    return sorted(r.name for r in found if wanted in held_permissions.permissions_of_role(r))


def _table(rows: list[dict[str, Any]], form: str) -> str:
    heads = list(rows[0])
    cells = [
        [("yes" if c is True else "" if c is False else str(c)) for c in row.values()]
        for row in rows
    ]
    if form == "csv":
        return "\n".join(",".join(line) for line in [heads, *cells]) + "\n"
    if form == "markdown":
        rule = ["---"] * len(heads)
        return "\n".join("| " + " | ".join(line) + " |" for line in [heads, rule, *cells]) + "\n"
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
        for line in [heads, *cells]
    ]
    return "\n".join(lines) + "\n"
