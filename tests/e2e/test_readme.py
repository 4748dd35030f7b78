"""Does what the README says, in a fresh copy of the checkout."""

import tempfile
from pathlib import Path

import pytest

from lake.settings import HOME
from tests.documents import Block, blocks, unsaid
from tests.e2e.conftest import Copy
from tests.e2e.reader import Reader

pytestmark = pytest.mark.slow
README = HOME / "README.md"
#: The first is what the copy began with, the second is what runs this.
ELSEWHERE = ("make local-run", "make test")


def _blocks(kind: str) -> list[Block]:
    return [block for block in blocks(README) if block.kind == kind]


COMMANDS = [command for block in _blocks("sh") for command in block.commands]


@pytest.fixture
def reader(copy: Copy) -> Reader:
    """A reader at the copy, in the environment of a user."""
    return Reader(copy.folder, copy.lake.environment)


def test_local_run_prints_what_the_readme_shows(copy: Copy) -> None:
    assert copy.local_run.code == 0, copy.local_run.out
    assert COMMANDS[0] == ELSEWHERE[0]
    assert unsaid(_blocks("text")[0].text, copy.local_run.out + copy.local_run.err) == []


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in ELSEWHERE])
def test_every_other_command_of_the_readme_works(reader: Reader, command: str) -> None:
    ended = reader.types(command)
    assert ended.code == 0, ended.err


def test_the_answer_shown_is_the_answer(reader: Reader) -> None:
    question = next(command for command in COMMANDS if "category_summary" in command)
    assert reader.types(question).out == _blocks("text")[1].text


def test_the_notebook_lines_give_a_frame_from_any_folder(reader: Reader, tmp_path: Path) -> None:
    (cell,) = _blocks("python")
    program = tmp_path / "cell.py"
    program.write_text(f"{cell.text}print(frame.to_csv(index=False))\n")
    ended = reader.types(f"{reader.checkout}/.venv/bin/python {program}", Path(tempfile.gettempdir()))
    assert ended.code == 0, ended.err
    assert "jewelery,220.995,4" in ended.out
