"""What the machine does with projects: create, read, change and delete, by own, foreign, gone and made-up ids."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule

from saas.permissions import Permission
from tests.proofs.list_rules import ListRules
from tests.proofs.machine import MADE_UP
from tests.proofs.oracle import Seat, Visit
from tests.proofs.people_rules import PICK, WHO

ONE = "/api/projects/<uuid:project_id>"
KEYS = ("id", "name", "description", "created_at", "updated_at")


class ProjectRules(ListRules):
    """The whole machine: every rule there is."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: list[UUID] = []

    @rule(who=WHO, how=PICK)
    def create_project(self, who: int, how: int) -> None:
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        mark = seat.account.mark if seat else visit.person.mark
        names = [row["name"] for row in seat.account.projects.values()] if seat else []
        taken = how % 8 == 0 and bool(names)
        name = (
            names[how % len(names)] if taken else "" if how % 8 == 1 else f"p{self.number} {mark}"
        )
        text = f"text {mark}" * (how % 3)
        answer = self.send(visit, "POST", "/api/projects", {"name": name, "description": text})
        code = self.oracle.refusal(visit, Permission.PROJECT_CREATE) or (
            40903 if taken else None if name else 42201
        )
        if self.refused(answer, code):
            return
        assert seat is not None
        made = answer.json["data"]
        assert answer.status == 201
        assert tuple(made) == KEYS
        assert (made["name"], made["description"]) == (name, text)
        project_id = UUID(made["id"])
        seat.account.projects[project_id] = made
        self.oracle.owners[made["id"]] = {seat.account.mark}
        self.happened(seat.account, "project.created", "c", seat, ("project", project_id, name))

    def project_id(self, seat: Seat | None, what: int) -> UUID:
        """Pick an id: half of the time an own one, else one of anybody, one that is gone, or one made up."""
        own = list(seat.account.projects) if seat else []
        if own and what % 2:
            return own[what // 2 % len(own)]
        every = [i for account in self.oracle.accounts.values() for i in account.projects]
        ids = [*every, *self.gone[-4:], MADE_UP]
        return ids[what // 2 % len(ids)]

    @rule(who=WHO, what=PICK)
    def read_project(self, who: int, what: int) -> None:
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        project_id = self.project_id(seat, what)
        answer = self.send(visit, "GET", f"/api/projects/{project_id}", route=ONE)
        if not self.refused(
            answer, self.project_refusal(visit, Permission.PROJECT_READ, project_id)
        ):
            assert seat is not None
            assert answer.json == {"data": seat.account.projects[project_id]}

    def project_refusal(self, visit: Visit, permission: Permission, project_id: UUID) -> int | None:
        code = self.oracle.refusal(visit, permission)
        seat = self.oracle.seat_of(visit)
        return code or (None if seat and project_id in seat.account.projects else 40401)

    @rule(who=WHO, what=PICK, how=PICK)
    def update_project(self, who: int, what: int, how: int) -> None:
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        project_id = self.project_id(seat, what)
        old = seat.account.projects.get(project_id) if seat else None
        body = self._change(visit, seat, how, old)
        answer = self.send(visit, "PATCH", f"/api/projects/{project_id}", body, route=ONE)
        code = self.project_refusal(visit, Permission.PROJECT_UPDATE, project_id)
        if self.refused(answer, code or (40903 if old and self._taken(seat, old, body) else None)):
            return
        assert seat is not None
        assert old is not None
        new = answer.json["data"]
        changed = {k: v for k, v in body.items() if old[k] != v}
        assert new == {**old, **changed, "updated_at": new["updated_at"]}
        assert (new["updated_at"] > old["updated_at"]) == bool(changed)
        seat.account.projects[project_id] = new
        if changed:
            changes = [{"field": k, "old": old[k], "new": v} for k, v in changed.items()]
            target = ("project", project_id, new["name"])
            self.happened(seat.account, "project.updated", "u", seat, target, changes=changes)

    def _change(self, visit: Visit, seat: Seat | None, how: int, old: Any) -> dict[str, str]:
        mark = seat.account.mark if seat else visit.person.mark
        name, text = f"q{self.number} {mark}", f"words {how} {mark}"
        names = [row["name"] for row in seat.account.projects.values()] if seat else []
        same = {"name": old["name"], "description": old["description"]} if old else {}
        taken = {"name": names[how % len(names)]} if names else {}
        return [
            {"name": name},
            {"description": text},
            {"name": name, "description": text},
            same,
            taken,
        ][how % 5]

    def _taken(self, seat: Seat | None, old: Any, body: dict[str, str]) -> bool:
        assert seat is not None
        return any(
            p is not old and p["name"] == body.get("name") for p in seat.account.projects.values()
        )

    @rule(who=WHO, what=PICK)
    def delete_project(self, who: int, what: int) -> None:
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        project_id = self.project_id(seat, what)
        answer = self.send(visit, "DELETE", f"/api/projects/{project_id}", route=ONE)
        if self.refused(answer, self.project_refusal(visit, Permission.PROJECT_DELETE, project_id)):
            return
        assert seat is not None
        assert answer.json == {"message": "success"}
        row = seat.account.projects.pop(project_id)
        self.gone.append(project_id)
        self.happened(
            seat.account, "project.deleted", "d", seat, ("project", project_id, row["name"])
        )

    @rule(who=WHO, how=PICK)
    def rename_account(self, who: int, how: int) -> None:
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        mark = seat.account.mark if seat else visit.person.mark
        name = seat.account.name if seat and how % 4 == 0 else f"home {self.number} {mark}"
        answer = self.send(visit, "PATCH", "/api/account", {"name": name})
        if self.refused(answer, self.oracle.refusal(visit, Permission.ACCOUNT_UPDATE)):
            return
        assert seat is not None
        account = seat.account
        assert answer.json["data"]["name"] == name
        if name != account.name:
            changes = [{"field": "name", "old": account.name, "new": name}]
            account.name = name
            target = ("account", account.id, name)
            self.happened(account, "account.updated", "u", seat, target, changes=changes)

    @rule(who=WHO, where=PICK, writes=st.booleans())
    def act_from_a_stale_tab(self, who: int, where: int, writes: bool) -> None:
        """A page that shows another account than the session's: nothing happens."""
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        others = [a for a in self.oracle.accounts if seat is None or a != seat.account.id]
        headers = {"X-Account-ID": str(others[where % len(others)])}
        method, body = ("POST", {"name": "never"}) if writes else ("GET", None)
        answer = self.send(visit, method, "/api/projects", body, headers=headers)
        # Before any permission is asked: what one may do in the other account is not known here.
        assert self.refused(answer, self.oracle.refusal(visit) or 40901)
