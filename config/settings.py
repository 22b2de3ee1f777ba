"""Every setting of the house, typed and validated; read from the environment and nowhere else.

`load()` is the one way in: in production it refuses to start on a missing or weak secret and names
every variable that needs mending in one error; elsewhere it makes secrets once (`local_secrets`).
A field in upper case is its variable; the description says what it is and how to write it.
"""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url

from config import local_secrets
from config import problems as problem_list
from config.problems import BCRYPT_COST, LOOPBACK, SECRET_LENGTH, Problem, SettingsError, problems
from config.setting_types import (
    BaseUrl,
    DatabaseUrl,
    Flag,
    Hosts,
    Peppers,
    Rate,
    Secrets,
    url_of,
)

__all__ = ["Problem", "Settings", "SettingsError", "load", "problems"]


def _same_database(before: dict[str, Any]) -> str:
    return str(before["database_url"])


class Settings(BaseSettings):
    """The settings of one process, frozen. Build them with `load()`, which also checks them."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,  # empty means not given; `problems` says what must be given
    )

    flask_config: Literal["dev", "test", "prod"] = Field(
        "prod", description="Which house this is: dev, test or prod; left out, the strict one."
    )
    flask_debug: Flag = Field(
        False, description="1 shows tracebacks in the browser; never in production."
    )
    secret_key: SecretStr = Field(
        SecretStr(""), description=f"Signs the cookies: {SECRET_LENGTH} or more random characters."
    )
    secret_key_fallbacks: Secrets = Field(
        (), description="Former SECRET_KEYs, comma separated, still accepted while a key changes."
    )
    password_peppers: Peppers = Field(
        (), description="Mixed into every password: key_id:secret, comma separated, newest first."
    )
    password_cost: int = Field(
        BCRYPT_COST, ge=4, le=16, description="The bcrypt cost: 12 to 16, less only in tests."
    )
    var_dir: Path = Field(Path("var"), description="The folder of all that the defaults write.")
    database_url: DatabaseUrl = Field(
        "", repr=False, description="The data, as the app's role; else an SQLite file in VAR_DIR."
    )
    database_system_url: DatabaseUrl = Field(
        default_factory=_same_database,
        repr=False,
        description="The same database, as the role that reads across accounts.",
    )
    database_admin_url: DatabaseUrl = Field(
        default_factory=_same_database,
        repr=False,
        description="The same database, as its owner: for migrations, unpooled.",
    )
    database_pooler: Literal["none", "transaction"] = Field(
        "none", description="transaction, when PgBouncer stands between, in transaction mode."
    )
    redis_url: Annotated[str, url_of("redis", "rediss", "unix")] | None = Field(
        None, repr=False, description="redis://… counts throttling over all processes."
    )
    nats_url: Annotated[str, url_of("nats", "tls")] | None = Field(
        None, repr=False, description="nats://… pushes audit events to JetStream."
    )
    audit_nats_subject: str = Field(
        "tenantry.audit",
        pattern=r"^[^\s.*>]+(\.[^\s.*>]+)*$",
        description="The JetStream subject of audit events.",
    )
    audit_webhook_url: Annotated[str, url_of("https", "http")] | None = Field(
        None,
        repr=False,
        description="https://… gets every audit event, signed; it may be internal.",
    )
    audit_webhook_secret: SecretStr = Field(
        SecretStr(""), description="Signs them: whsec_ and 24 to 64 random bytes in base64."
    )
    webhook_allow_loopback: Flag = Field(
        False, description="1 lets accounts name 127.0.0.1 in webhooks; never in production."
    )
    mail_url: Annotated[str, url_of("smtp", "smtps")] | None = Field(
        None, repr=False, description="smtp://user:password@host:587; else files in VAR_DIR/mail."
    )
    mail_from: str = Field(
        "", max_length=254, description="Who mails come from: Name <address>; else no-reply at us."
    )
    base_url: BaseUrl = Field(
        "", description="Our public address, https://host, for the links in mails."
    )
    trusted_hosts: Hosts = Field(
        (), description="Host names we answer to, comma separated; a leading dot adds subdomains."
    )
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="How many proxies in front of us set X-Forwarded-… headers."
    )
    throttle_sign_in: Rate = Field(
        "10/minute", description="Sign-in attempts from one address, such as 10/minute."
    )
    throttle_register: Rate = Field("10/minute", description="Registrations, written the same way.")
    audit_refusals: Rate = Field(
        "10/minute",
        description="Refusals alike that the audit log tells one by one; more are counted and summarised.",
    )
    max_body_bytes: int = Field(
        1024 * 1024, ge=1024, description="The largest request body, in bytes."
    )
    session_hours: int = Field(12, ge=1, le=168, description="How long a sign-in lasts, in hours.")
    remember_days: int = Field(
        30, ge=1, le=400, description="How long it lasts with 'remember me', in days."
    )
    metrics: Flag = Field(
        False,
        description="1 shows figures for Prometheus at /metrics, to everybody who can reach it.",
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="console: columns for people; json: one object a line."
    )
    port: int = Field(5000, ge=1, le=65535, description="The TCP port of `flask serve`.")

    @model_validator(mode="before")
    @classmethod
    def _derive_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The defaults that follow from other settings; paths become absolute here, once."""
        var_dir = Path(values.get("var_dir") or "var").expanduser().absolute()
        data = values.get("database_url") or f"sqlite:///{var_dir / 'tenantry.db'}"
        if values.get("flask_config", "prod") == "prod":
            derived: dict[str, Any] = {"log_format": "json"}
        else:
            port = values.get("port") or cls.model_fields["port"].default
            derived = {"base_url": f"http://127.0.0.1:{port}", "trusted_hosts": LOOPBACK}
            derived |= {"metrics": True}
        return derived | values | {"var_dir": var_dir, "database_url": data}

    @property
    def sender(self) -> str:
        """Who mails come from."""
        host = urlsplit(self.base_url).hostname or "localhost"
        return self.mail_from or f"Tenantry <no-reply@{host}>"

    @property
    def production(self) -> bool:
        """Whether the strict rules hold."""
        return self.flask_config == "prod"

    @property
    def dialect(self) -> str:
        """The kind of database: sqlite, postgresql or mariadb."""
        return make_url(self.database_url).get_backend_name()

    @property
    def peppers(self) -> list[tuple[str, str]]:
        """The peppers in plain text, newest first, as `passwords.configure` takes them."""
        return [(each.key_id, each.secret.get_secret_value()) for each in self.password_peppers]


def load(**values: Any) -> Settings:
    """The settings of this process from the environment; `values` (field=value) go before it.

    Raises SettingsError, which names every variable that needs mending.
    """
    try:
        settings = Settings(**values)
        if not settings.production:
            settings = Settings(**_missing_secrets(settings) | values)
    except ValidationError as error:
        raise SettingsError(problem_list.from_validation(error, Settings)) from None
    except OSError as error:
        mend = "Point it to a folder that this process may write."
        raise SettingsError([Problem("VAR_DIR", f"cannot be used: {error}.", mend)]) from None
    found = problems(settings, production=settings.production)
    if refusals := [each for each in found if not each.warning]:
        raise SettingsError(refusals)
    return settings


def _missing_secrets(settings: Settings) -> dict[str, str]:
    """What the environment does not give, from the file that this machine keeps."""
    given = {
        "secret_key": settings.secret_key.get_secret_value(),
        "password_peppers": settings.password_peppers,
    }
    if all(given.values()):
        return {}
    local = local_secrets.read_or_create(settings.var_dir)
    return {name: local[name.upper()] for name, value in given.items() if not value}
