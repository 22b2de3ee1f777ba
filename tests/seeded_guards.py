"""Every guard, and how it is seeded away: a piece of its source is replaced, in memory, for the length of a test."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from types import ModuleType

import pytest

from saas import routing
from saas.services import (
    api_key_services,
    guards,
    identity_services,
    invitation_services,
    mail_token_services,
    ownership_services,
    project_services,
    role_services,
    session_services,
    user_services,
    webhook_services,
)


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: where it stands, what is put in its place, and the lines of the matrix that must go red.

    ``lines``: "POST /api/roles [above permissions in body]". ``attack``: the name of a test instead, in
    ``test_guards_bite.py``, for what no single call can show.
    """

    module: ModuleType
    function: str
    there: str
    instead: str
    lines: tuple[str, ...] = ()
    attack: str = ""
    also: Guard | None = None  # a second place that holds the same, so that both have to go

    def seed_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the function without its guard into its module; fails when the guard no longer stands there."""
        source = textwrap.dedent(inspect.getsource(getattr(self.module, self.function)))
        assert source.count(self.there) == 1, f"{self.function}: {self.there!r} is not there once"
        made: dict[str, object] = {}
        code = compile(source.replace(self.there, self.instead), f"<without {self.there}>", "exec")
        exec(code, vars(self.module), made)  # noqa: S102 - our own source
        monkeypatch.setattr(self.module, self.function, made[self.function])
        if self.also is not None:
            self.also.seed_away(monkeypatch)


GUARDS = {
    "a service asks": Guard(
        project_services, "delete_project", "require(actor, Permission.PROJECT_DELETE)", "pass",
        (
            "DELETE /api/projects/<project_id> [own, service alone]",
            "POST /projects/<project_id>/delete [own, service alone]",
        ),
    ),
    "the wrapper asks, before it reads": Guard(
        routing, "_endpoint", "require(actor, permission)", "pass",
        ("PATCH /api/account [unknown fields]", "POST /api/projects [unknown fields]"),
    ),
    "what is personal is a person's": Guard(
        routing, "_endpoint", "require_person(actor)", "pass", ("GET /api/user [–]",),
    ),
    "nobody acts on who holds more": Guard(
        guards, "find_user_below", "require_not_above(actor, held_by_seat(unit, user_id))", "pass",
        (
            "PATCH /api/users/<user_id> [above them]",
            "DELETE /api/users/<user_id> [above them]",
            "POST /api/users/<user_id>/suspend [above them]",
            "POST /api/users/<user_id>/roles [above them]",
            "DELETE /api/api-keys/<key_id> [above them]",
        ),
    ),
    "nobody touches a role above": Guard(
        guards, "find_role_below",
        "require_not_above(actor, held_permissions.permissions_of_role(role_model))", "pass",
        (
            "POST /api/users/<user_id>/roles [above role_id in body]",
            "POST /api/invitations [above role_ids in body]",
            "POST /api/invitations/<invitation_id>/resend [above them]",
            "DELETE /api/invitations/<invitation_id> [above them]",
            "DELETE /api/roles/<role_id> [above them]",
        ),
    ),
    "a new role is a part of one's own": Guard(
        role_services, "create_role", "require_not_above(now, known(permissions))", "pass",
        ("POST /api/roles [above permissions in body]",),
    ),
    "a changed role is a part of one's own": Guard(
        role_services, "update_role", "require_not_above(now, known(permissions))", "pass",
        ("PATCH /api/roles/<role_id> [above permissions in body]",),
    ),
    "a key is a part of its maker": Guard(
        api_key_services, "create_api_key", "require_not_above(now, known(permissions))", "pass",
        ("POST /api/api-keys [above permissions in body]",),
    ),
    "keys do not make keys": Guard(
        api_key_services, "create_api_key", "require_person(actor)", "pass",
        ("POST /api/api-keys [–]",),
    ),
    "a key holds what it was given": Guard(
        api_key_services, "find_actor", "makers & known(row.permissions)", "makers",
        ("GET /api/projects [–]", "DELETE /api/projects/<project_id> [own]"),
    ),
    "a key loses what its maker lost": Guard(
        api_key_services, "find_actor", "makers & known(row.permissions)", "known(row.permissions)",
        attack="key_of_a_demoted_maker",
    ),
    "only an owner hands over": Guard(
        ownership_services, "offer_ownership", 'require_not_above(now, SYSTEM_ROLES["owner"])', "pass",
        ("POST /api/account/ownership-offers [own]",),
    ),
    "an offer is for one person": Guard(
        ownership_services, "accept_ownership", "offer_model.to_user_id != actor.id", "False",
        ("POST /api/account/ownership-offers/<offer_id>/accept [of a colleague]",),
    ),
    "a session is one's own": Guard(
        session_services, "end_session", ", _sessions.identity_id == actor.identity_id", "",
        ("DELETE /api/sessions/<session_id> [of a colleague]", "DELETE /api/sessions/<session_id> [foreign]"),
    ),
    "nobody acts on themselves": Guard(
        user_services, "_find_other", "user_model.id == actor.seat_id", "False",
        attack="suspending_oneself",
    ),
    "the last owner stays": Guard(
        guards, "keep_an_owner", "raise errors.LastOwnerError", "pass", attack="leaving_as_the_last_owner",
    ),
    "the actor is read again under the lock": Guard(
        guards, "lock_account", "reread(unit, actor)", "actor", attack="acting_after_a_demotion",
    ),
    "an account is closed with the password": Guard(
        ownership_services, "close_account",
        'identity_services.confirm_password(actor, password, "password")', "pass",
        attack="closing_with_a_wrong_password",
    ),
    "a password is the person's own": Guard(
        identity_services, "confirm_password",
        "not passwords.verify_password(password, known.password_hash)", "False",
        attack="closing_with_a_wrong_password",
    ),
    "an invitation is found by its token": Guard(
        invitation_services, "_find_by_token",
        ".where(Invitation.token_hash == tokens.token_hash(secret))", "",
        attack="accepting_with_a_made_up_token",
    ),
    "an invitation is used once": Guard(
        invitation_services, "_refuse_used", "invitation_model.accepted_at is not None", "False",
        attack="accepting_twice",
    ),
    "an invitation that was taken back is dead": Guard(
        invitation_services, "_refuse_used", "invitation_model.revoked_at is not None", "False",
        attack="accepting_what_was_taken_back",
    ),
    "an invitation is for one address": Guard(
        invitation_services, "_needs",
        'visitor.kind != "user" or emails.email_key(visitor.email) != invitation_model.email_key', "False",
        attack="accepting_as_somebody_else",
    ),
    "an invitation gives no more than its sender holds now": Guard(
        invitation_services, "_inviter", "Permission.USER_INVITE not in held", "False",
        attack="accepting_from_a_demoted_sender",
    ),
    "who has the log sent can read it": Guard(
        webhook_services, "_require_reader", "require(actor, Permission.AUDIT_READ)", "pass",
        ("POST /api/webhooks [–]",),
    ),
    "who sends the log elsewhere can read it": Guard(
        webhook_services, "_require_reader", "require(actor, Permission.AUDIT_READ)", "pass",
        attack="pointing_a_webhook_elsewhere_without_reading_the_log",
    ),
    "a webhook leads to a public address": Guard(
        webhook_services, "_check_url", "egress.check_url(url)", "pass",
        attack="saving_a_webhook_to_the_metadata_service",
    ),
    "a link by mail is used once": Guard(
        mail_token_services, "_find", "row.used_at is not None", "False", attack="resetting_twice",
        also=Guard(mail_token_services, "_use", "_tokens.c.used_at.is_(None)", "True"),
    ),
}  # fmt: skip
