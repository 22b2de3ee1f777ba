"""``flask operators …``: who may into the console. The only place where operators are made and removed."""

from __future__ import annotations

import json

import click
from flask.cli import AppGroup

from config import command_tools
from saas.operator import OPERATOR_ROLES
from saas.security import second_factor
from saas.services import operator_staff_services

operators = AppGroup("operators", help="Add, list and remove the operators of the console.")


@operators.command("add")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice(list(OPERATOR_ROLES)))
@command_tools.as_json
@command_tools.command
def add_operator(email: str, role: str, as_json: bool) -> None:
    """Make an operator; password, secret of the second factor and recovery codes are printed this once."""
    made = operator_staff_services.add_operator(email=email, role=role)
    if as_json:
        told = {"email": made.email, "password": made.password, "totp_secret": made.totp_secret}
        click.echo(json.dumps(told | {"recovery_codes": made.recovery_codes}))
        return
    uri = second_factor.provisioning_uri(made.totp_secret, made.email)
    click.echo(f"{made.email} is an operator ({role}). This is shown once:\n")
    click.echo(f"  password      {made.password}\n  totp secret   {made.totp_secret}")
    click.echo("  recovery      " + "\n                ".join(made.recovery_codes) + "\n")
    click.echo(second_factor.qr_for_terminal(uri))


@operators.command("list")
@command_tools.as_json
@command_tools.command
def list_operators(as_json: bool) -> None:
    """List the operators by address."""
    rows = [
        {"id": r.id, "email": r.email, "role": r.role, "last_sign_in_at": r.last_sign_in_at}
        for r in operator_staff_services.everybody()
    ]
    command_tools.print_rows(rows, json_wanted=as_json)


@operators.command("remove")
@click.argument("email")
@command_tools.command
def remove_operator(email: str) -> None:
    """Remove an operator; their sessions end at once, what they did stays in the log."""
    operator_staff_services.remove_operator(email=email)
    click.echo(f"{email} is no operator any more.")


@operators.command("code")
@click.argument("email")
@command_tools.command
def code(email: str) -> None:
    """Print an operator's present code, so that nobody needs an app to try the console; never in production."""
    if command_tools.settings().production:
        raise click.ClickException("In production the code comes from the operator's own app.")
    click.echo(operator_staff_services.present_code(email=email))
