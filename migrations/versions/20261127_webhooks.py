"""Webhooks and their deliveries, and how far each destination of the audit log has got.

Revision ID: 20261127_webhooks
Revises: 20261127_audit_retention
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from saas.columns import CanonicalJson, UtcDateTime
from tenants.row_security import enable_statements

revision = "20261127_webhooks"
down_revision = "20261127_audit_retention"
branch_labels = None
depends_on = None

OWNED = ("webhooks", "webhook_deliveries")


def upgrade() -> None:
    op.create_table(
        "audit_cursors",
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("lease_until", UtcDateTime, nullable=True),
        sa.Column("failing_since", UtcDateTime, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcDateTime, nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("destination", "stream_id", name=op.f("pk_audit_cursors")),
    )
    op.create_index(op.f("ix_audit_cursors_stream_id"), "audit_cursors", ["stream_id"])
    op.create_index(op.f("ix_audit_cursors_not_before"), "audit_cursors", ["not_before"])
    # Which accounts have new events is asked by the newest ids, without looking at every account.
    op.create_index(op.f("ix_audit_events_id_account_id"), "audit_events", ["id", "account_id"])
    op.create_table(
        "webhooks",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("actions", CanonicalJson(), nullable=True),
        sa.Column("secret", sa.String(length=400), nullable=False),
        sa.Column("previous_secret", sa.String(length=400), nullable=True),
        sa.Column("previous_secret_until", UtcDateTime, nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("disabled_reason", sa.String(length=300), nullable=True),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.Column("from_seq", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", UtcDateTime, nullable=True),
        sa.Column("tested_at", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_webhooks_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "webhook_id"],
            ["webhooks.account_id", "webhooks.id"],
            name=op.f("fk_webhook_deliveries_account_id_webhook_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_webhook_deliveries_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        op.f("ix_webhook_deliveries_account_id_webhook_id_id"),
        "webhook_deliveries",
        ["account_id", "webhook_id", "id"],
    )

    if op.get_bind().dialect.name == "postgresql":
        for table in OWNED:
            for statement in enable_statements(table):
                op.execute(statement)


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
    op.drop_index(op.f("ix_audit_events_id_account_id"), table_name="audit_events")
    op.drop_table("audit_cursors")
