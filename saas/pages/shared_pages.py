"""What all pages share: drawing a template in the shell, the state of a form, where to go after it.

A page reads, asks one view or service, and answers: with a template, or after a change with a 303
to a page that can be reloaded. A refusal that the person can mend is drawn in the same form again,
with the status of the error; every other error goes up to the wrapper, which draws the error page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import flask
from werkzeug.wrappers import Response

from saas import errors, refused_requests
from saas.actor import Actor
from saas.permissions import Permission

MENDABLE = (
    errors.AlreadyMemberError,
    errors.CouldNotVerifyLoginError,
    errors.EmailAddressAlreadyExistsError,
    errors.LastOwnerError,
    errors.NameAlreadyExistsError,
    errors.TooManyRequestsError,
    errors.ValidationFailedError,
    errors.WrongPasswordError,
)
"""Errors a person can mend in the form they have just sent."""


@dataclass(frozen=True, slots=True)
class FormState:
    """A form as it is drawn: what stands in its fields, which boxes are ticked, and what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict)
    ticked: frozenset[str] = frozenset()
    errors: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


def draw(template: str, actor: Actor | None, **context: Any) -> str:
    """Render a template of `saas/templates` in the shell of `actor` (None: nobody is signed in)."""
    mail_shown = flask.current_app.extensions.get("mail_directory") is not None
    return flask.render_template(
        template, actor=actor, Permission=Permission, mail_shown=mail_shown, **context
    )


def typed_again(error: errors.ProductError, *kept_fields: str, ticked: str = "") -> FormState:
    """The refused form, holding what was typed in `kept_fields`: never name a password there.

    `ticked`: the name of its boxes. A form that only asks sends what it holds in the address.
    """
    unsafe_form = flask.request.form if flask.request.method == "POST" else flask.request.args
    values = {name: unsafe_form[name] for name in kept_fields if name in unsafe_form}
    problems = {problem.field: problem.message for problem in error.field_errors}
    message = error.message
    if problems and isinstance(error, errors.ValidationFailedError):
        message = "Please correct:"  # its own sentence lists names of fields; the page shows labels
    boxes = frozenset(unsafe_form.getlist(ticked)) if ticked else frozenset()
    return FormState(values=values, ticked=boxes, errors=problems, message=message)


def refuse(error: errors.ProductError, html: str) -> Response:
    """Answer a refused form with the status and headers (Retry-After) of its error."""
    refused_requests.tell(error)
    return flask.make_response(html, error.status, error.headers)


def show(html: str, error: errors.ProductError | None) -> Response:
    """Answer with a page that is drawn the same for a look at it and after a refused form."""
    return refuse(error, html) if error else flask.make_response(html)


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


def with_query(path: str, **query: str) -> str:
    """A path of this site with a query string."""
    return f"{path}?{urlencode(query)}"


def in_words(names: Sequence[str], most: int = 5) -> str:
    """Names as a sentence has them: `Ada, Ben and Cleo`; beyond `most` of them, `… and 3 more`."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def next_query(unsafe_path: str | None = None) -> str:
    """`?next=…` to hand on while somebody signs in, or nothing when they go to `/` anyway.

    By default the path that this page was handed itself.
    """
    path = safe_path(unsafe_path or flask.request.args.get("next"))
    return "" if path == "/" else "?" + urlencode({"next": path})
