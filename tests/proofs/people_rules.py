"""What the machine does with people: signing in and out, switching, addresses, passwords, suspending."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.proofs import unrestricted
from tests.proofs.arrivals import Arrivals
from tests.proofs.machine import MADE_UP, STRONG
from tests.proofs.oracle import Account, Person, Seat, Visit

WHO = st.integers(0, 127)
PICK = st.integers(0, 63)
MOST_ACCOUNTS = 6


class PeopleRules(Arrivals):
    """Rules about people. An integer picks who and what: cheap to draw, and it shrinks."""

    def pick(self, who: int) -> Visit:
        """Pick a browser; three times of four it signs in first if nobody is signed in with it."""
        visit = self.visits[who % len(self.visits)]
        if who // len(self.visits) % 4 and self.oracle.seat_of(visit) is None:
            self.sign_in_with(visit, visit.person.password)
        return visit

    def sign_in_with(self, visit: Visit, password: str, email: str | None = None) -> None:
        person = visit.person
        known = email is None and password == person.password
        entered = self.oracle.entered_by_sign_in(person) if known else 40101
        body = {
            "email": email or person.email,
            "password": password,
            "remember": self.number % 2 == 0,
        }
        answer = self.send(visit, "POST", "/api/login", body)
        if self.refused(answer, entered if isinstance(entered, int) else None):
            return
        assert isinstance(entered, Seat)
        before, old = Visit(person, visit.browser, visit.session), self.oracle.seat_of(visit)
        self.signed_in(visit, entered, "sign-in")
        if old is not None:
            self.session_ended(before, "sign-out")

    @rule(who=WHO, how=PICK)
    def sign_in(self, who: int, how: int) -> None:
        visit = self.visits[who % len(self.visits)]
        if how % 8 == 0:
            self.sign_in_with(visit, "wrong " + visit.person.password)
        elif how % 8 == 1:
            self.sign_in_with(
                visit, visit.person.password, f"nobody.{visit.person.mark}@example.com"
            )
        elif how % 8 == 2:
            self.sign_in_with(visit, visit.person.password.upper())
        else:
            self.sign_in_with(visit, visit.person.password)

    @rule(who=WHO)
    def sign_out(self, who: int) -> None:
        visit = self.visits[who % len(self.visits)]
        alive = self.oracle.seat_of(visit) is not None
        answer = self.send(visit, "POST", "/api/logout")
        assert (answer.status, answer.json) == (200, {"message": "success"})
        assert visit.browser.cookie is None
        if alive:
            self.session_ended(visit, "sign-out")
        visit.session = None

    def session_ended(self, visit: Visit, how: str) -> None:
        """Note the end of a session; the log of its account names the person by their seat there."""
        assert visit.session is not None
        self.oracle.end_sessions([visit.session])
        seat, target = visit.session.seat, ("session", visit.session.id, how)
        self.happened(seat.account, "session.ended", "d", seat, target, data={"how": how})

    @rule(who=WHO, where=PICK)
    def switch_account(self, who: int, where: int) -> None:
        visit = self.pick(who)
        ids = [*(seat.account.id for seat in visit.person.seats), *self.oracle.accounts, MADE_UP]
        wanted = ids[where % len(ids)]
        old = self.oracle.seat_of(visit)
        answer = self.send(visit, "POST", "/api/session/account", {"account_id": str(wanted)})
        open_seats = [s for s in visit.person.seats if s.open and s.account.id == wanted]
        if self.refused(answer, 40102 if old is None else None if open_seats else 40401):
            return
        before = Visit(visit.person, visit.browser, visit.session)
        self.signed_in(visit, open_seats[0], "switch")
        self.session_ended(before, "sign-out")

    @rule(who=WHO, how=PICK)
    def register(self, who: int, how: int) -> None:
        visit = self.pick(who)
        if how % 8 == 0 and len(self.oracle.accounts) < MOST_ACCOUNTS:
            self.register_new()
            return
        taken = self.oracle.people[how % len(self.oracle.people)].email
        spelled = [taken, taken.upper(), taken.lower(), f" {taken} "][how % 4]
        weak = how % 5 == 0
        body = {
            "username": "nobody",
            "email": spelled,
            "password": "password1" if weak else STRONG.format("x"),
        }
        answer = self.send(visit, "POST", "/api/register", body)
        assert self.refused(answer, 42201 if weak else 40902)

    @rule(who=WHO)
    def create_account(self, who: int) -> None:
        visit = self.pick(who)
        if len(self.oracle.accounts) >= MOST_ACCOUNTS:
            self.read_own_user(who)
            return
        seat = self.oracle.seat_of(visit)
        mark = visit.person.mark
        name = f"house {self.number} {mark}"
        answer = self.send(visit, "POST", "/api/accounts", {"name": name})
        if self.refused(answer, self.oracle.refusal(visit)):
            return
        assert seat is not None
        told = answer.json["data"]
        account = Account(UUID(told["id"]), name, mark)
        assert (told["name"], told["status"]) == (name, "active")
        (user,) = unrestricted.rows(self.world.eye, "users", account_id=account.id)
        assert user["identity_id"] == visit.person.id
        self.opened(account, visit.person, user, seat.username)

    @rule(who=WHO)
    def read_own_user(self, who: int) -> None:
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        answer = self.send(visit, "GET", "/api/user")
        if not self.refused(answer, self.oracle.refusal(visit)):
            assert seat is not None
            told = answer.json["data"]
            assert (told["username"], told["email"]) == (seat.username, visit.person.email)
            assert (told["id"], told["account_id"]) == (str(seat.id), str(seat.account.id))
            assert told["account_name"] == seat.account.name

    @rule(who=WHO, how=PICK)
    def change_email(self, who: int, how: int) -> None:
        visit = self.pick(who)
        person, seat = visit.person, self.oracle.seat_of(visit)
        other = self.oracle.people[how % len(self.oracle.people)]
        fresh = f"N{self.number}.{person.mark}@example.com"
        new = [fresh, other.email.upper(), person.email.swapcase(), fresh][how % 4]
        right = how % 5 != 0
        body = {"email": new, "password": person.password if right else "wrong"}
        answer = self.send(visit, "POST", "/api/email", body)
        taken = any(p.email.lower() == new.lower() for p in self.oracle.people if p is not person)
        code = (
            self.oracle.refusal(visit) or (None if right else 42202) or (40902 if taken else None)
        )
        if self.refused(answer, code):
            return
        assert seat is not None
        assert (answer.status, answer.json) == (201, {"message": "success"})
        if new == person.email:
            return
        sent = ("identity", person.id, new)
        self.of_identity(seat, "token.sent", "c", sent, data={"purpose": "change"})
        if how % 7:  # one wish in seven is forgotten, and changes nothing
            stranger = self.visits[how % len(self.visits)]
            self.open_link(visit if how % 3 else stranger, person, new)

    def open_link(self, opener: Visit, person: Person, new: str) -> None:
        """Open the link that was sent to a new address, in whatever browser; a second time it is gone."""
        token = unrestricted.newest_token(self.world.eye, new)
        own = opener.session if self.oracle.seat_of(opener) else None
        answer = self.send(opener, "POST", "/api/email/verify", {"token": token})
        assert not self.refused(answer, None)
        assert (answer.status, answer.json) == (200, {"message": "success"})
        changes = [{"field": "email", "old": person.email, "new": new}]
        target = ("identity", person.id, new)
        self.of_identity("by mail", "identity.email_changed", "u", target, changes=changes)
        person.email = new
        self.oracle.end_sessions(s for s in self.oracle.sessions_of(person) if s is not own)
        again = self.send(opener, "POST", "/api/email/verify", {"token": token})
        assert self.refused(again, 41001)

    def of_identity(
        self, actor: Seat | str, action: str, crud: str, target: tuple[str, UUID, str], **more: Any
    ) -> None:
        self.oracle.system_events.append(self.event(action, crud, actor, target, **more))

    @rule(who=WHO, how=PICK)
    def change_password(self, who: int, how: int) -> None:
        visit = self.pick(who)
        person, seat = visit.person, self.oracle.seat_of(visit)
        right, weak = how % 4 != 0, how % 4 == 1
        new = "12345678" if weak else STRONG.format(self.number)
        body = {"current_password": person.password if right else "wrong", "new_password": new}
        answer = self.send(visit, "POST", "/api/password", body)
        code = self.oracle.refusal(visit) or (None if right else 42202) or (42201 if weak else None)
        if self.refused(answer, code):
            return
        assert seat is not None
        target = ("identity", person.id, person.email)
        self.of_identity(seat, "identity.password_changed", "u", target)
        person.password = new
        self.oracle.end_sessions(
            s for s in self.oracle.sessions_of(person) if s is not visit.session
        )

    @rule(who=WHO, what=PICK)
    def end_session(self, who: int, what: int) -> None:
        visit = self.pick(who)
        own = self.oracle.sessions_of(visit.person)
        others = [s for s in self.oracle.sessions.values() if s.seat.person is not visit.person]
        ended = [*own, *others[:6], None][what % (len(own) + len(others[:6]) + 1)]
        path = f"/api/sessions/{ended.id if ended else MADE_UP}"
        answer = self.send(visit, "DELETE", path, route="/api/sessions/<uuid:session_id>")
        if self.refused(answer, self.oracle.refusal(visit) or (None if ended in own else 40401)):
            return
        self.session_ended(Visit(visit.person, visit.browser, ended), "ended by the person")
