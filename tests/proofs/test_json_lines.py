"""In production every line of every process is one JSON object: the server's, the worker's, those of migrations."""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests import databases
from tests.house import House
from tests.people import PASSWORD
from tests.proofs import processes

FIELDS = ["@timestamp", "level", "message", "log_type"]


@pytest.fixture
def environment(lite: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Production on an empty SQLite database: how lines look depends on no database."""
    with databases.empty_database("sqlite", tmp_path, "lines") as urls:
        return processes.environment(
            urls,
            tmp_path,
            FLASK_CONFIG="prod",
            SECRET_KEY="k" * 20 + "0123456789abcdefghijklmnopqrstuvwxyz",
            PASSWORD_PEPPERS="1:0123456789abcdefghijklmnopqrstuvwxyz",
            PASSWORD_COST="12",
            BASE_URL="https://app.example.com",
            TRUSTED_HOSTS="app.example.com,127.0.0.1",
            MAIL_URL="smtp://127.0.0.1:9",
            WEB_CONCURRENCY="2",
        )


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=processes.ROOT,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


def read(raw: bytes) -> list[dict[str, object]]:
    """Every line as an object that begins as all lines do."""
    lines = [json.loads(line) for line in raw.splitlines()]
    for line in lines:
        assert list(line)[:4] == FIELDS, line
        assert line["log_type"] in ("app", "access", "audit")
    return lines


def test_migrations_and_worker(environment: dict[str, str]) -> None:
    moved = run(environment, "-m", "flask", "db", "upgrade")
    worked = run(environment, "-m", "flask", "worker", "--once")

    assert (moved.returncode, worked.returncode) == (0, 0), moved.stderr + worked.stderr
    assert "Migrated from nothing" in str(read(moved.stdout)[-1]["message"])
    assert "done or put off" in str(read(worked.stdout)[-1]["message"])
    read(moved.stderr + worked.stderr)


def test_the_server_and_each_kind_of_line(environment: dict[str, str], tmp_path: Path) -> None:
    assert run(environment, "-m", "flask", "db", "upgrade").returncode == 0
    log = tmp_path / "server.log"
    person = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    answered: list[int] = []
    with processes.serving(environment, log) as port:
        for method, path, body in (
            ("GET", "/healthz", None),
            ("POST", "/api/register", json.dumps(person)),
            ("GET", "/nothing\u2028here%0a{}", None),
            ("POST", "/api/login", "{"),
        ):
            connection = HTTPConnection("127.0.0.1", port, timeout=20)
            headers = {"Content-Type": "application/json", "User-Agent": 'x"}{\\n\xe9\x9b' * 1000}
            connection.request(method, path.encode("unicode_escape").decode(), body, headers)
            answered.append(connection.getresponse().status)
            connection.close()

    assert answered == [200, 201, 404, 400], log.read_text()[-3000:]
    lines = read(log.read_bytes())
    assert {line["log_type"] for line in lines} == {"app", "access", "audit"}
    assert any(line["message"] == "account.created" for line in lines)
    assert any("Starting gunicorn" in str(line["message"]) for line in lines)


@pytest.mark.parametrize(
    "code",
    [
        "import warnings; warnings.warn('old', DeprecationWarning)",
        "import logging; logging.getLogger('x').warning('a\\nb')",
        "raise RuntimeError('gone\\nwrong')",
        "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
    ],
)
def test_warnings_and_what_nobody_caught(environment: dict[str, str], code: str) -> None:
    start = "import warnings; warnings.simplefilter('always'); from config import log; log.configure('json');"

    told = run(environment, "-c", f"{start}\n{code}")

    assert len(read(told.stdout)) == 1
    assert told.stderr == b""
