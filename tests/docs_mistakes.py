"""The mistakes that ``docs/extending.md`` promises to be told of, each as a change of the house that followed it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.docs_runner import Copy, PageError

_MODEL, _ROUTES = "saas/models/notes.py", "saas/routes.py"
_VIEWS, _SCHEMAS = "saas/views/note_views.py", "saas/schemas/note_schemas.py"
_KEYS = '    __table_args__ = (account_key(), UniqueConstraint("account_id", "title"))\n'
_IMPORT = "from saas.models.base import Base, TenantModel\n"
_CLASS = "class Note(TenantModel, Base):\n"
_TEXT = '    text: Mapped[str] = mapped_column(String(2000), default="")\n'
_START = ("flask", "check")

# What a session begins with, as the page does.
_SESSION = """
>>> from sqlalchemy import insert
>>> house = app.extensions["database"]
>>> with database.use(house), database.looking_across("a mistake") as connection:
...     acme = connection.scalars(select(Account.account_id).where(Account.name == "acme")).one()
"""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is changed in the house, what is done then, and the beginning of what is said."""

    says: str
    edits: tuple[tuple[str, str, str], ...] = ()  # path, old text, new text
    command: tuple[str, ...] = _START
    session: str = ""


# Made while there is a model and a table, and nothing else yet.
OF_THE_MODEL = (
    Mistake(
        "notes: neither tenant-owned (no account_id) nor on the list of global tables",
        (
            (_MODEL, _IMPORT, "from saas.models.base import Base, Created, Identified\n"),
            (_MODEL, _CLASS, "class Note(Identified, Created, Base):\n"),
            (_MODEL, _KEYS, ""),
        ),
    ),
    Mistake(
        "notes: unique key uq_notes_title must begin with account_id",
        ((_MODEL, _KEYS, _KEYS.replace('"account_id", ', "")),),
    ),
    Mistake(
        "notes: foreign key ['author_id'] must carry account_id",
        (
            (_MODEL, "import String,", "import ForeignKey, String,"),
            (_MODEL, _TEXT, f'{_TEXT}    author_id = mapped_column(ForeignKey("users.id"))\n'),
        ),
    ),
    Mistake(
        "models and migrations differ: make a revision",
        ((_MODEL, _TEXT, f"{_TEXT}    colour: Mapped[str] = mapped_column(String(6))\n"),),
        ("flask", "db", "check"),
    ),
)

# Made at the end.
OF_THE_REST = (
    Mistake(
        "no event accounts for notes (changed at …); recorded: nothing",
        session="""
>>> with database.use(house), enter_account(acme), database.unit_of_work() as unit:
...     unit.session.add(Note(title="Without an event"))
""",
    ),
    Mistake(
        "notes is written outside database.unit_of_work() at …",
        session="""
>>> with enter_account(acme), house.tenant_engine.begin() as connection:
...     connection.execute(insert(Note.__table__), {"account_id": acme, "title": "Alone"})
""",
    ),
    Mistake(
        "no account is entered: wrap this in enter_account(account_id)",
        session="""
>>> with database.use(house), database.reading() as unit:
...     unit.session.scalars(select(Note))
""",
    ),
    Mistake(
        "table 'notes' is not tied to the entered account: …",
        session="""
>>> with database.use(house), enter_account(acme), database.reading() as unit:
...     unit.execute(select(Note.__table__))
""",
    ),
    Mistake(
        "GET /api/notes: declare a Permission, SIGNED_IN or PUBLIC",
        (
            (
                _ROUTES,
                "note_views.list_notes, Permission.NOTE_READ,\n",
                'note_views.list_notes, "notes:read",\n',
            ),
        ),
    ),
    Mistake(
        "POST /api/notes: the view takes ['actor'], the line gives ['actor', 'body']",
        (
            (
                _VIEWS,
                "def create_note(actor: Actor, body: CreateNoteIn)",
                "def create_note(actor: Actor)",
            ),
        ),
    ),
    Mistake(
        "CreateNoteIn.title: text needs a rule of saas.schemas.fields",
        ((_SCHEMAS, "    title: NoteTitle\n", "    title: str\n"),),
    ),
)


def what_is_said(copy: Copy, mistake: Mistake) -> str:
    """Make a mistake, return all that is said of it, and mend it; raises PageError when nobody objects."""
    before = {path: (copy.folder / path).read_text("utf-8") for path, _, _ in mistake.edits}
    try:
        for path, old, new in mistake.edits:
            copy.replace(path, old, new)
        if mistake.session:
            code, printed = copy.run("tests.docs_session", given=_SESSION + mistake.session)
        else:
            code, printed = copy.run(*mistake.command)
    finally:
        for path, text in before.items():
            (copy.folder / path).write_text(text, "utf-8")
    if code == 0:
        raise PageError(f"nobody objected, where the page says {mistake.says!r}:\n{printed}")
    return printed
