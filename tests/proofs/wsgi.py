"""A browser that speaks WSGI to the app in this very thread, and what must not be left on a thread after it.

werkzeug's test client is four times as slow and keeps request contexts open; here a request is over
when the answer is, as on a server.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.cookies import SimpleCookie
from typing import Any

import flask
import structlog

from saas.context import current_context
from saas.unit import find_unit
from tenants.scope import entered_account_id


@dataclass(frozen=True)
class Answer:
    """One whole answer: its status, headers and bytes."""

    status: int
    headers: list[tuple[str, str]]
    raw: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> int | None:
        """The code of our one error shape; None for an answer that is no error."""
        if self.status < 400:
            return None
        errors = self.json["errors"]
        assert set(errors) == {"display_error", "internal_error_code", "field_errors", "request_id"}
        code: int = errors["internal_error_code"]
        assert code // 100 == self.status
        return code

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Browser:
    """One cookie jar in front of an app; ``unread`` closes an answer before its body was read."""

    def __init__(self, app: flask.Flask, user_agent: str = "proofs") -> None:
        self.app = app
        self.user_agent = user_agent
        self.cookie: str | None = None

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        unread: bool = False,
    ) -> Answer:
        """Send one request and read the answer; an exception that leaves the app comes out here."""
        environ = self._environ(method, path, body, query)
        for name, value in (headers or {}).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        begun: list[Any] = []

        def start_response(
            status: str, told: list[Any], exc_info: Any = None
        ) -> Callable[..., Any]:
            begun[:] = [int(status[:3]), told]
            return lambda data: None

        chunks = self.app.wsgi_app(environ, start_response)
        try:
            raw = b"" if unread else b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        self._keep_cookies(begun[1])
        return Answer(begun[0], begun[1], raw)

    def _environ(self, method: str, path: str, body: Any, query: str) -> dict[str, Any]:
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_USER_AGENT": self.user_agent,
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if body is not None:
            environ["CONTENT_TYPE"] = "application/json"
        if self.cookie:
            environ["HTTP_COOKIE"] = f"session={self.cookie}"
        return environ

    def _keep_cookies(self, headers: Iterable[tuple[str, str]]) -> None:
        for name, value in headers:
            if name.lower() == "set-cookie" and (morsel := SimpleCookie(value).get("session")):
                self.cookie = morsel.value or None

    @property
    def token(self) -> str:
        """The session's token in the cookie of the one who is signed in."""
        serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
        login: str = serializer.loads(self.cookie)["_user_id"]
        return login.partition(".")[2]


def leftovers() -> dict[str, Any]:
    """What the last request left on this thread; empty as it must be."""
    left = {
        "account": entered_account_id(),
        "unit": find_unit(),
        "log context": structlog.contextvars.get_contextvars() or None,
        "request id": current_context().request_id,
        "app context": flask.has_app_context() or None,
    }
    return {name: value for name, value in left.items() if value is not None}
