"""Every address of the console and the permission that it asks, written out: a change shows as a difference here."""

from __future__ import annotations

TABLE = """
GET    /admin/                                                                     operator
GET    /admin/accounts/                                                            account:read
GET    /admin/accounts/<account_id>/                                               account:read
GET    /admin/accounts/<account_id>/invitations/<invitation_id>/resend/            invitation:resend
POST   /admin/accounts/<account_id>/invitations/<invitation_id>/resend/            invitation:resend
GET    /admin/accounts/<account_id>/invitations/<invitation_id>/revoke/            invitation:revoke
POST   /admin/accounts/<account_id>/invitations/<invitation_id>/revoke/            invitation:revoke
POST   /admin/accounts/<account_id>/notes/                                         note:write
GET    /admin/accounts/<account_id>/restore/                                       account:suspend
POST   /admin/accounts/<account_id>/restore/                                       account:suspend
GET    /admin/accounts/<account_id>/suspend/                                       account:suspend
POST   /admin/accounts/<account_id>/suspend/                                       account:suspend
POST   /admin/accounts/action/                                                     account:read
GET    /admin/accounts/details/                                                    account:read
GET    /admin/accounts/export/<export_type>/                                       list:export
GET    /admin/audit/                                                               audit:read
GET    /admin/audit/<event_id>/                                                    audit:read
GET    /admin/audit/export/                                                        audit:export
GET    /admin/me/                                                                  operator
POST   /admin/me/                                                                  operator
GET    /admin/operators/                                                           operator:read
GET    /admin/operators/<operator_id>/                                             operator:read
GET    /admin/operators/<operator_id>/reset/                                       operator:reset
POST   /admin/operators/<operator_id>/reset/                                       operator:reset
GET    /admin/operators/<operator_id>/sign-out/                                    operator:sign_out
POST   /admin/operators/<operator_id>/sign-out/                                    operator:sign_out
GET    /admin/people/                                                              person:read
GET    /admin/people/<identity_id>/                                                person:read
POST   /admin/people/<identity_id>/notes/                                          note:write
GET    /admin/people/<identity_id>/restore/                                        person:suspend
POST   /admin/people/<identity_id>/restore/                                        person:suspend
GET    /admin/people/<identity_id>/sign-out/                                       person:sign_out
POST   /admin/people/<identity_id>/sign-out/                                       person:sign_out
GET    /admin/people/<identity_id>/suspend/                                        person:suspend
POST   /admin/people/<identity_id>/suspend/                                        person:suspend
POST   /admin/people/action/                                                       person:read
GET    /admin/people/details/                                                      person:read
GET    /admin/people/export/<export_type>/                                         list:export
GET    /admin/projects/                                                            record:read
POST   /admin/projects/action/                                                     record:read
GET    /admin/projects/details/                                                    record:read
GET    /admin/projects/export/<export_type>/                                       list:export
GET    /admin/roles/                                                               role:read
GET    /admin/search/                                                              account:read
GET    /admin/second-factor/                                                       operator
POST   /admin/second-factor/                                                       operator
GET    /admin/sign-in                                                              public
POST   /admin/sign-in                                                              public
POST   /admin/sign-out/                                                            operator
"""


def lines() -> list[tuple[str, str, str]]:
    """Return (method, path, permission) of each line; "operator": every operator's own, "public": everybody's."""
    return [tuple(line.split()) for line in TABLE.strip().splitlines()]  # type: ignore[misc]
