"""Asking before an act: what will happen, why, for which ticket. One page for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flask

from admin import gate
from admin.guarded import Guarded, read_form
from saas import errors
from saas.operator import ConsolePermission, Operator, why_not
from saas.schemas.console_schemas import ActIn

MENDABLE = (errors.AlreadySoError, errors.LinkGoneError, errors.SuspendedError)


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its key (what the page says afterwards), its words, its permission, whether it takes something away."""

    key: str
    heading: str
    button: str
    permission: ConsolePermission
    danger: bool = False


def ask(
    view: Guarded,
    act: Act,
    *,
    about: str,
    back: str,
    what: Sequence[str],
    cause: str = "",
    do: Callable[..., Any],
) -> Any:
    """Show what an act will do and ask why (GET), or do it (POST); a refusal is shown in the same form.

    ``do`` is called with ``reason`` and ``ticket``. It may return a page to show instead of going ``back``.
    """
    operator = gate.current_operator()
    cause = why_not(operator, act.permission) or cause
    drawn: dict[str, Any] = {"problems": {}, "message": "", "values": {}}
    status = 409 if cause else 200
    if flask.request.method == "POST" and not cause:
        try:
            sent = read_form(ActIn)
            shown = do(reason=sent.reason, ticket=sent.ticket)
        except (errors.ValidationFailedError, *MENDABLE) as error:
            drawn, status = _typed_again(error), error.status
        else:
            joiner = "&" if "?" in back else "?"
            return shown or flask.redirect(f"{back}{joiner}done={act.key}", 303)
    html = view.render(
        "console/confirm.html", heading=f"{act.heading} {about}", about=about, back=back, what=what,
        cause=cause, button=act.button, danger=act.danger, kept=(), **drawn,
    )  # fmt: skip
    return flask.make_response(html, status)


def _typed_again(error: errors.ProductError) -> dict[str, Any]:
    problems = {problem.field: problem.message for problem in error.field_errors}
    message = "Please correct what is marked." if problems else error.message
    values = {name: flask.request.form.get(name, "") for name in ("reason", "ticket")}
    return {"problems": problems, "message": message, "values": values}


def causes(operator: Operator, **permissions: ConsolePermission) -> dict[str, str]:
    """Return for each act why this operator may not, or ""."""
    return {name: why_not(operator, permission) for name, permission in permissions.items()}
