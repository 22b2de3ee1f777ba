"""JSON Schema (as OpenAPI 3.1 uses it) in words: types, fields, a sample body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

SAMPLES = {
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "email": "ada@example.com",
    "date-time": "2026-01-31T09:30:00Z",
    "password": "a few unrelated words",
}
TYPE_WORDS = {"string": "text", "null": "nothing (null)", "boolean": "true or false"}
FORMAT_WORDS = {
    "uuid": "UUID",
    "date-time": "time (UTC)",
    "email": "email address",
    "password": "password",
}
DEEPEST_SAMPLE = 4


@dataclass(frozen=True, slots=True)
class SchemaField:
    """One field or parameter in words; `where` is set for parameters: path, query or header."""

    name: str
    type_words: str
    schema_anchor: str
    required: bool
    description: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class NamedSchema:
    """One entry of `components.schemas`, in words."""

    name: str
    anchor: str
    description: str
    type_words: str
    fields: list[SchemaField]


def follow(document: Mapping[str, Any], node: Schema) -> Schema:
    """What a local `$ref` points to, else the node itself."""
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def schema_anchor(schema: Schema) -> str:
    """The id on the page of the named schema that this is, or is a list of; else empty."""
    if "items" in schema:
        return schema_anchor(schema["items"])
    return "schema-" + schema["$ref"].rsplit("/", 1)[-1] if "$ref" in schema else ""


def type_words(document: Mapping[str, Any], schema: Schema) -> str:
    """What a value may be, in a few words: `text, 1 to 120 characters`, `list of ProjectOut`."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    choices = schema.get("anyOf") or schema.get("oneOf")
    if not choices and isinstance(schema.get("type"), list):
        choices = [{**schema, "type": kind} for kind in schema["type"]]
    if choices:
        return " or ".join(type_words(document, choice) for choice in choices)
    if "const" in schema:
        return f"always {json.dumps(schema['const'])}"
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return "list of " + type_words(document, schema.get("items", {}))
    return _plain_type(schema)


def read_fields(document: Mapping[str, Any], schema: Schema) -> list[SchemaField]:
    """The fields of an object schema, in its order; empty for anything else."""
    found = follow(document, schema)
    required = found.get("required", ())
    return [
        SchemaField(
            name,
            type_words(document, each),
            schema_anchor(each),
            name in required,
            each.get("description", ""),
        )
        for name, each in found.get("properties", {}).items()
    ]


def read_schemas(document: Mapping[str, Any]) -> list[NamedSchema]:
    """All named schemas of the document, by name."""
    schemas = document.get("components", {}).get("schemas", {})
    return [
        NamedSchema(
            name,
            f"schema-{name}",
            schema.get("description", ""),
            type_words(document, schema),
            read_fields(document, schema),
        )
        for name, schema in sorted(schemas.items())
    ]


def sample_json(document: Mapping[str, Any], schema: Schema) -> str:
    """A body that has the right form, as indented JSON."""
    return json.dumps(_sample(document, schema, "", 0), indent=2, ensure_ascii=False)


def _plain_type(schema: Schema) -> str:
    kind = str(schema.get("type", "any value"))
    words = FORMAT_WORDS.get(schema.get("format", "")) or TYPE_WORDS.get(kind, kind)
    low = schema.get("minLength", schema.get("minimum"))
    high = schema.get("maxLength", schema.get("maximum"))
    unit = " characters" if kind == "string" else ""
    if low is not None and high is not None:
        return f"{words}, {low:,} to {high:,}{unit}"
    if high is not None:
        return f"{words}, at most {high:,}{unit}"
    return words if low is None else f"{words}, at least {low:,}{unit}"


def _sample(document: Mapping[str, Any], schema: Schema, name: str, depth: int) -> Any:
    found = follow(document, schema)
    given = _given_sample(found)
    if given is not None:
        return given
    choices = found.get("anyOf") or found.get("oneOf")
    if choices:
        return _sample(document, choices[0], name, depth)
    if found.get("type") == "array":
        return [_sample(document, found.get("items", {}), name, depth + 1)]
    if "properties" not in found or depth >= DEEPEST_SAMPLE:
        return _plain_sample(found, name)
    return {
        key: _sample(document, each, key, depth + 1) for key, each in found["properties"].items()
    }


def _given_sample(schema: Schema) -> Any:
    """What the schema itself says a value can be, or None."""
    several = schema.get("examples") or schema.get("enum") or [None]
    return next(
        (v for v in (schema.get("default"), schema.get("const"), several[0]) if v is not None), None
    )


def _plain_sample(schema: Schema, name: str) -> Any:
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind in ("boolean", "object", "null"):
        return {"boolean": False, "object": {}, "null": None}[kind]
    return SAMPLES.get(schema.get("format", ""), name.replace("_", " ") or "text")
