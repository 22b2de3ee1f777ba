"""``create_app()``: settings, log, database, routes, console, in that order. The only place that knows them all."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from pathlib import Path

import click
import flask
from flask_login import LoginManager
from werkzeug.middleware.proxy_fix import ProxyFix

from admin import console
from config import log, migrating, settings
from config.destinations import destination_names
from config.settings import Settings
from saas import error_answers, paging, request_body, request_scope, routing
from saas.audit import lag, refusals
from saas.database import Database
from saas.routes import DEV_PAGES, ROUTES
from saas.security import egress, passwords, secret_box
from saas.security.throttle import Throttle, parse_limit
from saas.services import house_services, session_services

_ROOM = Path(__file__).parent.parent


def create_app(given: Settings | None = None, *, serving: bool = True) -> flask.Flask:
    """Build the application; raises SettingsError and whatever start-up check does not hold.

    ``serving``: also ask the database, in production, whether its roles could pass the policies by.
    """
    chosen = given or settings.load()
    _configure_log(chosen, serving)
    app = flask.Flask("saas", root_path=str(_ROOM / "saas"))
    app.request_class = request_body.Request
    _configure_flask(app, chosen)
    _configure_house(app, chosen, serving)
    if chosen.metrics and serving:
        from saas import (
            metrics,
        )  # as late as this: flask serve says first where processes share their figures

        metrics.init_app(app, log.on_lost)
    request_scope.init_app(app, LoginManager(app, add_context_processor=False))
    error_answers.init_app(app)
    mail_is_read_here = app.extensions["mail_directory"] is not None
    routing.add_routes(app, ROUTES + DEV_PAGES if mail_is_read_here else ROUTES)
    console.init_app(app)
    if chosen.trusted_proxies:
        count = chosen.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    from config import (
        commands,
    )  # the command line needs create_app, and the web process little of it

    commands.init_app(app)
    return app


def create_command_app() -> flask.Flask:
    """Build the application for the command line, which must work before the database and its roles exist."""
    try:
        return create_app(serving=False)
    except settings.SettingsError as error:
        raise click.ClickException(str(error)) from error


def _configure_log(chosen: Settings, serving: bool) -> None:
    """A command's own words go to standard output: logs stand aside, and at a terminal only warnings are told."""
    if serving:
        log.configure(chosen.log_format)
    else:
        at_terminal = chosen.log_format == "console"
        level = logging.WARNING if at_terminal else logging.INFO
        log.configure(chosen.log_format, stream=sys.stderr, level=level)


def _configure_flask(app: flask.Flask, chosen: Settings) -> None:
    app.config.update(
        SECRET_KEY=chosen.secret_key.get_secret_value(),
        SECRET_KEY_FALLBACKS=[key.get_secret_value() for key in chosen.secret_key_fallbacks],
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=chosen.base_url.startswith("https://"),
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(days=chosen.remember_days),
        MAX_CONTENT_LENGTH=chosen.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=chosen.max_body_bytes,
        MAX_FORM_PARTS=100,
        TRUSTED_HOSTS=list(chosen.trusted_hosts) or None,
        TESTING=chosen.flask_config == "test",
        PROPAGATE_EXCEPTIONS=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def _configure_house(app: flask.Flask, chosen: Settings, serving: bool) -> None:
    passwords.configure(chosen.peppers, chosen.password_cost)
    paging.configure(chosen.secret_key.get_secret_value())
    keys = (chosen.secret_key, *chosen.secret_key_fallbacks)
    secret_box.configure([key.get_secret_value() for key in keys])
    egress.configure(allow_loopback=chosen.webhook_allow_loopback)
    lag.configure(destination_names(chosen))
    session_services.configure(
        timedelta(hours=chosen.session_hours), timedelta(days=chosen.remember_days)
    )
    house_services.configure(migrating.head_revision() or "")
    limits = {"sign_in": chosen.throttle_sign_in, "register": chosen.throttle_register}
    database = Database(
        chosen.database_url, chosen.database_system_url, pooler=chosen.database_pooler
    )
    database.check(roles=serving and chosen.production)
    mail_directory = None if chosen.production or chosen.mail_url else chosen.var_dir / "mail"
    app.extensions["mail_directory"] = mail_directory
    app.extensions |= {
        "settings": chosen,
        "database": database,
        "throttle": Throttle(limits, chosen.redis_url),
        "refusals": refusals.RefusalLog(database, parse_limit(chosen.audit_refusals)),
    }
