"""The statement catalogue on three databases: all nets, the guard alone, row security alone, and no net."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tenants import forms, report
from tests.tenants.catalogue import BACKENDS, FORMS, Mode, Report, Verdict, run
from tests.tenants.world import World

WorldOf = Callable[[str], World]

# What the database cannot know by itself, and why.
BEYOND_ROWS = {
    "held_object_found_again_in_own_session": "the object is in memory: there is no statement to look at",
    "function_that_enters_another_account": "whoever may run set_config() may say who is entered",
}

# Scoped, and refused all the same; docs/tenancy.md says how to write them instead.
REFUSED_THOUGH_SCOPED = {
    "core_join_of_tables_with_orm_columns",
    "core_outer_join_of_tables_with_orm_columns",
    "full_join_from_a_global_table",
    "full_join_on_false",
    "nested_joins",
    "orm_join_construct",
    "orm_outer_join_construct",
}
REFUSED_FOR_ITS_VALUE = {"account_of_b_in_where"}


def _assert_leaks(found: Report, expected: set[str]) -> None:
    leaked = found.those(Verdict.LEAK)
    report.keep(found, len(FORMS), len(leaked - expected))
    broken = found.those(Verdict.BROKEN)
    assert not broken, f"forms that are broken themselves:\n{found.told(broken)}"
    assert not leaked - expected, f"leaks:\n{found.told(leaked - expected)}"
    assert not expected - leaked, f"expected to leak and did not:\n{found.told(expected - leaked)}"


def _driver_forms(backend: str) -> set[str]:
    """The driver's own cursor passes every net but the database's."""
    return (
        set() if backend == "postgresql" else {name for name, form in FORMS.items() if form.driver}
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_form_reaches_another_account_with_all_nets(world_of: WorldOf, backend: str) -> None:
    _assert_leaks(run(world_of(backend), Mode.ALL), _driver_forms(backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_form_reaches_another_account_with_the_guard_alone(
    world_of: WorldOf, backend: str
) -> None:
    _assert_leaks(run(world_of(backend), Mode.GUARD), _driver_forms(backend))


def test_no_form_reaches_another_account_with_row_security_alone(world_of: WorldOf) -> None:
    people = {name for name, form in FORMS.items() if form.people}  # global tables have no policy
    _assert_leaks(run(world_of("postgresql"), Mode.ROWS), people | BEYOND_ROWS.keys())


@pytest.mark.parametrize("backend", BACKENDS)
def test_criteria_alone_are_not_enough(world_of: WorldOf, backend: str) -> None:
    found = run(world_of(backend), Mode.CRITERIA)
    report.keep(found, len(FORMS), 0)
    leaked = found.those(Verdict.LEAK)
    assert {"core_select", "text_statement", "bulk_update_of_mappings", "or_in_a_lambda"} <= leaked
    assert not leaked & {"select_entity", "count_entities", "orm_update_without_where", "query_all"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_form_leaks_without_nets_or_has_its_reason(world_of: WorldOf, backend: str) -> None:
    available = {name for name, form in FORMS.items() if backend in form.backends}
    quiet = {name for name, form in FORMS.items() if backend in form.quiet}
    _assert_leaks(run(world_of(backend), Mode.NONE), available - quiet)


@pytest.mark.parametrize("backend", BACKENDS)
def test_statements_as_services_write_them_are_served(world_of: WorldOf, backend: str) -> None:
    plain = [f for f in FORMS.values() if f.attack.__module__ == forms.orm_reads.__name__]
    found = run(world_of(backend), Mode.ALL, plain)
    refused = found.those(*Verdict) - found.those(Verdict.HARMLESS)
    expected = {f.name for f in plain if backend in f.backends} & (
        REFUSED_THOUGH_SCOPED | REFUSED_FOR_ITS_VALUE
    )
    assert refused == expected, found.told(refused ^ expected)


def test_catalogue_holds_every_kind_of_form() -> None:
    assert len(FORMS) >= 550
    written = [form for form in FORMS.values() if form.writes]
    assert len(written) >= 150
    assert {form.attack.__module__.rsplit(".", 1)[-1] for form in FORMS.values()} == set(
        forms.__all__
    )


def test_documentation_tells_the_number_of_forms() -> None:
    page = (Path(__file__).parents[2] / "docs/tenancy.md").read_text("utf-8")
    assert f"holds {len(FORMS)} forms" in page
    sizes = [sum(backend in form.backends for form in FORMS.values()) for backend in BACKENDS]
    row = page.split("| **all nets** |")[1].split("\n")[0]
    assert re.findall(r"of (\d+)", row) == [str(size) for size in sizes]


def test_every_form_that_is_quiet_without_nets_says_why() -> None:
    unexplained = [
        f.name for f in FORMS.values() for why in f.quiet.values() if len(why.split()) < 4
    ]
    assert unexplained == []
