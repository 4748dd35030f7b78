"""Temporary folders live as long as their owner, however that ends."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.settings import HOME
from store import scratch

OWNER = """
import sys
from store.scratch import scratch
with scratch() as folder:
    (folder / "big").write_text("bytes")
    print(folder, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scratch.remove_abandoned.cache_clear()
    yield tmp_path
    scratch.remove_abandoned.cache_clear()


def owner(place: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process that has a folder, and the folder."""
    environment = {**os.environ, "TMPDIR": str(place)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", OWNER], cwd=HOME, env=environment, text=True, **pipes)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_a_folder_goes_with_its_block(place: Path) -> None:
    with scratch.scratch() as folder:
        assert folder.parent == place
        (folder / "file").write_text("x")
    assert list(place.iterdir()) == []


def test_the_folder_of_a_killed_process_goes_with_the_next_command_and_no_other_does(place: Path) -> None:
    other = place / "embalse-postgresql-0123"
    other.mkdir()
    dead, abandoned = owner(place)
    living, used = owner(place)
    dead.kill()
    dead.wait()
    assert (abandoned / "big").exists()
    with scratch.scratch() as mine:
        assert set(place.iterdir()) == {other, used, mine}
        scratch.remove_abandoned.cache_clear()
        with scratch.scratch() as another:
            assert set(place.iterdir()) == {other, used, mine, another}
    assert (used / "big").exists()
    living.communicate("end\n")
    assert set(place.iterdir()) == {other}


def test_a_folder_that_another_command_removed_before_it_had_an_owner_is_made_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, real = [], tempfile.mkdtemp

    def swept_at_once(prefix: str) -> str:
        made.append(real(prefix=prefix))
        if len(made) == 1:
            os.rmdir(made[0])
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", swept_at_once)
    with scratch.scratch() as folder:
        assert [str(folder)] == made[1:]
        assert folder.is_dir()
