"""Every route as everybody, upon own, foreign and missing objects: `matrix.md`, compared at each run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import saas.services
from saas.permissions import Permission
from tests import databases, needs
from tests.house import House, Street

ROOT = Path(__file__).parent.parent
FILE = ROOT / "tests/matrix.md"
CHECKS = {
    "services": saas.services,
    "permissions": Permission,
    "need_not_ask": {
        "account_services.register": "whoever registers is nobody yet",
        "api_key_services.touch_key": "a trace of use by the caller that was just found",
        "console_looks.look_inside": "tells of a look that its service has asked for",
        "house_services.unreadiness": "asks the schema version and no row of anybody",
        "identity_services.find_identity": "a look-up for services, of no account; no view calls it",
        "identity_services.list_seats": "a look-up for services, of one person's own seats",
        "identity_services.target_of": "makes a value and opens nothing",
        "invitation_services.accept_invitation": "whoever holds the token may, and no permission stands for that",
        "invitation_services.read_invitation": "whoever holds the token may",
        "mail_token_services.reset_password": "whoever holds the token may",
        "mail_token_services.send_reset": "the worker's half of a question anybody may ask",
        "mail_token_services.verify_email": "whoever holds the token may",
        "operator_rows.find": "a look-up for services of operators, which have asked",
        "operator_rows.find_by_email": "a look-up for the sign-in and the command line",
        "operator_services.find_operator": "finds who is asking; the cookie's token is its proof",
        "operator_staff_services.everybody": "for the command line, which has no operator",
        "role_services.role_names": "one's own roles, which nobody need hold a permission to know",
        "session_services.sign_in": "whoever signs in is nobody yet",
        "session_services.sign_out": "one's own session",
        "session_services.touch_session": "a trace of use by the caller that was just found",
    },
}  # fmt: skip


@pytest.fixture
def apart(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A house of its own: what the matrix leaves behind, mails among it, is in nobody's way."""
    street = Street(tmp_path, "matrix")
    try:
        yield street.house(getattr(request, "param", "sqlite"))
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)
    finally:
        street.close()


@pytest.mark.timeout(600)
def test_every_route_answers_everybody_as_declared_and_as_committed(
    permission_matrix, apart: House
):
    permission_matrix(apart.app, FILE, label=apart.backend, **CHECKS)


@pytest.mark.proof
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("apart", databases.BACKENDS, indirect=True)
def test_every_database_gives_the_same_matrix(permission_matrix, apart: House):
    permission_matrix(apart.app, FILE, label=apart.backend, **CHECKS)


def test_nothing_that_serves_imports_the_plugin():
    """It needs pytest, which is not installed where the product serves."""
    rooms = ("tenants", "saas", "admin", "config")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    served = [file for file in files if ROOT / "saas/testing" not in file.parents]
    imported = re.compile(r"\bsaas\.testing\b|from saas import .*\btesting\b")

    assert len(served) > 50
    assert [file for file in served if imported.search(file.read_text("utf-8"))] == []
