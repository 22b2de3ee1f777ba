"""API keys: narrower than their maker, shown once, kept as a hash, ended at any time.

A key is ``tk_<account>_<id>_<secret>``: the account stands in the key for the reason it stands in the cookie, so
that finding the caller is a scoped statement too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import bindparam, select, update
from uuid_utils.compat import uuid7

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.columns import utc_now
from saas.models import Account, ApiKey, Identity, User
from saas.paging import Keyset, Page
from saas.permissions import Permission, known, require, require_not_above, require_person
from saas.security import tokens
from saas.services import guards, held_permissions
from saas.unit import current_unit

_keys, _users = ApiKey.__table__.c, User.__table__.c
_accounts, _identities = Account.__table__.c, Identity.__table__.c
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)  # in whatever zone it is given
_NEVER = datetime.min.replace(tzinfo=UTC)
_FORM = re.compile(r"tk_([0-9a-f]{32})_([0-9a-f]{32})_([A-Za-z0-9_-]{20,200})")
_CALLER = (
    select(
        _keys.id,
        _keys.name,
        _keys.permissions,
        _keys.last_used_at,
        _accounts.name.label("account_name"),
        _accounts.roles_version,
        _users.id.label("maker_id"),
        _users.username,
        held_permissions.role_references(_users.id).label("roles"),
    )
    .select_from(ApiKey.__table__)
    .join(User.__table__, (_users.account_id == _keys.account_id) & (_users.id == _keys.user_id))
    .join(Account.__table__, _accounts.account_id == _keys.account_id)
    .join(Identity.__table__, _identities.id == _users.identity_id)
    .where(
        _keys.account_id == bindparam("account_id"),
        _keys.id == bindparam("key_id"),
        _keys.secret_hash == bindparam("secret_hash"),
        _keys.revoked_at.is_(None),
        (_keys.expires_at.is_(None)) | (_keys.expires_at > bindparam("now")),
        _users.status == "active",
        _accounts.status == "active",
        _identities.suspended_at.is_(None),
    )
)
_ROWS = select(
    _keys.id, _keys.name, _keys.permissions, _keys.created_at, _keys.expires_at, _keys.last_used_at,
    _keys.revoked_at, _keys.user_id, _users.username,
).join_from(
    ApiKey.__table__, User.__table__,
    (_users.account_id == _keys.account_id) & (_users.id == _keys.user_id),
)  # fmt: skip
_LIST = Keyset("api keys", _ROWS, owner=_keys.account_id, key=_keys.id)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; ``key`` is shown once and is nowhere to be found again."""

    model: ApiKey
    key: str


def parse_key(unsafe_key: str) -> tuple[UUID, UUID, str] | None:
    """Return account id, key id and secret of what looks like a key of ours, or None."""
    parts = _FORM.fullmatch(unsafe_key)
    return None if parts is None else (UUID(parts[1]), UUID(parts[2]), parts[3])


def find_actor(account_id: UUID, key_id: UUID, secret: str) -> tuple[Actor, datetime] | None:
    """Return who acts with a key in the entered account, and when it was last used; None for nobody.

    One statement. Revoked and expired keys, and those of suspended people and accounts, are nobody; what the maker
    has lost since, the key has lost too.
    """
    unit = current_unit()
    parameters = {"account_id": account_id, "key_id": key_id, "now": utc_now()}
    found = unit.rows(_CALLER, parameters | {"secret_hash": tokens.token_hash(secret)})
    if not found:
        return None
    row = found[0]
    makers = held_permissions.permissions_of(unit, row.roles or "", row.roles_version)
    actor = Actor(
        "api_key", row.id, row.name, account_id, makers & known(row.permissions),
        account_name=row.account_name, maker_id=row.maker_id, maker_label=row.username,
    )  # fmt: skip
    return actor, row.last_used_at or _NEVER


def touch_key(key_id: UUID) -> None:
    """Note that a key was used now; its caller asks at most once a minute."""
    with database.unit_of_work() as unit:
        unit.session.execute(
            update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=utc_now())
        )


def list_api_keys(actor: Actor, *, limit: int = 20, cursor: str | None = None) -> Page:
    """Return one page of the account's keys with their makers, newest first; never their secrets."""
    require(actor, Permission.API_KEY_READ)
    with database.reading() as unit:
        return _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)


def create_api_key(
    actor: Actor, *, name: str, permissions: list[str], expires_at: datetime | None = None
) -> NewKey:
    """Make a key that holds a part of the actor's permissions; only a person makes keys.

    Raises PermissionDeniedError for what the actor does not hold, ValidationFailedError for an end in the past, or
    later than every database can hold.
    """
    require(actor, Permission.API_KEY_CREATE)
    require_person(actor)
    if expires_at is not None and not utc_now() < expires_at < _LATEST:
        problem = errors.FieldError("expires_at", "Must be in the future, before the year 9999.")
        raise errors.ValidationFailedError(field_errors=[problem])
    secret, key_id = tokens.new_token(), uuid7()
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.API_KEY_CREATE)
        require_not_above(now, known(permissions))
        key_model = ApiKey(
            id=key_id, user_id=actor.id, name=name, secret_hash=tokens.token_hash(secret),
            permissions=sorted(set(permissions)), expires_at=expires_at,
        )  # fmt: skip
        unit.session.add(key_model)
        unit.flush()
        data = {"permissions": key_model.permissions}
        record(AuditEvent.API_KEY_CREATED, actor=actor, target=key_model, data=data)
    return NewKey(key_model, f"tk_{actor.account_id.hex}_{key_id.hex}_{secret}")


def revoke_api_key(actor: Actor, *, key_id: UUID) -> None:
    """End a key at once; raises NotFoundError, PermissionDeniedError for a key of somebody who holds more."""
    require(actor, Permission.API_KEY_REVOKE)
    with database.unit_of_work() as unit:
        now = guards.lock_account(unit, actor, Permission.API_KEY_REVOKE)
        key_model = unit.session.scalar(select(ApiKey).where(ApiKey.id == key_id))
        if key_model is None:
            raise errors.NotFoundError
        guards.find_user_below(unit, now, key_model.user_id)
        if key_model.revoked_at is None:
            key_model.revoked_at = utc_now()
            changes = changed(key_model, "revoked_at")
            unit.flush()
            record(AuditEvent.API_KEY_REVOKED, actor=actor, target=key_model, changes=changes)
