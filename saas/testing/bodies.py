"""A valid body, made from its schema: what a schema does not say is declared with ``@testing.body``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from saas.columns import utc_now
from saas.testing.lines import Line, Schema, holds_id, read_fields
from saas.testing.places import PASSWORD, Place
from saas.testing.registry import REGISTRY, NotDeclaredError


def make_body(line: Line, place: Place) -> dict[str, Any]:
    """Return a valid body for a route, without its ids; raises NotDeclaredError."""
    if line.name in REGISTRY.bodies:
        return REGISTRY.bodies[line.name](place)
    if line.body is None:
        return {}
    if line.body in REGISTRY.bodies:
        return REGISTRY.bodies[line.body](place)
    fields = read_fields(line.body)
    required = {name for name, field in line.body.model_fields.items() if field.is_required()}
    wanted = [name for name in fields if name in required or not required]
    return {n: _value(line, n, fields[n], place) for n in wanted if not holds_id(fields[n])}


def _value(line: Line, name: str, field: Schema, place: Place) -> Any:
    if "const" in field or "enum" in field:
        return field.get("const", field.get("enum", [None])[0])
    makers: dict[str, Callable[[Schema, Place], Any]] = {
        "string": _text,
        "array": lambda field, place: [],
        "boolean": lambda field, place: False,
        "integer": lambda field, place: field.get("minimum", 1),
        "number": lambda field, place: field.get("minimum", 1),
    }
    made = makers.get(field.get("type", ""))
    if made is None or (field.get("minItems") and field.get("type") == "array"):
        assert line.body is not None
        raise NotDeclaredError(
            f"nobody can make the field {name} of {line.body.__name__}: declare "
            f"@testing.body({line.body.__name__}), a function that takes a Place and returns a valid body"
        )
    return made(field, place)


def _text(field: Schema, place: Place) -> str:
    kind = field.get("format")
    if kind == "email":
        return place.email()
    if kind == "password":
        return PASSWORD
    if kind == "date-time":
        return (utc_now() + timedelta(days=1)).isoformat()
    return place.word()[: field.get("maxLength")]
