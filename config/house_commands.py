"""``flask check``, ``flask seed`` and ``flask serve``."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import click
import flask
from flask.cli import with_appcontext
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from config import command_tools, demo, settings
from config import worker as outbox_worker
from saas import database
from saas.services import house_services
from tenants import TenancyError


@click.command("check")
@click.option("--production", is_flag=True, help="Hold everything against the rules of production.")
@command_tools.as_json
@with_appcontext
def check(production: bool, as_json: bool) -> None:
    """Name each wrong setting and how to mend it, and ask the database whether it is ready."""
    chosen = command_tools.settings()
    strict = production or chosen.production
    found = [
        {"variable": p.variable, "what": p.what, "mend": p.mend, "warning": p.warning}
        for p in settings.problems(chosen, strict)
    ]
    with command_tools.talking_to_database() as database_in_use:
        found += _database_problems(database_in_use, strict)
    if as_json:
        click.echo(json.dumps(found))
    for problem in [] if as_json else found:
        kind = "warning: " if problem["warning"] else ""
        click.echo(f"{kind}{problem['variable']}: {problem['what']}\n    {problem['mend']}")
    if any(not problem["warning"] for problem in found):
        raise SystemExit(1)
    if not as_json:
        click.echo("Nothing stands in the way." if found else "All good.")


def _tell_addresses(base_url: str) -> None:
    click.echo("\nTenantry is at home:")
    for name, path in (
        ("Product", "/"),
        ("Sign in", "/login"),
        ("Console", "/admin/sign-in"),
        ("Mail", "/dev/mail"),
        ("API", "/api/docs"),
    ):
        click.echo(f"  {name:<10}{base_url}{path}")
    click.echo("Stop it with Ctrl-C.\n")


def _database_problems(database_in_use: database.Database, strict: bool) -> list[dict[str, Any]]:
    why = house_services.unreadiness()
    if why is not None:
        return [_problem("DATABASE_URL", why, "See above.")]
    if not strict or database_in_use.dialect != "postgresql":
        return []
    engines = (
        ("DATABASE_URL", database_in_use.tenant_engine),
        ("DATABASE_SYSTEM_URL", database_in_use.system_engine),
    )
    return [problem for variable, engine in engines for problem in _role_problem(variable, engine)]


def _role_problem(variable: str, engine: Engine) -> list[dict[str, Any]]:
    mend = "Run `flask db roles` and use its roles."
    try:
        database.check_role(engine)
    except (TenancyError, SQLAlchemyError) as error:
        return [_problem(variable, str(error), mend)]
    return []


def _problem(variable: str, what: str, mend: str) -> dict[str, Any]:
    return {"variable": variable, "what": what, "mend": mend, "warning": False}


@click.command("seed")
@with_appcontext
def seed() -> None:
    """Make the demo accounts acme and globex with people who can sign in; never in production."""
    chosen = command_tools.settings()
    if chosen.production:
        raise click.ClickException("Demo data is not for production.")
    with command_tools.talking_to_database():
        demo.seed(chosen.var_dir)


def _share_metrics(directory: Path) -> None:
    """Let the processes of one server share their figures, beginning from none; before the client is imported."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)


@click.command("serve")
@with_appcontext
def serve() -> None:
    """Serve the product with gunicorn, threads and all; outside production on loopback only."""
    from gunicorn.app.base import BaseApplication  # the server is wanted by this command alone

    from config.application import create_app

    chosen = command_tools.settings()
    options: dict[str, Any] = {
        "bind": f"{'0.0.0.0' if chosen.production else '127.0.0.1'}:{chosen.port}",  # noqa: S104 - a container's own address
        "worker_class": "gthread",
        "workers": int(os.environ.get("WEB_CONCURRENCY", "2" if chosen.production else "1")),
        "threads": 8,
        "preload_app": True,
        "control_socket_disable": True,
        "limit_request_line": 8190,
        "limit_request_field_size": 16380,
        "graceful_timeout": 20,
        "timeout": 60,
        "logger_class": "config.server_log.ServerLog",
        "accesslog": "-",
    }

    if not chosen.production:
        _tell_addresses(chosen.base_url)
        # In a worker process, after the fork: a thread would not survive it.
        options["post_worker_init"] = lambda process: outbox_worker.start_thread(process.wsgi)

    if chosen.metrics:
        _share_metrics(chosen.var_dir / "metrics")

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> flask.Flask:
            return create_app()

    Server().run()
