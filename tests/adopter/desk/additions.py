"""What an adopter writes into two files of the product: two permissions, who holds them, and two events.

A test must leave these files alone. So they are read here with the lines added, before anything else imports them, in
a process that ends with the test.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path

PERMISSIONS = {
    "    USER_INVITE = (": """\
    TICKET_READ = ("ticket:read", "See tickets.")
    TICKET_WRITE = ("ticket:write", "Open and close tickets.")
""",
    "    Permission.USER_READ,\n}": "    Permission.TICKET_READ,\n",
    '"viewer": ': '"helper": frozenset(_READ | {Permission.TICKET_WRITE}),\n    ',
}
EVENTS = {
    "    TOKEN_SENT = (": """\
    TICKET_OPENED = ("ticket.opened", "c", "account", ("tickets",))
    TICKET_CLOSED = ("ticket.closed", "u", "account", ("tickets",))
""",
}


def add(module_name: str, lines: dict[str, str]) -> None:
    """Load a module with lines put in front of the places that are named."""
    spec = find_spec(module_name)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text("utf-8")
    for place, added in lines.items():
        assert source.count(place) == 1, f"{module_name}: {place!r} is not there once any more"
        source = source.replace(place, added + place)
    module = module_from_spec(spec)
    sys.modules[module_name] = module
    exec(compile(source, spec.origin, "exec"), module.__dict__)  # noqa: S102 - our own file, and our lines


add("saas.permissions", PERMISSIONS)
add("saas.audit.events", EVENTS)
