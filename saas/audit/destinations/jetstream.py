"""NATS JetStream: ``<subject>.<account or system>.<action>``, de-duplicated by the id of the event.

The client is asyncio's; it lives on a thread of its own, so that it answers the server's pings between turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

import structlog

from saas.audit.destinations import Event, Outcome
from saas.audit.destinations.shared import Shared

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import PubAck

SECONDS = 10.0  # for a batch to be acknowledged
DUPLICATES = 3600.0  # seconds for which a stream that we make knows the ids it has; NATS' own default is two minutes

_log = structlog.get_logger("relay")


class JetStream(Shared):
    """The destination ``nats``."""

    name = "nats"

    def __init__(self, url: str, subject: str) -> None:
        self._url, self._subject = url, subject
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None

    def deliver(self, events: Sequence[Event], until: float) -> Outcome:
        """Publish all, one behind the other without waiting, then take the acknowledgements in their order."""
        done: list[int] = []
        try:
            self._run(self._publish(events, done))
        except Exception as error:  # noqa: BLE001 - a client of many exceptions; each means: not acknowledged
            with suppress(Exception):
                self._run(self._drop())
            return Outcome(len(done), _words(error), everywhere=True)
        return Outcome(len(events))

    def close(self) -> None:
        """Let go of the connection and its thread."""
        if self._loop is not None:
            with suppress(Exception):
                self._run(self._drop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    async def _publish(self, events: Sequence[Event], done: list[int]) -> None:
        sent: list[asyncio.Future[PubAck]] = []
        async with asyncio.timeout(SECONDS):
            stream = self._stream or await self._connect()
            try:
                for event in events:
                    headers = {"Nats-Msg-Id": str(event.id)}
                    subject = self.subject_of(event)
                    sent.append(await stream.publish_async(subject, event.body, headers=headers))
                for acknowledged in sent:
                    await acknowledged
                    done.append(1)
            finally:
                for left in sent[len(done) :]:
                    left.cancel()

    def subject_of(self, event: Event) -> str:
        """Return the subject of an event; ids and actions hold nothing that NATS reads as a pattern."""
        return f"{self._subject}.{event.account_id or 'system'}.{event.action}"

    async def _connect(self) -> JetStreamContext:
        import nats

        async def told(error: Exception) -> None:
            _log.debug("relay.nats", error=type(error).__name__)

        self._client = await nats.connect(
            self._url, name="tenantry relay", error_cb=told, connect_timeout=5,
            # Trying again is ours, with pauses of ours; these say how often the first connection is tried.
            allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0.1,
        )  # fmt: skip
        stream = self._client.jetstream(timeout=5)
        await self._find_or_make(stream)
        self._stream = stream
        return stream

    async def _find_or_make(self, stream: JetStreamContext) -> None:
        from nats.js.api import StreamConfig
        from nats.js.errors import NotFoundError

        try:
            await stream.find_stream_name_by_subject(f"{self._subject}.system.x")
        except NotFoundError:
            name = self._subject.upper().replace(".", "_")
            subjects = [f"{self._subject}.>"]
            config = StreamConfig(name=name, subjects=subjects, duplicate_window=DUPLICATES)
            await stream.add_stream(config)
            _log.info("relay.stream_made", stream=name, subjects=subjects)

    async def _drop(self) -> None:
        """Close the connection, so that nothing of a batch that failed is sent behind our back."""
        client, self._client, self._stream = self._client, None, None
        if client is not None and not client.is_closed:
            await client.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            Thread(target=_forever, args=(self._loop,), name="nats", daemon=True).start()
        asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS + 10)


def _forever(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _words(error: Exception) -> str:
    """The kind and what it says; never the URL, which may hold a password."""
    said = str(error).splitlines()[0][:120] if str(error) else ""
    return f"{type(error).__name__}: {said}".rstrip(": ")
