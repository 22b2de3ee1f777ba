"""One account, seen from everywhere, and what can be done to it."""

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
from saas.columns import utc_now
from saas.models import Account, User
from saas.operator import ConsolePermission, Operator
from saas.schemas.console_schemas import NoteIn
from saas.services import console_account_services, console_act_services, invitation_services

SUSPEND = Act(
    "suspend-account",
    "Suspend",
    "Suspend the account",
    ConsolePermission.ACCOUNT_SUSPEND,
    danger=True,
)
RESTORE = Act(
    "restore-account", "Restore", "Restore the account", ConsolePermission.ACCOUNT_SUSPEND
)
RESEND = Act(
    "resend-invitation",
    "Send again the invitation of",
    "Send it again",
    ConsolePermission.INVITATION_RESEND,
)
REVOKE = Act(
    "revoke-invitation",
    "Take back the invitation of",
    "Take it back",
    ConsolePermission.INVITATION_REVOKE,
    danger=True,
)


_a, _u = Account.__table__.c, User.__table__.c
_OWNERS = console_account_services.owners_of(_a.account_id)
_PEOPLE = select(func.count()).where(_u.account_id == _a.account_id).scalar_subquery()
_TOLD = "Your name and reason stand in each account's audit log, and in the console's."


def _suspend(operator: Operator, account_id: UUID, **why: Any) -> None:
    console_act_services.suspend_account(operator, account_id=account_id, **why)


def _restore(operator: Operator, account_id: UUID, **why: Any) -> None:
    console_act_services.restore_account(operator, account_id=account_id, **why)


