"""The settings: what is read, what is derived, what refuses to start, and the secrets made at first start."""

import multiprocessing
import re
import stat
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from werkzeug.sansio.utils import host_is_trusted

from config import local_secrets, settings
from config.problems import SECRET_LENGTH
from config.setting_types import Pepper
from config.settings import Problem, Settings, SettingsError
from saas.security.throttle import parse_limit

ROOT = Path(__file__).parents[2]
KEY = "k3y-of-a-test-0123456789-abcdefgh"
GOOD = {
    "flask_config": "prod",
    "secret_key": KEY,
    "password_peppers": f"p2:{KEY}x,p1:{KEY}y",
    "database_url": "postgresql://app@db.example.com/tenantry",
    "database_system_url": "postgresql://system@db.example.com/tenantry",
    "base_url": "https://app.example.com",
    "trusted_hosts": "app.example.com",
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine reaches these tests, and what they write stays in their folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def refusals(**values: object) -> dict[str, Problem]:
    """The problems for which these settings refuse to start, by variable."""
    with pytest.raises(SettingsError) as refused:
        settings.load(**values)
    return {each.variable: each for each in refused.value.problems}


def test_good_production_settings_start() -> None:
    loaded = settings.load(**GOOD)
    assert loaded.production
    assert loaded.dialect == "postgresql"
    assert loaded.log_format == "json"
    assert loaded.peppers == [("p2", f"{KEY}x"), ("p1", f"{KEY}y")]


def test_without_a_variable_the_house_is_production_and_refuses_to_start() -> None:
    found = refusals()
    assert {"SECRET_KEY", "PASSWORD_PEPPERS", "BASE_URL", "TRUSTED_HOSTS"} == set(found)
    assert not Path("var").exists()


def test_one_error_names_every_variable_and_how_to_mend_it() -> None:
    with pytest.raises(SettingsError) as refused:
        settings.load(flask_config="prod", secret_key="short")
    text = str(refused.value)
    assert "4 settings need mending" in text
    for variable in ("SECRET_KEY", "PASSWORD_PEPPERS", "BASE_URL", "TRUSTED_HOSTS"):
        assert re.search(rf"^  {variable} .+\. .+", text, re.MULTILINE)
    assert "short" not in text.replace("shorter", "")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", KEY[: SECRET_LENGTH - 1]),
        ("SECRET_KEY_FALLBACKS", f"{KEY},short"),
        ("PASSWORD_PEPPERS", "p1:short"),
        ("PASSWORD_COST", "11"),
        ("FLASK_DEBUG", "1"),
        ("BASE_URL", "http://app.example.com"),
        ("BASE_URL", "https://localhost"),
        ("TRUSTED_HOSTS", "other.example.com"),
        ("DATABASE_SYSTEM_URL", "postgresql://app@db.example.com/tenantry"),
        ("DATABASE_ADMIN_URL", "sqlite:////tmp/other.db"),
    ],
)
def test_production_refuses_one_weak_setting_and_names_only_that(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, good in GOOD.items():
        monkeypatch.setenv(name.upper(), good)
    settings.load()
    monkeypatch.setenv(variable, value)
    assert set(refusals()) == {variable}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLASK_CONFIG", "production"),
        ("PORT", "70000"),
        ("PORT", "http"),
        ("PASSWORD_COST", "3"),
        ("PASSWORD_COST", "17"),
        ("PASSWORD_PEPPERS", "a-secret-without-an-id"),
        ("PASSWORD_PEPPERS", f"p$:{KEY}"),
        ("PASSWORD_PEPPERS", f"p:{KEY},p:{KEY}z"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "oracle://db/x"),
        ("DATABASE_URL", "postgresql+asyncpg://db/x"),
        ("DATABASE_URL", "postgresql://db.example.com"),
        ("DATABASE_URL", "no url"),
        ("DATABASE_POOLER", "session"),
        ("DATABASE_POOLER", "transaction"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("NATS_URL", "http://127.0.0.1"),
        ("AUDIT_NATS_SUBJECT", "audit.>"),
        ("MAIL_URL", "smtp://"),
        ("BASE_URL", "app.example.com"),
        ("BASE_URL", "https://app.example.com/path"),
        ("BASE_URL", "https://[app"),
        ("TRUSTED_HOSTS", "*"),
        ("TRUSTED_HOSTS", "app.example.com:443"),
        ("TRUSTED_PROXIES", "-1"),
        ("THROTTLE_SIGN_IN", "10"),
        ("THROTTLE_REGISTER", "ten/minute"),
        ("MAX_BODY_BYTES", "1"),
        ("LOG_FORMAT", "xml"),
        ("SESSION_HOURS", "0"),
        ("REMEMBER_DAYS", "401"),
    ],
)
def test_a_badly_written_value_is_named_in_every_house_and_never_shown(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_CONFIG", "dev")
    monkeypatch.setenv(variable, value)
    found = refusals()
    assert set(found) == {variable}
    assert KEY not in str(found)


def test_what_is_only_outgrown_warns_and_starts() -> None:
    values = GOOD | {"database_url": "sqlite:///data.db"}
    del values["database_system_url"]
    loaded = settings.load(**values)
    found = settings.problems(loaded, production=True)
    assert {each.variable for each in found} == {"DATABASE_URL", "REDIS_URL", "MAIL_URL"}
    assert all(each.warning for each in found)


def test_development_settings_are_told_what_production_would_ask_for() -> None:
    loaded = settings.load(flask_config="dev")
    assert settings.problems(loaded, production=False) == []
    found = settings.problems(loaded, production=True)
    assert {each.variable for each in found if not each.warning} == {"BASE_URL"}


def test_a_low_password_cost_is_for_tests_alone() -> None:
    assert settings.load(flask_config="test", password_cost=4).password_cost == 4
    assert set(refusals(flask_config="dev", password_cost=11)) == {"PASSWORD_COST"}


def test_development_needs_nothing_and_keeps_everything_under_var(tmp_path: Path) -> None:
    loaded = settings.load(flask_config="dev", port="8080")
    assert loaded.database_url == f"sqlite:///{tmp_path}/var/tenantry.db"
    assert loaded.database_url == loaded.database_system_url == loaded.database_admin_url
    assert loaded.base_url == "http://127.0.0.1:8080"
    assert loaded.log_format == "console"
    assert host_is_trusted("localhost:8080", loaded.trusted_hosts)
    assert len(loaded.secret_key.get_secret_value()) >= SECRET_LENGTH


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("postgres://u:p%40ss@h/d", "postgresql+psycopg://u:p%40ss@h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        ("mysql://u@h/d", "mariadb+pymysql://u@h/d?charset=utf8mb4"),
        ("mariadb://u@h/d?charset=latin1", "mariadb+pymysql://u@h/d?charset=utf8mb4"),
        ("sqlite:////data/t.db", "sqlite:////data/t.db"),
    ],
)
def test_database_urls_get_our_driver_and_lose_nothing(given: str, read: str) -> None:
    loaded = settings.load(flask_config="dev", database_url=given)
    assert loaded.database_url == read
    assert make_url(loaded.database_admin_url) == make_url(read)


