"""What the code promises about itself, read from the code: import directions are import-linter's."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from saas import errors
from saas.audit.events import NOT_AUDITED, AuditEvent
from saas.models import OWNERSHIP
from saas.operator import OPERATOR_ROLES, ConsolePermission
from saas.permissions import SYSTEM_ROLES, Permission
from saas.routes import API, ROUTES
from saas.routing import PUBLIC, SIGNED_IN

ROOT = Path(__file__).parent.parent
ROOMS = ("tenants", "saas", "admin", "config")

# Who may look across accounts, and why. Product code goes through `looking_across`.
LOOKS_ACROSS = {
    "admin/operator_view.py _chunks": "a list's export, a chunk at a time",
    "admin/operator_view.py _tell_row": "whose row an operator looks at",
    "admin/operator_view.py get_one": "one row of a list of the console",
    "admin/operator_view.py index_view": "one page of a list of the console",
    "config/account_commands.py find_account": "the command line names accounts by id or name",
    "config/account_commands.py list_accounts": "the operator's list",
    "config/audit_commands.py _chains": "every chain there is, to verify or export it",
    "config/audit_commands.py _slowest": "pruning waits for every destination",
    "config/audit_commands.py _with_retention": "whose events are kept how long",
    "config/audit_following.py _read_heads": "which chains have news for a pipe",
    "saas/audit/reading.py across": "verify, export and tail read any chain",
    "config/relay_commands.py _failing": "which destinations fail, for the operator",
    "config/relay_commands.py _streams": "a destination is rewound in all accounts at once",
    "saas/audit/destinations/account_webhooks.py open_webhook": "the app's role reads no secrets",
    "saas/audit/destinations/account_webhooks.py send_test": "a worker is in no account",
    "saas/audit/lag.py lag": "how far behind, over all accounts",
    "saas/audit/relay.py _through": "the events of whichever account has its turn",
    "saas/audit/relay.py look": "which accounts have new events",
    "saas/database.py _open_across": "the one door that the product uses: looking_across",
    "saas/services/console_account_services.py find_account": "an operator asks about an account before an act",
    "saas/services/console_account_services.py find_invitation": "an operator asks about an invitation before an act",
    "saas/services/console_account_services.py read_account": "an operator looks at an account",
    "saas/services/console_act_services.py _upon_person": "an act upon a person is told in all their accounts",
    "saas/services/console_act_services.py _find_account": "an operator acts upon an account",
    "saas/services/console_act_services.py _find_person": "an operator acts upon a person",
    "saas/services/console_audit_services.py _chunks": "an export of the logs of all accounts",
    "saas/services/console_audit_services.py _tell": "whose log an operator reads",
    "saas/services/console_audit_services.py last_acts": "the log of the house belongs to no account",
    "saas/services/console_audit_services.py list_events": "the logs of all accounts",
    "saas/services/console_audit_services.py read_event": "one event of any log",
    "saas/services/console_home_services.py figures": "figures over all accounts",
    "saas/services/console_home_services.py needs": "what needs a look in any account",
    "saas/services/console_person_services.py _person": "a person and all their seats",
    "saas/services/console_person_services.py read_person": "an operator looks at a person",
    "saas/services/console_search_services.py search": "the search over all accounts",
    "saas/services/operator_rows.py find": "operators belong to no account",
    "saas/services/operator_rows.py find_by_email": "operators belong to no account",
    "saas/services/operator_staff_services.py everybody": "operators belong to no account",
    "saas/services/operator_services.py find_operator": "operators belong to no account",
    "saas/services/operator_services.py list_operators": "operators belong to no account",
    "saas/services/house_services.py unreadiness": "the schema version belongs to nobody",
    "saas/services/identity_services.py confirm_password": "the app's role reads no hashes",
    "saas/services/identity_services.py find_identity": "who signs in is in no account yet",
    "saas/services/identity_services.py list_seats": "a person's own seats in all accounts",
    "saas/services/mail_token_services.py _find": "whoever holds a link from a mail is in no account",
    "saas/services/webhook_services.py _sealed_now": "the app's role reads no secrets of webhooks",
    "saas/services/session_services.py end_session": "an own session may be in another account",
}
# Raw SQL and engines: what the statement guard cannot judge stands in few places.
RAW_SQL = {
    "config/migration_locks.py": "locks of each database, for its owner alone",
    "tenants/database_roles.py": "logins and grants are no statements of SQLAlchemy's",
    "tenants/role_check.py": "what a role may do stands in PostgreSQL's own catalogue",
    "tenants/row_security.py": "policies are no statements of SQLAlchemy's either",
    "tenants/self_test.py": "the guard must refuse it: shown at every start",
}
ENGINES = {
    "config/migration_locks.py": "the owner's, while it migrates",
    "saas/database.py": "those of the product",
}
# Public services whose first statement is not a question for a permission, and why.
ASKS_NO_PERMISSION = {
    "account_services.create_account": "everybody with a sign-in of their own may: require_person",
    "account_services.open_account": "inside a unit of work of register or create_account",
    "account_services.register": "nobody is signed in yet",
    "account_services.restore_account": "require_staff, in _set_status",
    "account_services.set_audit_retention": "require_staff",
    "account_services.suspend_account": "require_staff, in _set_status",
    "api_key_services.find_actor": "finds who is asking; the key's secret is its proof",
    "api_key_services.parse_key": "reads a value",
    "api_key_services.touch_key": "the trace of a key that was just found",
    "console_account_services.matrix": "reads values",
    "console_account_services.owners_of": "builds a statement",
    "operator_staff_services.add_operator": "for the command line alone; whoever runs it owns the house",
    "operator_factor_services.begin_setup": "one's own second factor, while it waits to be set up",
    "operator_staff_services.everybody": "for the command line alone",
    "operator_services.find_operator": "finds who is asking",
    "operator_factor_services.finish_setup": "one's own second factor; asks a code of it",
    "operator_staff_services.present_code": "for a command that only development has",
    "operator_staff_services.remove_operator": "for the command line alone",
    "operator_factor_services.renew_recovery_codes": "one's own; asks a code",
    "operator_services.sign_in": "nobody is signed in yet",
    "operator_services.sign_out": "one's own session",
    "operator_services.touch_session": "the trace of a session that was just found",
    "house_services.configure": "set-up at start",
    "house_services.unreadiness": "public: health of the process",
    "identity_services.add_identity": "inside a unit of work whose service has asked",
    "identity_services.change_password": "one's own; asks the password",
    "identity_services.confirm_password": "one's own: require_person; it is the question itself",
    "identity_services.find_identity": "a look for services, by a key that the caller knows",
    "identity_services.is_confirmed": "one's own: require_person",
    "identity_services.list_seats": "a look for services, at a person that has proven who they are",
    "identity_services.store_password_hash": "one's own, inside a unit of work",
    "identity_services.target_of": "reads a value",
    "invitation_services.accept_invitation": "whoever holds the link may; asks what its inviter may",
    "invitation_services.read_invitation": "whoever holds the link may; asks what its inviter may",
    "invitation_services.state_of": "reads a value",
    "mail_token_services.forget_password": "nobody is signed in; the link goes to the address alone",
    "mail_token_services.read_link": "whoever holds the link may; looking changes nothing",
    "mail_token_services.request_email_change": "one's own; asks the password",
    "mail_token_services.resend_verification": "one's own: require_person",
    "mail_token_services.reset_password": "nobody is signed in; the token is the proof",
    "mail_token_services.send_reset": "the worker's half of forget_password",
    "mail_token_services.send_verification": "inside a unit of work of register or resend",
    "mail_token_services.verify_email": "nobody need be signed in; the token is the proof",
    "ownership_services.accept_ownership": "require_person; the offer names who may",
    "ownership_services.list_offers": "one's own, made or received: require_person",
    "role_services.hold": "inside a unit of work whose service has asked",
    "role_services.make_system_roles": "inside the unit of work that makes the account",
    "role_services.role_names": "one's own roles",
    "role_services.role_names_of": "builds a statement",
    "session_services.begin_session": "inside a unit of work of sign-in, register or switch",
    "session_services.configure": "set-up at start",
    "session_services.end_session": "one's own sessions",
    "session_services.find_actor": "finds who is asking",
    "session_services.list_sessions": "one's own sessions",
    "session_services.read_session": "one's own session",
    "session_services.sign_in": "nobody is signed in yet",
    "session_services.sign_out": "one's own session",
    "session_services.switch_account": "one's own seats",
    "session_services.touch_session": "the trace of a session that was just found",
    "user_services.leave_account": "one's own seat: require_person",
    "user_services.restore_user": "require(USER_SUSPEND), in _set_status",
    "user_services.seat": "inside a unit of work whose service has asked",
    "user_services.suspend_user": "require(USER_SUSPEND), in _set_status",
    "webhook_services.seal_of": "makes a value",
}
# Permissions that change something, and the events that tell of it.
EVENTS_OF = {
    Permission.ACCOUNT_CLOSE: {AuditEvent.ACCOUNT_CLOSED},
    Permission.ACCOUNT_TRANSFER: {AuditEvent.OWNERSHIP_OFFERED},
    Permission.ACCOUNT_UPDATE: {AuditEvent.ACCOUNT_UPDATED},
    Permission.API_KEY_CREATE: {AuditEvent.API_KEY_CREATED},
    Permission.API_KEY_REVOKE: {AuditEvent.API_KEY_REVOKED},
    Permission.AUDIT_EXPORT: {AuditEvent.AUDIT_EXPORTED},
    Permission.PROJECT_CREATE: {AuditEvent.PROJECT_CREATED},
    Permission.PROJECT_DELETE: {AuditEvent.PROJECT_DELETED},
    Permission.PROJECT_UPDATE: {AuditEvent.PROJECT_UPDATED},
    Permission.ROLE_CREATE: {AuditEvent.ROLE_CREATED},
    Permission.ROLE_DELETE: {AuditEvent.ROLE_DELETED},
    Permission.ROLE_GRANT: {AuditEvent.ROLE_GRANTED},
    Permission.ROLE_REVOKE: {AuditEvent.ROLE_REVOKED},
    Permission.ROLE_UPDATE: {AuditEvent.ROLE_UPDATED},
    Permission.USER_INVITE: {
        AuditEvent.INVITATION_CREATED,
        AuditEvent.INVITATION_RESENT,
        AuditEvent.INVITATION_REVOKED,
        AuditEvent.USER_CREATED,
    },
    Permission.USER_REMOVE: {AuditEvent.USER_REMOVED},
    Permission.USER_SUSPEND: {AuditEvent.USER_RESTORED, AuditEvent.USER_SUSPENDED},
    Permission.USER_UPDATE: {AuditEvent.USER_UPDATED},
    Permission.WEBHOOK_CREATE: {AuditEvent.WEBHOOK_CREATED},
    Permission.WEBHOOK_DELETE: {AuditEvent.WEBHOOK_DELETED},
    Permission.WEBHOOK_UPDATE: {
        AuditEvent.WEBHOOK_DISABLED,
        AuditEvent.WEBHOOK_ENABLED,
        AuditEvent.WEBHOOK_SECRET_ROTATED,
        AuditEvent.WEBHOOK_TESTED,
        AuditEvent.WEBHOOK_UPDATED,
    },
}


# How a service asks, first of all: of an actor in an account, or of an operator in the console.
ASKS = ("require(actor, Permission.", "require_operator(operator, ConsolePermission.")


def sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            yield name, ast.parse(path.read_text("utf-8"))


def calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every call as (innermost named function around it, name that is called)."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    yield function.name, ast.unparse(node.func).rsplit(".", 1)[-1]


def services() -> list[ModuleType]:
    names = sorted(path.stem for path in (ROOT / "saas/services").glob("*_services.py"))
    return [import_module(f"saas.services.{name}") for name in names]


def public_functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for name, value in vars(module).items():
        own = inspect.isfunction(value) and value.__module__ == module.__name__
        if own and not name.startswith("_"):
            yield f"{module.__name__.rsplit('.', 1)[-1]}.{name}", value


def test_only_these_look_across_accounts() -> None:
    found = {
        f"{path} {function}"
        for path, tree in sources()
        for function, called in calls(tree)
        if called in ("across_accounts", "looking_across")
    }

    assert found == LOOKS_ACROSS.keys()


def test_the_door_gives_its_reason_each_time() -> None:
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("looking_across"):
                assert isinstance(node.args[0], ast.Constant), path
                assert len(str(node.args[0].value)) > 15, path


def test_raw_sql_stands_only_where_it_must() -> None:
    found = {
        path
        for path, tree in sources()
        for _, called in calls(tree)
        if called in ("text", "exec_driver_sql", "raw_connection")
    }

    assert found == RAW_SQL.keys()


def test_engines_are_made_in_one_place_of_the_product() -> None:
    makers = {
        path
        for path, tree in sources()
        for _, called in calls(tree)
        if called in ("create_engine", "sessionmaker", "scoped_session")
    }

    assert makers == ENGINES.keys()


@pytest.mark.parametrize("module", services(), ids=lambda m: m.__name__.rsplit(".", 1)[-1])
def test_a_service_asks_first_or_says_why_not(module: ModuleType) -> None:
    for name, function in public_functions(module):
        if name not in ASKS_NO_PERMISSION:
            first = _first_statement(function)
            assert first.startswith(ASKS), f"{name}: {first}"


def test_the_list_of_services_that_do_not_ask_is_exact() -> None:
    silent = {
        name
        for module in services()
        for name, function in public_functions(module)
        if not _first_statement(function).startswith(("require(", "require_operator("))
    }

    assert silent == ASKS_NO_PERMISSION.keys()


def _first_statement(function: FunctionType) -> str:
    tree = ast.parse(inspect.getsource(function)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    body = [
        s for s in tree.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]
    return ast.unparse(body[0])


def test_staff_is_asked_for_before_an_account_is_touched() -> None:
    from saas.services import account_services

    assert _first_statement(account_services._set_status) == "require_staff(actor)"
    for act in (account_services.suspend_account, account_services.restore_account):
        assert _first_statement(act).startswith("return _set_status(actor, ")


def test_suspending_and_restoring_a_person_ask_before_a_seat_is_touched() -> None:
    from saas.services import user_services

    asks = "require(actor, Permission.USER_SUSPEND)"
    assert _first_statement(user_services._set_status) == asks
    for act in (user_services.suspend_user, user_services.restore_user):
        assert _first_statement(act).startswith("return _set_status(actor, ")


def test_every_view_and_service_says_what_it_does() -> None:
    views = {f"{r.view.__module__}.{r.view.__name__}": r.view for r in ROUTES}
    functions = dict(views) | dict(pair for m in services() for pair in public_functions(m))

    for name, function in functions.items():
        text = inspect.getdoc(function) or ""
        assert text.split("\n")[0].endswith("."), f"{name}: {text!r}"


def test_views_of_the_api_name_their_address() -> None:
    for route in API:
        text = (inspect.getdoc(route.view) or "").split("\n")[0]
        assert text.startswith(f"{route.method} {route.path}"), route


def test_every_route_declares_who_may() -> None:
    for route in ROUTES:
        assert route.permission in (PUBLIC, SIGNED_IN) or route.permission in set(Permission)


def test_every_permission_is_held_by_a_role_and_asked_by_a_service() -> None:
    held = frozenset[Permission]().union(*SYSTEM_ROLES.values())
    asked = {
        node.attr
        for path, tree in sources()
        if path.startswith("saas/services/")
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "require"
        for node in ast.walk(call)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Permission"
    }

    assert held == set(Permission)
    assert asked == {permission.name for permission in Permission}


def test_every_permission_of_the_console_is_held_by_a_role_and_asked_somewhere() -> None:
    held = frozenset[ConsolePermission]().union(*OPERATOR_ROLES.values())
    asked = {
        node.attr
        for path, tree in sources()
        if path.startswith(("saas/services/console", "saas/services/operator", "admin/"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ConsolePermission"
    }

    assert held == set(ConsolePermission)
    assert asked == {permission.name for permission in ConsolePermission}
    assert [p.value for p in ConsolePermission] == sorted(p.value for p in ConsolePermission)


def test_every_event_of_the_catalogue_is_recorded_somewhere() -> None:
    recorded = {
        node.attr
        for path, tree in sources()
        if path != "saas/audit/events.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "AuditEvent"
    }

    assert recorded == {event.name for event in AuditEvent}


def test_every_permission_that_changes_something_has_its_events() -> None:
    writing = {p for p in Permission if not p.value.endswith(":read")}
    routes_that_write = {
        route.permission
        for route in ROUTES
        if isinstance(route.permission, Permission) and route.method != "GET"
    }

    assert writing == EVENTS_OF.keys()
    assert routes_that_write <= writing


def test_every_table_is_told_of_by_an_event_or_excused_with_a_reason() -> None:
    tables = set(OWNERSHIP.metadata.tables)
    told = {table for event in AuditEvent for table in event.tables}

    assert told <= tables
    excused = {table for table, (columns, _) in NOT_AUDITED.items() if columns is None}
    assert told | excused == tables
    assert not told & excused
    assert all(len(reason) > 10 for _, reason in NOT_AUDITED.values())


def test_services_and_views_keep_to_their_floor() -> None:
    """A service knows no Flask, a view opens no transaction, a model asks nobody."""
    forbidden = {
        "saas/services/": {"flask", "werkzeug", "saas.views", "saas.routing", "saas.request_scope"},
        "saas/views/": {"sqlalchemy", "saas.database", "saas.unit"},
        "saas/models/": {"saas.services", "saas.views", "flask"},
        "saas/schemas/": {"saas.services", "saas.models", "flask", "sqlalchemy"},
    }
    for path, tree in sources():
        for floor, names in forbidden.items():
            if path.startswith(floor):
                assert not _imports(tree) & names, path


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{a.name}" for a in node.names}
    return found | {name.split(".", maxsplit=1)[0] for name in found}


def test_errors_end_in_error_and_are_raised_or_answered_somewhere() -> None:
    everything = "".join((ROOT / path).read_text("utf-8") for path, _ in sources())

    for error in errors.CATALOGUE:
        assert error.__name__.endswith("Error")
        assert everything.count(error.__name__) > 1, f"{error.__name__} is never used"
