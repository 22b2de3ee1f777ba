"""Operators, their sessions and recovery codes; notes on accounts; indexes to read across accounts.

Revision ID: 20261127_operators
Revises: 20261127_webhooks
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from saas.columns import UtcDateTime
from tenants.row_security import enable_statements

revision = "20261127_operators"
down_revision = "20261127_webhooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operators",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("totp_seed", sa.String(length=64), nullable=False),
        sa.Column("totp_key", sa.String(length=32), nullable=False),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("setup_hash", sa.String(length=64), nullable=True),
        sa.Column("setup_expires_at", UtcDateTime, nullable=True),
        sa.Column("last_sign_in_at", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("email_key", name=op.f("uq_operators_email_key")),
    )
    op.create_table(
        "operator_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.String(length=8), nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=256), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name=op.f("fk_operator_sessions_operator_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_operator_sessions_token_hash")),
    )
    op.create_index(
        op.f("ix_operator_sessions_operator_id"), "operator_sessions", ["operator_id"], unique=False
    )
    op.create_table(
        "operator_recovery_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("used_at", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name=op.f("fk_operator_recovery_codes_operator_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_recovery_codes")),
    )
    op.create_index(
        op.f("ix_operator_recovery_codes_operator_id"),
        "operator_recovery_codes",
        ["operator_id"],
        unique=False,
    )
    op.create_table(
        "account_notes",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("author_label", sa.String(length=254), nullable=False),
        sa.Column("text", sa.String(length=2000), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "user_id"],
            ["users.account_id", "users.id"],
            name=op.f("fk_account_notes_account_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_account_notes_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_account_notes")),
    )
    op.create_index(
        op.f("ix_audit_events_request_id"), "audit_events", ["request_id"], unique=False
    )
    failed = sa.column("outcome") != sa.literal_column("'success'")
    op.create_index(
        op.f("ix_audit_events_outcome_id_time"),
        "audit_events",
        ["outcome", "id", "time"],
        unique=False,
        postgresql_where=failed,
        sqlite_where=failed,
    )
    op.create_index(
        op.f("ix_system_events_actor_id_seq"), "system_events", ["actor_id", "seq"], unique=False
    )
    op.create_index(
        op.f("ix_system_events_target_id_seq"), "system_events", ["target_id", "seq"], unique=False
    )
    op.create_index(op.f("ix_users_id"), "users", ["id"], unique=False)
    op.create_index(
        op.f("ix_system_events_request_id"), "system_events", ["request_id"], unique=False
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in enable_statements("account_notes"):
            op.execute(statement)


def downgrade() -> None:
    for table, columns in (
        ("system_events", "request_id"),
        ("users", "id"),
        ("system_events", "target_id_seq"),
        ("system_events", "actor_id_seq"),
        ("audit_events", "outcome_id_time"),
        ("audit_events", "request_id"),
    ):
        op.drop_index(op.f(f"ix_{table}_{columns}"), table_name=table)
    op.drop_table("account_notes")
    op.drop_table("operator_recovery_codes")
    op.drop_table("operator_sessions")
    op.drop_table("operators")
