"""The start-up check of a PostgreSQL role: in which ways could it pass the row-level security policies by?"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from tenants.errors import UnsafeDatabaseRoleError
from tenants.ownership import Ownership


def check_role(connection: Connection, ownership: Ownership) -> None:
    """Raise UnsafeDatabaseRoleError with every way in which this connection's role could pass the policies by.

    For the app's role and the system's; the latter's own policy lets it read, so a policy of another name is a fault.
    """
    ours = {table.name for table in ownership.owned_tables}
    faults = [*_role_faults(connection), *_table_faults(connection, ours)]
    faults += [*_policy_faults(connection, ours), *_function_faults(connection)]
    if faults:
        raise UnsafeDatabaseRoleError(
            "; ".join(faults) + ". Run `flask db roles` and use its roles in DATABASE_URL"
        )


def _role_faults(connection: Connection) -> Iterator[str]:
    role = connection.execute(
        text("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    ).one()
    if role.rolsuper:
        yield f"{role.rolname} is a superuser"
    if role.rolbypassrls:
        yield f"{role.rolname} has BYPASSRLS"


def _table_faults(connection: Connection, ours: set[str]) -> Iterator[str]:
    statement = """
        SELECT relname, relkind, relrowsecurity AND relforcerowsecurity AS secured,
               pg_has_role(current_user, relowner, 'MEMBER') AS owned,
               has_table_privilege(oid, 'TRUNCATE') AS truncated, has_any_column_privilege(oid, 'SELECT') AS read,
               coalesce(reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on'] AS invoker
        FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
    """
    for table in connection.execute(text(statement)):
        if table.owned:
            yield f"the role owns {table.relname}"
        elif table.truncated:
            yield f"the role may TRUNCATE {table.relname}"
        if table.relname in ours and not table.secured:
            yield f"row-level security is not forced on {table.relname}"
        if table.relkind in ("v", "m") and table.read and not table.invoker:
            yield f"view {table.relname} is read with its owner's rights (security_invoker is not set)"


def _policy_faults(connection: Connection, ours: set[str]) -> Iterator[str]:
    statement = """
        SELECT tablename, policyname, qual, with_check FROM pg_policies
        WHERE schemaname = current_schema() AND permissive = 'PERMISSIVE'
          AND (roles && ARRAY[current_user, 'public']::name[])
    """
    found = {}
    for policy in connection.execute(text(statement)):
        found[policy.tablename] = policy
        expected = policy.policyname in ("tenant", "system_reads")
        if policy.policyname == "tenant":
            # PostgreSQL prints the expression its own way; these words must be in it, and no OR.
            terms = [term or "" for term in (policy.qual, policy.with_check)]
            expected = all(
                "'app.account_id'" in term and " OR " not in term.upper() for term in terms
            )
        if policy.tablename in ours and not expected:
            yield f"policy {policy.policyname} on {policy.tablename} lets more rows pass than the account's"
    for name in sorted(ours - found.keys()):
        yield f"no policy holds this role on {name}"


def _function_faults(connection: Connection) -> Iterator[str]:
    statement = """
        SELECT proname FROM pg_proc
        WHERE prosecdef AND pronamespace = current_schema()::regnamespace AND has_function_privilege(oid, 'EXECUTE')
    """
    for name in connection.scalars(text(statement)):
        yield f"function {name} runs with its owner's rights (SECURITY DEFINER)"
