"""Follows a page of the documentation to the letter, in a throw-away copy of the house.

A fenced block says with the words after its language what it is: ``title="path"`` is a file to write (a ``diff``
block: to change), ``run`` is a console or an interactive session whose output is compared, ``excerpt="path"`` must
stand in that file as it is, ``name="…"`` is fetched by a test of its own. In what is expected, ``…`` stands for
anything. Nothing of this touches the process of the tests.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "tenants",
    "saas",
    "admin",
    "config",
    "migrations",
    "tests",
    "pyproject.toml",
    ".flaskenv",
)
_FENCE = re.compile(
    r"^```(?P<language>\w*) ?(?P<words>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_WORD = re.compile(r'(\w+)(?:="([^"]*)")?')
SECONDS = 120  # for one command, on a busy machine


class PageError(AssertionError):
    """What the page says is not what happens."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, what is done with it (see above), and where it stands."""

    language: str
    uses: dict[str, str]
    text: str
    heading: str
    line: int

    @property
    def title(self) -> str:
        return self.uses.get("title", "")

    def added(self) -> list[str]:
        """The lines that this block brings into the house, blank ones left out."""
        lines = self.text.splitlines()
        if self.language == "diff":
            lines = [each[1:] for each in lines if each.startswith("+")]
        return [each for each in lines if each.strip()]


def blocks(markdown: str) -> list[Block]:
    """Return every fenced block of a page, in order."""
    found = []
    for match in _FENCE.finditer(markdown):
        before = markdown[: match.start()]
        headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", before), re.MULTILINE)
        uses = dict(_WORD.findall(match["words"]))
        heading = headings[-1] if headings else ""
        found.append(Block(match["language"], uses, match["text"], heading, before.count("\n") + 1))
    return found


def named(markdown: str, name: str) -> str:
    """Return the text of the one block of that name."""
    (text,) = [block.text for block in blocks(markdown) if block.uses.get("name") == name]
    return text


def json_of(markdown: str, name: str) -> Any:
    """Return what the one JSON block of that name says."""
    return json.loads(named(markdown, name))


class Copy:
    """A copy of the house in a folder of its own, with an SQLite database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: list[str] = []
        self._to_hold: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(ROOT / name, folder / name)

    def follow(self, steps: Iterable[Block]) -> None:
        """Do what these blocks say; raises PageError when the house does not answer as the page tells."""
        for block in steps:
            if block.language == "pycon":
                self._to_hold.append(block.text)
                continue
            self._converse()
            if block.language == "diff":
                self.change(block.title, block.text)
            elif block.title:
                self.write(block.title, block.text)
            elif "run" in block.uses:
                self.type(block.text)
        self._converse()

    def _converse(self) -> None:
        """Hold the sessions that wait, in one `flask shell`; what they need of earlier ones is said again."""
        if self._to_hold:
            self._held += self._to_hold
            self._to_hold = []
            self.hold("\n".join(self._held))

    def hold(self, session: str) -> None:
        """Hold one interactive session; raises PageError with a report when it goes another way."""
        code, printed = self.run("tests.docs_session", given=session)
        if code:
            raise PageError(printed)

    def write(self, path: str, text: str) -> None:
        """Write a new file; one that is there already is not a new one."""
        if (self.folder / path).exists():
            raise PageError(f"{path} is there already")
        (self.folder / path).write_text(text, encoding="utf-8")

    def change(self, path: str, diff: str) -> None:
        """Apply a diff: the lines that stay or go must stand in the file together, and once."""
        for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
            lines = hunk.splitlines()
            old = "".join(f"{each[1:]}\n" for each in lines if not each.startswith("+"))
            new = "".join(f"{each[1:]}\n" for each in lines if not each.startswith("-"))
            self.replace(path, old, new)

    def replace(self, path: str, old: str, new: str) -> None:
        """Put ``new`` in place of ``old``, which must stand in the file once."""
        text = (self.folder / path).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise PageError(
                f"{path} does not have these lines once, but {text.count(old)} times:\n{old}"
            )
        (self.folder / path).write_text(text.replace(old, new), encoding="utf-8")

    def type(self, console: str) -> None:
        """Run each ``$ …`` of a console and look for the lines below it, in order, in what it prints."""
        for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            code, printed = self.run(*shlex.split(command))
            compare(f"$ {command}", expected, printed)
            if code:
                raise PageError(f"$ {command} ended with {code}:\n{printed}")

    def run(
        self, program: str, *arguments: str, given: str | None = None, **more: str
    ) -> tuple[int, str]:
        """Run one command in the copy, with ``more`` variables; returns its exit code and all it printed."""
        own = ["-p", "no:cacheprovider", "-k", "sqlite"] if program == "pytest" else []
        command = [sys.executable, "-m", program, *arguments, *own]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment() | more, input=given, timeout=SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def environment(self) -> dict[str, str]:
        """No setting of the surrounding process: only the way to its interpreter, and where the copy is."""
        kept = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "LANG", "TMPDIR")
            if name in os.environ
        }
        return kept | {
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FLASK_APP": "config.application:create_app",
            "FLASK_CONFIG": "test",
            "PASSWORD_COST": "4",
            "VAR_DIR": str(self.folder / "var"),
        }


def compare(what: str, expected: str, printed: str) -> None:
    """Look for the expected lines, in order, in what was printed; raises PageError."""
    position = 0
    for line in filter(None, map(str.strip, expected.splitlines())):
        # How wide a column is depends on what stands in it.
        pattern = re.sub(r"(\\ )+", " +", ".*".join(re.escape(each) for each in line.split("…")))
        match = re.compile(pattern).search(printed, position)
        if match is None:
            raise PageError(f"{what} did not print {line!r} (next), but:\n{printed}")
        position = match.end()
