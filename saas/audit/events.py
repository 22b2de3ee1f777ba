"""The catalogue: everything that can happen, as ``noun.verbed``, with the tables it accounts for.

A change of a table commits only together with an event that accounts for that table (``coverage``), so a
forgotten event is found at the first test that makes the change. Adding an event: one line here, and a data
model if it carries more than its target and changes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class EventData(BaseModel):
    """Base of the data of an event: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoData(EventData):
    """An event that says everything with its target and changes."""


class RolesData(EventData):
    """Names of the roles that a user holds from now on."""

    roles: list[str]


class RoleData(EventData):
    """The name of the role."""

    role: str


class PermissionsData(EventData):
    """The permissions that something was made with."""

    permissions: list[str]


class TokenData(EventData):
    """What a token by mail is for: verify, change or reset."""

    purpose: str


class LeavingData(EventData):
    """How somebody left (removed or left), and how many of their keys and invitations ended with it."""

    how: str
    keys_ended: int
    invitations_ended: int


class SessionData(EventData):
    """How a session began or why it ended."""

    how: str


class RefusalData(EventData):
    """The code of the answer; ``count`` above one: a summary of so many refusals that were alike."""

    code: int
    count: int


class DenialData(RefusalData):
    """The permission that was missing, where one was."""

    permission: str | None


class ExportData(EventData):
    """The form of an export, the filters it was made with, and the last event it can hold."""

    format: str
    filters: dict[str, str]
    until_seq: int


class PruningData(EventData):
    """The last link that was removed, how many events went, and up to which moment."""

    last_seq: int
    last_hash: str
    removed: int
    before: str


class WebhookData(EventData):
    """Where a webhook sends to (scheme and host alone), and which actions; null for all."""

    place: str
    actions: list[str] | None


class ViewData(EventData):
    """What an operator looked at in an account."""

    page: str


class ConsoleViewData(EventData):
    """What an operator looked at: the page, the account if it was one's, and what was asked for."""

    page: str
    account_id: str | None = None
    query: str | None = None


class ConsoleActData(EventData):
    """What an operator did, in which account, and the ticket it was for."""

    act: str
    account_id: str | None = None
    account_name: str | None = None
    ticket: str | None = None


class OperatorData(EventData):
    """An operator's role in the console."""

    role: str


