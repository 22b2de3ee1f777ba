"""What the boundary raises. None of these is an answer to a customer: each one is a bug of ours, stopped."""


class TenancyError(RuntimeError):
    """Base of everything that the tenant boundary refuses."""


class TenantMissingError(TenancyError):
    """A tenant-owned table was reached while no account was entered."""


class ForeignTenantError(TenancyError):
    """A value, a row or a session of one account was used inside another."""


class UnscopableStatementError(TenancyError):
    """A statement is not provably tied to the entered account, so it does not run."""


class ReadOnlyStatementError(TenancyError):
    """A statement that writes was sent through a read-only transaction."""


class UnownedTableError(TenancyError):
    """A table is neither tenant-owned nor on the list of global tables, or its keys do not hold the boundary."""


class GuardDoesNotBiteError(TenancyError):
    """The start-up self-test found a statement that the guard should have refused."""


class UnsafeDatabaseRoleError(TenancyError):
    """The database role of an engine could pass over the row-level security policies."""
