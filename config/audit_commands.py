"""``flask audit …``: verify, tail, export and prune the audit log from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from config import account_commands, audit_following, command_tools
from saas import actor, database, errors
from saas.audit import copies, export, lag, pruning, reading
from saas.audit.events import AuditEvent
from saas.audit.reading import Chain
from saas.audit.verify import Report, Verdict
from saas.models import Account, AuditHead
from saas.services import account_services, audit_services
from tenants import enter_account

WRONG_USE = 3
_heads, _accounts = AuditHead.__table__.c, Account.__table__.c
_account = click.option("--account", help="One account, by id or name; else every chain.")

audit = AppGroup("audit", help="Verify, follow, export and prune the audit log.")


class _WrongUse(click.ClickException):
    exit_code = WRONG_USE


class _Incomplete(click.ClickException):
    exit_code = int(Verdict.INCOMPLETE)


class _Verify(click.Command):
    """Only what was found is told as 1 and 2: an alarm must not ring for a misspelt option or account."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise _WrongUse(error.format_message()) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (_WrongUse, _Incomplete):
            raise
        except click.ClickException as error:
            raise _WrongUse(error.message) from error
        except (errors.DatabaseAwayError, SQLAlchemyError) as error:
            raise _Incomplete(
                "The database could not be read, so nothing is said of its log."
            ) from error


@audit.command("verify", cls=_Verify)
@_account
@click.option(
    "--file",
    "copy",
    type=click.Path(path_type=Path),
    help="An export (NDJSON) to verify, and to hold the log against.",
)
@click.option("--offline", is_flag=True, help="Verify the file alone, without a database.")
@command_tools.as_json
@with_appcontext
def verify(account: str | None, copy: Path | None, offline: bool, as_json: bool) -> None:
    """Recompute the chains. Exit code 0: good, 1: tampered with, 2: incomplete, 3: wrong use."""
    if offline and copy is None:
        raise _WrongUse("--offline verifies a file: give it with --file.")
    reports: list[Report] = []
    try:
        if copy is not None:
            with copy.open("rb") as lines:
                reports += copies.verify(lines)
        if not offline:
            reports += _verify_online(account, copy)
    except (copies.UnreadableCopyError, OSError) as error:
        raise _WrongUse(str(error)) from error
    _tell(reports, as_json)
    raise SystemExit(worst(reports))


def worst(reports: Iterable[Report]) -> int:
    """Return the exit code of several reports: tampered before incomplete before good."""
    verdicts = {report.verdict for report in reports}
    order = (Verdict.TAMPERED, Verdict.INCOMPLETE)
    return next((int(each) for each in order if each in verdicts), 0)


def _verify_online(account: str | None, copy: Path | None) -> list[Report]:
    run = reading.across
    with command_tools.talking_to_database():
        chains = _chains(account)
        hidden = not sys.stderr.isatty()  # progress is for a terminal
        with click.progressbar(chains, label="Verifying", file=sys.stderr, hidden=hidden) as shown:
            reports = [chain.verify(run) for chain in shown]
        if copy is not None:
            with copy.open("rb") as lines:
                wanted = {chain.name for chain in chains} if account else None
                reports += copies.compare(lines, run, wanted)
        return reports


def _tell(reports: list[Report], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([report.as_dict() for report in reports]))
        return
    for report in reports:
        if report.verdict is not Verdict.GOOD and report.finding:
            click.echo(f"{report.chain}: {report.verdict.name.lower()}: {report.finding.what}")
    events = sum(report.events for report in reports)
    good = sum(report.verdict is Verdict.GOOD for report in reports)
    pruned = sum(report.pruned for report in reports)
    gone = f", {pruned} pruned as their logs tell" if pruned else ""
    click.echo(f"{events} events verified{gone}: {good} of {len(reports)} chains are good.")


@audit.command("tail")
@_account
@click.option("--follow", is_flag=True, help="Go on as events come.")
@click.option("--from-start", is_flag=True, help="Begin with the first event, not behind the last.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file that remembers what was delivered, so that nothing is missed between two runs.",
)
@command_tools.command
def tail(account: str | None, follow: bool, from_start: bool, state: Path | None) -> None:
    """Print events as lines of JSON, each at least once and in the order of its chain: for a pipe.

    Without --state it begins behind the last event of now.
    """
    only = None if account is None else _find(account)
    try:
        remembered = audit_following.State(state, from_start=from_start)
        audit_following.follow(sys.stdout.buffer, only=only, state=remembered, forever=follow)
    except BrokenPipeError:
        raise SystemExit(
            1
        ) from None  # nobody reads any more: what was not taken counts as not delivered
    except (audit_following.StateError, OSError) as error:
        raise click.ClickException(str(error)) from error


