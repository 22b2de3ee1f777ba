"""Every model, and who owns each table. Importing this package is enough to know the whole schema."""

from saas.models.accounts import Account, User
from saas.models.api_keys import ApiKey
from saas.models.base import Base, Created, Identified, TenantModel
from saas.models.email_tokens import EmailToken
from saas.models.events import AuditEventRow, AuditHead, SystemEventRow, SystemHead
from saas.models.identities import Identity, UserSession
from saas.models.invitations import Invitation, InvitationRole, OwnershipOffer
from saas.models.operators import AccountNote, OperatorRow, OperatorSession, RecoveryCode
from saas.models.outbox import OutboxItem
from saas.models.projects import Project
from saas.models.roles import Role, UserRole
from saas.models.webhooks import AuditCursor, Webhook, WebhookDelivery
from tenants import GlobalTable, Ownership

OWNERSHIP = Ownership(
    Base.metadata,
    global_tables={
        "identities": GlobalTable(
            "a person may sit in several accounts with one sign-in", keys=("id",)
        ),
        "sessions": GlobalTable(
            "a browser signs in before it enters an account",
            keys=("id", "token_hash", "identity_id"),
        ),
        "email_tokens": GlobalTable(
            "a token by mail belongs to a person, whatever their accounts",
            keys=("id", "token_hash", "identity_id"),
        ),
        "outbox": GlobalTable(
            "work after the commit, for workers of no account; the app role can only insert"
        ),
        "system_events": GlobalTable(
            "what happens before or outside every account; the app role can only insert"
        ),
        "audit_cursors": GlobalTable(
            "how far each destination has got, for workers of no account; not for the app role at all"
        ),
        "operators": GlobalTable("people of the house, in no account; closed to the app role"),
        "operator_sessions": GlobalTable("an operator's browser; closed to the app role"),
        "operator_recovery_codes": GlobalTable("for one operator; closed to the app role"),
        "system_heads": GlobalTable("the one head of the chain of system events", keys=("id",)),
    },
)

__all__ = [
    "OWNERSHIP",
    "Account",
    "AccountNote",
    "ApiKey",
    "AuditCursor",
    "AuditEventRow",
    "AuditHead",
    "Base",
    "Created",
    "EmailToken",
    "Identified",
    "Identity",
    "Invitation",
    "InvitationRole",
    "OperatorRow",
    "OperatorSession",
    "OutboxItem",
    "OwnershipOffer",
    "Project",
    "RecoveryCode",
    "Role",
    "SystemEventRow",
    "SystemHead",
    "TenantModel",
    "User",
    "UserRole",
    "UserSession",
    "Webhook",
    "WebhookDelivery",
]
