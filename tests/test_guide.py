"""The guide can be followed to the letter, and every mistake that it warns of is told in its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import docs_mistakes, docs_runner, docs_words
from tests.docs_mistakes import Mistake
from tests.docs_runner import ROOT, Copy, PageError

GUIDE = ROOT / "docs" / "extending.md"
pytestmark = pytest.mark.timeout(600)  # it is followed once, for a minute on a busy machine


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict[Mistake, str]:
    """Follow the guide in a copy of the house, making every mistake at its time; what was said of each."""
    copy = Copy(tmp_path_factory.mktemp("guide") / "house")
    for command in ("db upgrade", "seed"):  # what `make run` has done before
        code, printed = copy.run("flask", *command.split())
        assert code == 0, printed
    steps = docs_runner.blocks(GUIDE.read_text("utf-8"))
    split = next(n for n, step in enumerate(steps) if step.heading == "What it refuses")
    copy.follow(steps[:split])
    said = {
        mistake: docs_mistakes.what_is_said(copy, mistake) for mistake in docs_mistakes.OF_THE_MODEL
    }
    copy.follow(steps[split:])
    return said | {m: docs_mistakes.what_is_said(copy, m) for m in docs_mistakes.OF_THE_REST}


def test_guide_can_be_followed_to_the_letter(followed: dict[Mistake, str]) -> None:
    assert len(followed) == len(docs_mistakes.OF_THE_MODEL) + len(docs_mistakes.OF_THE_REST)


@pytest.mark.parametrize(
    "mistake",
    docs_mistakes.OF_THE_MODEL + docs_mistakes.OF_THE_REST,
    ids=lambda mistake: mistake.says,
)
def test_mistake_is_told_in_the_words_of_the_guide(
    followed: dict[Mistake, str], mistake: Mistake
) -> None:
    docs_runner.compare(mistake.says, mistake.says, followed[mistake])


def test_every_mistake_in_the_table_is_made() -> None:
    told = [row[-1].strip("`") for row in docs_words.table(GUIDE.read_text("utf-8"), "You forget")]
    made = [mistake.says for mistake in docs_mistakes.OF_THE_MODEL + docs_mistakes.OF_THE_REST]

    assert sorted(told) == sorted(made)


def test_first_tenant_owned_model_takes_fifteen_lines() -> None:
    steps = docs_runner.blocks(GUIDE.read_text("utf-8"))
    first = [step for step in steps if step.heading.startswith("Your first tenant-owned model")]

    assert [step.title for step in first] == ["saas/models/notes.py", "saas/models/__init__.py"]
    assert sum(len(step.added()) for step in first) <= 15


def test_guide_that_goes_wrong_is_noticed(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "house")

    with pytest.raises(PageError, match="is there already"):
        copy.write("saas/routes.py", "")
    with pytest.raises(PageError, match="does not have these lines once"):
        copy.change("saas/routes.py", " API = [\n+    # Notes\n")
    with pytest.raises(PageError, match="does not have these lines once"):
        copy.change("saas/routes.py", " \n+# After which of the blank lines?\n")
    with pytest.raises(PageError, match="nobody objected"):
        docs_mistakes.what_is_said(copy, Mistake("no", command=("flask", "--version")))
    with pytest.raises(PageError, match="did not print"):
        docs_runner.compare("$ it", "one\ntwo", "two\none\n")
    with pytest.raises(PageError, match="Expected:"):
        copy.hold('>>> app.config["TESTING"]\nFalse\n')
    with pytest.raises(PageError):
        copy.hold("no session at all\n")
