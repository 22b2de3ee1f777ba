"""What all pages share: drawing a template in the shell, the state of a form, where to go after it.

A page reads, asks one view or service, and answers: with a template, or after a change with a 303
to a page that can be reloaded. A refusal that the person can mend is drawn in the same form again,
with the status of the error; every other error goes up to the wrapper, which draws the error page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import flask
from werkzeug.wrappers import Response

from saas import errors
from saas.actor import Actor
from saas.permissions import Permission

MENDABLE = (
    errors.CouldNotVerifyLoginError,
    errors.EmailAddressAlreadyExistsError,
    errors.NameAlreadyExistsError,
    errors.TooManyRequestsError,
    errors.ValidationFailedError,
    errors.WrongPasswordError,
)
"""Errors a person can mend in the form they have just sent."""


@dataclass(frozen=True, slots=True)
class FormState:
    """A form as it is drawn: what stands in its fields and what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


def draw(template: str, actor: Actor | None, **context: Any) -> str:
    """Render a template of `saas/templates` in the shell of `actor` (None: nobody is signed in)."""
    return flask.render_template(template, actor=actor, Permission=Permission, **context)


def typed_again(error: errors.ProductError, *kept_fields: str) -> FormState:
    """The refused form, holding what was typed in `kept_fields`: never name a password there."""
    unsafe_form = flask.request.form
    values = {name: unsafe_form[name] for name in kept_fields if name in unsafe_form}
    problems = {problem.field: problem.message for problem in error.field_errors}
    message = error.message
    if problems and isinstance(error, errors.ValidationFailedError):
        message = "Please correct:"  # its own sentence lists names of fields; the page shows labels
    return FormState(values=values, errors=problems, message=message)


def refuse(error: errors.ProductError, html: str) -> Response:
    """Answer a refused form with the status and headers (Retry-After) of its error."""
    return flask.make_response(html, error.status, error.headers)


def go_to(path: str, message: str = "") -> Response:
    """Redirect after a POST; 303, so that a reload sends no form again. `message` is shown there."""
    if message:
        flask.flash(message)
    return flask.redirect(path, 303)


def safe_path(unsafe_path: str | None) -> str:
    """The path to go on to after signing in: one of this site, or `/` for everything else.

    Browsers read a backslash as a slash and drop control characters: both are refused like "//host".
    """
    path = unsafe_path or "/"
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return "/"
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else path


def next_query() -> str:
    """`?next=…` to hand on while somebody signs in, or nothing when they go to `/` anyway."""
    path = safe_path(flask.request.args.get("next"))
    return "" if path == "/" else "?" + urlencode({"next": path})
