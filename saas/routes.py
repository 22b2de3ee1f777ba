"""The table of contents: every URL once. What a line means stands in ``routing``; no bodies here."""

from functools import partial

from saas import errors
from saas.pages import (
    accept_pages,
    api_key_pages,
    audit_pages,
    auth_pages,
    dev_mail_pages,
    home_pages,
    invitation_pages,
    mail_link_pages,
    member_pages,
    ownership_pages,
    project_pages,
    role_pages,
    settings_pages,
    webhook_pages,
)
from saas.permissions import Permission
from saas.routing import PUBLIC, SIGNED_IN, Route
from saas.schemas import account_schemas as accounts
from saas.schemas import api_key_schemas as api_keys
from saas.schemas import audit_schemas as audit
from saas.schemas import invitation_schemas as invitations
from saas.schemas import project_schemas as projects
from saas.schemas import role_schemas as roles
from saas.schemas import user_schemas as users
from saas.schemas import webhook_schemas as webhooks
from saas.schemas.list_schemas import ListIn
from saas.views import (
    account_views,
    api_key_views,
    audit_views,
    house_views,
    invitation_views,
    project_views,
    role_views,
    session_views,
    user_views,
    webhook_views,
)

_SIGN_IN_ERRORS = (
    errors.CouldNotVerifyLoginError,
    errors.NoSeatError,
    errors.SuspendedError,
    errors.TooManyRequestsError,
)
_REGISTER_ERRORS = (errors.EmailAddressAlreadyExistsError, errors.TooManyRequestsError)
_NAME = (errors.NameAlreadyExistsError,)
_LINK = (errors.NotFoundError, errors.LinkGoneError, errors.TooManyRequestsError)

