"""``flask accounts …`` and ``flask shell-in``: accounts from the command line."""

from __future__ import annotations

import code
import sys
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select

from config import command_tools
from saas import actor, database, models
from saas.models import Account
from saas.services import account_services
from saas.unit import AnyRow
from tenants import enter_account

accounts = AppGroup("accounts", help="List, show, suspend and restore accounts.")
_accounts = Account.__table__.c
_ROWS = select(
    _accounts.account_id.label("id"), _accounts.name, _accounts.status, _accounts.created_at
)
_REASON = click.option(
    "--reason", required=True, help="Why; the account reads it in its audit log."
)


@accounts.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@command_tools.as_json
@command_tools.command
def list_accounts(limit: int, as_json: bool) -> None:
    """List accounts, newest first."""
    with database.looking_across("command line: list accounts") as connection:
        rows = connection.execute(_ROWS.order_by(_accounts.account_id.desc()).limit(limit)).all()
    command_tools.print_rows([dict(row._mapping) for row in rows], json_wanted=as_json)


@accounts.command("show")
@click.argument("account")
@command_tools.as_json
@command_tools.command
def show_account(account: str, as_json: bool) -> None:
    """Show one account, by id or name."""
    command_tools.print_rows([dict(find_account(account)._mapping)], json_wanted=as_json)


@accounts.command("suspend")
@click.argument("account")
@_REASON
@command_tools.command
def suspend_account(account: str, reason: str) -> None:
    """Lock everybody out of an account at their next request."""
    found = find_account(account)
    with enter_account(found.id):
        account_services.suspend_account(
            actor.system_actor(found.id, "flask accounts suspend"), reason=reason
        )
    click.echo(f"{found.name} is suspended.")


@accounts.command("restore")
@click.argument("account")
@_REASON
@command_tools.command
def restore_account(account: str, reason: str) -> None:
    """Let people back into an account."""
    found = find_account(account)
    with enter_account(found.id):
        account_services.restore_account(
            actor.system_actor(found.id, "flask accounts restore"), reason=reason
        )
    click.echo(f"{found.name} is active.")


@click.command("shell-in")
@click.argument("account")
@with_appcontext
@command_tools.command
def shell_in(account: str) -> None:
    """Open a Python shell inside one account."""
    found = find_account(account)
    with enter_account(found.id), database.reading() as unit:
        names = {**shell_names(), "unit": unit, "session": unit.session, "account_id": found.id}
        sys.excepthook = (
            sys.__excepthook__
        )  # whoever types here reads their mistakes here, not in the log
        code.interact(
            f"You are in {found.name} ({found.id}). Models are loaded; `session` reads.",
            local=names,
        )


def shell_names() -> dict[str, Any]:
    """Return what a shell starts with: every model, and the words of the boundary."""
    names = {name: getattr(models, name) for name in models.__all__}
    return {**names, "database": database, "enter_account": enter_account, "select": select}


def find_account(account: str) -> AnyRow:
    """Return id, name, status and creation of one account; a name that several have must be given as an id."""
    with database.looking_across("command line: find an account") as connection:
        found = connection.execute(_ROWS.where(_by(account)).limit(2)).all()
    if not found:
        raise click.ClickException(
            f"There is no account {account!r}. `flask accounts list` shows them."
        )
    if len(found) > 1:
        raise click.ClickException(f"Several accounts are called {account!r}; give the id.")
    return found[0]


def _by(account: str) -> Any:
    try:
        return _accounts.account_id == UUID(account)
    except ValueError:
        return _accounts.name == account
