"""Roles over all accounts: who gives what, as a grid for one account."""

from __future__ import annotations

from uuid import UUID

import flask
from flask_admin import expose

from admin import gate
from admin.guarded import ConsolePage, asks
from saas import errors
from saas.operator import OPERATOR_ROLES, ConsolePermission
from saas.permissions import SYSTEM_ROLES, Permission
from saas.services import console_account_services


class RolesPage(ConsolePage):
    """``/admin/roles/``."""

    @asks(ConsolePermission.ROLE_READ)
    @expose("/")
    def index(self) -> str:
        """Show system roles as the code has them, or (``?account=``) all roles of one account."""
        operator = gate.current_operator()
        asked = flask.request.args.get("account", "").strip()
        page, groups = None, []
        if asked:
            page = console_account_services.read_account(
                operator, account_id=_id(asked), tab="roles"
            )
            groups = console_account_services.matrix(page.rows)
        return self.render(
            "console/roles.html",
            page=page,
            groups=groups,
            asked=asked,
            permissions=list(Permission),
            system_roles=SYSTEM_ROLES,
            operator_roles=OPERATOR_ROLES,
            console_permissions=list(ConsolePermission),
        )


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise errors.NotFoundError("Give the id of an account, as its page shows it.") from None