class AccountsView(OperatorView):
    """``/admin/accounts/``: the list, one account's page, and the acts below it."""

    permission = ConsolePermission.ACCOUNT_READ
    fields = (
        Field("name", "Name", search=True, link=True),
        Field("status", "State", "choice", choices=("active", "suspended", "closed")),
        Field("owners", "Owners", column=_OWNERS),
        Field("people", "People", "number", column=_PEOPLE),
        Field("created_at", "Since", "time"),
    )
    scopes = (
        Scope("all", "All"),
        Scope("suspended", "Suspended", _a.status == "suspended"),
        Scope("closed", "Closed", _a.status == "closed"),
        Scope("ownerless", "Without an owner", (_a.status == "active") & _OWNERS.is_(None)),
    )
    acts = {
        "suspend": BulkAct(
            "Suspend accounts",
            ConsolePermission.ACCOUNT_SUSPEND,
            _suspend,
            ("Everybody in them is locked out at their next request.", _TOLD),
            danger=True,
        ),
        "restore": BulkAct(
            "Restore accounts",
            ConsolePermission.ACCOUNT_SUSPEND,
            _restore,
            ("Their people can work again.", _TOLD),
        ),
    }
    nothing = "No account fits. Or there is none yet: sign up, or run flask seed for examples."

    def link_of(self, row: Any) -> str:
        """Return the address of an account's page."""
        return f"/admin/accounts/{row.id}/"

    @asks(ConsolePermission.ACCOUNT_READ)
    @expose("/<uuid:account_id>/")
    def show(self, account_id: UUID) -> str:
        """Show one tab of an account."""
        operator = gate.current_operator()
        tab = flask.request.args.get("tab", "overview")
        cursor = flask.request.args.get("cursor")
        page = console_account_services.read_account(
            operator, account_id=account_id, tab=tab, cursor=cursor
        )
        now = utc_now()
        return self.render(
            "console/account.html",
            page=page, tab=tab, cursor=cursor, now=now,
            groups=console_account_services.matrix(page.rows) if tab == "roles" else [],
            state_of=lambda row: invitation_services.state_of(row, now),
            causes=act_pages.causes(
                operator,
                suspend=ConsolePermission.ACCOUNT_SUSPEND, restore=ConsolePermission.ACCOUNT_SUSPEND,
                resend=ConsolePermission.INVITATION_RESEND, revoke=ConsolePermission.INVITATION_REVOKE,
                note=ConsolePermission.NOTE_WRITE,
            ),
        )  # fmt: skip

    @asks(ConsolePermission.ACCOUNT_SUSPEND)
    @expose("/<uuid:account_id>/suspend/", methods=("GET", "POST"))
    def suspend(self, account_id: UUID) -> Any:
        """Ask, then lock everybody out."""
        operator = gate.current_operator()
        account = console_account_services.find_account(operator, account_id=account_id)
        what = (
            f"All {account.users} people of {account.name} are locked out at their next request.",
            f"Its {account.keys} API keys stop working. Nothing is deleted.",
            "Your name and reason stand in the account's audit log, and in the console's.",
        )
        return act_pages.ask(
            self, SUSPEND, about=account.name, back=f"/admin/accounts/{account_id}/", what=what,
            cause="" if account.status == "active" else f"it is {account.status} already.",
            do=lambda **why: console_act_services.suspend_account(operator, account_id=account_id, **why),
        )  # fmt: skip

    @asks(ConsolePermission.ACCOUNT_SUSPEND)
    @expose("/<uuid:account_id>/restore/", methods=("GET", "POST"))
    def restore(self, account_id: UUID) -> Any:
        """Ask, then let people back in."""
        operator = gate.current_operator()
        account = console_account_services.find_account(operator, account_id=account_id)
        what = (
            f"All {account.users} people of {account.name} can work again, with the sessions they have.",
            "Your name and reason stand in the account's audit log, and in the console's.",
        )
        return act_pages.ask(
            self, RESTORE, about=account.name, back=f"/admin/accounts/{account_id}/", what=what,
            cause="" if account.status == "suspended" else f"it is {account.status}, not suspended.",
            do=lambda **why: console_act_services.restore_account(operator, account_id=account_id, **why),
        )  # fmt: skip

    @asks(ConsolePermission.INVITATION_RESEND)
    @expose("/<uuid:account_id>/invitations/<uuid:invitation_id>/resend/", methods=("GET", "POST"))
    def resend(self, account_id: UUID, invitation_id: UUID) -> Any:
        """Ask, then send an invitation again."""
        what = (
            "A new mail goes to the invited address; the link of the older one is dead.",
            "The seven days begin anew. It stays the invitation of whoever sent it.",
            "Your name and reason stand in the account's audit log, and in the console's.",
        )
        return self._ask_invitation(
            RESEND, account_id, invitation_id, what, console_act_services.resend_invitation
        )

    @asks(ConsolePermission.INVITATION_REVOKE)
    @expose("/<uuid:account_id>/invitations/<uuid:invitation_id>/revoke/", methods=("GET", "POST"))
    def revoke(self, account_id: UUID, invitation_id: UUID) -> Any:
        """Ask, then take an invitation back."""
        what = (
            "The link in the mail no longer works. Somebody in the account can invite again.",
            "Your name and reason stand in the account's audit log, and in the console's.",
        )
        return self._ask_invitation(
            REVOKE, account_id, invitation_id, what, console_act_services.revoke_invitation
        )

    @asks(ConsolePermission.NOTE_WRITE)
    @expose("/<uuid:account_id>/notes/", methods=("POST",))
    def note(self, account_id: UUID) -> Any:
        """Keep a note."""
        text = read_form(NoteIn).text
        console_act_services.write_note(gate.current_operator(), account_id=account_id, text=text)
        return flask.redirect(f"/admin/accounts/{account_id}/?tab=notes&done=note", 303)

    def _ask_invitation(
        self, act: Act, account_id: UUID, invitation_id: UUID, what: tuple[str, ...], do: Any
    ) -> Any:
        operator = gate.current_operator()
        row = console_account_services.find_invitation(
            operator, account_id=account_id, invitation_id=invitation_id
        )
        state = invitation_services.state_of(row, utc_now())
        return act_pages.ask(
            self, act, about=row.email, back=f"/admin/accounts/{account_id}/?tab=invitations", what=what,
            cause="" if state in ("open", "expired") else f"it is {state}.",
            do=lambda **why: do(operator, account_id=account_id, invitation_id=invitation_id, **why),
        )  # fmt: skip
