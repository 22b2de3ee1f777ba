"""The API documentation: the app's own OpenAPI document as a page, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saas.actor import Actor
from saas.pages import schema_pages, shared_pages
from saas.pages.schema_pages import SchemaField

ERROR_CODE = re.compile(r" (?=\d{5}: )")  # several errors of one status share a description
METHODS = ("get", "post", "patch", "put", "delete")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a call: status, what it means, what its body holds."""

    status: str
    lines: list[str]
    type_words: str
    schema_anchor: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API, ready to be drawn."""

    method: str
    path: str
    anchor: str
    summary: str
    description: str
    needs: str
    parameters: list[SchemaField]
    body: list[SchemaField]
    sample: str
    answers: list[Answer]


@dataclass(slots=True)
class Group:
    """The calls of one noun."""

    name: str
    anchor: str
    operations: list[Operation] = field(default_factory=list)


def api_docs(actor: Actor | None, document: Mapping[str, Any]) -> str:
    """The page for an OpenAPI 3.1 `document` (a dict as served at /openapi.json)."""
    info = document.get("info", {})
    groups = group_operations(document)
    return shared_pages.draw(
        "api_docs.html",
        actor,
        title=info.get("title", "API"),
        version=info.get("version", ""),
        description=info.get("description", ""),
        groups=groups,
        call_count=sum(len(group.operations) for group in groups),
        schemas=schema_pages.read_schemas(document),
    )


def group_operations(document: Mapping[str, Any]) -> list[Group]:
    """All calls in the order of the document, by their first tag, else by the noun of their path."""
    groups: dict[str, Group] = {}
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method not in item:
                continue
            name = _group_name(path, item[method])
            group = groups.setdefault(name, Group(name, anchor_of("group", name)))
            group.operations.append(_read_operation(document, path, method, item))
    return list(groups.values())


def anchor_of(*words: str) -> str:
    """An id for the page, out of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def _group_name(path: str, operation: Mapping[str, Any]) -> str:
    if operation.get("tags"):
        return str(operation["tags"][0])
    nouns = [part for part in path.split("/") if part and part != "api"]
    return nouns[0].replace("-", " ").replace("_", " ").capitalize() if nouns else "General"


def _read_operation(
    document: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any]
) -> Operation:
    operation = item[method]
    body_schema = _json_schema(schema_pages.follow(document, operation.get("requestBody", {})))
    return Operation(
        method=method.upper(),
        path=path,
        anchor=anchor_of(method, path),
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        needs=operation.get("x-permission", ""),
        parameters=_read_parameters(
            document, [*item.get("parameters", ()), *operation.get("parameters", ())]
        ),
        body=schema_pages.read_fields(document, body_schema) if body_schema else [],
        sample=schema_pages.sample_json(document, body_schema) if body_schema else "",
        answers=[
            _read_answer(document, status, each)
            for status, each in operation.get("responses", {}).items()
        ],
    )


def _read_parameters(
    document: Mapping[str, Any], parameters: list[Mapping[str, Any]]
) -> list[SchemaField]:
    found = [schema_pages.follow(document, parameter) for parameter in parameters]
    return [
        SchemaField(
            name=parameter["name"],
            type_words=schema_pages.type_words(document, parameter.get("schema", {})),
            schema_anchor="",
            required=parameter.get("required", False),
            description=parameter.get("description", ""),
            where=parameter["in"],
        )
        for parameter in found
    ]


def _read_answer(
    document: Mapping[str, Any], status: str, unsafe_answer: Mapping[str, Any]
) -> Answer:
    answer = schema_pages.follow(document, unsafe_answer)
    schema = _json_schema(answer)
    data = schema.get("properties", {}).get("data", schema)  # what stands in the envelope
    return Answer(
        status=str(status),
        lines=ERROR_CODE.split(answer.get("description", "")),
        type_words=schema_pages.type_words(document, data) if data else "",
        schema_anchor=schema_pages.schema_anchor(data),
    )


def _json_schema(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = (
        holder.get("content", {}).get("application/json", {}).get("schema", {})
    )
    return schema