@audit.command("export")
@_account
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(export.MEDIA_TYPES)),
    default="ndjson",
    show_default=True,
)
@click.option(
    "--output", type=click.File("wb", lazy=True), default="-", help="A file; else standard output."
)
@with_appcontext
@command_tools.command
def export_events(account: str | None, form: str, output: BinaryIO) -> None:
    """Write events oldest first, one chain after the other. Only ndjson can be verified afterwards."""
    for chain in _chains(account):
        output.writelines(_export(chain, form))


def _export(chain: Chain, form: str) -> Iterator[bytes]:
    if chain.account_id is not None:
        who = actor.system_actor(chain.account_id, "flask audit export")
        with enter_account(chain.account_id):
            yield from audit_services.export_events(who, form=form, filters=audit_services.ALL)
        return
    run = reading.across
    head = chain.head(run)
    yield from export.export(chain.pages(run, until=head.seq if head else 0), form)


@audit.command("retention")
@click.argument("account")
@click.argument("days", type=click.IntRange(min=0))
@click.option("--reason", required=True, help="Why; the account reads it in its audit log.")
@command_tools.command
def set_retention(account: str, days: int, reason: str) -> None:
    """Keep an account's events for so many DAYS; 0: for ever, which is the default."""
    found = account_commands.find_account(account)
    who = actor.system_actor(found.id, "flask audit retention")
    with enter_account(found.id):
        account_services.set_audit_retention(who, days=days or None, reason=reason)
    click.echo(f"{found.name} keeps its events {f'{days} days' if days else 'for ever'}.")


@audit.command("prune")
@_account
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@command_tools.as_json
@command_tools.command
def prune(account: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove events that are older than their account's retention; off for accounts that have none."""
    only = None if account is None else account_commands.find_account(account).id
    engine = database.owner_engine(command_tools.settings().database_admin_url)
    rows = []
    try:
        for found in _with_retention(only):
            gone = pruning.prune(
                engine, found.id, keep_days=found.days, not_past=_slowest(found.id), dry_run=dry_run
            )
            rows.append(
                {
                    "account": found.name,
                    "days": found.days,
                    "removed": gone.removed,
                    "last_seq": gone.last_seq,
                }
            )
    finally:
        engine.dispose()
    command_tools.print_rows(rows, json_wanted=as_json)


def _slowest(account_id: UUID) -> int | None:
    with database.looking_across("audit prune: what has every destination got?") as connection:
        return lag.slowest_seq(connection, account_id)


def _with_retention(only: UUID | None) -> list[Any]:
    statement = select(
        _accounts.account_id.label("id"),
        _accounts.name,
        _accounts.audit_retention_days.label("days"),
    ).where(_accounts.audit_retention_days.is_not(None))
    if only is not None:
        statement = statement.where(_accounts.account_id == only)
    with database.looking_across("audit prune: whose events are kept how long?") as connection:
        return list(connection.execute(statement.order_by(_accounts.account_id)).all())


def _find(account: str) -> Chain:
    with command_tools.talking_to_database():
        return Chain(None if account == "system" else account_commands.find_account(account).id)


def _chains(account: str | None) -> list[Chain]:
    """Return the chain of one account ("system": the system's), or all there are."""
    if account is not None:
        return [_find(account)]
    with database.looking_across("audit: which chains are there?") as connection:
        return all_chains(connection)


def all_chains(connection: Connection) -> list[Chain]:
    """Return every account's chain and the system's; an account without a head has one too, which is broken."""
    found = connection.scalars(select(_accounts.account_id).order_by(_accounts.account_id))
    return [*(Chain(account_id) for account_id in found), Chain(None)]


def catalogue_rows() -> list[dict[str, str]]:
    """Return the catalogue as rows of text: docs/audit.md has the same table."""
    return [
        {
            "event": f"`{event.value}`",
            "kind": event.crud,
            "chain": event.chain,
            "outcome": event.outcome,
            "accounts for changes of": ", ".join(f"`{name}`" for name in sorted(event.tables)),
            "data": ", ".join(f"`{name}`" for name in event.data_model.model_fields),
        }
        for event in AuditEvent
    ]


@audit.command("catalogue")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
def catalogue(as_json: bool) -> None:
    """Print everything that can happen: the table of docs/audit.md."""
    rows = catalogue_rows()
    if as_json:
        click.echo(json.dumps(rows))
        return
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    for line in lines:
        click.echo(
            "| "
            + " | ".join(cell[:1].upper() + cell[1:] if line is lines[0] else cell for cell in line)
            + " |"
        )
