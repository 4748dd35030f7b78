"""How a job's end is told: a failure with its last words, a death by its signal, and nobody left behind."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lake.errors import LakeError
from lake.settings import read_settings
from local.processes import wait_until
from orchestration import spark_process
from orchestration.spark_process import Ended, Place, run_job
from tests.e2e.user import command_lines

BEFORE = """import os, signal, subprocess, sys; print('{"event": "table", "state": "failed", "table": "a"}', flush=True); """


def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> tuple[Ended, list[dict[str, Any]]]:
    """How a job ends that runs this program in place of Spark, and what it told."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(spark_process, "submit_command", lambda *given: [sys.executable, "-c", program, str(tmp_path)])
    settings = read_settings({"LAKE_HOME": str(tmp_path)})
    return run_job(settings, Place([], {}, tmp_path / "none"), "01RUN", "build", told.append), told


@pytest.mark.parametrize(
    ("end", "name"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("sys.exit(137)", "SIGKILL"),
        ("sys.exit(143)", "SIGTERM"),
        ("os.abort()", "SIGABRT"),
    ],
)
def test_a_killed_job_is_temporary_and_names_its_signal_whatever_it_said_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, name: str
) -> None:
    ended, told = job(tmp_path, monkeypatch, BEFORE + end)
    assert ended.exit_code == 75
    assert ended.error.startswith(f"the Spark job was killed by {name}")
    assert ("LAKE_SPARK_MEMORY" in ended.error) == (name == "SIGKILL")
    assert "the next `lake run` goes on" in ended.error
    assert [event.get("error") for event in told] == [None, ended.error]


def test_a_job_that_dies_in_silence_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LakeError, match=r"ended with 52; the end of .lake/logs/job-01RUN.log:\nout of heap"):
        job(tmp_path, monkeypatch, "import sys; print('out of heap'); sys.exit(52)")


def test_a_job_that_told_of_its_failure_ends_with_its_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, _ = job(tmp_path, monkeypatch, BEFORE + "sys.exit(3)")
    assert (ended.exit_code, ended.error) == (3, "")


def test_what_outlives_its_jvm_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = "subprocess.Popen(['sleep', '86399.5'], stdout=subprocess.DEVNULL); "
    job(tmp_path, monkeypatch, BEFORE + child + "os.kill(os.getpid(), signal.SIGKILL)")
    assert wait_until(lambda: "sleep 86399.5" not in command_lines(), 10)


def test_the_temporary_files_of_a_job_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = (
        BEFORE
        + """
import json, tempfile
print(json.dumps({"event": "made", "name": tempfile.mkstemp()[1], "java": os.environ["JDK_JAVA_OPTIONS"]}), flush=True)
os.kill(os.getpid(), signal.SIGKILL)"""
    )
    _, (_, made, _) = job(tmp_path, monkeypatch, program)
    room = Path(made["name"]).parent
    assert (room.parent, made["java"]) == (tmp_path, f"-Djava.io.tmpdir={room}")
    assert not room.exists()
