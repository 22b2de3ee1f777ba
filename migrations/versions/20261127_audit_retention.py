"""How long an account keeps its audit events: not set, for ever.

Revision ID: 20261127_audit_retention
Revises: 20261122_roles_and_invitations
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261127_audit_retention"
down_revision = "20261122_roles_and_invitations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("audit_retention_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("accounts", "audit_retention_days")
