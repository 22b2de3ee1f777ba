"""The desk: a product with tickets, on the house's own accounts, people and permissions."""

from __future__ import annotations

import flask
from ticket_models import Ticket
from ticket_views import ROUTES

from config import application
from config.settings import Settings
from saas.database import build_engine


def create_app(chosen: Settings) -> flask.Flask:
    """Build the app with the desk's routes, and its table, which an adopter's migration would make."""
    application.ROUTES, application.DEV_PAGES = (
        ROUTES,
        (),
    )  # an adopter adds lines to saas/routes.py
    app = application.create_app(chosen)
    engine = build_engine(chosen.database_admin_url)
    Ticket.__table__.create(engine)
    engine.dispose()
    return app
