"""What frames every page of the console: who is signed in, the menu, the label of the deployment, what was done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import flask

from admin import gate
from saas.operator import ConsolePermission, Operator

# What a page says after an act: the address carries the key, never words.
DONE = {
    "suspend-account": "The account is suspended. Everybody in it is locked out from now on.",
    "restore-account": "The account is restored. Its people can work again.",
    "suspend-person": "The person is suspended and signed out everywhere.",
    "restore-person": "The person is restored and can sign in again.",
    "sign-out-person": "The person is signed out everywhere.",
    "resend-invitation": "The invitation is on its way again, with a new link.",
    "revoke-invitation": "The invitation is taken back.",
    "note": "The note is kept.",
    "sign-out-operator": "The operator is signed out everywhere.",
    "factor": "Your second factor is set up.",
}
# (path, words, icon, permission) in sections, as the menu has them.
MENU: tuple[tuple[str, tuple[tuple[str, str, str, ConsolePermission | None], ...]], ...] = (
    (
        "Customers",
        (
            ("/admin/", "Home", "home", None),
            ("/admin/accounts/", "Accounts", "building", ConsolePermission.ACCOUNT_READ),
            ("/admin/people/", "People", "users", ConsolePermission.PERSON_READ),
            ("/admin/roles/", "Roles", "key", ConsolePermission.ROLE_READ),
            ("/admin/audit/", "Audit log", "list", ConsolePermission.AUDIT_READ),
        ),
    ),
    ("House", (("/admin/operators/", "Operators", "shield", ConsolePermission.OPERATOR_READ),)),
    ("Product", (("/admin/projects/", "Projects", "table", ConsolePermission.RECORD_READ),)),
)


def add_to_menu(
    app: flask.Flask, path: str, words: str, permission: ConsolePermission | None
) -> None:
    """Put a list of the product's own into the menu of one app."""
    app.extensions.setdefault("console_menu", []).append((path, words, "table", permission))


def frame(operator: Operator | None) -> dict[str, Any]:
    """Return what the shell's templates need beside the page itself."""
    settings = flask.current_app.extensions["settings"]
    done = flask.request.args.get("done", "") if flask.request.method == "GET" else ""
    return {
        "operator": operator,
        "menu": _menu(operator) if operator is not None and operator.stage == "full" else [],
        "form_token": gate.form_token(operator) if operator is not None else "",
        "deployment": {"prod": "production", "test": "test"}.get(settings.flask_config, "demo"),
        "done": DONE.get(done, ""),
        "can": operator.can if operator is not None else lambda permission: False,
        "Permission": ConsolePermission,
        "moment": moment,
        "day": day,
    }


def _menu(operator: Operator) -> list[tuple[str, list[tuple[str, str, str, bool]]]]:
    sections = [*MENU, ("Yours", tuple(flask.current_app.extensions.get("console_menu", ())))]
    path = flask.request.path
    drawn = []
    for title, lines in sections:
        allowed = [line for line in lines if line[3] is None or operator.can(line[3])]
        marked = [(p, words, icon, _is_here(p, path)) for p, words, icon, _ in allowed]
        if marked:
            drawn.append((title, marked))
    return drawn


def _is_here(entry: str, path: str) -> bool:
    return path == entry if entry == "/admin/" else path.startswith(entry)


def moment(value: datetime | None) -> dict[str, str] | None:
    """Return a moment as machines and people read it, in UTC."""
    if value is None:
        return None
    return {
        "machine": value.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "words": value.strftime("%d\u00a0%b\u00a0%Y, %H:%M\u00a0UTC"),
    }


def day(value: datetime | None) -> str:
    """Return the day of a moment in UTC, or a dash."""
    return "–" if value is None else value.strftime("%d\u00a0%b\u00a0%Y")
