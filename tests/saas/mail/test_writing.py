"""How mails read: text and HTML, links from our own address, and names that cannot become headers or markup."""

from __future__ import annotations

import stat
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from saas.columns import utc_now
from saas.mail import messages, sending
from saas.mail.messages import KINDS
from tests import acts, mail, people
from tests.acts import done
from tests.house import House
from tests.people import Person, fresh_email
from tests.refusals import refused

WORDS = {
    "invitation": {"inviter": "ada", "account": "acme", "roles": "member"},
    "verify": {"username": "ada"},
    "change": {"username": "ada"},
    "changed": {"username": "ada", "new_email": "new@example.com"},
    "reset": {},
    "ownership": {"username": "ben", "owner": "ada", "account": "acme"},
}
EVIL = (
    "acme\r\nBcc: victim@example.com",
    "acme\nSubject: other\n\nbody",
    "{inviter.__class__} {0} {token}",
    "<script>alert(1)</script><a href='https://evil.example'>",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "\u202eemca\u2028x\x85y",
    "=?utf-8?q?Bcc=3A_victim?=",
)


@pytest.fixture
def sent() -> list[EmailMessage]:
    return []


@pytest.fixture
def mailer(sent: list[EmailMessage]) -> sending.Mailer:
    return sending.Mailer("https://app.example.com", "Tenantry <no-reply@x.example>", sent.append)


def payload(kind: str, **more: Any) -> dict[str, Any]:
    token = "t0ken" if KINDS[kind].path not in ("", "/") else ""
    return messages.payload(kind, "to@example.com", token=token, **(WORDS[kind] | more))


def test_every_kind_is_known_to_these_tests() -> None:
    assert WORDS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_mail_has_text_and_html_that_lead_to_our_own_address(
    mailer: sending.Mailer, kind: str
) -> None:
    message = mailer.write(payload(kind))

    assert (message["To"], message["From"]) == ("to@example.com", mailer.sender)
    assert "{" not in message["Subject"]
    for part in ("plain", "html"):
        told = mail.text(message, part)
        assert "https://app.example.com" in told
        assert "{" not in told
        if KINDS[kind].path not in ("", "/"):
            assert f"https://app.example.com{KINDS[kind].path}?token=t0ken" in told


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize(("kind", "word"), [("invitation", "account"), ("ownership", "owner")])
def test_a_name_is_a_name_and_never_a_header_markup_or_a_template(
    mailer: sending.Mailer, kind: str, word: str, evil: str
) -> None:
    plain = mailer.write(payload(kind))

    message = mailer.write(payload(kind, **{word: evil}))

    assert message.keys() == plain.keys()
    read = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert read.keys() == plain.keys()
    assert (read["To"], read["Bcc"]) == ("to@example.com", None)
    html = mail.text(message, "html")
    assert "<script>" not in html
    assert "<a href='https://evil" not in html
    for part in ("plain", "html"):
        assert "49" not in mail.text(message, part)
        assert "root:" not in mail.text(message, part)
    assert "t0ken" not in message["Subject"]


def test_names_that_break_lines_never_get_as_far_as_a_mail(house: House, ada: Person) -> None:
    for name in EVIL[:2]:
        refused(ada.patch("/api/account", {"name": name}), 42201, "name")
        body = {"username": "eve", "email": fresh_email("eve"), "password": people.PASSWORD}
        answer = house.app.test_client().post("/api/register", json=body | {"account_name": name})
        refused(answer, 42201, "account_name")
    done(ada.patch("/api/account", {"name": "{inviter} & Söhne, a < b {{ 7 * 7 }}"}))
    email = fresh_email("dora")
    acts.invite(ada, email, "viewer")

    message = mail.newest(house, email)
    named = done(ada.get("/api/account"))["name"]
    assert message["Subject"] == f"ada invites you to {named}"
    assert named in mail.text(message)


def test_a_mail_keeps_its_id_however_often_it_is_sent(
    mailer: sending.Mailer, sent: list[EmailMessage]
) -> None:
    one, other = payload("reset"), payload("reset")
    for each in (one, one, other):
        mailer.handle(each)

    first, second, third = (message["Message-ID"] for message in sent)
    assert first == second != third
    assert first.endswith("@app.example.com>")


def test_a_link_that_has_ended_is_not_sent_any_more(
    mailer: sending.Mailer, sent: list[EmailMessage]
) -> None:
    late, soon = utc_now() - timedelta(seconds=1), utc_now() + timedelta(minutes=1)

    with capture_logs() as lines:
        mailer.handle(payload("reset", until=late))
        mailer.handle(payload("reset", until=soon))

    assert len(sent) == 1
    assert [line["event"] for line in lines] == ["mail.expired"]


def test_an_unknown_kind_is_a_mistake_of_whoever_sends_it() -> None:
    with pytest.raises(KeyError):
        messages.payload("birthday", "to@example.com")


def test_a_mail_in_a_file_is_for_nobody_elses_eyes_and_comes_out_as_it_went_in(
    tmp_path: Path, mailer: sending.Mailer
) -> None:
    message = mailer.write(payload("invitation", account="Söhne & Co"))

    send = sending.file_transport(tmp_path / "mail")
    send(message)
    send(message)

    first, second = sorted((tmp_path / "mail").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in (first, second)} == {0o600}
    read = mail.read(first)
    assert read["Subject"] == "ada invites you to Söhne & Co"
    assert mail.text(read) == mail.text(message)
