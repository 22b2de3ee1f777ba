"""The console's home: figures, what needs a look, what was done last."""

from __future__ import annotations

from flask_admin import expose

from admin import gate
from admin.guarded import ConsolePage, asks
from saas.operator import ConsolePermission
from saas.services import console_audit_services, console_home_services

_LINKS = {
    "suspended accounts": "/admin/accounts/?view=suspended",
    "suspended people": "/admin/people/?view=suspended",
    "accounts without an owner": "/admin/accounts/?view=ownerless",
    "failed sign-ins in the last hour": "/admin/audit/?log=house&action=sign_in.failed",
}
WIDTH, HEIGHT = 120, 32


class HomePage(ConsolePage):
    """``/admin/``."""

    @asks(None)
    @expose("/")
    def index(self) -> str:
        """Show the home page."""
        operator = gate.current_operator()
        figures = console_home_services.figures(operator)
        needs = console_home_services.needs(operator)
        acts = []
        if operator.can(ConsolePermission.OPERATOR_READ):
            acts = console_audit_services.last_acts(operator)
        return self.render(
            "console/home.html",
            figures=[(figure, line_points(figure.line)) for figure in figures],
            needs=[(need, _LINKS.get(need.key, "")) for need in needs],
            acts=acts,
            fresh=not any(figure.number or figure.before for figure in figures),
        )


def line_points(values: list[int]) -> str:
    """Return the points of a line through values, in a picture of WIDTH by HEIGHT; the greatest reaches the top."""
    top = max(*values, 1)
    step = WIDTH / (len(values) - 1)
    return " ".join(
        f"{number * step:.1f},{HEIGHT - 2 - value / top * (HEIGHT - 4):.1f}"
        for number, value in enumerate(values)
    )
