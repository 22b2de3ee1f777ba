"""What came of the matrix: its cells, as a file that a reviewer reads and as sentences about what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import unified_diff
from inspect import getdoc
from pathlib import Path

from saas.testing.lines import Line
from saas.testing.registry import REGISTRY
from saas.testing.rows import DONE, Row

NOT_ASKED, UNSPECIFIED = "·", "?"
_HEADER = """# The permission matrix

Written by its test (`--matrix-write`), which fails when a run differs from it. How to extend it: `docs/permissions.md`.

One line is a route and whose object it is called upon; one column is somebody who calls. `✓`: done, with the status
that the route declares. A number: refused with that status, and nothing changed in any account. `login`: a page that
leads to the sign-in. `·`: says nothing here. `*`: a rule of the service, whose reason stands at the end.

Who calls:

{principals}

Upon what:

- `own`: an object of the callers' account (to a stranger, therefore, a foreign one); `–`: the route has none.
- `own, service alone`: the same, while the wrapper of the route asks nothing, so that the service must.
- `above them`: an object that holds, or gives, all that an owner holds.
- `of a colleague`: something personal of somebody else in the same account.
- `foreign`, `missing`: an object of another account, and an id that nothing has. Their answers are equal byte for byte.
- `unknown fields`: a valid body with fields nobody may set, such as the account and the id.
- `foreign in ?…=`: a list filtered by something of another account, or gone on with by its cursor.
- `words in use elsewhere`: the same texts as in another account, where they are in nobody's way.
- `while others change`: read before and after another account gained one of everything: equal byte for byte.
"""


@dataclass(slots=True)
class Cell:
    """What must come of one call, what did, and what else was wrong with it. ``answer``: the beginning of its body."""

    expected: str
    actual: str
    problems: list[str] = field(default_factory=list)
    answer: str = ""

    @property
    def fits(self) -> bool:
        return self.actual in self.expected.split("/")

    @property
    def differs(self) -> bool:
        return not self.fits or bool(self.problems)


@dataclass(slots=True)
class Outcome:
    """Every cell of a run; ``faults`` are sentences about what no cell stands for."""

    rows: dict[Row, dict[str, Cell]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def cells(self) -> int:
        return sum(len(cells) for cells in self.rows.values())

    @property
    def unspecified(self) -> int:
        return sum(c.actual == UNSPECIFIED for cells in self.rows.values() for c in cells.values())

    @property
    def different(self) -> int:
        differing = sum(c.differs for cells in self.rows.values() for c in cells.values())
        return differing - self.unspecified

    def summary(self) -> str:
        """One line of figures."""
        return f"{self.cells} cells run, {self.unspecified} unspecified, {self.different} different"

    def differences(self) -> list[str]:
        """Return a sentence for each fault and each cell that is not as declared; alike cells of a row share one."""
        found = list(self.faults)
        for row, cells in self.rows.items():
            alike: dict[tuple[str, str], dict[str, Cell]] = {}
            for principal, cell in cells.items():
                if cell.differs:
                    alike.setdefault((cell.expected, cell.actual), {})[principal] = cell
            found += [_sentence(row, each) for each in alike.values()]
        return found


def _sentence(row: Row, cells: dict[str, Cell]) -> str:
    first = next(iter(cells.values()))
    problems = list(dict.fromkeys(p for cell in cells.values() for p in cell.problems))
    if not first.fits and first.actual != UNSPECIFIED:
        problems.insert(0, f"expected {first.expected}, got {first.actual}")
        problems += [f"the answer was {first.answer!r}"] if first.answer else []
    return f"{row.line.name} [{row.relation}] as {', '.join(cells)}: {'; '.join(problems)}"


def as_markdown(outcome: Outcome) -> str:
    """Return the file that is committed: the same for every run and every database."""
    rows = list(outcome.rows)
    parts = [_HEADER.format(principals=_legend())]
    for title, kind in (("API", "api"), ("Pages", "page")):
        shown = [row for row in rows if row.line.route.kind == kind]
        if shown:
            parts.append(f"\n## {title}\n\n" + _table(outcome, shown))
    parts.append(_deviations(outcome))
    parts.append(_totals(outcome))
    return "".join(parts)


def compare(outcome: Outcome, file: Path) -> str:
    """Return the difference between the committed file and this outcome, "" for none."""
    committed = file.read_text(encoding="utf-8") if file.exists() else ""
    old, new = committed.splitlines(keepends=True), as_markdown(outcome).splitlines(keepends=True)
    return "".join(unified_diff(old, new, f"{file.name} (committed)", f"{file.name} (now)", n=0))


def _legend() -> str:
    told = {name: (getdoc(make) or "").split("\n")[0] for name, make in REGISTRY.principals.items()}
    return "\n".join(f"- `{name}`: {words}" for name, words in told.items())


def _table(outcome: Outcome, rows: list[Row]) -> str:
    principals = list(REGISTRY.principals)
    lines = [["Route", "Needs", "Object", *principals]]
    for row in rows:
        marks = [_mark(row, p, outcome.rows[row].get(p)) for p in principals]
        lines.append([f"`{row.line.name}`", _needs(row.line), row.relation, *marks])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(_line(line, widths) for line in lines)


def _line(texts: Iterable[str], widths: list[int]) -> str:
    return "| " + " | ".join(t.ljust(w) for t, w in zip(texts, widths, strict=True)) + " |\n"


def _needs(line: Line) -> str:
    return str(line.permission.value if line.permission else line.route.permission)


def _mark(row: Row, principal: str, cell: Cell | None) -> str:
    if cell is None:
        return NOT_ASKED
    deviates = REGISTRY.find_deviation(row.line.name, principal)
    return cell.actual + ("*" if deviates and cell.expected == deviates.outcome else "")


def _deviations(outcome: Outcome) -> str:
    routes = {row.line.name for row in outcome.rows}
    lines = [
        f"- `{d.route}`, {', '.join(sorted(d.principals)) or 'everybody'}: {d.outcome}. {d.reason}\n"
        for d in REGISTRY.deviations
        if d.route in routes
    ]
    lines += [f"- `{route}` is left out. {reason}\n" for route, reason in outcome.left_out.items()]
    return "\n## Deviations, each with its reason\n\n" + "".join(lines) if lines else ""


def _totals(outcome: Outcome) -> str:
    marks = Counter(c.actual for cells in outcome.rows.values() for c in cells.values())
    told = ", ".join(f"{mark} {count}" for mark, count in sorted(marks.items()))
    routes = len({row.line.name for row in outcome.rows})
    figures = f"{routes} routes, {len(outcome.rows)} lines, {len(REGISTRY.principals)} principals"
    return f"\n## Totals\n\n{figures}; {outcome.summary()}. By outcome: {told}.\n"


__all__ = ["DONE", "Cell", "Outcome", "as_markdown", "compare"]
