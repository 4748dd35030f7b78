"""What a laptop brings is looked at, and named when it is not as set up."""

from pathlib import Path

import pytest

from lake.probing import NotHere, Unwell
from lake.settings import Settings, read_settings
from local import debian, jars, probes, spark
from local.cache import sha256


def look(settings: Settings, name: str) -> str:
    return next(probe for probe in probes.machine_probes(settings) if probe.name == name).look()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"LAKE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LAKE_SPARK_JARS": str(tmp_path / "jars")})


@pytest.mark.parametrize("name", ["python", "java", "spark"])
def test_what_was_set_up_is_well(settings: Settings, name: str) -> None:
    assert look(settings, name)


def test_another_lock_than_the_installed_one_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "venv_key", lambda: "another lock")
    with pytest.raises(Unwell, match=r"the packages in .venv are not those of requirements.txt") as caught:
        look(settings, "python")
    assert caught.value.hint == "run `make setup`"


def test_a_missing_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "JVMS", tmp_path)
    with pytest.raises(Unwell, match="got no Java 17"):
        look(read_settings({"LAKE_HOME": str(tmp_path), "PATH": str(tmp_path)}), "java")


def test_another_spark_than_the_locked_one_is_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("pyspark==9.9.9 \\\n    --hash=x\n")
    monkeypatch.setattr(probes, "LOCK", lock)
    with pytest.raises(Unwell, match=r"got PySpark 4\.1\.1, expected 9\.9\.9"):
        look(settings, "spark")


def test_a_jar_that_is_missing_or_was_changed_is_named_and_stays(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jars").mkdir()
    jar = tmp_path / "jars" / "one.jar"
    jar.write_bytes(b"bytes")
    digest = sha256(jar)
    monkeypatch.setattr(probes, "locked_jars", lambda: {"one.jar": digest})
    assert look(settings, "jars") == "1 as locked"
    jar.write_bytes(b"Bytes")
    with pytest.raises(Unwell, match=r"one\.jar is not the file that local/jars/SHA256SUMS names"):
        look(settings, "jars")
    assert jar.exists()
    monkeypatch.setattr(probes, "locked_jars", jars.locked_jars)
    with pytest.raises(Unwell, match="is missing in"):
        look(settings, "jars")


def test_an_archive_of_another_java_is_named(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = tmp_path / "stamp"
    monkeypatch.setattr(spark, "STAMP", stamp)
    stamp.write_text(spark.archive_key(settings))
    assert look(settings, "class-data archive")
    stamp.write_text("another")
    with pytest.raises(Unwell, match="made for another Java"):
        look(settings, "class-data archive")


def test_servers_that_ended_are_named_and_those_never_started_are_passed_over(settings: Settings) -> None:
    with pytest.raises(NotHere, match="none was ever started here"):
        look(settings, "servers")
    (settings.local).mkdir()
    gone = '{"port": 1, "secrets": {"access_key": "a", "secret_key": "b"}, "is_provisioned": true, "process": %s}'
    process = '{"pid": 4000000, "started": "1", "command": ["minio"]}'
    (settings.local / "servers.json").write_text('{"minio": ' + gone % process + "}")
    with pytest.raises(Unwell, match="minio dead") as caught:
        look(settings, "servers")
    assert caught.value.hint.startswith("run `lake up`")
