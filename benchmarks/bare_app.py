"""The limit: the list of users as one would write it by hand with Flask and psycopg, and nothing else.

A signed cookie holds the caller (Flask's own session), one statement finds them and their roles, a second the
list; the standard library writes the JSON. No row-level security, no guard, no session row, no audit context, no
security headers, no request id. It answers the same bytes as ``GET /api/users`` of the product.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import flask
import psycopg

_CALLER = """
    SELECT u.account_id, array_agg(r.system_key)
    FROM users u
    JOIN accounts a ON a.account_id = u.account_id
    JOIN users_x_roles x ON x.account_id = u.account_id AND x.user_id = u.id
    JOIN roles r ON r.account_id = x.account_id AND r.id = x.role_id
    WHERE u.account_id = %s AND u.id = %s AND u.status = 'active' AND a.status = 'active'
    GROUP BY u.account_id, u.id
"""
_LIST = """
    SELECT u.id, u.username, i.email, u.status, u.created_at,
        (SELECT array_agg(r.name ORDER BY r.name) FROM users_x_roles x
         JOIN roles r ON r.account_id = x.account_id AND r.id = x.role_id
         WHERE x.account_id = u.account_id AND x.user_id = u.id)
    FROM users u
    JOIN identities i ON i.id = u.identity_id
    WHERE u.account_id = %s
    ORDER BY u.id DESC
    LIMIT %s
"""
_PERMISSIONS = {
    "owner": {"user:read", "user:invite", "role:read"},
    "admin": {"user:read", "user:invite", "role:read"},
    "member": {"user:read", "role:read"},
    "viewer": {"user:read", "role:read"},
}
_local = threading.local()


def create_app() -> flask.Flask:
    """Build the app from BARE_SECRET_KEY and BARE_DATABASE (a libpq connection string)."""
    app = flask.Flask("bare")
    app.secret_key = os.environ["BARE_SECRET_KEY"]
    app.add_url_rule("/api/users", view_func=list_users)
    return app


def list_users() -> Any:
    """GET /api/users?limit=: the users of the caller's account with their role names, newest first."""
    if "user_id" not in flask.session:
        return {"error": "sign in"}, 401
    connection = _connection()
    caller = connection.execute(
        _CALLER, (flask.session["account_id"], flask.session["user_id"])
    ).fetchone()
    if caller is None:
        return {"error": "sign in"}, 401
    account_id, role_keys = caller
    if not any("user:read" in _PERMISSIONS[key] for key in role_keys):
        return {"error": "not allowed"}, 403
    limit = min(int(flask.request.args.get("limit", "20")), 100)
    rows = connection.execute(_LIST, (account_id, limit + 1)).fetchall()
    users = [
        {
            "id": str(user_id),
            "username": username,
            "email": email,
            "status": status,
            "roles": role_names or [],
            "created_at": created_at.isoformat().replace("+00:00", "Z"),
        }
        for user_id, username, email, status, created_at, role_names in rows[:limit]
    ]
    next_cursor = str(rows[limit - 1][0]) if len(rows) > limit else None
    body = json.dumps({"data": users, "next_cursor": next_cursor}, separators=(",", ":"))
    return flask.Response(body, mimetype="application/json")


def _connection() -> psycopg.Connection[Any]:
    """One connection a thread, in autocommit: no pool to ask and no BEGIN to send."""
    if not hasattr(_local, "connection"):
        _local.connection = psycopg.connect(os.environ["BARE_DATABASE"], autocommit=True)
    connection: psycopg.Connection[Any] = _local.connection
    return connection
