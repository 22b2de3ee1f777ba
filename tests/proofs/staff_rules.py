"""What staff does to people and accounts: services called with the system, or an owner, as actor; without HTTP."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis.stateful import rule

from saas import errors
from saas.actor import system_actor
from saas.services import account_services, user_services
from tests.proofs.machine import MADE_UP, Call
from tests.proofs.oracle import Account, Seat
from tests.proofs.people_rules import PICK, PeopleRules


class StaffRules(PeopleRules):
    """Rules that suspend and restore."""

    @rule(where=PICK, what=PICK)
    def suspend_or_restore_user(self, where: int, what: int) -> None:
        """One in four suspends, the others restore; every fifth time an owner asks, for a seat that may be foreign."""
        account = self._account(where)
        seats = [*account.seats, *(s for a in self.oracle.accounts.values() for s in a.seats), None]
        seat = seats[what % len(seats)]
        owner = account.seats[0]
        suspends, asks = where % 4 == 0, what % 5 == 0
        service = user_services.suspend_user if suspends else user_services.restore_user
        actor = self.actor_of(owner) if asks else system_actor(account.id, "staff")
        reason = f"because {self.next_number()} {account.mark}"
        code = self.why_not_suspend(account, seat, owner if asks else None, suspends)
        self.staff(
            account,
            code,
            lambda: service(actor, user_id=seat.id if seat else MADE_UP, reason=reason),
        )
        wanted = "suspended" if suspends else "active"
        if code is not None or seat is None or seat.status == wanted:
            return
        changes = [{"field": "status", "old": seat.status, "new": wanted}]
        seat.status = wanted
        account.roles_version += 1
        if suspends:
            self.oracle.end_sessions(s for s in self.oracle.sessions.values() if s.seat is seat)
        action = "user.suspended" if suspends else "user.restored"
        by = owner if asks else "staff"
        self.happened(
            account,
            action,
            "u",
            by,
            ("user", seat.id, seat.username),
            changes=changes,
            reason=reason,
        )

    def why_not_suspend(
        self, account: Account, seat: Seat | None, asker: Seat | None, suspends: bool
    ) -> int | None:
        """The error code that is due; every account of these rules has one owner, its first seat."""
        if account.status != "active":
            return 40304
        if seat is None or seat not in account.seats:
            return 40401
        if seat is asker:
            return 40301
        return 40905 if suspends and seat is account.seats[0] else None

    @rule(where=PICK, how=PICK)
    def suspend_or_restore_account(self, where: int, how: int) -> None:
        account = self._account(where)
        suspends = how % 8 == 0
        service = account_services.suspend_account if suspends else account_services.restore_account
        actor = (
            self.actor_of(account.seats[0]) if how % 5 == 4 else system_actor(account.id, "staff")
        )
        reason = f"because {self.next_number()} {account.mark}"
        code = 40301 if actor.kind == "user" else None
        self.staff(account, code, lambda: service(actor, reason=reason))
        wanted = "suspended" if suspends else "active"
        if code is not None or account.status == wanted:
            return
        changes = [{"field": "status", "old": account.status, "new": wanted}]
        account.status = wanted
        action = "account.suspended" if suspends else "account.restored"
        target = ("account", account.id, account.name)
        self.happened(account, action, "u", "staff", target, changes=changes, reason=reason)

    def staff(self, account: Account, code: int | None, act: Callable[[], object]) -> None:
        """Call a service inside an account and compare what it raises."""
        self.call = Call()
        raised = None
        try:
            with self.in_account(account):
                act()
        except errors.ProductError as error:
            raised = error.internal_error_code
        self.count("staff", "refused" if raised else "served")
        assert raised == code

    def _account(self, where: int) -> Account:
        accounts = list(self.oracle.accounts.values())
        return accounts[where // 4 % len(accounts)]
