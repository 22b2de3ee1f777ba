"""The foundation: identities, accounts, users, roles, projects, and the audit log from the first day.

Revision ID: 20261122_foundation
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from saas.audit.chain import GENESIS, SYSTEM_HEAD_ID
from saas.columns import CanonicalJson, UtcDateTime
from tenants.row_security import enable_statements

revision = "20261122_foundation"
down_revision = None
branch_labels = None
depends_on = None

OWNED = ("accounts", "users", "roles", "users_x_roles", "projects", "audit_events", "audit_heads")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("roles_version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("confirmed_at", UtcDateTime, nullable=True),
        sa.Column("suspended_at", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("email_key", name=op.f("uq_identities_email_key")),
    )
    op.create_table(
        "system_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_envelope(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_events")),
        sa.UniqueConstraint("seq", name=op.f("uq_system_events_seq")),
    )
    op.create_table(
        "system_heads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_heads")),
    )
    op.create_table(
        "audit_events",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        *_envelope(),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_audit_events_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("account_id", "seq", name=op.f("uq_audit_events_account_id_seq")),
    )
    op.create_index(
        op.f("ix_audit_events_account_id_action_seq"),
        "audit_events",
        ["account_id", "action", "seq"],
        unique=False,
    )
    op.create_index(
        op.f("ix_audit_events_account_id_actor_id_seq"),
        "audit_events",
        ["account_id", "actor_id", "seq"],
        unique=False,
    )
    op.create_index(
        op.f("ix_audit_events_account_id_target_id_seq"),
        "audit_events",
        ["account_id", "target_id", "seq"],
        unique=False,
    )
    op.create_table(
        "audit_heads",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_audit_heads_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "projects",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_projects_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_projects")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_projects_account_id_name")),
    )
    op.create_table(
        "roles",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("system_key", sa.String(length=16), nullable=True),
        sa.Column("permissions", CanonicalJson(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_roles_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_roles")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_roles_account_id_name")),
    )
    op.create_table(
        "users",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(length=15), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("last_used_at", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_users_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identities.id"], name=op.f("fk_users_identity_id")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_users")),
        sa.UniqueConstraint(
            "account_id", "identity_id", name=op.f("uq_users_account_id_identity_id")
        ),
        sa.UniqueConstraint("account_id", "username", name=op.f("uq_users_account_id_username")),
    )
    op.create_index(op.f("ix_users_identity_id"), "users", ["identity_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=256), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "user_id"],
            ["users.account_id", "users.id"],
            name=op.f("fk_sessions_account_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["identities.id"],
            name=op.f("fk_sessions_identity_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(
        op.f("ix_sessions_account_id_user_id"), "sessions", ["account_id", "user_id"], unique=False
    )
    op.create_index(op.f("ix_sessions_identity_id"), "sessions", ["identity_id"], unique=False)
    op.create_table(
        "users_x_roles",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.Column("assigned_at", UtcDateTime, nullable=False),
        sa.Column("assigned_by_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id", "assigned_by_id"],
            ["users.account_id", "users.id"],
            name=op.f("fk_users_x_roles_account_id_assigned_by_id"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "role_id"],
            ["roles.account_id", "roles.id"],
            name=op.f("fk_users_x_roles_account_id_role_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "user_id"],
            ["users.account_id", "users.id"],
            name=op.f("fk_users_x_roles_account_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "user_id", "role_id", name=op.f("pk_users_x_roles")),
    )
    op.create_index(
        op.f("ix_users_x_roles_account_id_role_id"),
        "users_x_roles",
        ["account_id", "role_id"],
        unique=False,
    )

    heads = sa.table(
        "system_heads",
        sa.column("id", sa.Uuid()),
        sa.column("seq", sa.BigInteger()),
        sa.column("hash", sa.String()),
    )
    op.bulk_insert(heads, [{"id": SYSTEM_HEAD_ID, "seq": 0, "hash": GENESIS}])
    # Policies and grants name the three database roles, so they follow at the end of every upgrade.
    if op.get_bind().dialect.name == "postgresql":
        for table in OWNED:
            for statement in enable_statements(table):
                op.execute(statement)


def downgrade() -> None:
    op.drop_table("users_x_roles")
    op.drop_table("sessions")
    op.drop_table("users")
    op.drop_table("roles")
    op.drop_table("projects")
    op.drop_table("audit_heads")
    op.drop_table("audit_events")
    op.drop_table("system_heads")
    op.drop_table("system_events")
    op.drop_table("identities")
    op.drop_table("accounts")


def _envelope() -> list[sa.Column]:
    """The columns that both event tables share, in the order of the envelope."""
    return [
        sa.Column("v", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time", UtcDateTime, nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("crud", sa.String(length=1), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("actor_type", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("actor_label", sa.String(length=254), nullable=False),
        sa.Column("on_behalf_of_id", sa.String(length=36), nullable=True),
        sa.Column("on_behalf_of_label", sa.String(length=254), nullable=True),
        sa.Column("target_type", sa.String(length=32), nullable=True),
        sa.Column("target_id", sa.String(length=36), nullable=True),
        sa.Column("target_label", sa.String(length=254), nullable=True),
        sa.Column("targets", CanonicalJson(), nullable=False),
        sa.Column("changes", CanonicalJson(), nullable=False),
        sa.Column("data", CanonicalJson(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=256), nullable=True),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("prev", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
    ]
