"""PostgreSQL appends an event by one call: the head is moved, the event linked and inserted.

Revision ID: 20261128_append_audit_event
Revises: 20261127_head_prev
"""

from __future__ import annotations

from alembic import op

revision = "20261128_append_audit_event"
down_revision = "20261127_head_prev"
branch_labels = None
depends_on = None

# With the rights of who calls it, so that policies and grants hold as for any other statement. Whoever waits for
# another writer's head sees, once it is free, what that one left (READ COMMITTED): no two link to the same hash.
# STRICT raises where the account has no head. JSON as text is the text itself, byte for byte: what is stored is what
# was digested.
_FUNCTION = """
CREATE FUNCTION append_audit_event(
    event json, event_digest text, owner uuid, OUT link_seq bigint, OUT link_prev text, OUT link_hash text
)
LANGUAGE plpgsql AS $function$
BEGIN
    UPDATE audit_heads
    SET seq = seq + 1,
        prev = hash,
        hash = encode(sha256(convert_to(hash || ':' || (seq + 1) || ':' || event_digest, 'UTF8')), 'hex')
    WHERE account_id = owner
    RETURNING seq, prev, hash INTO STRICT link_seq, link_prev, link_hash;
    INSERT INTO audit_events (
        v, id, account_id, time, action, crud, outcome, reason, severity,
        actor_type, actor_id, actor_label, on_behalf_of_id, on_behalf_of_label,
        target_type, target_id, target_label, targets, changes, data,
        request_id, ip, user_agent, channel, route, digest, seq, prev, hash
    )
    SELECT
        e.v, e.id, owner, e.time, e.action, e.crud, e.outcome, e.reason, e.severity,
        e.actor_type, e.actor_id, e.actor_label, e.on_behalf_of_id, e.on_behalf_of_label,
        e.target_type, e.target_id, e.target_label, e.targets, e.changes, e.data,
        e.request_id, e.ip, e.user_agent, e.channel, e.route, event_digest, link_seq, link_prev, link_hash
    FROM json_to_record(event) AS e (
        v smallint, id uuid, time timestamptz, action text, crud text, outcome text, reason text, severity text,
        actor_type text, actor_id text, actor_label text, on_behalf_of_id text, on_behalf_of_label text,
        target_type text, target_id text, target_label text, targets text, changes text, data text,
        request_id text, ip text, user_agent text, channel text, route text
    );
END
$function$
"""
_SIGNATURE = "append_audit_event(json, text, uuid)"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FUNCTION)
        # Where a database gives PUBLIC nothing by default, the app would write nothing.
        op.execute(f"GRANT EXECUTE ON FUNCTION {_SIGNATURE} TO PUBLIC")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {_SIGNATURE}")