def test_a_relative_sqlite_file_becomes_absolute(tmp_path: Path) -> None:
    loaded = settings.load(flask_config="dev", database_url="sqlite:///data.db")
    assert loaded.database_url == f"sqlite:///{tmp_path}/data.db"


def test_lists_are_comma_separated_and_an_empty_variable_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLASK_CONFIG", "dev")
    monkeypatch.setenv("TRUSTED_HOSTS", " App.example.com, .example.org ,")
    monkeypatch.setenv("DATABASE_URL", "")
    loaded = settings.load()
    assert loaded.trusted_hosts == ("app.example.com", ".example.org")
    assert loaded.dialect == "sqlite"


@pytest.mark.parametrize("host", ["app.example.com", "a.example.org", "example.org", "example.com"])
def test_our_reading_of_trusted_hosts_is_that_of_werkzeug(host: str) -> None:
    values = GOOD | {"trusted_hosts": "app.example.com,.example.org", "base_url": f"https://{host}"}
    if host_is_trusted(host, ["app.example.com", ".example.org"]):
        assert settings.load(**values).base_url == f"https://{host}"
    else:
        assert set(refusals(**values)) == {"TRUSTED_HOSTS"}


@pytest.mark.parametrize("rates", ["10/minute", "5 per 2 hours", "1/second", "100 PER 10 days"])
def test_every_rate_that_is_taken_can_be_counted(rates: str) -> None:
    loaded = settings.load(flask_config="dev", throttle_sign_in=rates)
    assert parse_limit(loaded.throttle_sign_in).amount > 0


