"""Every model, and who owns each table. Importing this package is enough to know the whole schema."""

from saas.models.accounts import Account, User
from saas.models.base import Base, Created, Identified, TenantModel
from saas.models.events import AuditEventRow, AuditHead, SystemEventRow, SystemHead
from saas.models.identities import Identity, UserSession
from saas.models.projects import Project
from saas.models.roles import Role, UserRole
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
        "system_events": GlobalTable(
            "what happens before or outside every account; the app role can only insert"
        ),
        "system_heads": GlobalTable("the one head of the chain of system events", keys=("id",)),
    },
)

__all__ = [
    "OWNERSHIP",
    "Account",
    "AuditEventRow",
    "AuditHead",
    "Base",
    "Created",
    "Identified",
    "Identity",
    "Project",
    "Role",
    "SystemEventRow",
    "SystemHead",
    "TenantModel",
    "User",
    "UserRole",
    "UserSession",
]
