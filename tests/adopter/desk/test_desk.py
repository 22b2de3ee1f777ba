from pathlib import Path

import ticket_services

from saas.permissions import Permission

FILE = Path(__file__).parent / "matrix.md"
OURS = [permission for permission in Permission if permission.value.startswith("ticket:")]


def test_every_route_of_the_desk_answers_everybody_as_declared(permission_matrix, app):
    permission_matrix(app, FILE, services=ticket_services, permissions=OURS)