API = (
    # Sign-up and sign-in
    Route("POST", "/api/register", session_views.register, PUBLIC,
          body=accounts.RegisterIn, status=201, errors=_REGISTER_ERRORS),
    Route("POST", "/api/login", session_views.login, PUBLIC,
          body=accounts.LoginIn, errors=_SIGN_IN_ERRORS),
    Route("POST", "/api/logout", session_views.logout, PUBLIC),
    # The person
    Route("GET", "/api/user", account_views.read_own_user, SIGNED_IN, answer=accounts.OwnUserOut),
    Route("POST", "/api/email", account_views.change_email, SIGNED_IN,
          body=accounts.ChangeEmailIn, status=201,
          errors=(errors.EmailAddressAlreadyExistsError, errors.WrongPasswordError, errors.TooManyRequestsError)),
    Route("POST", "/api/password", account_views.change_password, SIGNED_IN,
          body=accounts.ChangePasswordIn,
          errors=(errors.WrongPasswordError, errors.TooManyRequestsError)),
    Route("GET", "/api/session", session_views.read_session, SIGNED_IN, answer=accounts.SessionOut),
    Route("POST", "/api/session/account", session_views.switch_account, SIGNED_IN,
          body=accounts.SwitchAccountIn,
          errors=(errors.NotFoundError,)),
    Route("GET", "/api/sessions", session_views.list_sessions, SIGNED_IN,
          query=ListIn, answer=accounts.SessionRowOut, many=True),
    Route("DELETE", "/api/sessions/<session_id>", session_views.end_session, SIGNED_IN),
    # Proven by mail
    Route("POST", "/api/email/verification", account_views.resend_verification, SIGNED_IN,
          errors=(errors.TooManyRequestsError,)),
    Route("POST", "/api/email/verify", account_views.verify_email, PUBLIC, body=accounts.VerifyEmailIn, errors=_LINK),
    Route("POST", "/api/password/forgot", account_views.forget_password, PUBLIC, body=accounts.ForgotPasswordIn,
          status=202, errors=(errors.TooManyRequestsError,)),
    Route("POST", "/api/password/reset", account_views.reset_password, PUBLIC, body=accounts.ResetPasswordIn,
          errors=_LINK),
    # The account
    Route("POST", "/api/accounts", account_views.create_account, SIGNED_IN, body=accounts.CreateAccountIn,
          answer=accounts.AccountOut, status=201),
    Route("GET", "/api/account", account_views.read_account, Permission.ACCOUNT_READ, answer=accounts.AccountOut),
    Route("PATCH", "/api/account", account_views.update_account, Permission.ACCOUNT_UPDATE,
          body=accounts.UpdateAccountIn, answer=accounts.AccountOut),
    Route("POST", "/api/account/close", invitation_views.close_account, Permission.ACCOUNT_CLOSE,
          body=invitations.CloseAccountIn, errors=(errors.WrongPasswordError, errors.TooManyRequestsError)),
    Route("POST", "/api/account/leave", invitation_views.leave_account, SIGNED_IN, errors=(errors.LastOwnerError,)),
    Route("POST", "/api/account/ownership-offers", invitation_views.offer_ownership, Permission.ACCOUNT_TRANSFER,
          body=invitations.OfferOwnershipIn, answer=invitations.OfferOut, status=201, errors=(errors.NotFoundError,)),
    Route("POST", "/api/account/ownership-offers/<offer_id>/accept", invitation_views.accept_ownership, SIGNED_IN,
          errors=(errors.LinkGoneError,)),
    # People
    Route("GET", "/api/users", user_views.list_users, Permission.USER_READ, query=users.ListUsersIn,
          answer=users.UserOut, many=True),
    Route("GET", "/api/users/<user_id>", user_views.read_user, Permission.USER_READ, answer=users.UserOut),
    Route("PATCH", "/api/users/<user_id>", user_views.update_user, Permission.USER_UPDATE, body=users.UpdateUserIn,
          answer=users.UserOut, errors=_NAME),
    Route("DELETE", "/api/users/<user_id>", user_views.remove_user, Permission.USER_REMOVE,
          errors=(errors.LastOwnerError,)),
    Route("POST", "/api/users/<user_id>/suspend", user_views.suspend_user, Permission.USER_SUSPEND,
          body=users.ReasonIn, answer=users.UserOut, errors=(errors.LastOwnerError,)),
    Route("POST", "/api/users/<user_id>/restore", user_views.restore_user, Permission.USER_SUSPEND,
          body=users.ReasonIn, answer=users.UserOut),
    Route("GET", "/api/users/<user_id>/permissions", user_views.explain_user, Permission.USER_READ,
          answer=users.HeldPermissionOut, many=True),
    Route("POST", "/api/users/<user_id>/roles", role_views.grant_role, Permission.ROLE_GRANT, body=roles.GrantRoleIn,
          status=201),
    Route("DELETE", "/api/users/<user_id>/roles/<role_id>", role_views.revoke_role, Permission.ROLE_REVOKE,
          errors=(errors.LastOwnerError,)),
    # Roles
    Route("GET", "/api/permissions", role_views.list_permissions, Permission.ROLE_READ, answer=roles.PermissionOut,
          many=True),
    Route("GET", "/api/roles", role_views.list_roles, Permission.ROLE_READ, query=ListIn, answer=roles.RoleOut,
          many=True),
    Route("POST", "/api/roles", role_views.create_role, Permission.ROLE_CREATE, body=roles.CreateRoleIn,
          answer=roles.RoleOut, status=201, errors=_NAME),
    Route("GET", "/api/roles/<role_id>", role_views.read_role, Permission.ROLE_READ, answer=roles.RoleOut),
    Route("PATCH", "/api/roles/<role_id>", role_views.update_role, Permission.ROLE_UPDATE, body=roles.UpdateRoleIn,
          query=roles.UpdateRoleQuery, answer=roles.RoleOrPreviewOut, errors=(*_NAME, errors.SystemRoleError)),
    Route("DELETE", "/api/roles/<role_id>", role_views.delete_role, Permission.ROLE_DELETE,
          errors=(errors.SystemRoleError,)),
    # Invitations
    Route("GET", "/api/invitations", invitation_views.list_invitations, Permission.USER_READ, query=ListIn,
          answer=invitations.InvitationOut, many=True),
    Route("POST", "/api/invitations", invitation_views.create_invitation, Permission.USER_INVITE,
          body=invitations.CreateInvitationIn, answer=invitations.InvitationOut, status=201,
          errors=(errors.NotFoundError, errors.AlreadyMemberError)),
    Route("DELETE", "/api/invitations/<invitation_id>", invitation_views.revoke_invitation, Permission.USER_INVITE,
          errors=(errors.LinkGoneError,)),
    Route("POST", "/api/invitations/<invitation_id>/resend", invitation_views.resend_invitation, Permission.USER_INVITE,
          answer=invitations.InvitationOut, errors=(errors.LinkGoneError,)),
    Route("POST", "/api/invitations/accept", invitation_views.accept_invitation, PUBLIC,
          body=invitations.AcceptInvitationIn, status=201,
          errors=(*_LINK, errors.SignInRequiredError, errors.OtherInviteeError, errors.AlreadyMemberError, *_NAME)),
    # API keys
    Route("GET", "/api/api-keys", api_key_views.list_api_keys, Permission.API_KEY_READ, query=ListIn,
          answer=api_keys.ApiKeyOut, many=True),
    Route("POST", "/api/api-keys", api_key_views.create_api_key, Permission.API_KEY_CREATE,
          body=api_keys.CreateApiKeyIn, answer=api_keys.NewApiKeyOut, status=201),
    Route("DELETE", "/api/api-keys/<key_id>", api_key_views.revoke_api_key, Permission.API_KEY_REVOKE),
    # The audit log
    Route("GET", "/api/audit-events", audit_views.list_events, Permission.AUDIT_READ,
          query=audit.ListEventsIn,
          answer=audit.AuditEventOut, many=True),
    Route("GET", "/api/audit-events/export", audit_views.export_events, Permission.AUDIT_EXPORT,
          query=audit.ExportEventsIn, media=("application/x-ndjson", "text/csv"), told=True),
    Route("GET", "/api/audit-events/verify", audit_views.verify_events, Permission.AUDIT_READ,
          query=audit.VerifyEventsIn, answer=audit.VerificationOut),
    Route("GET", "/api/audit-events/<event_id>", audit_views.read_event, Permission.AUDIT_READ,
          answer=audit.AuditEventOut),
    # Webhooks
    Route("GET", "/api/webhooks", webhook_views.list_webhooks, Permission.WEBHOOK_READ, query=ListIn,
          answer=webhooks.WebhookOut, many=True),
    Route("POST", "/api/webhooks", webhook_views.create_webhook, Permission.WEBHOOK_CREATE,
          body=webhooks.CreateWebhookIn, answer=webhooks.NewWebhookOut, status=201,
          errors=(errors.TooManyWebhooksError,)),
    Route("GET", "/api/webhooks/<webhook_id>", webhook_views.read_webhook, Permission.WEBHOOK_READ,
          answer=webhooks.WebhookOut),
    Route("PATCH", "/api/webhooks/<webhook_id>", webhook_views.update_webhook, Permission.WEBHOOK_UPDATE,
          body=webhooks.UpdateWebhookIn, answer=webhooks.WebhookOut),
    Route("DELETE", "/api/webhooks/<webhook_id>", webhook_views.delete_webhook, Permission.WEBHOOK_DELETE),
    Route("POST", "/api/webhooks/<webhook_id>/test", webhook_views.test_webhook, Permission.WEBHOOK_UPDATE,
          status=202),
    Route("POST", "/api/webhooks/<webhook_id>/rotate-secret", webhook_views.rotate_secret, Permission.WEBHOOK_UPDATE,
          answer=webhooks.NewSecretOut),
    Route("GET", "/api/webhooks/<webhook_id>/deliveries", webhook_views.list_deliveries, Permission.WEBHOOK_READ,
          query=ListIn, answer=webhooks.DeliveryOut, many=True),
    # Projects, the example resource
    Route("GET", "/api/projects", project_views.list_projects, Permission.PROJECT_READ,
          query=ListIn,
          answer=projects.ProjectOut, many=True),
    Route("POST", "/api/projects", project_views.create_project, Permission.PROJECT_CREATE,
          body=projects.CreateProjectIn,
          answer=projects.ProjectOut, status=201, errors=_NAME),
    Route("GET", "/api/projects/<project_id>", project_views.read_project, Permission.PROJECT_READ,
          answer=projects.ProjectOut),
    Route("PATCH", "/api/projects/<project_id>", project_views.update_project, Permission.PROJECT_UPDATE,
          body=projects.UpdateProjectIn, answer=projects.ProjectOut, errors=_NAME),
    Route("DELETE", "/api/projects/<project_id>", project_views.delete_project, Permission.PROJECT_DELETE),
    # The house
    Route("GET", "/healthz", house_views.healthz, PUBLIC),
    Route("GET", "/readyz", house_views.readyz, PUBLIC),
    Route("GET", "/metrics", house_views.metrics, PUBLIC, media=("text/plain",), errors=(errors.NotFoundError,)),
    Route("GET", "/openapi.json", house_views.openapi_document, PUBLIC),
)  # fmt: skip