class AuditEvent(StrEnum):
    """Name, kind (c r u d x), chain (account or system), tables accounted for, data model, outcome."""

    crud: str
    chain: str
    tables: frozenset[str]
    data_model: type[EventData]
    outcome: str

    def __new__(
        cls,
        name: str,
        crud: str,
        chain: str,
        tables: tuple[str, ...],
        data_model: type[EventData] = NoData,
        outcome: str = "success",
    ) -> AuditEvent:
        event = str.__new__(cls, name)
        event._value_ = name
        event.crud, event.chain, event.tables, event.data_model = (
            crud,
            chain,
            frozenset(tables),
            data_model,
        )
        event.outcome = outcome
        return event

    ACCESS_DENIED = ("access.denied", "x", "account", (), DenialData, "denied")
    ACCOUNT_CLOSED = ("account.closed", "u", "account", ("accounts",))
    ACCOUNT_CREATED = ("account.created", "c", "account", ("accounts", "roles"))
    ACCOUNT_RESTORED = ("account.restored", "u", "account", ("accounts",))
    ACCOUNT_SUSPENDED = ("account.suspended", "u", "account", ("accounts",))
    ACCOUNT_UPDATED = ("account.updated", "u", "account", ("accounts",))
    ACCOUNT_VIEWED = ("account.viewed", "r", "account", (), ViewData)
    API_KEY_CREATED = ("api_key.created", "c", "account", ("api_keys",), PermissionsData)
    API_KEY_REVOKED = ("api_key.revoked", "u", "account", ("api_keys",))
    AUDIT_EXPORTED = ("audit.exported", "r", "account", (), ExportData)
    AUDIT_PRUNED = ("audit.pruned", "d", "account", (), PruningData)
    CONSOLE_ACTED = ("console.acted", "x", "system", (), ConsoleActData)
    CONSOLE_DENIED = ("console.denied", "x", "system", (), DenialData, "denied")
    CONSOLE_VIEWED = ("console.viewed", "r", "system", (), ConsoleViewData)
    IDENTITY_CONFIRMED = (
        "identity.confirmed",
        "u",
        "system",
        ("identities", "email_tokens", "sessions"),
    )
    IDENTITY_CREATED = ("identity.created", "c", "system", ("identities",))
    IDENTITY_EMAIL_CHANGED = (
        "identity.email_changed",
        "u",
        "system",
        ("identities", "email_tokens", "sessions"),
    )
    IDENTITY_PASSWORD_CHANGED = (
        "identity.password_changed",
        "u",
        "system",
        ("identities", "sessions"),
    )
    IDENTITY_PASSWORD_REHASHED = ("identity.password_rehashed", "u", "system", ("identities",))
    IDENTITY_PASSWORD_RESET = (
        "identity.password_reset",
        "u",
        "system",
        ("identities", "email_tokens", "sessions"),
    )
    IDENTITY_RESTORED = ("identity.restored", "u", "system", ("identities",))
    IDENTITY_SIGNED_OUT = ("identity.signed_out", "d", "system", ("sessions",))
    IDENTITY_SUSPENDED = ("identity.suspended", "u", "system", ("identities", "sessions"))
    INVITATION_ACCEPTED = (
        "invitation.accepted",
        "u",
        "account",
        ("invitations", "users", "users_x_roles"),
        RolesData,
    )
    INVITATION_CREATED = (
        "invitation.created",
        "c",
        "account",
        ("invitations", "invitations_x_roles"),
        RolesData,
    )
    INVITATION_RESENT = ("invitation.resent", "u", "account", ("invitations",))
    INVITATION_REVOKED = ("invitation.revoked", "u", "account", ("invitations",))
    NOTE_ADDED = ("note.added", "c", "account", ("account_notes",))
    OPERATOR_ADDED = (
        "operator.added",
        "c",
        "system",
        ("operators", "operator_recovery_codes"),
        OperatorData,
    )
    OPERATOR_CODES_RENEWED = (
        "operator.codes_renewed",
        "u",
        "system",
        ("operators", "operator_recovery_codes"),
    )
    OPERATOR_FACTOR_RESET = (
        "operator.factor_reset",
        "u",
        "system",
        ("operators", "operator_recovery_codes", "operator_sessions"),
    )
    OPERATOR_FACTOR_SET = (
        "operator.factor_set",
        "u",
        "system",
        ("operators", "operator_recovery_codes", "operator_sessions"),
    )
    OPERATOR_REMOVED = (
        "operator.removed",
        "d",
        "system",
        ("operators", "operator_recovery_codes", "operator_sessions"),
    )
    OPERATOR_SIGNED_IN = (
        "operator.signed_in",
        "c",
        "system",
        ("operators", "operator_recovery_codes", "operator_sessions"),
        SessionData,
    )
    OPERATOR_SIGNED_OUT = (
        "operator.signed_out",
        "d",
        "system",
        ("operator_sessions",),
        SessionData,
    )
    OWNERSHIP_ACCEPTED = (
        "ownership.accepted",
        "u",
        "account",
        ("ownership_offers", "users_x_roles", "accounts"),
    )
    OWNERSHIP_OFFERED = ("ownership.offered", "c", "account", ("ownership_offers",))
    PASSWORD_REFUSED = ("password.refused", "x", "account", (), RefusalData, "failure")
    PERSON_RESTORED = ("person.restored", "u", "account", ())
    PERSON_SIGNED_OUT = ("person.signed_out", "d", "account", ())
    PERSON_SUSPENDED = ("person.suspended", "u", "account", ())
    PROJECT_CREATED = ("project.created", "c", "account", ("projects",))
    PROJECT_DELETED = ("project.deleted", "d", "account", ("projects",))
    PROJECT_UPDATED = ("project.updated", "u", "account", ("projects",))
    REQUEST_THROTTLED = ("request.throttled", "x", "system", (), RefusalData, "denied")
    ROLE_CREATED = ("role.created", "c", "account", ("roles",), PermissionsData)
    ROLE_DELETED = (
        "role.deleted",
        "d",
        "account",
        ("roles", "users_x_roles", "accounts", "invitations_x_roles"),
    )
    ROLE_GRANTED = ("role.granted", "u", "account", ("users_x_roles", "accounts"), RoleData)
    ROLE_REVOKED = ("role.revoked", "u", "account", ("users_x_roles", "accounts"), RoleData)
    ROLE_UPDATED = ("role.updated", "u", "account", ("roles", "accounts"))
    SESSION_CREATED = ("session.created", "c", "account", ("sessions",), SessionData)
    SESSION_ENDED = ("session.ended", "d", "account", ("sessions",), SessionData)
    SIGN_IN_FAILED = ("sign_in.failed", "x", "system", (), RefusalData, "failure")
    TOKEN_SENT = ("token.sent", "c", "system", ("email_tokens",), TokenData)
    USER_CREATED = ("user.created", "c", "account", ("users", "users_x_roles"), RolesData)
    USER_REMOVED = (
        "user.removed",
        "d",
        "account",
        (
            "users",
            "users_x_roles",
            "sessions",
            "api_keys",
            "invitations",
            "ownership_offers",
            "accounts",
        ),
        LeavingData,
    )
    USER_RESTORED = ("user.restored", "u", "account", ("users", "accounts"))
    USER_SUSPENDED = ("user.suspended", "u", "account", ("users", "sessions", "accounts"))
    USER_UPDATED = ("user.updated", "u", "account", ("users",))
    VISITOR_DENIED = ("visitor.denied", "x", "system", (), DenialData, "denied")
    WEBHOOK_CREATED = ("webhook.created", "c", "account", ("webhooks",), WebhookData)
    WEBHOOK_DELETED = ("webhook.deleted", "d", "account", ("webhooks",))
    WEBHOOK_DISABLED = ("webhook.disabled", "u", "account", ("webhooks",))
    WEBHOOK_ENABLED = ("webhook.enabled", "u", "account", ("webhooks",))
    WEBHOOK_SECRET_ROTATED = ("webhook.secret_rotated", "u", "account", ("webhooks",))
    WEBHOOK_TESTED = ("webhook.tested", "x", "account", ("webhooks",))
    WEBHOOK_UPDATED = ("webhook.updated", "u", "account", ("webhooks",), WebhookData)


