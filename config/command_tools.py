"""What commands share: settings, the database in use, output as text or JSON, product errors as exit code 1."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click
import flask
import structlog
from sqlalchemy.exc import SQLAlchemyError

from config import log
from config.migration_locks import MigrationError
from config.settings import Settings
from saas import context, database, errors
from saas.services import house_services

_log = structlog.get_logger("command")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def settings() -> Settings:
    """Return the settings of this process."""
    chosen: Settings = flask.current_app.extensions["settings"]
    return chosen


@contextmanager
def talking_to_database() -> Iterator[database.Database]:
    """Let services in this block talk to the configured database, as the command line."""
    database_of_app: database.Database = flask.current_app.extensions["database"]
    with database.use(database_of_app), context.calling_from(context.CallContext("cli")):
        yield database_of_app


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a command with the database in use; a refusal of ours becomes one sentence and exit code 1."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with talking_to_database():
                return function(*args, **kwargs)
        except errors.ProductError as error:
            raise click.ClickException(error.message) from error
        except MigrationError as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            raise click.ClickException(_why_not(error)) from error

    return run


def log_to_output() -> None:
    """In production, send the log of a command that works and prints no data to standard output, as servers do."""
    if settings().production:
        log.configure(settings().log_format)


def say(text: str, **fields: object) -> None:
    """Say what was done: to a person in words, in production as a line of the log, like all that a process says."""
    if settings().production:
        _log.info(text, **fields)
    else:
        click.echo(text)


def _why_not(error: SQLAlchemyError) -> str:
    """Say for a person why the database did not do what a command asked of it."""
    with talking_to_database():
        why = house_services.unreadiness()
    return why or f"The database refused this ({type(error).__name__}). `flask check` may say why."


def print_rows(rows: list[dict[str, Any]], *, json_wanted: bool) -> None:
    """Print rows as one JSON array, or as columns for people."""
    if json_wanted:
        click.echo(json.dumps(rows, default=str))
        return
    if not rows:
        click.echo("Nothing found.")
        return
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    click.echo("  ".join(name.upper().ljust(width) for name, width in widths.items()).rstrip())
    for row in rows:
        click.echo(
            "  ".join(str(row[name]).ljust(width) for name, width in widths.items()).rstrip()
        )
