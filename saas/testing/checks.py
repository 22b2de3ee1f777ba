"""What no call can show: services that do not ask, and permissions that lead nowhere. Read from the source."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import getsource
from types import ModuleType

import flask

from saas.permissions import SYSTEM_ROLES, Permission

OPENERS = frozenset({"reading", "unit_of_work", "looking_across", "reading_apart"})
ASKERS = ("require", "require_person", "require_staff", "require_not_above", "require_operator")


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a service module."""

    module: str
    node: ast.FunctionDef

    @property
    def name(self) -> str:
        return f"{self.module}.{self.node.name}"

    @property
    def parameters(self) -> list[str]:
        given = self.node.args
        return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]

    @property
    def acts(self) -> list[ast.stmt]:
        """Its statements, without the docstring."""
        first, *rest = self.node.body
        is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        return rest if is_text else self.node.body


@dataclass(slots=True)
class Services:
    """Every function of a package of services, by ``module.function``."""

    functions: dict[str, Function] = field(default_factory=dict)

    def asks_first(self, function: Function, seen: frozenset[str] = frozenset()) -> bool:
        """Say whether the first call that a function makes is ``require…``, itself or in another service function."""
        call = next(_calls_in_order(function.acts[:1]), None) if function.acts else None
        if call is None or function.name in seen:
            return False
        called = _called(call)
        if called.rsplit(".", 1)[-1] in ASKERS:
            return True
        found = self.functions.get(called if "." in called else f"{function.module}.{called}")
        return found is not None and self.asks_first(found, seen | {function.name})

    def must_ask(self, function: Function) -> bool:
        """Say whether a function acts for somebody by itself: it takes the actor, or opens the database.

        One that takes the open unit is a part of a service that has asked.
        """
        if function.node.name.startswith("_") or "unit" in function.parameters:
            return False
        opens = any(
            _called(c).rsplit(".", 1)[-1] in OPENERS for c in _calls_in_order(function.acts)
        )
        return opens or "actor" in function.parameters


def faults(
    app: flask.Flask,
    *,
    services: ModuleType | None = None,
    need_not_ask: Mapping[str, str] | None = None,
    permissions: Iterable[Permission] = (),
) -> list[str]:
    """Return a sentence for each service that does not ask and each permission that leads nowhere.

    ``services``: the package to read. ``need_not_ask``: "module.function" → why. ``permissions``: those that must
    be declared by a route, asked by a service and held by a role.
    """
    if services is None:
        return []
    found = read_services(services)
    return [
        *_silent_services(found, need_not_ask or {}),
        *_idle_permissions(app, found, permissions),
    ]


def read_services(package: ModuleType) -> Services:
    """Read the source of every module of a package (or of one module)."""
    names = [package.__name__]
    if hasattr(package, "__path__"):
        names = [
            f"{package.__name__}.{each.name}" for each in pkgutil.iter_modules(package.__path__)
        ]
    services = Services()
    for name in names:
        for node in ast.parse(getsource(importlib.import_module(name))).body:
            if isinstance(node, ast.FunctionDef):
                function = Function(name.rsplit(".", 1)[-1], node)
                services.functions[function.name] = function
    return services


def _silent_services(services: Services, need_not_ask: Mapping[str, str]) -> Iterator[str]:
    silent = {
        name
        for name, function in services.functions.items()
        if services.must_ask(function) and not services.asks_first(function)
    }
    for name in sorted(silent - need_not_ask.keys()):
        yield (
            f"{name} acts without asking: make require(actor, Permission.…) its first act, or say in need_not_ask "
            "why it need not"
        )
    for name in sorted(need_not_ask.keys() - silent):
        yield f"{name} stands in need_not_ask, but asks (or is gone): take it away there"


def _idle_permissions(
    app: flask.Flask, services: Services, permissions: Iterable[Permission]
) -> Iterator[str]:
    declared = {route.permission for route in app.extensions["routes"]}
    asked = {
        node.attr
        for function in services.functions.values()
        for node in ast.walk(function.node)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Permission"
    }
    held = {p for name, given in SYSTEM_ROLES.items() for p in given}
    for permission in permissions:
        if permission not in declared:
            yield f"{permission.value} is declared by no route: give it to a Route, or take it out of Permission"
        if permission.name not in asked:
            yield f"{permission.value} is asked by no service: require(actor, Permission.{permission.name}) there"
        if permission not in held:
            yield f"{permission.value} is held by no system role: add it to SYSTEM_ROLES in saas/permissions.py"


def _calls_in_order(statements: Iterable[ast.stmt]) -> Iterator[ast.Call]:
    """Yield calls in the order in which they are made: arguments before the call they are given to."""
    for statement in statements:
        yield from _calls_of(statement)


def _calls_of(node: ast.AST) -> Iterator[ast.Call]:
    for child in ast.iter_child_nodes(node):
        yield from _calls_of(child)
    if isinstance(node, ast.Call):
        yield node


def _called(call: ast.Call) -> str:
    """Return ``module.function`` or ``function``."""
    if isinstance(call.func, ast.Attribute):
        before = call.func.value
        return f"{before.id}.{call.func.attr}" if isinstance(before, ast.Name) else call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
