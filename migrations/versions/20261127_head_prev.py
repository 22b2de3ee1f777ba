"""The head of an account's chain keeps what its last event links to, so that one statement can move and return it.

Revision ID: 20261127_head_prev
Revises: 20261127_operators
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261127_head_prev"
down_revision = "20261127_operators"
branch_labels = None
depends_on = None

_GENESIS = "0" * 64


def upgrade() -> None:
    # Each head says where its chain is; what that event links to is overwritten by the next one, so no log is read.
    op.add_column(
        "audit_heads",
        sa.Column("prev", sa.String(length=64), nullable=False, server_default=_GENESIS),
    )
    with op.batch_alter_table("audit_heads") as heads:
        heads.alter_column("prev", existing_type=sa.String(length=64), server_default=None)


def downgrade() -> None:
    op.drop_column("audit_heads", "prev")
