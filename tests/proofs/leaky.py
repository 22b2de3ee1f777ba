"""The served app with a mistake put in: one list is kept in the process, and its key does not name the account."""

from __future__ import annotations

from typing import Any

from saas.paging import Page
from saas.services import project_services
from tests.proofs.served import create_app

__all__ = ["create_app"]

_list = project_services.list_projects
_kept: dict[Any, Page] = {}


def _list_from_cache(actor: Any, *, limit: int = 20, cursor: str | None = None) -> Page:
    if (limit, cursor) not in _kept:
        _kept[limit, cursor] = _list(actor, limit=limit, cursor=cursor)
    return _kept[limit, cursor]


project_services.list_projects = _list_from_cache
