"""Webhooks delivered for real, to receivers on loopback: signed, in order, bounded, and each for itself."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
import standardwebhooks
from sqlalchemy import func, select, update

from saas.actor import system_actor
from saas.audit import crew, cursors, relay
from saas.audit.destinations import account_webhooks, posting
from saas.audit.destinations.account_webhooks import AccountWebhooks
from saas.columns import utc_now
from saas.models import AuditCursor, Webhook, WebhookDelivery
from saas.security import egress, secret_box, signing
from saas.services import account_services
from tenants import enter_account
from tests import docs_runner, mail, people, receiver
from tests.acts import done
from tests.house import House, Street
from tests.people import Person
from tests.receiver import Receiver, receiving
from tests.refusals import change, look
from tests.waiting import until

_hooks, _cursors = Webhook.__table__.c, AuditCursor.__table__.c


@pytest.fixture
def house(street: Street, backend: str) -> House:
    """The relay goes over every account with a webhook, so these are few."""
    return street.open(backend, "the relay")


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook of Ada's that leads to a receiver."""

    house: House
    ada: Person
    id: str
    secret: str
    receiver: Receiver

    @property
    def path(self) -> str:
        return f"/api/webhooks/{self.id}"

    def deliver(self) -> int:
        """Let a worker do what is due; what was put off is due at once."""
        due = update(AuditCursor.__table__).values(not_before=utc_now())
        change(self.house, due.where(_cursors.not_before.is_not(None)))
        return relay.work_once(self.house.database, AccountWebhooks())

    def deliveries(self) -> list[dict[str, Any]]:
        return list(done(self.ada.get(f"{self.path}/deliveries?limit=100")))

    def row(self) -> dict[str, Any]:
        found: dict[str, Any] = done(self.ada.get(self.path))
        return found

    def set(self, **values: Any) -> None:
        this = update(Webhook.__table__).where(_hooks.id == UUID(self.id))
        assert change(self.house, this.values(**values)) == 1


@pytest.fixture
def hook(house: House, ada: Person) -> Iterator[Hook]:
    with receiving() as there:
        yield hook_to(house, ada, there)


def hook_to(house: House, ada: Person, there: Receiver, **more: Any) -> Hook:
    made = done(ada.post("/api/webhooks", {"url": there.url()} | more), 201)
    return Hook(house, ada, made["id"], made["secret"], there)


def projects(person: Person, count: int) -> list[str]:
    """Make projects; returns the ids of their events, in order."""
    before = person.events()[-1]["seq"]
    for number in range(count):
        done(person.post("/api/projects", {"name": f"P{before}.{number}"}), 201)
    return [event["id"] for event in person.events() if event["seq"] > before]


