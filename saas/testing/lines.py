"""What the matrix learns from the app: its routes, their schemas, and which fields hold ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from inspect import getsource, unwrap
from typing import Any

import flask
from pydantic import BaseModel

from saas.permissions import Permission
from saas.routing import PUBLIC, SAFE, SIGNED_IN, Route
from saas.testing.registry import REGISTRY

_READ_FORM = re.compile(r"\bread_form\((\w+)\)")
_PATH_ID = re.compile(r"<(?:uuid:)?(\w+)>")
_FREE_METHODS = frozenset({"HEAD", "OPTIONS"})
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One route, with what goes into it. ``form``: its body is a form, whose schema was found in its view."""

    route: Route
    body: type[BaseModel] | None
    form: bool

    @property
    def name(self) -> str:
        return f"{self.route.method} {self.route.path}"

    @property
    def permission(self) -> Permission | None:
        return self.route.permission if isinstance(self.route.permission, Permission) else None

    @property
    def public(self) -> bool:
        return self.route.permission == PUBLIC

    @property
    def personal(self) -> bool:
        return self.route.permission == SIGNED_IN

    @property
    def page(self) -> bool:
        return self.route.kind == "page"

    @property
    def safe(self) -> bool:
        return self.route.method in SAFE and not self.route.writes

    @property
    def path_ids(self) -> tuple[str, ...]:
        return tuple(_PATH_ID.findall(self.route.path))

    @property
    def body_ids(self) -> tuple[str, ...]:
        """The fields of the body that hold an id or a list of ids."""
        return tuple(name for name, each in self.fields.items() if holds_id(each))

    @property
    def fields(self) -> dict[str, Schema]:
        """Each field of the body with its JSON Schema, references followed and "or null" left out."""
        return read_fields(self.body) if self.body is not None else {}


def read_lines(app: flask.Flask) -> list[Line]:
    """Return every route of the app's table."""
    return [_read_line(route) for route in app.extensions["routes"]]


def undeclared(
    app: flask.Flask, free: Iterable[str] = ("static", "console_static.", "console.")
) -> list[str]:
    """Return a sentence for each URL that the app serves and its route table does not have.

    ``free``: beginnings of endpoints that are no routes of the product: static files and the console.
    """
    views = app.extensions["console"]._views if "console" in app.extensions else ()
    console = tuple(f"{view.endpoint}." for view in views)
    declared = {(route.method, route.rule) for route in app.extensions["routes"]}
    found = []
    for rule in app.url_map.iter_rules():
        # Pages of the console declare a ConsolePermission, or the app does not start (admin.console.check).
        if rule.endpoint.startswith((*free, *console)):
            continue
        for method in sorted((rule.methods or set()) - _FREE_METHODS):
            if (method, rule.rule) not in declared:
                path = _PATH_ID.sub(r"<\1>", rule.rule)
                found.append(
                    f"{method} {path} is served and not declared: nobody asks a permission there. Add "
                    f'Route("{method}", "{path}", view, Permission.…) to the route table (saas/routes.py, or the '
                    "one you give to add_routes)."
                )
    return found


@cache
def read_fields(schema: type[BaseModel]) -> dict[str, Schema]:
    """Return the JSON Schema of each field, references followed and "or null" left out."""
    document = schema.model_json_schema()
    named = document.get("$defs", {})

    def plain(each: Schema) -> Schema:
        if "$ref" in each:
            return plain(named[each["$ref"].rsplit("/", 1)[-1]])
        choices = [c for c in each.get("anyOf", ()) if c.get("type") != "null"]
        if choices:
            return plain(choices[0])
        return each | {"items": plain(each["items"])} if "items" in each else each

    return {name: plain(each) for name, each in document.get("properties", {}).items()}


def holds_id(field: Schema) -> bool:
    """Say whether a field holds an id or a list of ids."""
    return field.get("format") == "uuid" or field.get("items", {}).get("format") == "uuid"


def holds_permissions(field: Schema) -> bool:
    """Say whether a field holds a list of permissions."""
    return set(field.get("items", {}).get("enum", ())) == set(Permission)


def factory_name(field: str) -> str:
    """Return the name that the factory of a field has: ``role_ids`` holds what ``role_id`` makes."""
    return field.removesuffix("s") if field.endswith("_ids") else field


def _read_line(route: Route) -> Line:
    if route.kind != "page":
        return Line(route, route.body, form=False)
    form = REGISTRY.forms.get(f"{route.method} {route.path}") or _find_form(route.view)
    return Line(route, form, form=route.method not in SAFE)


def _find_form(view: Callable[..., Any]) -> type[BaseModel] | None:
    """Return the schema that a page reads its form with: the argument of ``read_form`` in the view, if any."""
    view = unwrap(view)
    found = _READ_FORM.search(getsource(view))
    schema = getattr(view, "__globals__", {}).get(found[1]) if found else None
    return schema if isinstance(schema, type) and issubclass(schema, BaseModel) else None
