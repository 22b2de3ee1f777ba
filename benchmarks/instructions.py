"""Instructions of one request, counted by callgrind around in-process WSGI calls: repeatable whatever else runs.

The kernel, the server's own parsing and PostgreSQL are not in it. ``python -m benchmarks.instructions APP`` is the
process that valgrind runs; it reads its callers' cookies from standard input.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.data import HOST
from benchmarks.sessions import PATH

FACTORIES = {"product": "config.application:create_app", "bare": "benchmarks.bare_app:create_app"}
WARM_UP = 60  # calls: PostgreSQL's statements are prepared and every cache is filled
COUNTED = 100


def available() -> bool:
    """Say whether valgrind and its switch are there."""
    return shutil.which("valgrind") is not None and shutil.which("callgrind_control") is not None


def per_request(
    app: str, environment: dict[str, str], cookies: list[str], *, keep: Path | None = None
) -> int:
    """Return the instructions of one request of an app; ``keep``: where the profile stays for callgrind_annotate."""
    with tempfile.TemporaryDirectory() as directory:
        out = keep or Path(directory) / "callgrind.out"
        command = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}",
            sys.executable, "-m", "benchmarks.instructions", app,
        ]  # fmt: skip
        done = subprocess.run(
            command,
            env=environment,
            input=json.dumps(cookies),
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"callgrind failed: {done.stderr[-2000:]}")
        found = re.search(r"^totals: (\d+)", out.read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) // COUNTED


def build(app: str) -> Callable[..., Any]:
    """Build one of the two WSGI apps."""
    module, _, name = FACTORIES[app].partition(":")
    factory = getattr(__import__(module, fromlist=[name]), name)
    wsgi_app: Callable[..., Any] = factory()
    return wsgi_app


def environ(cookie: str) -> dict[str, Any]:
    """Return the WSGI environment of the list, as gunicorn makes it."""
    path, _, query = PATH.partition("?")
    return {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query, "RAW_URI": PATH,
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "gunicorn",
        "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000", "HTTP_HOST": HOST, "HTTP_COOKIE": cookie,
        "HTTP_USER_AGENT": "benchmarks", "HTTP_ACCEPT": "application/json", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": BytesIO(), "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input_terminated": True,
    }  # fmt: skip


def call(wsgi_app: Callable[..., Any], cookie: str) -> bytes:
    """Ask for the list once and return the body; raises RuntimeError for any answer but a 200."""
    return answer(wsgi_app, environ(cookie), 200)


def answer(wsgi_app: Callable[..., Any], asked: dict[str, Any], status: int) -> bytes:
    """Make one request and return the body; raises RuntimeError for any answer but the expected one."""
    statuses: list[str] = []
    given = wsgi_app(asked, lambda status, headers, exc_info=None: statuses.append(status))
    body = b"".join(given)
    if hasattr(given, "close"):
        given.close()
    if not statuses[0].startswith(str(status)):
        raise RuntimeError(f"answered {statuses[0]}: {body[:200]!r}")
    return body


def _switch(state: str) -> None:
    """Switch counting on or off; waking up now and then lets valgrind take the command."""
    switch = subprocess.Popen(
        ["callgrind_control", "-i", state, str(os.getpid())], stdout=subprocess.DEVNULL
    )
    while switch.poll() is None:
        time.sleep(0.02)


def main(app: str) -> None:
    """Call one app, counted."""
    cookies = cycle(json.load(sys.stdin))
    wsgi_app = build(app)
    for cookie in islice(cookies, WARM_UP):
        call(wsgi_app, cookie)
    _switch("on")
    for cookie in islice(cookies, COUNTED):
        call(wsgi_app, cookie)
    _switch("off")


if __name__ == "__main__":
    main(sys.argv[1])
