from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dealerflow.composition.settings import WrongSetting, reference, secret_of, settings_of

ROOT = Path(__file__).parents[2]


def test_without_anything_set_all_stands_in_the_data_directory(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {})
    assert settings.database_url == f"sqlite:///{tmp_path}/dealerflow.db"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.smtp_url == ""


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "dealerflow.toml").write_text('port = 1001\nhost = "10.0.0.1"\nlog_level = "debug"\n')
    environment = {"DEALERFLOW_PORT": "1002", "DEALERFLOW_HOST": "10.0.0.2"}
    settings = settings_of(tmp_path, environment, port=1003, host=None)
    assert (settings.port, settings.host, settings.log_level) == (1003, "10.0.0.2", "debug")
    assert settings.public_url == "http://10.0.0.2:1003"


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    assert settings_of(tmp_path, {"DEALERFLOW_PORT": " "}).port == 8000


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_postgresql_address_is_taken_as_people_write_it(tmp_path: Path, scheme: str) -> None:
    settings = settings_of(tmp_path, {"DEALERFLOW_DATABASE_URL": f"{scheme}://me@there/cars"})
    assert settings.database_url == "postgresql+psycopg://me@there/cars"


def test_every_wrong_setting_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "dealerflow.toml").write_text('prot = 80\nworkers = 0\nsmtp_url = "mail.example"\n')
    environment = {
        "DEALERFLOW_PORT": "tcp://10.0.0.1",
        "DEALERFLOW_LOG_LEVEL": "loud",
        "DEALERFLOW_DATABSE_URL": "postgresql://x",
        "DEALERFLOW_DATABASE_URL": "mysql://x",
        "DEALERFLOW_SECRET_KEY": "short",
        "DEALERFLOW_PUBLIC_URL": "cars.example",
        "DEALERFLOW_WEBHOOKS_TO_PRIVATE_ADDRESSES": "perhaps",
    }
    with pytest.raises(WrongSetting) as raised:
        settings_of(tmp_path, environment)
    said = raised.value.detail.splitlines()
    assert sorted(said) == [
        (
            "DEALERFLOW_DATABASE_URL: must begin with postgresql:// or sqlite:///, "
            "like postgresql://user:password@host/name"
        ),
        "DEALERFLOW_DATABSE_URL is no setting; did you mean DEALERFLOW_DATABASE_URL?",
        "DEALERFLOW_LOG_LEVEL: must be one of debug, error, info, warning",
        "DEALERFLOW_PORT: must be a whole number from 0 to 65535",
        "DEALERFLOW_PUBLIC_URL: must be the pages' address, like https://cars.example.com",
        "DEALERFLOW_SECRET_KEY: must have at least 32 characters",
        "DEALERFLOW_WEBHOOKS_TO_PRIVATE_ADDRESSES: must be true or false",
        "dealerflow.toml: there is no setting 'prot'; did you mean port?",
        (
            "smtp_url in dealerflow.toml: must be like smtp://host:port, smtps://user:password@host "
            "or smtp+starttls://user:password@host:587"
        ),
        "workers in dealerflow.toml: must be a whole number from 1 to 64",
    ]


def test_a_wrong_setting_is_never_printed(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting) as raised:
        settings_of(tmp_path, {"DEALERFLOW_SECRET_KEY": "hunter2"})
    assert "hunter2" not in raised.value.detail


def test_variables_that_others_give_such_names_do_not_matter(tmp_path: Path) -> None:
    settings_of(
        tmp_path, {"DEALERFLOW_SERVICE_HOST": "10.0.0.1", "DEALERFLOW_DATA": "x", "DEALERFLOW_DEBUG": "1"}
    )


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "dealerflow.toml").write_text("port: 80")
    with pytest.raises(WrongSetting, match=r"dealerflow\.toml cannot be read"):
        settings_of(tmp_path, {})


def test_links_lead_to_where_serve_listened_last(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "address").write_text("http://127.0.0.1:8123\n")
    assert settings_of(tmp_path, {}).public_url == "http://127.0.0.1:8123"
    assert (
        settings_of(tmp_path, {"DEALERFLOW_PUBLIC_URL": "https://a.example/"}).public_url
        == "https://a.example"
    )


def test_the_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "new", {})
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(lambda _: secret_of(settings), range(8)))
    assert len(secrets) == 1
    assert len(secrets.pop()) == 64
    assert stat.S_IMODE((tmp_path / "new" / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret.key"]


def test_a_secret_that_is_set_leaves_no_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"DEALERFLOW_SECRET_KEY": "k" * 32})
    assert secret_of(settings) == "k" * 32
    assert list(tmp_path.iterdir()) == []


def test_an_empty_secret_file_is_not_taken_for_a_secret(tmp_path: Path) -> None:
    (tmp_path / "secret.key").touch()
    with pytest.raises(WrongSetting, match="does not hold a signing secret"):
        secret_of(settings_of(tmp_path, {}))


def test_the_reference_says_what_the_settings_are() -> None:
    written = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    assert written == reference(), "run: make docs"
