"""``flask relay …``: how far each destination of the audit log has got, and sending again from any event."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup
from sqlalchemy import select

from config import account_commands, command_tools, destinations
from saas import database
from saas.audit import cursors, lag
from saas.audit.chain import SYSTEM_HEAD_ID
from saas.audit.destinations.looks import WEBHOOKS
from saas.models import AuditCursor

commands = AppGroup("relay", help="Where audit events are pushed to, and how far that is.")
_cursors = AuditCursor.__table__.c


@commands.command("status")
@command_tools.as_json
@command_tools.command
def status(as_json: bool) -> None:
    """Say how far each destination is behind, and what fails."""
    rows = [line._asdict() for line in lag.lag(database.current_database())]
    for row in rows:
        row["seconds_behind"] = round(row["seconds_behind"], 1)
        row["failing"], row["last_error"] = _failing(row["destination"])
    command_tools.print_rows(rows, json_wanted=as_json)


@commands.command("rewind")
@click.argument("destination")
@click.option("--account", help="Of one account, by id or name; `system` for the system's chain.")
@click.option(
    "--to", "seq", required=True, type=click.IntRange(min=0), help="The last seq to keep as sent."
)
@command_tools.command
def rewind(destination: str, account: str | None, seq: int) -> None:
    """Send again what comes after a seq: DESTINATION is nats, http or webhook:<id>. Forward it never goes."""
    name, streams = _streams(destination, account)
    moved = cursors.rewind(database.current_database(), name, streams, seq)
    if not moved:
        raise click.ClickException(
            f"No cursor of {destination} is beyond {seq}: nothing to send again."
        )
    click.echo(f"{moved} set back to {seq}; a worker sends what comes after it.")


def _streams(destination: str, account: str | None) -> tuple[str, list[UUID]]:
    """Return the name in the table, and the streams meant."""
    kind, _, webhook_id = destination.partition(":")
    if kind == "webhook":
        try:
            return WEBHOOKS, [UUID(webhook_id)]
        except ValueError:
            raise click.UsageError("Write webhook:<id>, with the id of the webhook.") from None
    known = destinations.destination_names(command_tools.settings())
    if destination not in known:
        raise click.UsageError(
            f"The settings name no destination {destination!r}, but: {', '.join(known) or 'none'}."
        )
    if account == "system":
        return destination, [SYSTEM_HEAD_ID]
    if account is not None:
        return destination, [account_commands.find_account(account).id]
    with database.looking_across("command line: every cursor of a destination") as connection:
        all_of_it = select(_cursors.stream_id).where(_cursors.destination == destination)
        return destination, list(connection.scalars(all_of_it))


def _failing(destination: str) -> tuple[int, Any]:
    """Return how many streams of a destination fail, and what the newest failure said."""
    failing = select(_cursors.last_error).where(
        _cursors.destination == destination, _cursors.failing_since.is_not(None)
    )
    with database.looking_across("command line: which destinations fail") as connection:
        errors = list(connection.scalars(failing.order_by(_cursors.updated_at.desc())))
    return len(errors), errors[0] if errors else None