class TestDelivering:
    def test_what_arrives_is_the_envelope_of_the_api_and_verifies(self, hook: Hook) -> None:
        projects(hook.ada, 3)
        hook.deliver()

        sent = [event for event in hook.ada.events() if event["seq"] > 4]
        assert sent[0]["action"] == "webhook.created"
        assert hook.receiver.events() == sent
        assert hook.receiver.connections == 1  # one connection for all
        for got in hook.receiver.got:
            verified = standardwebhooks.Webhook(hook.secret).verify(got.body, got.headers)
            assert got.headers["webhook-id"] == verified["id"]
            assert got.headers["content-type"] == "application/json"

    def test_the_documented_way_to_read_one_reads_it(self, hook: Hook) -> None:
        page = (docs_runner.ROOT / "docs/audit.md").read_text("utf-8")
        names: dict[str, Any] = {}
        exec(docs_runner.named(page, "verify"), names)  # noqa: S102 - our own page
        hook.deliver()
        (got,) = hook.receiver.got

        assert names["read_delivery"](hook.secret, got.headers, got.body) == got.event
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            names["read_delivery"](signing.new_secret(), got.headers, got.body)

    def test_what_was_before_it_is_not_sent_and_nothing_is_sent_twice(self, hook: Hook) -> None:
        hook.deliver()
        count = len(hook.receiver.got)
        hook.deliver()

        assert [event["action"] for event in hook.receiver.events()] == ["webhook.created"]
        assert len(hook.receiver.got) == count == 1

    def test_only_the_chosen_actions_and_only_of_this_account(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        with receiving() as there:
            hook = hook_to(house, ada, there, actions=["project.deleted"])
            projects(ada, 2)
            project = done(ada.post("/api/projects", {"name": "Gone"}), 201)["id"]
            done(ada.delete(f"/api/projects/{project}"))
            projects(gus, 2)
            hook.deliver()

            assert [event["action"] for event in there.events()] == ["project.deleted"]
            cursor = look(house, select(_cursors.seq).where(_cursors.stream_id == UUID(hook.id)))
            assert cursor[0].seq == ada.events()[-1]["seq"]

    def test_a_wrong_secret_a_changed_body_and_an_old_time_do_not_verify(self, hook: Hook) -> None:
        hook.deliver()
        (got,) = hook.receiver.got
        mine = standardwebhooks.Webhook(hook.secret)
        wrong = standardwebhooks.WebhookVerificationError

        mine.verify(got.body, got.headers)
        with pytest.raises(wrong):
            standardwebhooks.Webhook(signing.new_secret()).verify(got.body, got.headers)
        with pytest.raises(wrong):
            mine.verify(got.body.replace(b"webhook.created", b"webhook.deleted"), got.headers)
        with pytest.raises(wrong):
            mine.verify(got.body, got.headers | {"webhook-id": "other"})
        old = utc_now() - timedelta(minutes=6)
        stale = signing.headers([hook.secret], "x", got.body.decode(), old)
        with pytest.raises(wrong, match="too old"):
            mine.verify(got.body, stale)

    def test_the_example_of_the_specification_is_signed_as_it_says(self) -> None:
        """Known values of the Standard Webhooks specification's own library."""
        told = signing.headers(
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            '{"test": 2432232314}',
            datetime.fromtimestamp(1614265330, UTC),
        )
        assert told["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        assert told["webhook-timestamp"] == "1614265330"


class TestRotating:
    def test_both_secrets_verify_for_a_day_and_then_the_new_one_alone(self, hook: Hook) -> None:
        new = done(hook.ada.post(f"{hook.path}/rotate-secret"))["secret"]
        hook.deliver()
        for got in hook.receiver.got:
            for secret in (hook.secret, new):
                standardwebhooks.Webhook(secret).verify(got.body, got.headers)

        hook.set(previous_secret_until=utc_now() - timedelta(seconds=1))
        projects(hook.ada, 1)
        hook.deliver()
        got = hook.receiver.got[-1]
        standardwebhooks.Webhook(new).verify(got.body, got.headers)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(hook.secret).verify(got.body, got.headers)

    def test_a_new_secret_key_goes_on_signing_with_what_the_old_one_sealed(
        self, hook: Hook
    ) -> None:
        key = hook.house.settings.secret_key.get_secret_value()
        try:
            secret_box.configure(["n" * 40, key])
            hook.deliver()
            assert len(hook.receiver.got) == 1
            secret_box.configure(["n" * 40])
            projects(hook.ada, 1)
            hook.deliver()
        finally:
            secret_box.configure([key])
        assert len(hook.receiver.got) == 1
        hook.deliver()
        assert len(hook.receiver.got) == 2


class TestTesting:
    def test_it_is_sent_at_once_whatever_the_actions_and_the_queue(
        self, house: House, ada: Person
    ) -> None:
        with receiving() as there:
            hook = hook_to(house, ada, there, actions=["project.deleted"])
            done(ada.post(f"{hook.path}/test"), 202)
            mail.work(house)

            (event,) = there.events()
            assert (event["action"], event["target_id"]) == ("webhook.tested", hook.id)
            (delivery,) = hook.deliveries()
            assert (delivery["status_code"], delivery["error"]) == (200, None)
            assert delivery["event_id"] == event["id"]

    def test_a_failure_is_told_by_the_deliveries_and_not_tried_again(self, hook: Hook) -> None:
        hook.set(actions=["project.deleted"])
        hook.receiver.status = 500
        done(hook.ada.post(f"{hook.path}/test"), 202)
        mail.work(hook.house)
        mail.work(hook.house)

        assert len(hook.receiver.got) == 1
        assert [each["status_code"] for each in hook.deliveries()] == [500]
        assert hook.row()["failing_since"] is None


FAILING: dict[str, tuple[Callable[..., bool] | None, str, int | None]] = {
    "reset": (receiver.resetting, "connection lost", None),
    "no answer": (receiver.silent, "no answer in time", None),
    "headers without end": (receiver.dripping, "no answer in time", None),
    "another protocol": (receiver.no_http, "answer is not HTTP", None),
}


class TestFailing:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(posting, "TIME_LIMIT", 1.0)

    @pytest.mark.parametrize("how", FAILING)
    def test_it_is_kept_and_delivered_later_in_order(
        self, house: House, ada: Person, how: str
    ) -> None:
        behaviour, words, status = FAILING[how]
        with receiving(behaviour) as there:
            hook = hook_to(house, ada, there)
            ids = projects(ada, 3)
            begun = time.monotonic()
            hook.deliver()
            assert time.monotonic() - begun < 4

            (delivery,) = hook.deliveries()
            assert (delivery["error"], delivery["status_code"]) == (words, status)
            assert hook.row()["failing_since"] is not None
            there._behaviour = receiver._answer
            hook.deliver()
            arrived = [event["id"] for event in there.events()[-4:]]
            assert arrived[1:] == ids
            assert hook.row()["failing_since"] is None
            assert [each["attempt"] for each in hook.deliveries()] == [1, 1, 1, 2, 1]

    @pytest.mark.parametrize("status", [204, 299, 300, 404, 413, 429, 500, 503])
    def test_two_hundred_and_something_is_taken_and_nothing_else(
        self, lite: House, status: int
    ) -> None:
        ada = people.register(lite)
        with receiving() as there:
            there.status = status
            hook = hook_to(lite, ada, there)
            hook.deliver()
            (delivery,) = hook.deliveries()
            assert delivery["status_code"] == status
            assert (delivery["error"] is None) == (200 <= status < 300)

    def test_a_redirect_is_not_followed(self, lite: House) -> None:
        ada = people.register(lite)
        with (
            receiving() as elsewhere,
            receiving(receiver.redirecting_to(elsewhere.url())) as there,
        ):
            hook = hook_to(lite, ada, there)
            hook.deliver()

            assert (len(there.got), elsewhere.connections) == (1, 0)
            assert hook.deliveries()[0]["error"] == "answered 302: redirects are not followed"

    @pytest.mark.parametrize("behaviour", [receiver.endless, receiver.endless_drip])
    def test_a_body_without_end_is_cut_and_its_status_counts(
        self, lite: House, behaviour: Callable[..., bool]
    ) -> None:
        ada = people.register(lite)
        with receiving(behaviour) as there:
            hook = hook_to(lite, ada, there)
            projects(ada, 1)
            begun = time.monotonic()
            hook.deliver()

            assert time.monotonic() - begun < 5
            assert len(there.got) == 2
            assert [each["status_code"] for each in hook.deliveries()] == [200, 200]

    def test_nobody_there_and_no_such_name(self, lite: House) -> None:
        ada = people.register(lite)
        with receiving() as there:
            hook = hook_to(lite, ada, there)
        hook.deliver()
        hook.set(url="https://hooks.example.com/")
        hook.deliver()

        told = [each["error"] for each in hook.deliveries()]
        assert told == ["name not found", "connection refused"]

    def test_a_certificate_of_nobody_is_not_accepted(self, lite: House, tmp_path: Path) -> None:
        ada = people.register(lite)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self_signed(tmp_path))
        with receiving(wrap=lambda raw: context.wrap_socket(raw, server_side=True)) as there:
            made = done(ada.post("/api/webhooks", {"url": there.url(scheme="https")}), 201)
            hook = Hook(lite, ada, made["id"], made["secret"], there)
            hook.deliver()

            assert hook.deliveries()[0]["error"].startswith("certificate not accepted")
            assert there.got == []

    def test_an_address_that_became_one_inside_is_refused_at_delivery(self, hook: Hook) -> None:
        hook.set(url="https://169.254.169.254/latest/meta-data/")
        hook.deliver()
        egress.configure(allow_loopback=False)
        try:
            hook.set(url=hook.receiver.url())
            hook.deliver()
        finally:
            egress.configure(allow_loopback=True)

        assert hook.receiver.connections == 0
        for delivery in hook.deliveries():
            assert delivery["error"].startswith("refused: ")
            assert delivery["status_code"] is None

    def test_proxies_of_the_environment_are_not_asked(
        self, lite: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada = people.register(lite)
        with receiving() as proxy, receiving() as there:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url(""))
            hook_to(lite, ada, there).deliver()

            assert (len(there.got), proxy.connections) == (1, 0)


class TestGivingUp:
    def test_after_five_days_it_is_switched_off_and_the_log_says_why(self, hook: Hook) -> None:
        hook.receiver.status = 500
        hook.deliver()
        hook.set(failing_since=utc_now() - timedelta(days=4, hours=23))
        hook.deliver()
        assert hook.row()["status"] == "enabled"
        hook.set(failing_since=utc_now() - timedelta(days=5, seconds=1))
        hook.deliver()

        row, event = hook.row(), hook.ada.events()[-1]
        assert (row["status"], row["disabled_reason"]) == ("disabled", account_webhooks.FAILED)
        assert (event["action"], event["reason"]) == ("webhook.disabled", account_webhooks.FAILED)
        assert (event["actor_type"], event["actor_label"], event["channel"]) == (
            "system",
            "flask worker",
            "job",
        )
        count = len(hook.receiver.got)
        hook.deliver()
        assert len(hook.receiver.got) == count

    def test_switched_on_again_it_goes_on_where_it_was(self, hook: Hook) -> None:
        hook.receiver.status = 500
        hook.deliver()
        hook.set(failing_since=utc_now() - timedelta(days=6))
        hook.deliver()
        ids = projects(hook.ada, 2)
        hook.receiver.status = 200
        done(hook.ada.patch(hook.path, {"status": "enabled"}))
        hook.deliver()

        arrived = [event["id"] for event in hook.receiver.events()]
        assert [each for each in arrived if each in ids] == ids
        assert hook.receiver.events()[2]["action"] == "webhook.created"
        assert hook.row()["status"] == "enabled"

    def test_an_address_that_says_it_is_gone_is_switched_off_at_once(self, hook: Hook) -> None:
        hook.receiver.status = 410
        hook.deliver()

        assert hook.row()["status"] == "disabled"
        assert hook.ada.events()[-1]["reason"] == account_webhooks.GONE


class TestStopping:
    def test_a_suspended_account_sends_nothing_and_goes_on_once_restored(self, hook: Hook) -> None:
        house, account_id = hook.house, hook.ada.account_id
        staff = system_actor(account_id, "flask accounts")
        with house.in_use(), enter_account(account_id):
            account_services.suspend_account(staff, reason="because")
        hook.deliver()
        assert hook.receiver.got == []

        with house.in_use(), enter_account(account_id):
            account_services.restore_account(staff, reason="because")
        hook.deliver()
        assert [event["action"] for event in hook.receiver.events()] == [
            *("webhook.created", "account.suspended", "account.restored"),
        ]

    def test_a_closed_account_sends_nothing_more(self, hook: Hook) -> None:
        done(hook.ada.post("/api/account/close", {"password": people.PASSWORD}))
        hook.deliver()

        assert hook.receiver.got == []

    def test_a_disabled_or_deleted_one_sends_nothing_and_its_cursor_goes(self, hook: Hook) -> None:
        hook.deliver()
        done(hook.ada.patch(hook.path, {"status": "disabled"}))
        hook.deliver()
        assert len(hook.receiver.got) == 1
        done(hook.ada.delete(hook.path))
        hook.deliver()
        assert len(hook.receiver.got) == 1
        left = select(func.count()).select_from(AuditCursor.__table__)
        assert look(hook.house, left.where(_cursors.stream_id == UUID(hook.id)))[0][0] == 0


class TestKeeping:
    def test_the_last_hundred_attempts_are_kept(self, hook: Hook) -> None:
        events = account_webhooks.KEPT + 20
        projects(hook.ada, events)
        hook.deliver()
        projects(hook.ada, 1)
        hook.deliver()

        kept = hook.deliveries()
        assert len(kept) == account_webhooks.KEPT
        assert [each["seq"] for each in kept] == sorted((e["seq"] for e in kept), reverse=True)
        assert kept[0]["seq"] == hook.ada.events()[-1]["seq"]
        page = hook.ada.get(f"{hook.path}/deliveries?limit=2").get_json()
        after = hook.ada.get(f"{hook.path}/deliveries?limit=2&cursor={page['next_cursor']}")
        assert [each["id"] for each in after.get_json()["data"]] == [e["id"] for e in kept[2:4]]

    def test_what_is_older_than_a_month_goes(self, hook: Hook) -> None:
        hook.deliver()
        table = WebhookDelivery.__table__
        old = utc_now() - account_webhooks.KEPT_FOR - timedelta(minutes=1)
        change(hook.house, update(table).where(table.c.webhook_id == UUID(hook.id)).values(at=old))
        ids = projects(hook.ada, 1)
        hook.deliver()

        assert [each["event_id"] for each in hook.deliveries()] == ids


class TestAlongside:
    def test_one_that_hangs_keeps_no_other_waiting(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        """Two of Ada's hang for ten seconds each; Gus has his events long before."""
        with receiving(receiver.silent) as hanging, receiving() as quick, running(house):
            for _ in range(4):
                hook_to(house, ada, hanging)
            hook_to(house, gus, quick)
            begun = time.monotonic()
            ids = projects(gus, 5)
            until(lambda: len(quick.got) >= 6, 20)
            assert time.monotonic() - begun < 6
            assert [event["id"] for event in quick.events()[1:]] == ids
            assert hanging.connections <= crew.OF_ONE_ACCOUNT
            hanging.stop()


@contextmanager
def running(house: House) -> Iterator[None]:
    """The relay's own threads, for the length of a block."""
    stop = Event()
    threads = relay.Relay(house.database, [AccountWebhooks()], stop)
    threads.start()
    try:
        yield
    finally:
        stop.set()
        threads.join()


def self_signed(directory: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that nobody has vouched for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    chain, secret = directory / "cert.pem", directory / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(chain), str(secret)


def test_a_body_is_one_json_object_a_reader_can_recompute(lite: House) -> None:
    ada = people.register(lite)
    with receiving() as there:
        hook_to(lite, ada, there).deliver()
        (got,) = there.got
    from saas.audit import chain

    event = json.loads(got.body)
    assert event["digest"] == chain.digest(event)
    assert event["hash"] == chain.link(event["prev"], event["seq"], event["digest"])
    assert cursors.LEASE.total_seconds() > relay.TURN_SECONDS + posting.TIME_LIMIT
