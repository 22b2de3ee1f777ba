"""What is wrong with well written settings: weak secrets, values that do not fit together.

`settings.load` refuses to start on these; `flask check` prints them.
"""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from sqlalchemy.engine import make_url

from saas.security import signing

if TYPE_CHECKING:
    from config.settings import Settings

SECRET_LENGTH = 32  # characters: 128 bits even if each holds only four (OWASP ASVS 5, 11.2.3)
SECRET_VARIETY = 10  # different characters: "aaaa…" is long and worth nothing
BCRYPT_COST = 12  # the least outside tests: about a quarter of a second
LOOPBACK = ("localhost", "127.0.0.1")
_NEW_SIGNER = (
    "python3 -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\""
)
_NEW = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: what is wrong and how to mend it; a warning does not stop the start."""

    variable: str
    what: str
    mend: str
    warning: bool = False


class SettingsError(Exception):
    """The settings do not allow a start; the text names every variable and how to mend it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        number = "1 setting needs" if len(problems) == 1 else f"{len(problems)} settings need"
        lines = [f"  {each.variable} {each.what} {each.mend}" for each in problems]
        super().__init__("\n".join([f"Tenantry does not start: {number} mending.", *lines]))


def problems(settings: "Settings", production: bool) -> list[Problem]:
    """Everything that is wrong, warnings included; `production` adds the rules of production."""
    found = [*_combinations(settings)]
    if production:
        found += [*_secrets(settings), *_address(settings), *_outgrown(settings)]
    return found


def from_validation(error: ValidationError, settings_class: "type[Settings]") -> list[Problem]:
    """The same list for values that could not be read at all; never shows a value."""
    found = []
    for each in error.errors(include_input=False, include_url=False):
        if each["type"] == "default_factory_not_called":
            continue  # follows from the wrong one, which has its own line
        name = str(each["loc"][0]) if each["loc"] else "settings"
        text = each["msg"].removeprefix("Value error, ")
        field = settings_class.model_fields.get(name)
        what = text if each["type"] == "value_error" else f"cannot be read: {text}."
        found.append(Problem(name.upper(), what, (field and field.description) or ""))
    return found


def _combinations(settings: "Settings") -> Iterator[Problem]:
    """What fits together in no house."""
    if settings.password_cost < BCRYPT_COST and settings.flask_config != "test":
        what = f"is below {BCRYPT_COST}, which only FLASK_CONFIG=test may have."
        yield Problem("PASSWORD_COST", what, f"Set {BCRYPT_COST} or more, or leave it out.")
    for name in ("database_system_url", "database_admin_url"):
        if make_url(getattr(settings, name)).get_backend_name() != settings.dialect:
            what = "is another kind of database than DATABASE_URL."
            yield Problem(name.upper(), what, "Give the same database, as another role.")
    yield from _destinations(settings)
    if settings.database_pooler == "transaction" and settings.dialect != "postgresql":
        what = "is transaction, but DATABASE_URL is not PostgreSQL."
        yield Problem("DATABASE_POOLER", what, "Leave it out.")


def _destinations(settings: "Settings") -> Iterator[Problem]:
    """Where audit events are pushed to."""
    if settings.audit_webhook_url and not signing.is_secret(
        settings.audit_webhook_secret.get_secret_value()
    ):
        what = "is not whsec_ and the base64 of 24 to 64 bytes, and AUDIT_WEBHOOK_URL is set."
        yield Problem("AUDIT_WEBHOOK_SECRET", what, f"Make one: {_NEW_SIGNER}")
    if settings.nats_url and importlib.util.find_spec("nats") is None:
        what = "is set, but the nats-py package is not installed."
        yield Problem("NATS_URL", what, "Install it: pip install nats-py")


def _secrets(settings: "Settings") -> Iterator[Problem]:
    """Secrets that are missing, or weak enough to be found by trying."""
    keys = [("SECRET_KEY", settings.secret_key)]
    keys += [("SECRET_KEY_FALLBACKS", key) for key in settings.secret_key_fallbacks]
    keys += [("PASSWORD_PEPPERS", pepper.secret) for pepper in settings.password_peppers]
    for variable, secret in keys:
        if what := _weakness(secret):
            yield Problem(variable, what, f"Make one: {_NEW}")
    if not settings.password_peppers:
        mend = f"Write key_id:secret, for example p1:… with a secret from: {_NEW}"
        yield Problem("PASSWORD_PEPPERS", "is missing.", mend)


def _weakness(secret: SecretStr) -> str | None:
    value = secret.get_secret_value()
    if not value:
        return "is missing."
    if len(value) < SECRET_LENGTH:
        return f"has a secret shorter than {SECRET_LENGTH} characters."
    if len(set(value)) < SECRET_VARIETY:
        return f"has a secret of fewer than {SECRET_VARIETY} different characters."
    return None


def _address(settings: "Settings") -> Iterator[Problem]:
    """How the world reaches us, and what it must not see."""
    if settings.flask_debug:
        yield Problem("FLASK_DEBUG", "is on, which shows tracebacks to strangers.", "Leave it out.")
    if settings.webhook_allow_loopback:
        what = "is on, which lets any account have this machine's own services called."
        yield Problem("WEBHOOK_ALLOW_LOOPBACK", what, "Leave it out.")
    parts = urlsplit(settings.base_url)
    reachable = parts.scheme == "https" and parts.hostname not in (None, *LOOPBACK)
    if not reachable:
        what = "is not an https address that people can reach."
        yield Problem("BASE_URL", what, "Set it to the public address: https://app.example.com")
    if not settings.trusted_hosts:
        what = "is empty, so any Host header would be believed."
        yield Problem(
            "TRUSTED_HOSTS", what, "Set it to the host names people use, comma separated."
        )
    elif reachable and not _trusts(settings.trusted_hosts, str(parts.hostname)):
        what = "does not hold the host of BASE_URL, so every page would be refused."
        yield Problem("TRUSTED_HOSTS", what, f"Add {parts.hostname}.")


def _trusts(trusted: tuple[str, ...], host: str) -> bool:
    """Whether Werkzeug will answer to that host: by name, or below a name with a leading dot."""
    domains = [name for name in trusted if name.startswith(".")]
    return host in trusted or any(f".{host}".endswith(domain) for domain in domains)


def _outgrown(settings: "Settings") -> Iterator[Problem]:
    """Defaults that work, but were made for one machine."""
    if settings.dialect == "sqlite":
        what = "is an SQLite file: one machine, one writer at a time, no row-level security."
        mend = "Set it to a PostgreSQL database when that is not enough."
        yield Problem("DATABASE_URL", what, mend, warning=True)
    if settings.dialect == "postgresql" and settings.database_system_url == settings.database_url:
        what = "is the same role as DATABASE_URL, which row-level security keeps in one account."
        mend = "Set it to the role for reading across accounts; `flask db roles` makes it."
        yield Problem("DATABASE_SYSTEM_URL", what, mend)
    if settings.redis_url is None:
        what = "is not set, so each process counts sign-in attempts for itself."
        yield Problem("REDIS_URL", what, "Set it when you run more than one process.", warning=True)
    if settings.mail_url is None:
        what = "is not set, so mail is written to files under VAR_DIR/mail and reaches nobody."
        yield Problem("MAIL_URL", what, "Set it to smtp://user:password@host:587", warning=True)
