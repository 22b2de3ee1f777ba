"""The operators themselves, and what each of them did and looked at."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_admin import expose

from admin import act_pages, gate
from admin.act_pages import Act
from admin.guarded import ConsolePage, asks
from saas import errors
from saas.operator import ConsolePermission
from saas.services import console_audit_services, operator_factor_services, operator_services
from saas.unit import AnyRow

RESET = Act(
    "reset",
    "Reset the second factor of",
    "Reset the second factor",
    ConsolePermission.OPERATOR_RESET,
    danger=True,
)
SIGN_OUT = Act(
    "sign-out-operator",
    "Sign out",
    "Sign them out everywhere",
    ConsolePermission.OPERATOR_SIGN_OUT,
    danger=True,
)
_TOLD = "Your name and reason stand in the console's own log."


class OperatorsPage(ConsolePage):
    """``/admin/operators/``; operators are added and removed on the command line alone."""

    @asks(ConsolePermission.OPERATOR_READ)
    @expose("/")
    def index(self) -> str:
        """List the operators."""
        rows = operator_services.list_operators(gate.current_operator())
        acts = console_audit_services.last_acts(gate.current_operator(), limit=25)
        return self.render("console/operators.html", rows=rows, acts=acts)

    @asks(ConsolePermission.OPERATOR_READ)
    @expose("/<uuid:operator_id>/")
    def show(self, operator_id: UUID) -> str:
        """Show what one operator did and looked at last."""
        operator = gate.current_operator()
        row = _find(operator_id)
        own = row.id == operator.id
        acts = console_audit_services.last_acts(operator, of=operator_id, limit=100)
        causes = act_pages.causes(
            operator,
            reset=ConsolePermission.OPERATOR_RESET,
            sign_out=ConsolePermission.OPERATOR_SIGN_OUT,
        )
        if own:
            causes["reset"] = causes["reset"] or "Another administrator must do this for you."
        return self.render("console/operator.html", row=row, acts=acts, causes=causes)

    @asks(ConsolePermission.OPERATOR_RESET)
    @expose("/<uuid:operator_id>/reset/", methods=("GET", "POST"))
    def reset(self, operator_id: UUID) -> Any:
        """Ask, then take an operator's second factor away and show the code to set it up anew."""
        operator, row = gate.current_operator(), _find(operator_id)

        def do(**why: Any) -> str:
            code = operator_factor_services.reset_second_factor(
                operator, operator_id=operator_id, **why
            )
            return self.render("console/setup_code.html", row=row, code=code)

        what = (
            f"{row.email} is signed out. Their app and recovery codes no longer count.",
            "You get a code for them: with it and their password they set up a new app, within a day.",
            _TOLD,
        )
        return act_pages.ask(
            self, RESET, about=row.email, back=f"/admin/operators/{operator_id}/", what=what, do=do,
            cause="another administrator must do this for you." if row.id == operator.id else "",
        )  # fmt: skip

    @asks(ConsolePermission.OPERATOR_SIGN_OUT)
    @expose("/<uuid:operator_id>/sign-out/", methods=("GET", "POST"))
    def sign_out(self, operator_id: UUID) -> Any:
        """Ask, then end every session of an operator."""
        operator, row = gate.current_operator(), _find(operator_id)

        def do(**why: Any) -> None:
            operator_services.sign_out_operator(operator, operator_id=operator_id, **why)

        what = (f"{row.open_sessions} open sessions of {row.email} end.", _TOLD)
        return act_pages.ask(
            self, SIGN_OUT, about=row.email, back=f"/admin/operators/{operator_id}/", what=what, do=do
        )  # fmt: skip


def _find(operator_id: UUID) -> AnyRow:
    rows = operator_services.list_operators(gate.current_operator())
    row = next((row for row in rows if row.id == operator_id), None)
    if row is None:
        raise errors.NotFoundError
    return row
