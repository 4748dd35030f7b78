"""What set-up decides before it does anything: stamps, order of steps, sums of jars, words for a person."""

import hashlib
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from local.debian import install_command, java_home, java_version, missing_packages
from local.jars import check_jars, locked_jars
from local.minio_build import OLDEST_GO, go_version
from local.steps import Stamp, Step, StepFailed, command, run_steps
from local.venv import SITE, locked_lines


def a_step(name: str, log: list[str], needs: tuple[str, ...] = (), is_done: bool = False) -> Step:
    return Step(name, needs, lambda: is_done, lambda: log.append(name), "at work")


def test_a_step_waits_for_those_it_needs() -> None:
    log: list[str] = []
    run_steps([a_step("jars", log, needs=("venv",)), a_step("venv", log, needs=("system",)), a_step("system", log)])
    assert log == ["system", "venv", "jars"]


def test_a_step_that_is_done_is_skipped_and_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    log: list[str] = []
    assert run_steps([a_step("venv", log, is_done=True), a_step("jars", log, needs=("venv",))]) == ["jars"]
    assert log == ["jars"]
    assert "venv: already there" in capsys.readouterr().err


def test_nothing_that_needs_a_failed_step_is_begun() -> None:
    log: list[str] = []

    def fail() -> None:
        raise StepFailed("venv: no space")

    with pytest.raises(StepFailed, match="no space"):
        run_steps([Step("venv", (), lambda: False, fail, "at work"), a_step("jars", log, needs=("venv",))])
    assert log == []


def test_a_step_begins_as_soon_as_its_own_needs_are_met() -> None:
    from threading import Event

    venv_is_there = Event()

    def wait_for_venv() -> None:
        assert venv_is_there.wait(10)

    slow = Step("minio", (), lambda: False, wait_for_venv, "at work")
    run_steps(
        [a_step("system", [], is_done=True), slow, Step("venv", ("system",), lambda: False, venv_is_there.set, "at work")]
    )


def test_a_stamp_is_current_only_for_its_key(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "stamps" / "venv", lambda: "lock 1")
    stamp.around(lambda: None)()
    assert stamp.is_current()
    assert not Stamp(stamp.path, lambda: "lock 2").is_current()


def test_a_step_killed_in_the_middle_leaves_no_stamp(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "venv", lambda: "lock")
    stamp.around(lambda: None)()

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stamp.around(die)()
    assert not stamp.is_current()


def test_a_program_that_fails_shows_the_end_of_its_output_and_the_next_command() -> None:
    script = "print('first'); [print('line', n) for n in range(40)]; raise SystemExit(3)"
    with pytest.raises(StepFailed) as failed:
        command([sys.executable, "-c", script], "make setup", {})
    assert "got exit code 3, expected 0" in str(failed.value)
    assert "line 39" in str(failed.value)
    assert "first" not in str(failed.value)
    assert str(failed.value).endswith("next: make setup")


def test_a_wrong_jar_is_removed_and_named_with_both_sums(tmp_path: Path) -> None:
    jar = tmp_path / "iceberg.jar"
    jar.write_bytes(b"tampered")
    right = hashlib.sha256(b"right").hexdigest()
    with pytest.raises(StepFailed) as failed:
        check_jars(tmp_path, {"iceberg.jar": right})
    assert f"iceberg.jar: got SHA-256 {hashlib.sha256(b'tampered').hexdigest()}, expected {right}" in str(failed.value)
    assert not jar.exists()


def test_a_right_jar_stays(tmp_path: Path) -> None:
    (tmp_path / "iceberg.jar").write_bytes(b"right")
    check_jars(tmp_path, {"iceberg.jar": hashlib.sha256(b"right").hexdigest(), "missing.jar": "0"})
    assert (tmp_path / "iceberg.jar").exists()


def test_the_list_of_jars_and_their_sums_name_the_same_artifacts() -> None:
    from xml.etree import ElementTree as ET

    from local.jars import FOLDER

    listed = ET.parse(FOLDER / "ivy.xml").iter("dependency")
    assert sorted(f"{jar.get('name')}-{jar.get('rev')}.jar" for jar in listed) == list(locked_jars())