def test_no_secret_shows_when_settings_are_printed() -> None:
    values = GOOD | {
        "database_url": "postgresql://app:hunter2@db.example.com/tenantry",
        "redis_url": "redis://:hunter2@127.0.0.1/0",
        "mail_url": "smtp://me:hunter2@mail.example.com",
    }
    shown = repr(settings.load(**values))
    assert "hunter2" not in shown
    assert KEY not in shown


def test_settings_cannot_be_changed_later() -> None:
    loaded = settings.load(flask_config="dev")
    with pytest.raises(ValueError, match="frozen"):
        loaded.port = 1  # type: ignore[misc]


def test_the_first_start_makes_secrets_that_later_ones_find(tmp_path: Path) -> None:
    first = settings.load(flask_config="dev")
    again = settings.load(flask_config="dev")
    assert again.secret_key == first.secret_key
    assert again.peppers == first.peppers
    file = tmp_path / "var" / local_secrets.FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    assert settings.load(flask_config="dev", var_dir="other").secret_key != first.secret_key


def test_a_given_secret_goes_before_the_file() -> None:
    made = settings.load(flask_config="dev")
    given = settings.load(flask_config="dev", secret_key=KEY)
    assert given.secret_key.get_secret_value() == KEY
    assert given.peppers == made.peppers


def test_production_never_looks_at_the_local_secrets() -> None:
    settings.load(flask_config="dev")
    assert set(refusals(**GOOD | {"secret_key": ""})) == {"SECRET_KEY"}


def test_half_a_secrets_file_refuses_to_start(tmp_path: Path) -> None:
    file = tmp_path / "var" / local_secrets.FILE_NAME
    file.parent.mkdir()
    file.write_text(f"SECRET_KEY={KEY}\n")
    assert "PASSWORD_PEPPERS" in refusals(flask_config="dev")["VAR_DIR"].what


def test_a_var_dir_that_is_no_folder_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert set(refusals(flask_config="dev", var_dir="file")) == {"VAR_DIR"}


def _make_secrets(folder: Path, start: object, results: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    results.put(local_secrets.read_or_create(folder))  # type: ignore[attr-defined]


def test_processes_that_start_at_once_find_the_same_secrets(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(4), context.Queue()
    folder = tmp_path / "deep" / "var"
    arguments = (folder, start, results)
    processes = [context.Process(target=_make_secrets, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert all(each == found[0] for each in found)
    assert [each.name for each in folder.iterdir()] == [local_secrets.FILE_NAME]


def test_the_sample_file_shows_every_setting_and_no_other() -> None:
    text = (ROOT / ".sample_flaskenv").read_text("utf-8")
    shown = set(re.findall(r"^#([A-Z_]+)=", text, re.MULTILINE))
    fields = {name.upper() for name in Settings.model_fields}
    assert shown - {"TEST_POSTGRESQL_URL", "TEST_MARIADB_URL"} == fields


def test_the_committed_environment_holds_no_secret() -> None:
    lines = (ROOT / ".flaskenv").read_text("utf-8").splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert names == {"FLASK_APP", "FLASK_CONFIG"}


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_pepper_hides_its_secret() -> None:
    loaded = settings.load(**GOOD)
    assert isinstance(loaded.password_peppers[0], Pepper)
    assert KEY not in str(loaded.password_peppers)