_page = partial(Route, kind="page")

PAGES = (
    # Sign-up, sign-in, what mails lead to
    _page("GET", "/", home_pages.index, PUBLIC),
    _page("GET", "/register", auth_pages.register, PUBLIC),
    _page("POST", "/register", auth_pages.submit_register, PUBLIC),
    _page("GET", "/login", auth_pages.login, PUBLIC),
    _page("POST", "/login", auth_pages.submit_login, PUBLIC),
    _page("GET", "/logout", session_views.logout_page, PUBLIC, writes=True),
    _page("POST", "/logout", auth_pages.logout, PUBLIC),
    _page("GET", "/invitations/accept", accept_pages.open_invitation, PUBLIC),
    _page("POST", "/invitations/accept", accept_pages.accept_invitation, PUBLIC),
    _page("GET", "/password/forgot", mail_link_pages.forgot, PUBLIC),
    _page("POST", "/password/forgot", mail_link_pages.submit_forgot, PUBLIC),
    _page("GET", "/password/reset", mail_link_pages.reset, PUBLIC),
    _page("POST", "/password/reset", mail_link_pages.submit_reset, PUBLIC),
    _page("GET", "/email/verify", mail_link_pages.verify, PUBLIC),
    _page("POST", "/email/verify", mail_link_pages.submit_verify, PUBLIC),
    _page("POST", "/email/verification", mail_link_pages.resend_verification, SIGNED_IN),
    # The person, and what needs a second thought
    _page("GET", "/settings", settings_pages.settings, SIGNED_IN),
    _page("POST", "/settings/email", settings_pages.change_email, SIGNED_IN),
    _page("POST", "/settings/password", settings_pages.change_password, SIGNED_IN),
    _page("POST", "/settings/account", settings_pages.switch_account, SIGNED_IN),
    _page("POST", "/settings/accounts", settings_pages.create_account, SIGNED_IN),
    _page("POST", "/settings/sessions/<session_id>/end", settings_pages.end_session, SIGNED_IN),
    _page("POST", "/settings/leave", ownership_pages.leave_account, SIGNED_IN),
    _page("POST", "/settings/offers", ownership_pages.offer_ownership, Permission.ACCOUNT_TRANSFER),
    _page("POST", "/settings/offers/<offer_id>/accept", ownership_pages.accept_ownership, SIGNED_IN),
    _page("POST", "/settings/close", ownership_pages.close_account, Permission.ACCOUNT_CLOSE),
    # People, invitations, roles, keys
    _page("GET", "/members", member_pages.list_members, Permission.USER_READ),
    _page("GET", "/members/<user_id>", member_pages.read_member, Permission.USER_READ),
    _page("POST", "/members/<user_id>", member_pages.update_member, Permission.USER_UPDATE),
    _page("POST", "/members/<user_id>/roles", member_pages.grant_role, Permission.ROLE_GRANT),
    _page("POST", "/members/<user_id>/roles/<role_id>/revoke", member_pages.revoke_role, Permission.ROLE_REVOKE),
    _page("POST", "/members/<user_id>/suspend", member_pages.suspend_member, Permission.USER_SUSPEND),
    _page("POST", "/members/<user_id>/restore", member_pages.restore_member, Permission.USER_SUSPEND),
    _page("POST", "/members/<user_id>/remove", member_pages.remove_member, Permission.USER_REMOVE),
    _page("GET", "/invitations", invitation_pages.list_invitations, Permission.USER_READ),
    _page("POST", "/invitations", invitation_pages.create_invitation, Permission.USER_INVITE),
    _page("POST", "/invitations/<invitation_id>/resend", invitation_pages.resend_invitation, Permission.USER_INVITE),
    _page("POST", "/invitations/<invitation_id>/revoke", invitation_pages.revoke_invitation, Permission.USER_INVITE),
    _page("GET", "/roles", role_pages.list_roles, Permission.ROLE_READ),
    _page("POST", "/roles", role_pages.create_role, Permission.ROLE_CREATE),
    _page("GET", "/roles/<role_id>", role_pages.read_role, Permission.ROLE_READ),
    _page("GET", "/roles/<role_id>/preview", role_pages.preview_role, Permission.ROLE_UPDATE),
    _page("POST", "/roles/<role_id>", role_pages.update_role, Permission.ROLE_UPDATE),
    _page("POST", "/roles/<role_id>/delete", role_pages.delete_role, Permission.ROLE_DELETE),
    _page("GET", "/api-keys", api_key_pages.list_api_keys, Permission.API_KEY_READ),
    _page("POST", "/api-keys", api_key_pages.create_api_key, Permission.API_KEY_CREATE),
    _page("POST", "/api-keys/<key_id>/revoke", api_key_pages.revoke_api_key, Permission.API_KEY_REVOKE),
    # Projects, the audit log and where it is sent, the API's documentation
    _page("GET", "/projects", project_pages.list_projects, Permission.PROJECT_READ),
    _page("POST", "/projects", project_pages.create_project, Permission.PROJECT_CREATE),
    _page("GET", "/projects/<project_id>", project_pages.read_project, Permission.PROJECT_READ),
    _page("POST", "/projects/<project_id>", project_pages.update_project, Permission.PROJECT_UPDATE),
    _page("POST", "/projects/<project_id>/delete", project_pages.delete_project, Permission.PROJECT_DELETE),
    _page("GET", "/audit", audit_pages.list_audit_events, Permission.AUDIT_READ),
    _page("GET", "/webhooks", webhook_pages.list_webhooks, Permission.WEBHOOK_READ),
    _page("POST", "/webhooks", webhook_pages.create_webhook, Permission.WEBHOOK_CREATE),
    _page("GET", "/webhooks/<webhook_id>", webhook_pages.read_webhook, Permission.WEBHOOK_READ),
    _page("POST", "/webhooks/<webhook_id>", webhook_pages.update_webhook, Permission.WEBHOOK_UPDATE),
    _page("POST", "/webhooks/<webhook_id>/test", webhook_pages.test_webhook, Permission.WEBHOOK_UPDATE),
    _page("POST", "/webhooks/<webhook_id>/enable", webhook_pages.enable_webhook, Permission.WEBHOOK_UPDATE),
    _page("POST", "/webhooks/<webhook_id>/disable", webhook_pages.disable_webhook, Permission.WEBHOOK_UPDATE),
    _page("POST", "/webhooks/<webhook_id>/rotate-secret", webhook_pages.rotate_secret, Permission.WEBHOOK_UPDATE),
    _page("POST", "/webhooks/<webhook_id>/delete", webhook_pages.delete_webhook, Permission.WEBHOOK_DELETE),
    _page("GET", "/api/docs", house_views.api_docs, PUBLIC),
)  # fmt: skip

# Never in production: the mails hold tokens, and here anybody may read them.
DEV_PAGES = (
    _page("GET", "/dev/mail", dev_mail_pages.list_mails, PUBLIC),
    _page("GET", "/dev/mail/<mail_id>", dev_mail_pages.read_mail, PUBLIC),
)

ROUTES = API + PAGES
