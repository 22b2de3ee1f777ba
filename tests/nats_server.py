"""The NATS server of the tests: real, on loopback, with JetStream; missing loudly, like a database."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine
from contextlib import suppress
from functools import cache
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest

from tests.notes import note

URL = os.environ.get("TEST_NATS_URL", "nats://127.0.0.1:4222")


@cache
def _problem() -> str | None:
    """Why there is no JetStream to talk to; None when there is."""

    async def ask() -> None:
        import nats

        client = await nats.connect(URL, allow_reconnect=False, connect_timeout=2)
        await client.jetstream().account_info()
        await client.close()

    parts = urlsplit(URL)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 4222), 2).close()
        asyncio.run(ask())
    except Exception as error:  # noqa: BLE001 - whatever it is: the server is missing
        note("missing", f"nats was not tested: {URL}: {error!r}")
        return f"no NATS with JetStream at {URL}: {error!r}"
    return None


def need() -> None:
    """Skip the test on a laptop without NATS, fail it where CI=true."""
    problem = _problem()
    if problem is not None:
        _skip_or_fail(problem)


def _skip_or_fail(problem: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(problem)
    pytest.skip(problem)


def read(subject: str) -> list[tuple[str, dict[str, str], bytes]]:
    """Return all that JetStream holds under a subject and below: subject, headers and body of each, in order."""

    async def take() -> list[tuple[str, dict[str, str], bytes]]:
        import nats

        client = await nats.connect(URL)
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

    return _run(take())


def drop(subject: str) -> None:
    """Delete the stream of a subject, if there is one."""

    async def delete() -> None:
        import nats
        from nats.js.errors import NotFoundError

        client = await nats.connect(URL)
        stream = client.jetstream()
        with suppress(NotFoundError):
            await stream.delete_stream(await stream.find_stream_name_by_subject(f"{subject}.>"))
        await client.close()

    _run(delete())


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)
