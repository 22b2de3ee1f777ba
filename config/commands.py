"""The command line: ``flask --help`` lists it. Exit codes: 0 done, 1 refused or failed, 2 wrong use."""

from __future__ import annotations

from typing import Any

import flask

from config import (
    account_commands,
    audit_commands,
    database_commands,
    house_commands,
    operator_commands,
    relay_commands,
    worker_commands,
)
from saas import database


def init_app(app: flask.Flask) -> None:
    """Put every command of ours on the app."""
    for command in (
        house_commands.check,
        house_commands.seed,
        house_commands.serve,
        database_commands.db,
        worker_commands.worker,
        worker_commands.permissions,
        relay_commands.commands,
        account_commands.accounts,
        audit_commands.audit,
        operator_commands.operators,
        account_commands.shell_in,
    ):
        app.cli.add_command(command)
    app.shell_context_processor(lambda: _shell(app))


def _shell(app: flask.Flask) -> dict[str, Any]:
    """`flask shell` starts with the models loaded and the database in use; it ends with its process."""
    database.start_using(app.extensions["database"])
    return account_commands.shell_names()
