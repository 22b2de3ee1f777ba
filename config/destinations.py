"""Where the settings have audit events pushed to. What sends is imported by the worker alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.settings import Settings
    from saas.audit.destinations import Destination


def destination_names(chosen: Settings) -> list[str]:
    """Return the destinations of every chain that the settings name."""
    given = {"nats": chosen.nats_url, "http": chosen.audit_webhook_url}
    return [name for name, url in given.items() if url]


def build(chosen: Settings) -> list[Destination]:
    """Return every destination: those of the settings, and the webhooks of accounts."""
    from saas.audit.destinations.account_webhooks import AccountWebhooks
    from saas.audit.destinations.http_stream import HttpStream
    from saas.audit.destinations.jetstream import JetStream

    built: list[Destination] = [AccountWebhooks()]
    if chosen.nats_url:
        built.append(JetStream(chosen.nats_url, chosen.audit_nats_subject))
    if chosen.audit_webhook_url:
        secret = chosen.audit_webhook_secret.get_secret_value()
        built.append(HttpStream(chosen.audit_webhook_url, secret))
    return built
