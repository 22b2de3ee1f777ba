"""Flask-Admin's inner names that the console stands on: pinned, and compared with what they were."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version
from pathlib import Path

import flask_admin
import pytest
from flask_admin.contrib.sqla import ModelView

from admin.operator_view import OperatorView

UPSTREAM = Path(flask_admin.__file__).parent / "templates" / "bootstrap4" / "admin"
OURS = Path(inspect.getfile(OperatorView)).parent / "templates" / "console"
TEMPLATES = {
    "actions.html", "base.html", "file/form.html", "file/list.html", "file/modals/form.html", "index.html",
    "layout.html", "lib.html", "master.html", "model/create.html", "model/details.html", "model/edit.html",
    "model/inline_field_list.html", "model/inline_form.html", "model/inline_list_base.html", "model/layout.html",
    "model/list.html", "model/modals/create.html", "model/modals/details.html", "model/modals/edit.html",
    "model/row_actions.html", "rediscli/console.html", "rediscli/response.html", "static.html",
}  # fmt: skip
BASE_BLOCKS = {
    "access_control", "body", "brand", "head", "head_css", "head_meta", "head_tail", "main_menu", "menu_links",
    "messages", "page_body", "page_title", "tail", "tail_js", "title",
}  # fmt: skip
# Upstream's template → the one that stands in its place.
REPLACED = {
    "base.html": "base.html",
    "model/list.html": "list.html",
    "model/details.html": "details.html",
}
# Everything upstream answers under a view, and what became of it here.
ROUTES = {
    "action_view": "ours", "ajax_lookup": "gone", "ajax_update": "gone", "create_view": "gone",
    "delete_view": "gone", "details_view": "ours", "edit_view": "gone", "export": "ours", "index_view": "ours",
}  # fmt: skip
# What asks the database upstream: each is ours, or has no session to ask with.
ASKS = {"get_list", "get_one", "get_query", "get_count_query"}


def blocks(path: Path) -> set[str]:
    return set(re.findall(r"\{%-?\s*block\s+(\w+)", path.read_text("utf-8")))


def test_the_version_is_the_one_that_was_looked_at() -> None:
    assert re.fullmatch(r"2\.2\.\d+", version("flask-admin"))
    assert version("flask-admin") != "2.2.1"


def test_upstream_has_the_templates_that_it_had() -> None:
    assert {str(p.relative_to(UPSTREAM)) for p in UPSTREAM.rglob("*.html")} == TEMPLATES


def test_our_base_has_every_block_of_upstreams() -> None:
    assert blocks(UPSTREAM / "base.html") == BASE_BLOCKS
    assert blocks(OURS / "base.html") >= BASE_BLOCKS


def test_none_of_upstreams_templates_is_ever_drawn_by_a_view_of_ours() -> None:
    ours = {str(p.relative_to(OURS)) for p in OURS.rglob("*.html")}
    assert set(REPLACED.values()) <= ours
    assert OperatorView.list_template == "console/list.html"
    assert OperatorView.details_template == "console/details.html"
    for path in OURS.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"[\"']admin/", text), path
        assert not re.search(
            r"<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=|javascript:|https?://(?!www\.w3)", text
        ), path


def exposed(view: type) -> set[str]:
    return {name for name in dir(view) if hasattr(getattr(view, name), "_urls") and name != "_urls"}


def test_upstream_exposes_what_it_did_and_ours_exposes_less() -> None:
    assert exposed(ModelView) == ROUTES.keys()
    assert exposed(OperatorView) == {name for name, what in ROUTES.items() if what == "ours"}
    for name, what in ROUTES.items():
        if what == "ours":
            assert getattr(OperatorView, name) is not getattr(ModelView, name)


@pytest.mark.parametrize("name", ["_handle_view", "_run_view", "is_accessible", "render"])
def test_every_view_passes_our_doors(name: str) -> None:
    from admin.guarded import Guarded

    assert getattr(OperatorView, name) is getattr(Guarded, name)
    assert hasattr(ModelView, name)


def test_whatever_asks_the_database_is_ours_or_has_nothing_to_ask_with() -> None:
    asking = {
        name
        for name, function in vars(ModelView).items()
        if inspect.isfunction(function) and "_get_deprecated_session" in inspect.getsource(function)
    }
    writing = {"create_model", "update_model", "delete_model", "action_delete"}
    assert asking >= {"get_one", "get_query", "get_count_query"}
    unknown = asking - ASKS - writing
    assert not {n for n in unknown if getattr(OperatorView, n) is getattr(ModelView, n)} - HARMLESS


# They hand the session to builders of forms and look-ups, of which there are none here.
HARMLESS = {
    "__init__",
    "_create_ajax_loader",
    "scaffold_form",
    "scaffold_list_form",
    "scaffold_inline_form_models",
}
