"""The OpenAPI document: valid, complete, made from the route table, and shown without another host."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator import validate as validate_document

from saas import errors, openapi
from saas.permissions import Permission
from saas.routes import API, PAGES, ROUTES
from saas.routing import PUBLIC, SAFE, Route
from tests.house import House


@pytest.fixture
def document(lite: House) -> dict[str, Any]:
    answer = lite.app.test_client().get("/openapi.json")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    served: dict[str, Any] = answer.json
    return served


def operation_of(document: dict[str, Any], route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"][template(route)][route.method.lower()]
    return operation


def template(route: Route) -> str:
    return re.sub(r"<(\w+)>", r"{\1}", route.path)


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate_document(document, cls=OpenAPIV31SpecValidator)


def test_what_is_served_is_made_from_the_route_table(document: dict[str, Any]) -> None:
    assert document == json.loads(json.dumps(openapi.make_document(ROUTES)))


def test_it_lists_the_api_exactly_and_neither_pages_nor_console(document: dict[str, Any]) -> None:
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert listed == {(route.method, template(route)) for route in API}
    only_pages = {template(page) for page in PAGES} - {template(route) for route in API}
    assert not only_pages & document["paths"].keys()
    assert "admin" not in json.dumps(document["paths"]).replace("administrator", "")


@pytest.mark.parametrize("route", API, ids=lambda route: f"{route.method} {route.path}")
class TestOperation:
    def test_says_who_may(self, document: dict[str, Any], route: Route) -> None:
        operation = operation_of(document, route)

        assert operation["x-permission"] == str(route.permission)
        if route.permission == PUBLIC:
            assert "security" not in operation
        else:
            assert operation["security"] == [{"session": []}]
            assert {"401", "409"} <= operation["responses"].keys()
        if isinstance(route.permission, Permission):
            assert "403" in operation["responses"]

    def test_says_what_goes_in(self, document: dict[str, Any], route: Route) -> None:
        operation = operation_of(document, route)

        path_ids = re.findall(r"<(\w+)>", route.path)
        parameters = operation.get("parameters", [])
        assert [p["name"] for p in parameters if p["in"] == "path"] == path_ids
        fields = route.query.model_fields if route.query else {}
        wanted = {field.alias or name for name, field in fields.items()}
        assert {p["name"] for p in parameters if p["in"] == "query"} == wanted
        if route.body is None:
            assert "requestBody" not in operation
            return
        assert operation["requestBody"]["required"] is True
        assert operation["requestBody"]["content"].keys() == {"application/json"}
        schema = _follow(
            document, operation["requestBody"]["content"]["application/json"]["schema"]
        )
        assert schema["additionalProperties"] is False
        assert schema["properties"].keys() == route.body.model_fields.keys()

    def test_says_what_comes_out(self, document: dict[str, Any], route: Route) -> None:
        operation = operation_of(document, route)

        (success,) = [status for status in operation["responses"] if status < "400"]
        assert success == str(route.status)
        content = operation["responses"][success]["content"]
        if route.media:
            assert set(content) == set(route.media)
            return
        schema = content["application/json"]["schema"]
        if route.answer is not None:
            data = schema["properties"]["data"]
            item = data["items"] if route.many else data
            assert item == {"$ref": f"#/components/schemas/{route.answer.__name__}"}
            assert ("next_cursor" in schema["properties"]) == route.many

    def test_says_every_error_with_code_and_sentence(
        self, document: dict[str, Any], route: Route
    ) -> None:
        responses = operation_of(document, route)["responses"]

        expected = {*route.errors, errors.BadRequestError, errors.InternalError}
        if route.body:
            expected |= {errors.MalformedBodyError, errors.UnsupportedMediaTypeError}
            expected |= {errors.BodyTooLargeError, errors.ValidationFailedError}
        if route.query:
            expected |= {errors.ValidationFailedError}
        if "<" in route.path:
            expected |= {errors.NotFoundError}
        if route.method not in SAFE:
            expected |= {errors.CrossSiteRequestError}
        for error in expected:
            told = responses[str(error.status)]
            assert f"{error.internal_error_code}: {error.message}" in told["description"]
            schema = told["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Errors"}

    def test_has_a_summary_and_an_id_of_its_own(
        self, document: dict[str, Any], route: Route
    ) -> None:
        operation = operation_of(document, route)
        ids = [each["operationId"] for item in document["paths"].values() for each in item.values()]

        assert ids.count(operation["operationId"]) == 1
        assert operation["summary"]


def _follow(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return found


def test_passwords_are_marked_as_such_and_go_in_only(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, rule in schema.get("properties", {}).items():
            if "password" in field:
                assert name.endswith("In")
                given = [each for each in rule.get("anyOf", [rule]) if each != {"type": "null"}]
                assert [(g["format"], g["writeOnly"]) for g in given] == [("password", True)]


def test_text_that_goes_in_says_how_long_it_may_be(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        if not name.endswith("In"):
            continue
        for field, rule in schema["properties"].items():
            for kind in rule.get("anyOf", [rule]):
                if kind.get("type") == "string" and kind.get("format") not in ("uuid", "date-time"):
                    assert "maxLength" in kind or "enum" in kind, f"{name}.{field}"


def test_every_schema_is_used(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    queries = {route.query.__name__ for route in API if route.query}  # told as parameters

    for name in document["components"]["schemas"].keys() - queries:
        assert f'"#/components/schemas/{name}"' in text, name


def test_it_names_no_host(document: dict[str, Any]) -> None:
    assert not re.search(r"https?://|//[a-z]", json.dumps(document))


class Links(HTMLParser):
    """Every address that a page makes a browser ask for or lead to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            value or ""
            for name, value in attrs
            if name in ("href", "src", "action", "formaction", "srcset", "data", "poster")
        ]


def test_the_viewer_shows_every_call_and_asks_no_other_host(lite: House) -> None:
    answer = lite.app.test_client().get("/api/docs")

    html = answer.get_data(as_text=True)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    for route in API:
        assert template(route) in html
        assert str(route.permission) in html
    links = Links(html).found
    assert links
    assert all(re.match(r"/(?!/)|#", link) for link in links), links
    assert not re.search(r"https?://|<script(?! src=\"/static/)|@import|url\(", html)
