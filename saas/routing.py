"""What the route table means: each line becomes an endpoint that asks, reads, calls and answers in one way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import signature
from typing import Any, Literal, TypeVar

import flask
import orjson
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from saas import errors, request_scope
from saas.paging import Page
from saas.permissions import Permission, require, require_person
from saas.schemas.fields import In
from saas.security import json_body

PUBLIC: Literal["public"] = "public"
SIGNED_IN: Literal["signed in"] = "signed in"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PATH_ID = re.compile(r"<(\w+_id)>")
_JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_Schema = TypeVar("_Schema", bound=In)


class RouteTableError(RuntimeError):
    """A line of the route table is not complete; the message says what to add."""


@dataclass(frozen=True, slots=True)
class Route:
    """One URL: method, path, view, who may call it, and what goes in and out.

    ``permission``: a Permission, SIGNED_IN, or PUBLIC, said in so many words. ``body``, ``query``: schemas read
    before the view is called. ``answer``: schema of what stands under ``data``. ``errors``: what the view may
    raise beyond what every route can (for OpenAPI). ``kind``: "api", or "page" for what people look at.
    """

    method: str
    path: str
    view: Callable[..., Any]
    permission: Permission | Literal["public", "signed in"]
    body: type[In] | None = None
    query: type[In] | None = None
    answer: type[BaseModel] | None = None
    many: bool = False
    status: int = 200
    errors: tuple[type[errors.ProductError], ...] = ()
    kind: Literal["api", "page"] = "api"
    media: tuple[str, ...] = ()  # of an answer that is not JSON
    told: bool = False  # a GET that changes nothing, but that the audit log tells of
    writes: bool = False  # a GET that changes something, which only a link to sign out may

    @property
    def rule(self) -> str:
        """The Flask rule: an id in the path is a UUID, so a malformed one is a 404 like an unknown one."""
        return _PATH_ID.sub(r"<uuid:\1>", self.path)

    @property
    def name(self) -> str:
        return f"{self.view.__module__.rsplit('.', 1)[-1]}.{self.view.__name__}"

    def check(self) -> None:
        """Raise RouteTableError unless the line says all that its method needs and its view takes what is read."""
        wanted = {"actor", *_PATH_ID.findall(self.path)} | {
            n for n in ("body", "query") if getattr(self, n)
        }
        takes = set(signature(self.view).parameters)
        if wanted != takes:
            raise RouteTableError(
                f"{self.method} {self.path}: the view takes {sorted(takes)}, the line gives {sorted(wanted)}"
            )
        if not isinstance(self.permission, Permission) and self.permission not in (
            PUBLIC,
            SIGNED_IN,
        ):
            raise RouteTableError(
                f"{self.method} {self.path}: declare a Permission, SIGNED_IN or PUBLIC"
            )
        if self.method in SAFE and self.body is not None:
            raise RouteTableError(f"{self.method} {self.path}: a safe method has no body")


def add_routes(app: flask.Flask, routes: Iterable[Route]) -> None:
    """Check every line and add it to the app; raises RouteTableError."""
    table = tuple(routes)
    for route in table:
        route.check()
        endpoint = _endpoint(route, checked=app.testing)
        app.add_url_rule(
            route.rule, f"{route.method} {route.path}", endpoint, methods=[route.method]
        )
    app.extensions["routes"] = table
    app.extensions["pages"] = frozenset(f"{r.method} {r.path}" for r in table if r.kind == "page")
    app.extensions["writers"] = frozenset(f"{r.method} {r.path}" for r in table if r.writes)


def _endpoint(route: Route, *, checked: bool) -> Callable[..., Any]:
    """Return the Flask view of a line; ``checked``: hold every answer against the schema that documents it."""
    view, permission, body, query = route.view, route.permission, route.body, route.query
    fine = isinstance(permission, Permission)

    def endpoint(**arguments: Any) -> Any:
        actor = request_scope.current_actor()
        if actor is None and permission != PUBLIC:
            raise errors.SignInRequiredError
        request_scope.refuse_other_account(actor)
        if permission == SIGNED_IN:
            require_person(actor)  # type: ignore[arg-type]
        elif fine:
            require(actor, permission)  # type: ignore[arg-type]  # a convenience: the service asks again, and is the law
        if query is not None:
            arguments["query"] = read_query(query)
        if body is not None:
            arguments["body"] = read_json(body)
        return answer(view(actor, **arguments), route, checked=checked)

    return endpoint


def read_json(schema: type[_Schema]) -> _Schema:
    """Read the JSON body into its schema.

    Raises UnsupportedMediaTypeError, BodyTooLargeError, MalformedBodyError or ValidationFailedError.
    """
    request = flask.request
    if request.mimetype != "application/json":
        raise errors.UnsupportedMediaTypeError
    raw = request.get_data(cache=False)
    json_body.parse_json_object(raw)
    try:
        return schema.model_validate_json(raw)
    except ValidationError as error:
        raise errors.from_pydantic(
            error
        ) from None  # the cause would carry what was sent, passwords included


def read_query(schema: type[_Schema]) -> _Schema:
    """Read the query string into its schema; raises ValidationFailedError."""
    read: _Schema = _read_query(schema, flask.request.query_string)
    return read


@lru_cache(maxsize=512)
def _read_query(schema: type[In], query_string: bytes) -> Any:
    # Kept, because nearly every list is asked for by the same few query strings, and what is read is frozen.
    if not query_string:
        return schema()
    return _read_strings(schema, flask.request.args.to_dict(flat=False))


def read_form(schema: type[_Schema]) -> _Schema:
    """Read a page's form into its schema, its hidden ``account_id`` aside; raises ValidationFailedError."""
    unsafe_form = flask.request.form.to_dict(flat=False)
    if "account_id" not in schema.model_fields:
        unsafe_form.pop("account_id", None)
    return _read_strings(schema, unsafe_form)


def _read_strings(schema: type[_Schema], unsafe_values: Mapping[str, list[str]]) -> _Schema:
    try:
        return schema.from_strings(unsafe_values)
    except ValidationError as error:
        raise errors.from_pydantic(error) from None


def answer(result: Any, route: Route, *, checked: bool) -> Any:
    """Turn what a view returned into the answer: a Page or data becomes JSON, a page's HTML goes as it is."""
    if route.kind == "page" or isinstance(result, Response):
        return result
    if isinstance(result, Page):
        body: Any = {"data": result.items, "next_cursor": result.next_cursor}
    elif isinstance(result, dict) and result.keys() == {"message"}:
        body = result
    else:
        body = {"data": result}
    if checked and route.answer is not None:
        _check_answer(body["data"], route)
    return json_response(body, route.status)


class JsonResponse(flask.Response):
    """A finished answer: its length is known and it leads nowhere, so its headers go out as they are."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        return self.headers


def json_response(body: Any, status: int = 200) -> flask.Response:
    """Return a JSON answer; ids and times are written by orjson, times in UTC with a Z."""
    raw = orjson.dumps(body, default=_plain, option=_JSON_OPTIONS)
    return JsonResponse(raw, status, content_type="application/json")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _check_answer(data: Any, route: Route) -> None:
    """Under test, hold every answer against the schema that the documentation shows."""
    for item in data if route.many else [data]:
        route.answer.model_validate(item)  # type: ignore[union-attr]
