"""What the desk says about its objects, once. `pytest.ini` switches the plugin on."""

from __future__ import annotations

import os

os.environ["FLASK_CONFIG"] = "test"  # before any settings are read

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import desk
import flask
import pytest
import ticket_services

from saas import testing
from saas.services import project_services
from tests import databases, house


@testing.factory("ticket_id")
def ticket(place: testing.Place) -> UUID:
    project_id = project_services.create_project(place.owner, name=place.word()).id
    return ticket_services.open_ticket(place.owner, project_id=project_id, subject=place.word()).id


@pytest.fixture
def app(tmp_path: Path) -> Iterator[flask.Flask]:
    with databases.empty_database("sqlite", tmp_path, "desk") as urls:
        chosen = house.settings_for(urls, tmp_path)
        house.migrate(chosen)
        app = desk.create_app(chosen)
        yield app
        app.extensions["database"].dispose()
