"""The table of contents: every URL once. What a line means stands in ``routing``; no bodies here."""

from saas import errors
from saas.pages import audit_pages, auth_pages, home_pages, project_pages, settings_pages
from saas.permissions import Permission
from saas.routing import PUBLIC, SIGNED_IN, Route
from saas.schemas import account_schemas as accounts
from saas.schemas import audit_schemas as audit
from saas.schemas import project_schemas as projects
from saas.schemas import user_schemas as users
from saas.schemas.list_schemas import ListIn
from saas.views import (
    account_views,
    audit_views,
    house_views,
    project_views,
    session_views,
    user_views,
)

_SIGN_IN_ERRORS = (
    errors.CouldNotVerifyLoginError,
    errors.NoSeatError,
    errors.SuspendedError,
    errors.TooManyRequestsError,
)
_REGISTER_ERRORS = (errors.EmailAddressAlreadyExistsError, errors.TooManyRequestsError)
_NAME = (errors.NameAlreadyExistsError,)

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
    # The account
    Route("POST", "/api/accounts", account_views.create_account, SIGNED_IN,
          body=accounts.CreateAccountIn,
          answer=accounts.AccountOut, status=201),
    Route("GET", "/api/account", account_views.read_account, Permission.ACCOUNT_READ,
          answer=accounts.AccountOut),
    Route("PATCH", "/api/account", account_views.update_account, Permission.ACCOUNT_UPDATE,
          body=accounts.UpdateAccountIn,
          answer=accounts.AccountOut),
    # People and roles
    Route("GET", "/api/users", user_views.list_users, Permission.USER_READ,
          query=ListIn, answer=users.UserOut, many=True),
    Route("GET", "/api/users/<user_id>", user_views.read_user, Permission.USER_READ,
          answer=users.UserOut),
    Route("GET", "/api/roles", user_views.list_roles, Permission.ROLE_READ,
          query=ListIn, answer=users.RoleOut, many=True),
    # The audit log
    Route("GET", "/api/audit-events", audit_views.list_events, Permission.AUDIT_READ,
          query=audit.ListEventsIn,
          answer=audit.AuditEventOut, many=True),
    Route("GET", "/api/audit-events/<event_id>", audit_views.read_event, Permission.AUDIT_READ,
          answer=audit.AuditEventOut),
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
    Route("GET", "/openapi.json", house_views.openapi_document, PUBLIC),
)  # fmt: skip

PAGES = (
    Route("GET", "/", home_pages.index, PUBLIC, kind="page"),
    Route("GET", "/register", auth_pages.register, PUBLIC, kind="page"),
    Route("POST", "/register", auth_pages.submit_register, PUBLIC, kind="page"),
    Route("GET", "/login", auth_pages.login, PUBLIC, kind="page"),
    Route("POST", "/login", auth_pages.submit_login, PUBLIC, kind="page"),
    Route("GET", "/logout", session_views.logout_page, PUBLIC, kind="page", writes=True),
    Route("POST", "/logout", auth_pages.logout, PUBLIC, kind="page"),
    Route("GET", "/settings", settings_pages.settings, SIGNED_IN, kind="page"),
    Route("POST", "/settings/email", settings_pages.change_email, SIGNED_IN, kind="page"),
    Route("POST", "/settings/password", settings_pages.change_password, SIGNED_IN, kind="page"),
    Route("POST", "/settings/account", settings_pages.switch_account, SIGNED_IN, kind="page"),
    Route("POST", "/settings/accounts", settings_pages.create_account, SIGNED_IN, kind="page"),
    Route(
        "POST",
        "/settings/sessions/<session_id>/end",
        settings_pages.end_session,
        SIGNED_IN,
        kind="page",
    ),
    Route("GET", "/projects", project_pages.list_projects, Permission.PROJECT_READ, kind="page"),
    Route(
        "POST", "/projects", project_pages.create_project, Permission.PROJECT_CREATE, kind="page"
    ),
    Route(
        "GET",
        "/projects/<project_id>",
        project_pages.read_project,
        Permission.PROJECT_READ,
        kind="page",
    ),
    Route(
        "POST",
        "/projects/<project_id>",
        project_pages.update_project,
        Permission.PROJECT_UPDATE,
        kind="page",
    ),
    Route(
        "POST",
        "/projects/<project_id>/delete",
        project_pages.delete_project,
        Permission.PROJECT_DELETE,
        kind="page",
    ),
    Route("GET", "/audit", audit_pages.list_audit_events, Permission.AUDIT_READ, kind="page"),
    Route("GET", "/api/docs", house_views.api_docs, PUBLIC, kind="page"),
)

ROUTES = API + PAGES
