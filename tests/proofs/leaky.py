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
    page = _kept.get((limit, cursor)) or _list(actor, limit=limit, cursor=cursor)
    if page.items:
        _kept[limit, cursor] = page
    return page


project_services.list_projects = _list_from_cache
