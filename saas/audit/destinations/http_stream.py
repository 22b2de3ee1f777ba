"""The operator's own address: every event of every account and of the system, POSTed as Standard Webhooks.

It stands in the settings, so it may be internal, and plain http: the guard against customers' addresses is not asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from saas.audit.destinations import Event, Outcome
from saas.audit.destinations.posting import Answer, Channel
from saas.audit.destinations.shared import Shared
from saas.columns import utc_now
from saas.security import signing

JSON = {"Content-Type": "application/json", "User-Agent": "Tenantry-Webhooks/1"}


class HttpStream(Shared):
    """The destination ``http``."""

    name = "http"

    def __init__(self, url: str, secret: str) -> None:
        self._channel, self._secrets = Channel(url, guarded=False), [secret]

    def close(self) -> None:
        """See Destination."""
        self._channel.close()

    def deliver(self, events: Sequence[Event], until: float) -> Outcome:
        """POST one event after the other; see Sink."""
        for done, event in enumerate(events):
            if done and time.monotonic() > until:
                return Outcome(done)
            answer = post(self._channel, self._secrets, event)
            if answer.problem is not None:
                return Outcome(done, answer.problem, everywhere=_is_away(answer))
        return Outcome(len(events))


def post(channel: Channel, secrets: Sequence[str], event: Event) -> Answer:
    """POST one event, signed with each of the secrets at this moment."""
    body = event.body
    signed = signing.headers(secrets, str(event.id), body.decode(), utc_now())
    return channel.post(body, {**JSON, **signed})


def _is_away(answer: Answer) -> bool:
    """Whether the address as a whole does not take anything now: of one event's own refusal the others know nothing."""
    return answer.status is None or answer.status >= 500 or answer.status in (401, 403, 408, 429)
