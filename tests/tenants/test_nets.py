"""Each net taken away once: the forms that it is there for leak, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notes import note
from tests.tenants import forms
from tests.tenants.catalogue import FORMS, Form, Report, Verdict, run_on
from tests.tenants.nets import NETS, Net, in_place, taken_away
from tests.tenants.world import World

assert forms, "importing the forms registers them"


def _leaks(net: Net, world: World, chosen: list[Form] | None = None) -> tuple[Report, Report]:
    with in_place(net, world) as engine:
        with_net = run_on(engine, world, net.mode, chosen)
    with taken_away(net, world) as engine:
        without_net = run_on(engine, world, net.mode, chosen)
    return with_net, without_net


@pytest.mark.parametrize("net", NETS, ids=[f"{net.name} ({net.backend})" for net in NETS])
def test_without_this_net_its_forms_leak(world_of: Callable[[str], World], net: Net) -> None:
    with_net, without_net = _leaks(net, world_of(net.backend), [FORMS[name] for name in net.forms])
    assert with_net.those(Verdict.LEAK) == set(), with_net.told(net.forms)
    assert without_net.those(Verdict.LEAK) == set(net.forms), without_net.told(net.forms)


def _told() -> dict[str, int]:
    """The table of docs/tenancy.md: net → how many forms leak without it."""
    page = (Path(__file__).parents[2] / "docs/tenancy.md").read_text("utf-8")
    rows = (
        page.split("| Without | In the setting | Forms that leak |")[1]
        .split("\n\n")[0]
        .splitlines()[2:]
    )
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: int(row[2]) for row in cells}


def test_documentation_tells_of_every_net() -> None:
    assert list(_told()) == [net.name for net in NETS]


def test_every_net_has_a_name_of_its_own() -> None:
    assert len({net.name for net in NETS}) == len(NETS)


@pytest.mark.proof
@pytest.mark.parametrize("net", NETS, ids=[f"{net.name} ({net.backend})" for net in NETS])
def test_count_every_form_that_leaks_without_this_net(
    world_of: Callable[[str], World], net: Net
) -> None:
    """The whole catalogue for each net: the figures are those of docs/tenancy.md."""
    with_net, without_net = _leaks(net, world_of(net.backend))
    red = without_net.those(Verdict.LEAK) - with_net.those(Verdict.LEAK)
    note("nets", f"without {net.name} ({net.backend}, {net.mode}): {len(red)} forms leak")
    assert set(net.forms) <= red
    assert len(red) == _told()[net.name], without_net.told(red)
