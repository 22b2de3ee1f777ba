"""The served app of the proofs: the product's own, with routes that go wrong. ``FLASK_APP`` names it."""

from __future__ import annotations

from typing import Any

import flask

from config import application
from tests.proofs import faults

_create = application.create_app


def create_app(*args: Any, **options: Any) -> flask.Flask:
    """Build the product's app and add the routes of ``faults``."""
    return faults.add_to(_create(*args, **options))


application.create_app = create_app  # which `flask serve` loads for its workers