def test_a_machine_without_anything_misses_every_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.debian.JVMS", tmp_path)
    monkeypatch.setattr("local.debian.mariadb_program", lambda name, environ: None)
    monkeypatch.setattr("local.debian.POSTGRESQL_PROGRAMS", tmp_path)
    assert missing_packages({"PATH": str(tmp_path)}) == [
        "openjdk-17-jre-headless",
        "mariadb-server-core",
        "mariadb-client-core",
        "postgresql",
    ]


def test_a_person_gets_one_command_for_all_that_is_missing() -> None:
    words = install_command(["openjdk-17-jre-headless", "python3-venv"], sudo=True)
    packages = "openjdk-17-jre-headless python3-venv"
    assert words == f"sudo apt-get update && sudo apt-get install --yes --no-install-recommends {packages}"


def test_without_root_and_sudo_nothing_is_installed_and_the_exit_code_is_2(monkeypatch: pytest.MonkeyPatch) -> None:
    from local.debian import install

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(StepFailed, match="missing openjdk-17-jre-headless\nnext: sudo apt-get") as failed:
        install(["openjdk-17-jre-headless"], {"PATH": ""})
    assert failed.value.exit_code == 2


def test_a_java_of_another_version_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("old", "11.0.2"), ("java-17-openjdk-amd64", "17.0.15")):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "java").touch()
        (tmp_path / name / "release").write_text(f'JAVA_VERSION="{version}"\n')
    monkeypatch.setattr("local.debian.JVMS", tmp_path)
    assert java_version(tmp_path / "old") == "11.0.2"
    assert java_home({"JAVA_HOME": str(tmp_path / "old"), "PATH": ""}) == tmp_path / "java-17-openjdk-amd64"


@pytest.mark.parametrize(("shown", "is_enough"), [("go version go1.26.8 linux/amd64", True), ("go1.9", False), ("", False)])
def test_the_version_of_go_is_compared_as_numbers(shown: str, is_enough: bool) -> None:
    assert (go_version(shown) >= OLDEST_GO) is is_enough


def test_the_part_of_a_lock_that_pins_one_package_ends_where_the_next_begins() -> None:
    lock = "urllib3==2.8.0 \\\n    --hash=sha256:aa\nuv==0.13.9 \\\n    --hash=sha256:bb\n    # via -r requirements.in\nzstandard==1\n"
    assert locked_lines("uv", lock) == "uv==0.13.9 \\\n    --hash=sha256:bb\n    # via -r requirements.in\n"


def test_the_driver_gets_the_locked_jars_in_a_fixed_order(tmp_path: Path) -> None:
    from lake.settings import read_settings
    from local.spark import driver_options

    options = driver_options(read_settings({"LAKE_HOME": str(tmp_path), "LAKE_SPARK_JARS": "/jars", "LAKE_SPARK_MEMORY": "3g"}))
    assert options[:4] == ["--driver-class-path", ":".join(f"/jars/{name}" for name in locked_jars()), "--driver-memory", "3g"]
    assert "SharedArchiveFile" not in options[5]


def test_spark_gets_the_identity_of_the_settings_and_not_the_users_own(tmp_path: Path) -> None:
    from lake.settings import read_settings
    from local.spark import spark_environment

    own = {"AWS_SESSION_TOKEN": "old", "AWS_ACCESS_KEY_ID": "old", "LAKE_HOME": str(tmp_path)}
    lake = {"LAKE_S3_ACCESS_KEY_ID": "key", "LAKE_S3_SECRET_ACCESS_KEY": "hidden", "LAKE_S3_REGION": "eu-west-1"}
    values = spark_environment(read_settings({**own, **lake}))
    assert (values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], values["AWS_REGION"]) == (
        "key",
        "hidden",
        "eu-west-1",
    )
    assert "AWS_SESSION_TOKEN" not in values
    assert values["PYSPARK_PYTHON"] == values["PYSPARK_DRIVER_PYTHON"]


def test_a_program_that_outlives_its_set_up_still_keeps_a_second_one_waiting(tmp_path: Path) -> None:
    import fcntl
    import os
    import subprocess

    from local.cache import only_one

    with only_one(tmp_path / "lock", is_inherited=True):
        program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    file = os.open(tmp_path / "lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    program.communicate(b"\n")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(file)


def test_the_environment_s_packages_are_compiled_whatever_python_is_told() -> None:
    modules = list((SITE / "great_expectations" / "expectations" / "core").glob("*.py"))
    assert modules
    assert [str(path) for path in modules if not Path(cache_from_source(str(path))).exists()] == []
