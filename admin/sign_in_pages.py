"""Signing in and out of the console, and the operator's own second factor."""

from __future__ import annotations

from typing import Any

import flask
from flask_admin import expose
from werkzeug.wrappers import Response

from admin import gate, shell
from admin.guarded import ConsolePage, asks, read_form
from saas import errors, request_scope
from saas.audit import refusals
from saas.operator import Operator
from saas.pages import shared_pages
from saas.schemas.console_schemas import CodeIn, OperatorSignInIn
from saas.security import emails, second_factor
from saas.services import operator_factor_services, operator_services


def init_app(app: flask.Flask) -> None:
    """Put the one page of the console on the app that is open to everybody."""
    app.add_url_rule(gate.SIGN_IN, "console.sign_in", show_sign_in, methods=["GET"])
    app.add_url_rule(gate.SIGN_IN, "console.submit_sign_in", submit_sign_in, methods=["POST"])


def show_sign_in() -> Any:
    """Show the sign-in form; an operator who is signed in goes on to the home page."""
    if gate.find_operator() is not None:
        return flask.redirect("/admin/", 303)
    return _form({}, ended=flask.request.args.get("ended") == "1")


def submit_sign_in() -> Any:
    """Sign an operator in with password and code, both at once: nobody learns which of the two was wrong."""
    try:
        sent = read_form(OperatorSignInIn)
        throttle, ip = flask.current_app.extensions["throttle"], flask.request.remote_addr
        key = f"operator {emails.email_key(sent.email)}"
        throttle.hit_sign_in(ip, key)
        operator = operator_services.sign_in(
            email=sent.email, password=sent.password, code=sent.code, client=request_scope.client()
        )
    except errors.ProductError as error:
        return _refuse(error)
    throttle.forgive_sign_in(ip, key)
    there = "/admin/second-factor/" if operator.stage == "setup" else _safe_next(sent.next)
    answer = flask.redirect(there, 303)
    gate.remember(answer, operator)
    return answer


def _refuse(error: errors.ProductError) -> Response:
    refusal = refusals.of(error, None)
    if refusal is not None:
        flask.current_app.extensions["refusals"].tell(refusal)
    problems = {problem.field: problem.message for problem in error.field_errors}
    message = "Please correct what is marked." if problems else error.message
    email = flask.request.form.get("email", "")
    html = _form({"email": email}, problems=problems, message=message)
    return flask.make_response(html, error.status, error.headers)


def _form(
    values: dict[str, str],
    *,
    problems: dict[str, str] | None = None,
    message: str = "",
    ended: bool = False,
) -> str:
    unsafe_next = flask.request.values.get("next", "")
    return flask.render_template(
        "console/sign_in.html",
        **shell.frame(None),
        values=values,
        problems=problems or {},
        message=message,
        ended=ended,
        next=_safe_next(unsafe_next) if unsafe_next else "",
    )


def _safe_next(unsafe_path: str) -> str:
    path = shared_pages.safe_path(unsafe_path)
    return path if path.startswith("/admin/") else "/admin/"


def _count_try(operator: Operator) -> None:
    """Count one code that somebody signed in has typed: a stolen session must not be used to guess."""
    throttle = flask.current_app.extensions["throttle"]
    throttle.hit_sign_in(flask.request.remote_addr, f"code of {operator.id}")


class SignOutPage(ConsolePage):
    """The end of a session; a form, so that no link or picture can do it."""

    @asks(None)
    @expose("/", methods=("POST",))
    def index(self) -> Response:
        """End the session and take the cookie away."""
        operator_services.sign_out(gate.current_operator())
        answer = flask.redirect(gate.SIGN_IN, 303)
        gate.forget(answer)
        return answer


class SecondFactorPage(ConsolePage):
    """Where somebody whose second factor was reset puts the new secret into their app; nothing else is open to them."""

    open_to_setup = True

    @asks(None)
    @expose("/", methods=("GET", "POST"))
    def index(self) -> Any:
        """Show the QR code, and take the first code of the new app."""
        operator = gate.current_operator()
        if operator.stage != "setup":
            return flask.redirect("/admin/me/", 303)
        problems: dict[str, str] = {}
        if flask.request.method == "POST":
            try:
                _count_try(operator)
                codes = operator_factor_services.finish_setup(operator, code=read_form(CodeIn).code)
            except errors.ValidationFailedError as error:
                problems = {problem.field: problem.message for problem in error.field_errors}
            else:
                return self.render("console/codes.html", codes=codes)
        secret = operator_factor_services.begin_setup(operator)
        uri = second_factor.provisioning_uri(secret, operator.label)
        html = self.render(
            "console/setup.html", secret=secret, qr=second_factor.qr_image(uri), problems=problems
        )
        return flask.make_response(html, 422 if problems else 200)


class OwnPage(ConsolePage):
    """The operator's own page: until when the session lasts, and new recovery codes."""

    @asks(None)
    @expose("/", methods=("GET", "POST"))
    def index(self) -> Any:
        """Show it; a form with a present code makes ten new recovery codes."""
        problems: dict[str, str] = {}
        if flask.request.method == "POST":
            try:
                _count_try(gate.current_operator())
                code = read_form(CodeIn).code
                codes = operator_factor_services.renew_recovery_codes(
                    gate.current_operator(), code=code
                )
                return self.render("console/codes.html", codes=codes)
            except errors.ValidationFailedError as error:
                problems = {problem.field: problem.message for problem in error.field_errors}
        html = self.render("console/own.html", problems=problems)
        return flask.make_response(html, 422 if problems else 200)