LOG_TABLES = frozenset({"audit_events", "system_events"})  # only ever added to

# Columns and tables whose changes are not events, each with its reason.
NOT_AUDITED: dict[str, tuple[frozenset[str] | None, str]] = {
    "audit_events": (None, "the log itself"),
    "audit_heads": (None, "the log itself"),
    "outbox": (None, "work that follows from an event, not a change of its own"),
    "api_keys": (frozenset({"last_used_at"}), "a trace of use, written at most once a minute"),
    "accounts": (frozenset({"roles_version"}), "a counter that follows from changes of roles"),
    "system_events": (None, "the log itself"),
    "system_heads": (None, "the log itself"),
    "operator_sessions": (
        frozenset({"last_seen_at"}),
        "a trace of use, written at most once a minute",
    ),
    "sessions": (frozenset({"last_seen_at"}), "a trace of use, written at most once a minute"),
    "users": (frozenset({"last_used_at"}), "a trace of use, written at sign-in"),
    "audit_cursors": (None, "how far the log has been delivered, not a change of its own"),
    "webhook_deliveries": (None, "a trace of deliveries; each would make an event to deliver"),
    "webhooks": (frozenset({"failing_since"}), "a trace of deliveries, written by the worker"),
}


def is_audited(table: str, columns: frozenset[str] | None) -> bool:
    """Say whether a change of ``columns`` (None: whole rows) of ``table`` needs an event."""
    if table not in NOT_AUDITED:
        return True
    free, _reason = NOT_AUDITED[table]
    return free is not None and (columns is None or not columns <= free)


def check_data(event: AuditEvent, data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an event as its model has it; raises pydantic's ValidationError for anything else."""
    if not data and event.data_model is NoData:
        return {}  # as most events have it
    return event.data_model.model_validate(data).model_dump(mode="json")
