"""The tenant boundary: every statement belongs to one entered account, or it is refused.

Knows SQLAlchemy and nothing of the product. The public words are these; the nets behind them stand in
``session`` (criteria and owner checks), ``guard`` (the statement guard), ``keys`` (composite keys) and
``row_security`` (PostgreSQL policies).
"""

from tenants.errors import (
    ForeignTenantError,
    GuardDoesNotBiteError,
    TenancyError,
    TenantMissingError,
    UnownedTableError,
    UnsafeDatabaseRoleError,
    UnscopableStatementError,
)
from tenants.ownership import GlobalTable, Ownership, TenantOwned
from tenants.scope import across_accounts, current_account_id, enter_account

__all__ = [
    "ForeignTenantError",
    "GlobalTable",
    "GuardDoesNotBiteError",
    "Ownership",
    "TenancyError",
    "TenantMissingError",
    "TenantOwned",
    "UnownedTableError",
    "UnsafeDatabaseRoleError",
    "UnscopableStatementError",
    "across_accounts",
    "current_account_id",
    "enter_account",
]
