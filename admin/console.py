"""The operators' console: every page of it is listed here once."""

from __future__ import annotations

from pathlib import Path

import flask
from flask_admin import Admin, BaseView
from flask_admin.theme import BootstrapTheme

from admin import gate, shell, sign_in_pages
from admin.account_pages import AccountsView
from admin.audit_pages import AuditPage
from admin.guarded import ConsoleViewError, Guarded
from admin.home_pages import HomePage
from admin.operator_pages import OperatorsPage
from admin.operator_view import OperatorView
from admin.person_pages import PeopleView
from admin.record_pages import ProjectsView
from admin.role_pages import RolesPage
from admin.search_pages import SearchPage
from saas.models import Account, Identity, Project

_ROOM = Path(__file__).parent


def init_app(app: flask.Flask) -> None:
    """Put the console on the app: its gate, its sign-in, its files and every page."""
    gate.init_app(app)
    sign_in_pages.init_app(app)
    app.register_blueprint(
        flask.Blueprint(
            "console_static",
            __name__,
            template_folder=str(_ROOM / "templates"),
            static_folder=str(_ROOM / "static"),
            static_url_path="/static/console",
        )
    )
    # What each name brings: a page below /admin, or a list of the product's own.
    admin = Admin(
        name="Tenantry console",
        theme=BootstrapTheme(folder="bootstrap4", base_template="console/base.html"),
        index_view=HomePage(endpoint="console_home", url="/admin"),
    )
    for view in pages():
        admin.add_view(view)
    admin.init_app(app)
    app.extensions["console"] = admin
    for view in admin._views:
        check(view)


def pages() -> list[BaseView]:
    """Return every page of the console but its home."""
    return [
        AccountsView(Account, name="Accounts", endpoint="console_accounts", url="/admin/accounts"),
        PeopleView(Identity, name="People", endpoint="console_people", url="/admin/people"),
        RolesPage(endpoint="console_roles", url="/admin/roles"),
        AuditPage(endpoint="console_audit", url="/admin/audit"),
        SearchPage(endpoint="console_search", url="/admin/search"),
        OperatorsPage(endpoint="console_operators", url="/admin/operators"),
        ProjectsView(Project, name="Projects", endpoint="console_projects", url="/admin/projects"),
        sign_in_pages.SignOutPage(endpoint="console_sign_out", url="/admin/sign-out"),
        sign_in_pages.SecondFactorPage(endpoint="console_factor", url="/admin/second-factor"),
        sign_in_pages.OwnPage(endpoint="console_own", url="/admin/me"),
    ]


def add_view(app: flask.Flask, view: OperatorView) -> None:
    """Put a list of your own into a console that is there: menu, routes and all; raises ConsoleViewError."""
    check(view)
    admin: Admin = app.extensions["console"]
    admin.add_view(view)
    shell.add_to_menu(app, f"{view.url}/", str(view.name), view.permission)


def check(view: BaseView) -> None:
    """Raise ConsoleViewError for a view that does not stand on the safe base, or does not say who may."""
    if not isinstance(view, Guarded):
        raise ConsoleViewError(
            f"{type(view).__name__} is open to everybody: derive it from OperatorView or ConsolePage"
        )
    view.check()
