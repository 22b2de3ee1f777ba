"""What every page of the console stands on: the operator is asked for, forms are checked, errors become pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import flask
import structlog
from flask_admin import BaseView
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from admin import gate, shell
from saas import context, database, errors
from saas.actor import Actor
from saas.audit import refusals
from saas.audit.events import AuditEvent
from saas.operator import ConsolePermission, Operator, require_operator
from saas.pages.error_pages import TITLES
from saas.schemas.fields import In

_log = structlog.get_logger(__name__)
_View = TypeVar("_View", bound=Callable[..., Any])
_Schema = TypeVar("_Schema", bound=In)


class ConsoleViewError(RuntimeError):
    """A view of the console does not say who may; the message names it."""


def asks(permission: ConsolePermission | None) -> Callable[[_View], _View]:
    """Say which permission a page needs; None: every operator's own. A page that does not say it stops the start."""

    def declare(view: _View) -> _View:
        view.permission = permission  # type: ignore[attr-defined]
        return view

    return declare


class Guarded:
    """Mixin in front of a Flask-Admin view, whose own doors are open by default."""

    open_to_setup = False  # for the one page where a second factor is set up

    def permission_of(self, name: str) -> ConsolePermission | None:
        """Return what one page of this view needs; raises ConsoleViewError where nobody said."""
        view = getattr(type(self), name)
        if not hasattr(view, "permission"):
            raise ConsoleViewError(f"{type(self).__name__}.{name}: say @asks(…)")
        found: ConsolePermission | None = view.permission
        return found

    def check(self) -> None:
        """Raise ConsoleViewError unless every page of this view says who may."""
        for _, name, _ in self._urls:  # type: ignore[attr-defined]
            self.permission_of(name)

    def is_accessible(self) -> bool:
        """Say whether the operator may see this view in the menu."""
        operator = gate.find_operator()
        permission = self.permission_of(self._default_view)  # type: ignore[attr-defined]
        return operator is not None and (permission is None or operator.can(permission))

    def _handle_view(self, name: str, **kwargs: Any) -> Any:
        operator = gate.current_operator()
        try:
            if operator.stage == "setup" and not self.open_to_setup:
                return flask.redirect("/admin/second-factor/", 303)
            permission = self.permission_of(name)
            if permission is not None:
                require_operator(operator, permission)
            if flask.request.method not in ("GET", "HEAD"):
                gate.check_form(operator)
        except errors.ProductError as error:
            return error_page(error)
        return None

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Upstream calls the view a second time, in another way, when it raises TypeError.
        try:
            return fn(self, *args, **kwargs)
        except errors.ProductError as error:
            return error_page(error)
        except HTTPException as error:
            return error_page(errors.for_status(error.code or 500)())
        except SQLAlchemyError as error:
            if database.is_away(error):
                return error_page(errors.DatabaseAwayError())
            _log.exception("unexpected error in the console")
            return error_page(errors.InternalDbError())
        except Exception:  # noqa: BLE001 - whatever it is: a person looks at a page, and gets one
            _log.exception("unexpected error in the console")
            return error_page(errors.InternalError())

    def render(self, template: str, **kwargs: Any) -> str:
        """Draw a template in the console's shell."""
        return super().render(template, **shell.frame(gate.current_operator()), **kwargs)  # type: ignore[misc,no-any-return]


class ConsolePage(Guarded, BaseView):
    """A page of our own making."""


def error_page(error: errors.ProductError) -> Response:
    """Draw an error as a page of the console; a refusal is told in the log of the house."""
    operator = gate.find_operator()
    if operator is not None and error.status == 403:
        _tell(operator, error)
    html = flask.render_template(
        "console/error.html",
        **shell.frame(operator),
        error=error,
        title=TITLES.get(error.status, "We made a mistake"),
        request_id=flask.g.get("request_id", ""),
    )
    return flask.make_response(html, error.status, error.headers)


def read_form(schema: type[_Schema]) -> _Schema:
    """Read the form into its schema, its token aside; raises ValidationFailedError."""
    return _read(schema, flask.request.form, "csrf")


def read_query(schema: type[_Schema]) -> _Schema:
    """Read the query into its schema, empty fields left out; raises ValidationFailedError."""
    return _read(schema, flask.request.args, "done")


def _read(schema: type[_Schema], unsafe: MultiDict[str, str], apart: str) -> _Schema:
    values = unsafe.to_dict(flat=False)
    values.pop(apart, None)
    try:
        return schema.from_strings(values)
    except ValidationError as error:
        raise errors.from_pydantic(error) from None


def _tell(operator: Operator, error: errors.ProductError) -> None:
    actor: Actor = operator.nowhere()
    data = {"code": error.internal_error_code, "permission": getattr(error, "permission", None)}
    refusal = refusals.Refusal(
        AuditEvent.CONSOLE_DENIED, actor, data, error.message, None, context.current_context()
    )
    flask.current_app.extensions["refusals"].tell(refusal)
