"""Settings come from one place each, and secrets never show."""

from pathlib import Path

import pytest

from lake.errors import UsageError
from lake.references import public_url, resolved
from lake.settings import parse_env_file, read_settings

WRITTEN = """
export LAKE_ROOT='s3://lake'
export LAKE_S3_ENDPOINT='http://127.0.0.1:1'
export LAKE_S3_ACCESS_KEY_ID='local'
export LAKE_S3_SECRET_ACCESS_KEY='hidden'
export FAKESTORE_URL='http://127.0.0.1:2'
"""


@pytest.fixture
def home(tmp_path: Path) -> str:
    (tmp_path / ".lake").mkdir()
    (tmp_path / ".lake" / "env").write_text(WRITTEN)
    return str(tmp_path)


def test_what_up_wrote_is_used_when_the_environment_says_nothing(home: str) -> None:
    settings = read_settings({"LAKE_HOME": home})
    assert (settings.s3_endpoint, settings.s3_access_key) == ("http://127.0.0.1:1", "local")


def test_naming_another_store_ignores_the_local_ones_identity(home: str) -> None:
    settings = read_settings({"LAKE_HOME": home, "LAKE_ROOT": "s3://elsewhere/below/"})
    assert (settings.s3_endpoint, settings.s3_access_key) == ("", "")
    assert (settings.bucket, settings.prefix) == ("elsewhere", "below/")
    assert settings.environment["FAKESTORE_URL"] == "http://127.0.0.1:2"


def test_a_secret_shows_in_no_picture_of_the_settings(home: str) -> None:
    settings = read_settings({"LAKE_HOME": home})
    assert str(settings.s3_secret_key) == "hidden"
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LAKE_ROOT", "/data", "expected s3://BUCKET"),
        ("LAKE_CATALOG", "hive", "expected sqlite:FILE, glue or rest:URL"),
        ("LAKE_LEASE_SECONDS", "soon", "expected a number of seconds"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_expected(tmp_path: Path, name: str, value: str, expected: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: got .*{expected}"):
        read_settings({"LAKE_HOME": str(tmp_path), name: value})


def test_a_wrong_line_of_the_env_file_is_named() -> None:
    with pytest.raises(UsageError, match=r"env:2: got .*expected export"):
        parse_env_file("export A='1'\nnonsense\n", "env")


def test_a_reference_is_replaced_or_says_what_to_set(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    template = f"${{env:HOST:-http://x}}/${{file:{secret}}}"
    assert resolved(template, {}, "a.yaml: url") == "http://x/s3cret"
    with pytest.raises(UsageError, match=r"a.yaml: url: \$\{env:HOST\} is not set"):
        resolved("${env:HOST}", {}, "a.yaml: url")


def test_a_public_url_keeps_no_user_password_key_or_fragment() -> None:
    shown = public_url("https://me:pw@host:1/a?page=2&api_key=abc&token=def#frag")
    assert shown == "https://host:1/a?page=2&api_key=***&token=***"
