"""Processes that the proofs start: the command line and the server, with their settings in the environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.databases import Urls
from tests.house import MANY, PEPPERS, SECRET_KEY

ROOT = Path(__file__).parents[2]
KEPT = ("HOME", "LANG", "PATH", "TMPDIR")
PATIENCE = 60  # seconds for a process to be ready, or to go


def bare_environment() -> dict[str, str]:
    """What every process needs to find its way, and nothing that a setting could be read from."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith("PYTHON")
    }
    return {**kept, "PYTHONPATH": str(ROOT)}


def environment(urls: Urls, var_dir: Path, **more: str) -> dict[str, str]:
    """The environment of a process that works on a test database."""
    return {
        **bare_environment(),
        "FLASK_APP": "config.application:create_command_app",
        "FLASK_CONFIG": "test",
        "FLASK_SKIP_DOTENV": "1",
        "DATABASE_URL": urls.tenant_url,
        "DATABASE_SYSTEM_URL": urls.system_url,
        "DATABASE_ADMIN_URL": urls.admin_url,
        "VAR_DIR": str(var_dir),
        "SECRET_KEY": SECRET_KEY,
        "PASSWORD_PEPPERS": PEPPERS,
        "PASSWORD_COST": "4",
        "THROTTLE_SIGN_IN": MANY,
        "THROTTLE_REGISTER": MANY,
        "AUDIT_REFUSALS": MANY,
        "METRICS": "1",
        "LOG_FORMAT": "json",
        **more,
    }


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(*arguments: str, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a Python module of ours; what it says goes to a file."""
    command = [sys.executable, "-m", *arguments]
    with log.open("ab") as file:
        return subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdout=file, stderr=subprocess.STDOUT
        )


def piped(*arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start Python with arguments, to talk with over its standard input and output."""
    pipe, command = subprocess.PIPE, [sys.executable, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=dict(environment), text=True, stdin=pipe, stdout=pipe, stderr=pipe
    )


def say(process: subprocess.Popen[str], line: str) -> None:
    """Send a process one line."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """Wait for one line of a process."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process of ours to go, and make it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def serving(environment: Mapping[str, str], log: Path) -> Iterator[int]:
    """Serve on a free port with ``flask serve`` and gunicorn's own workers; the port."""
    port = free_port()
    told = {**environment, "PORT": str(port)}
    process = start("flask", "serve", environment=told, log=log)
    try:
        wait_until_served(port, process, log)
        yield port
    finally:
        stop(process)


def wait_until_served(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers; fails with its log when it does not."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise AssertionError(f"the server did not come up:\n{log.read_text()[-4000:]}")
