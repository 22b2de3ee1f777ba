"""The NATS server of the tests: real, on loopback, with JetStream; missing loudly, like a database."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from tests.needs import skip_or_fail
from tests.notes import note, run_directory

GIVEN = os.environ.get("TEST_NATS_URL")
USUAL = "nats://127.0.0.1:4222"


@cache
def url() -> str:
    """Find the server once per process: the given one, the usual one, or one of our own; raises OSError."""
    tried = []
    ways: list[Callable[[], str]] = [lambda: GIVEN or USUAL]
    for way in ways if GIVEN else [*ways, _own]:
        try:
            candidate = way()
            run(_ask(candidate))
        except Exception as error:  # noqa: BLE001 - a client of many exceptions: whatever it is, it is not there
            tried.append(repr(error))
        else:
            return candidate
    note("missing", f"nats was not tested: {'; '.join(tried)}")
    raise OSError(f"no NATS with JetStream: {'; '.join(tried)}")


def _own() -> str:
    """Start a server of this process's own, if the program is installed; it ends with the process."""
    program = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise FileNotFoundError("nats-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    kept = run_directory() / f"nats-{os.getpid()}"
    command = [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(kept)]
    own = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(own.kill)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return f"nats://127.0.0.1:{port}"
        time.sleep(0.05)
    raise TimeoutError("the nats-server that was started does not answer")


async def _ask(candidate: str) -> None:
    import nats

    parts = urlsplit(candidate)
    socket.create_connection((parts.hostname or "", parts.port or 4222), 2).close()
    client = await nats.connect(candidate, allow_reconnect=False, connect_timeout=2)
    await client.jetstream().account_info()
    await client.close()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: the test's may hold the loop that drives Chromium."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def need() -> None:
    """Skip the test on a laptop without NATS, fail it where CI=true."""
    try:
        url()
    except OSError as error:
        skip_or_fail(error)


def read(subject: str) -> list[tuple[str, dict[str, str], bytes]]:
    """Return all that JetStream holds under a subject and below: subject, headers and body of each, in order."""

    async def take() -> list[tuple[str, dict[str, str], bytes]]:
        import nats

        client = await nats.connect(url())
        stream = client.jetstream()
        name = await stream.find_stream_name_by_subject(f"{subject}.>")
        count = (await stream.stream_info(name)).state.messages
        found = []
        reader = await stream.subscribe(f"{subject}.>", ordered_consumer=True)
        for _ in range(count):
            message = await reader.next_msg(timeout=5)
            found.append((message.subject, dict(message.headers or {}), message.data))
        await reader.unsubscribe()
        await client.close()
        return found

    return run(take())


def drop(subject: str) -> None:
    """Delete the stream of a subject, if there is one."""

    async def delete() -> None:
        import nats
        from nats.js.errors import NotFoundError

        client = await nats.connect(url())
        stream = client.jetstream()
        with suppress(NotFoundError):
            await stream.delete_stream(await stream.find_stream_name_by_subject(f"{subject}.>"))
        await client.close()

    run(delete())
