"""OpenAPI 3.1 from the route table: no word of it is kept by hand. https://spec.openapis.org/oas/v3.1.0"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from inspect import getdoc
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from saas import errors
from saas.permissions import Permission
from saas.routing import PUBLIC, SAFE, Route

_REF = "#/components/schemas/{model}"
_ERROR_SCHEMA = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "object",
            "required": ["display_error", "internal_error_code", "field_errors", "request_id"],
            "properties": {
                "display_error": {"type": "string"},
                "internal_error_code": {"type": "integer"},
                "field_errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
                "request_id": {"type": "string"},
            },
        }
    },
}
_SUCCESS_SCHEMA = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": {"const": "success"}},
}
_STATUS_SCHEMA = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"const": "ok"}},
}


def make_document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of every API route; pages are left out."""
    table = [route for route in routes if route.kind == "api"]
    schemas = _schemas(table)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in table:
        paths[re.sub(r"<(\w+)>", r"{\1}", route.path)][route.method.lower()] = _operation(
            route, schemas
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tenantry API",
            "version": "1",
            "description": "Every call is scoped to the account of its session.",
        },
        "paths": dict(paths),
        "components": {
            "schemas": {**schemas, "Errors": _ERROR_SCHEMA, "Success": _SUCCESS_SCHEMA},
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "session"}},
        },
    }


def _schemas(table: list[Route]) -> dict[str, Any]:
    wanted: set[tuple[type[BaseModel], Any]] = {(r.body, "validation") for r in table if r.body}
    wanted |= {(r.query, "validation") for r in table if r.query}
    wanted |= {(r.answer, "serialization") for r in table if r.answer}
    ordered = sorted(wanted, key=lambda pair: pair[0].__name__)
    schemas: dict[str, Any] = models_json_schema(ordered, ref_template=_REF)[1].get("$defs", {})
    return schemas


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    text = (getdoc(route.view) or "").strip()
    summary = text.split("\n")[0].split(": ", 1)[-1].rstrip(".")
    operation: dict[str, Any] = {
        "operationId": route.name.replace(".", "_"),
        "summary": summary[:1].upper() + summary[1:],
        "x-permission": str(
            route.permission.value if isinstance(route.permission, Permission) else route.permission
        ),
        "responses": {str(route.status): _success(route), **_errors(route)},
    }
    parameters = [_path_parameter(name) for name in re.findall(r"<(\w+)>", route.path)]
    if route.query is not None:
        parameters += _query_parameters(schemas[route.query.__name__])
    if parameters:
        operation["parameters"] = parameters
    if route.permission != PUBLIC:
        operation["security"] = [{"session": []}]
    if route.body is not None:
        ref = {"$ref": _REF.format(model=route.body.__name__)}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": ref}},
        }
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }


def _query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(field)}
        for name, field in schema.get("properties", {}).items()
    ]


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is left out, never null."""
    kinds = [kind for kind in field.get("anyOf", []) if kind.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else field


def _success(route: Route) -> dict[str, Any]:
    if route.media:
        text = {"schema": {"type": "string"}}
        return {"description": "Success", "content": dict.fromkeys(route.media, text)}
    if route.path in ("/healthz", "/readyz"):
        schema: dict[str, Any] = _STATUS_SCHEMA
    elif route.path == "/openapi.json":
        schema = {"type": "object"}
    elif route.answer is None:
        schema = {"$ref": _REF.format(model="Success")}
    else:
        schema = _envelope({"$ref": _REF.format(model=route.answer.__name__)}, route.many)
    return {"description": "Success", "content": {"application/json": {"schema": schema}}}


def _envelope(item: dict[str, Any], many: bool) -> dict[str, Any]:
    if not many:
        return {"type": "object", "required": ["data"], "properties": {"data": item}}
    cursor = {
        "type": ["string", "null"],
        "description": "Pass as `cursor` for the next page; null on the last.",
    }
    return {
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {"data": {"type": "array", "items": item}, "next_cursor": cursor},
    }


def _errors(route: Route) -> dict[str, Any]:
    by_status: dict[int, list[type[errors.ProductError]]] = defaultdict(list)
    for error in dict.fromkeys([*_common_errors(route), *route.errors]):
        by_status[error.status].append(error)
    return {
        str(status): {
            "description": " ".join(f"{e.internal_error_code}: {e.message}" for e in listed),
            "content": {"application/json": {"schema": {"$ref": _REF.format(model="Errors")}}},
        }
        for status, listed in sorted(by_status.items())
    }


def _common_errors(route: Route) -> Iterable[type[errors.ProductError]]:
    yield errors.BadRequestError
    if route.permission != PUBLIC:
        yield errors.SignInRequiredError
        yield errors.AccountMismatchError
    if isinstance(route.permission, Permission):
        yield errors.PermissionDeniedError
    if route.method not in SAFE:
        yield errors.CrossSiteRequestError
    if "<" in route.path:
        yield errors.NotFoundError
    if route.body is not None:
        yield from (
            errors.MalformedBodyError,
            errors.BodyTooLargeError,
            errors.UnsupportedMediaTypeError,
        )
    if route.body is not None or route.query is not None:
        yield errors.ValidationFailedError
    yield from (errors.InternalDbError, errors.InternalError, errors.DatabaseAwayError)
