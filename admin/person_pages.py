"""One person, in all accounts, and what can be done to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import flask
from flask_admin import expose
from sqlalchemy import func, select

from admin import act_pages, gate
from admin.act_pages import Act
from admin.bulk_acts import BulkAct
from admin.fields import Field, Scope
from admin.guarded import asks, read_form
from admin.operator_view import OperatorView
from saas import errors
from saas.models import Identity, User
from saas.operator import ConsolePermission, Operator
from saas.schemas.console_schemas import NoteIn
from saas.services import console_act_services, console_person_services

SUSPEND = Act(
    "suspend-person", "Suspend", "Suspend the person", ConsolePermission.PERSON_SUSPEND, danger=True
)
RESTORE = Act("restore-person", "Restore", "Restore the person", ConsolePermission.PERSON_SUSPEND)
SIGN_OUT = Act(
    "sign-out-person",
    "Sign out",
    "Sign them out everywhere",
    ConsolePermission.PERSON_SIGN_OUT,
    danger=True,
)
_i, _u = Identity.__table__.c, User.__table__.c
_SEATS = select(func.count()).where(_u.identity_id == _i.id).scalar_subquery()
_NAMES = (
    select(func.aggregate_strings(_u.username, ", "))
    .where(_u.identity_id == _i.id)
    .scalar_subquery()
)
_TOLD = "Your name and reason stand in the audit log of every account they sit in, and in the console's."


def _suspend(operator: Operator, identity_id: UUID, **why: Any) -> None:
    console_act_services.suspend_person(operator, identity_id=identity_id, **why)


def _sign_out(operator: Operator, identity_id: UUID, **why: Any) -> None:
    console_act_services.sign_person_out(operator, identity_id=identity_id, **why)


class PeopleView(OperatorView):
    """``/admin/people/``: the list, one person's page, and the acts below it."""

    permission = ConsolePermission.PERSON_READ
    fields = (
        Field("email", "Address", search=True, link=True),
        Field("usernames", "Names", column=_NAMES),
        Field("seats", "Seats", "number", column=_SEATS),
        Field("confirmed_at", "Confirmed", "time"),
        Field("suspended_at", "Suspended", "time"),
        Field("created_at", "Since", "time"),
    )
    scopes = (
        Scope("all", "All"),
        Scope("suspended", "Suspended", _i.suspended_at.is_not(None)),
        Scope("unconfirmed", "Address not confirmed", _i.confirmed_at.is_(None)),
        Scope("seatless", "In no account", _SEATS == 0),
    )
    acts = {
        "suspend": BulkAct(
            "Suspend people",
            ConsolePermission.PERSON_SUSPEND,
            _suspend,
            ("They are locked out of every account at their next request, keys included.", _TOLD),
            danger=True,
        ),
        "sign-out": BulkAct(
            "Sign people out",
            ConsolePermission.PERSON_SIGN_OUT,
            _sign_out,
            ("Their sessions end in every account; they can sign in again.", _TOLD),
        ),
    }
    nothing = "Nobody has signed up yet."

    def link_of(self, row: Any) -> str:
        """Return the address of a person's page."""
        return f"/admin/people/{row.id}/"

    @asks(ConsolePermission.PERSON_READ)
    @expose("/<uuid:identity_id>/")
    def show(self, identity_id: UUID) -> str:
        """Show one tab of a person."""
        operator = gate.current_operator()
        tab, cursor = flask.request.args.get("tab", "overview"), flask.request.args.get("cursor")
        page = console_person_services.read_person(
            operator, identity_id=identity_id, tab=tab, cursor=cursor
        )
        return self.render(
            "console/person.html", page=page, tab=tab, cursor=cursor,
            names={seat.user_id: seat.name for seat in page.seats},
            causes=act_pages.causes(
                operator, suspend=ConsolePermission.PERSON_SUSPEND,
                sign_out=ConsolePermission.PERSON_SIGN_OUT, note=ConsolePermission.NOTE_WRITE,
            ),
        )  # fmt: skip

    @asks(ConsolePermission.PERSON_SUSPEND)
    @expose("/<uuid:identity_id>/suspend/", methods=("GET", "POST"))
    def suspend(self, identity_id: UUID) -> Any:
        """Ask, then lock a person out everywhere."""
        operator = gate.current_operator()
        person, seats = console_person_services.find_person(operator, identity_id=identity_id)
        what = (
            f"{person.email} is locked out of {_in_accounts(seats)} at their next request.",
            f"Their {person.open_sessions} open sessions end, and the keys they made stop working.",
            _TOLD,
        )
        return act_pages.ask(
            self, SUSPEND, about=person.email, back=f"/admin/people/{identity_id}/", what=what,
            cause="they are suspended already." if person.suspended_at else "",
            do=lambda **why: _suspend(operator, identity_id, **why),
        )  # fmt: skip

    @asks(ConsolePermission.PERSON_SUSPEND)
    @expose("/<uuid:identity_id>/restore/", methods=("GET", "POST"))
    def restore(self, identity_id: UUID) -> Any:
        """Ask, then let a person sign in again."""
        operator = gate.current_operator()
        person, seats = console_person_services.find_person(operator, identity_id=identity_id)
        what = (f"{person.email} can sign in again, to {_in_accounts(seats)}.", _TOLD)
        return act_pages.ask(
            self, RESTORE, about=person.email, back=f"/admin/people/{identity_id}/", what=what,
            cause="" if person.suspended_at else "they are not suspended.",
            do=lambda **why: console_act_services.restore_person(operator, identity_id=identity_id, **why),
        )  # fmt: skip

    @asks(ConsolePermission.PERSON_SIGN_OUT)
    @expose("/<uuid:identity_id>/sign-out/", methods=("GET", "POST"))
    def sign_out(self, identity_id: UUID) -> Any:
        """Ask, then end every session of a person."""
        operator = gate.current_operator()
        person, _ = console_person_services.find_person(operator, identity_id=identity_id)
        what = (
            f"The {person.open_sessions} open sessions of {person.email} end, in every account.",
            "They can sign in again at once. Keys go on working.",
            _TOLD,
        )
        return act_pages.ask(
            self, SIGN_OUT, about=person.email, back=f"/admin/people/{identity_id}/", what=what,
            do=lambda **why: _sign_out(operator, identity_id, **why),
        )  # fmt: skip

    @asks(ConsolePermission.NOTE_WRITE)
    @expose("/<uuid:identity_id>/notes/", methods=("POST",))
    def note(self, identity_id: UUID) -> Any:
        """Keep a note about one of the person's seats."""
        operator, sent = gate.current_operator(), read_form(NoteIn)
        _, seats = console_person_services.find_person(operator, identity_id=identity_id)
        seat = next((seat for seat in seats if seat.user_id == sent.user_id), None)
        if seat is None:
            raise errors.NotFoundError
        console_act_services.write_note(
            operator, account_id=seat.id, text=sent.text, user_id=seat.user_id
        )
        return flask.redirect(f"/admin/people/{identity_id}/?tab=notes&done=note", 303)


def _in_accounts(seats: list[console_person_services.Seat]) -> str:
    names = [seat.name for seat in seats[:5]]
    if not names:
        return "no account (they sit in none)"
    more = f" and {len(seats) - 5} more" if len(seats) > 5 else ""
    return ", ".join(names) + more
