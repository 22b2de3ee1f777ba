"""Mail by SMTP: whatever the server does, no request waits for it, nothing is lost, and trouble is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from config import worker
from saas import columns, outbox
from saas.mail import messages, sending
from saas.models import OutboxItem
from tests import acts, mail
from tests.acts import done
from tests.house import House
from tests.people import Person, fresh_email
from tests.refusals import look
from tests.saas.mail.server import MailServer, Mood


@pytest.fixture
def server() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.close()


class Post:
    """A house whose worker delivers to the server, and whose clock can be moved on."""

    def __init__(self, house: House, server: MailServer) -> None:
        self.house, self.server, self.ahead = house, server, timedelta(0)
        self.settings = house.settings.model_copy(update={"mail_url": server.url})
        mail.work(house)  # what other tests have left

    def now(self) -> datetime:
        return columns.utc_now() + self.ahead

    def work(self) -> int:
        return worker.run(self.settings, self.house.database, threading.Event(), until_idle=True)

    def arrived(self, email: str) -> int:
        return sum(taken.recipients == (email,) for taken in self.server.taken)


@pytest.fixture
def post(house: House, server: MailServer, monkeypatch: pytest.MonkeyPatch) -> Post:
    post = Post(house, server)
    monkeypatch.setattr(outbox, "utc_now", post.now)
    return post


def test_a_mail_arrives_with_text_html_and_link(post: Post, ada: Person) -> None:
    email = fresh_email("dora")
    acts.invite(ada, email, "viewer")

    assert post.work() >= 1

    (taken,) = [taken for taken in post.server.taken if taken.recipients == (email,)]
    assert taken.message["To"] == email
    where, token = mail.link(taken.message)
    done(acts.accept(post.house.app.test_client(), token, "dora"), 201)
    assert where == f"{post.house.settings.base_url}/invitations/accept"


def test_an_address_beyond_ascii_arrives_too(post: Post, ada: Person) -> None:
    local, rest = fresh_email("zoë").split(".", 1)
    for email in (f"{local}.{rest}", fresh_email("zoe").replace("example", "bücher.example")):
        acts.invite(ada, email, "viewer")
        post.work()
        assert post.arrived(email) == 1


def test_server_down_for_a_while_and_back_everything_arrives(post: Post, ada: Person) -> None:
    post.server.stop()
    emails = [fresh_email(f"dora{number}") for number in range(5)]
    for email in emails:
        acts.invite(ada, email, "viewer")
    for _ in range(4):
        post.work()
        post.ahead += timedelta(minutes=1)
    assert post.server.taken == []

    post.server.start()
    post.ahead += timedelta(hours=1)
    post.work()

    assert [post.arrived(email) for email in emails] == [1] * 5
    assert post.work() == 0


@pytest.mark.parametrize(
    ("mood", "copies"),
    [("greylist", 1), ("refuse", 1), ("drop", 1), ("vanish", 2)],
)
def test_whatever_the_server_answers_first_the_mail_arrives_in_the_end(
    post: Post, ada: Person, mood: Mood, copies: int
) -> None:
    post.server.mood = mood
    email = fresh_email("dora")
    acts.invite(ada, email, "viewer")
    with capture_logs() as lines:
        post.work()
    told = [line for line in lines if line["event"] == "outbox.put_off"]
    assert told
    assert all(line["log_level"] == "warning" for line in told)

    post.server.mood = "fine"
    post.ahead += timedelta(minutes=1)
    post.work()

    # Who takes a mail and dies before saying so gets it again: under the same id, so it can tell.
    mine = [taken for taken in post.server.taken if taken.recipients == (email,)]
    assert len(mine) == copies
    assert len({taken.id for taken in mine}) == 1


def test_a_server_that_refuses_for_ever_is_given_up_visibly_and_its_mail_wiped(
    post: Post, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_ATTEMPTS", 4)
    post.server.mood = "refuse"
    email = fresh_email("dora")
    acts.invite(ada, email, "viewer")
    of_ada = select(OutboxItem.__table__).where(OutboxItem.account_id == ada.account_id)
    before = outbox.depth(post.house.database)["given_up"]
    with capture_logs() as lines:
        for _ in range(outbox.MOST_ATTEMPTS + 1):
            post.work()
            post.ahead += outbox.LONGEST_PAUSE + timedelta(seconds=1)

    rows = [row for row in look(post.house, of_ada) if row.given_up_at is not None]
    assert rows
    assert all(row.payload == {} and "550" in row.last_error for row in rows)
    assert outbox.depth(post.house.database)["given_up"] >= before + len(rows)
    given_up = {line["id"] for line in lines if line["event"] == "outbox.given_up"}
    assert {str(row.id) for row in rows} <= given_up


def test_no_request_waits_for_a_server_that_never_answers(
    post: Post, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT", 30)
    post.server.mood = "silent"
    acts.invite(ada, fresh_email("first"), "viewer")
    stop = threading.Event()
    arguments = (post.settings, post.house.database, stop)
    running = threading.Thread(target=worker.run, args=arguments, daemon=True)
    running.start()
    while not post.server.visits:
        time.sleep(0.01)  # the worker hangs on the server now

    begun = time.monotonic()
    for number in range(5):
        acts.invite(ada, fresh_email(f"dora{number}"), "viewer")
    took = time.monotonic() - begun

    stop.set()
    post.server.mood = "fine"
    post.server.released.set()
    running.join(30)
    assert not running.is_alive()
    assert (
        took < 15
    )  # five requests on a busy machine; the server would have held each for 30 seconds


def test_a_server_that_lets_wait_is_left_after_a_while(
    post: Post, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT", 0.2)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
    post.server.mood = "silent"
    email = fresh_email("dora")
    acts.invite(ada, email, "viewer")

    begun = time.monotonic()
    post.work()
    assert time.monotonic() - begun < 15

    post.server.mood = "fine"
    post.ahead += timedelta(minutes=1)
    post.work()
    assert post.arrived(email) == 1


def test_a_mail_whose_link_ended_while_the_server_was_away_is_not_sent(
    post: Post, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.server.stop()
    done(post.house.app.test_client().post("/api/password/forgot", json={"email": ada.email}), 202)
    post.work()

    post.server.start()
    post.ahead += timedelta(hours=2)
    monkeypatch.setattr(sending, "utc_now", post.now)
    post.work()

    subjects = [t.message["Subject"] for t in post.server.taken if t.recipients == (ada.email,)]
    assert "Set a new password" not in subjects
    assert post.work() == 0  # nor is it tried again


def test_a_password_and_a_user_in_the_url_are_used(post: Post) -> None:
    url = post.server.url.replace("smtp://", "smtp://us%40er:p%2Fw@")
    transport = sending.smtp_transport(url)
    mailer = replace(worker.mailer(post.settings), transport=transport)

    # The server offers no AUTH, so a mail that would go without the password we were given does not go at all.
    with pytest.raises(Exception, match="AUTH"):
        mailer.handle(messages.payload("reset", "a@example.com", token="t"))
    assert post.server.taken == []
