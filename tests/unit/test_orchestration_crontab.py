"""The lake's block in a crontab: its place, its marks, its lines; every other line stays as it is."""

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import UsageError
from lake.settings import Settings, read_settings
from lake.sources import source_from
from orchestration.cron_block import block
from orchestration.crontab import command_line, marks, parted
from tests.unit.test_lake_declarations import GOOD

FIRST, LAST = marks("/lake")
BLOCK = [FIRST, "* * * * * lake", LAST]
LINES = st.lists(st.text(st.characters(exclude_characters="\n"), max_size=8), max_size=6)


@given(LINES, LINES)
def test_a_block_is_put_replaced_and_taken_out_and_nothing_else_moves(before: list[str], after: list[str]) -> None:
    text = "".join(f"{line}\n" for line in [*before, *BLOCK, *after])
    found = parted(text, "/lake")
    assert found.block == BLOCK
    assert found.text(found.block) == text
    assert found.text(None) == "".join(f"{line}\n" for line in [*before, *after])


def test_a_new_block_goes_behind_all_other_lines_even_one_without_an_end() -> None:
    assert parted("MAILTO=me\n0 1 * * * mine", "/lake").text(BLOCK) == "\n".join(["MAILTO=me", "0 1 * * * mine", *BLOCK, ""])


def test_the_block_of_another_lake_is_other_lines() -> None:
    found = parted("\n".join(BLOCK), "/other")
    assert (found.before, found.block) == (BLOCK, None)


@pytest.mark.parametrize(
    "lines", [[FIRST, "x"], ["x", LAST], [LAST, FIRST], [*BLOCK, *BLOCK], [FIRST, *BLOCK]], ids=lambda lines: str(len(lines))
)
def test_a_damaged_block_is_refused(lines: list[str]) -> None:
    with pytest.raises(UsageError, match=r"crontab: got a damaged block \(marks in line .*correct it with `crontab -e`"):
        parted("\n".join(lines), "/lake")


def test_a_percent_sign_and_a_space_reach_the_shell_as_they_are() -> None:
    line = command_line("* * * * *", {"LAKE_HOME": "/my lake/100%"}, ["/my lake/100%/lake", "cron"], "/log")
    assert line.count("\\%") == line.count("%") == 2
    assert shlex.split(line.replace("\\%", "%"))[5:8] == ["LAKE_HOME=/my lake/100%", "/my lake/100%/lake", "cron"]


def test_a_line_that_cron_cannot_read_is_refused() -> None:
    with pytest.raises(UsageError, match="expected at most 990 in one"):
        command_line("* * * * *", {"LAKE_HOME": "/" + "x" * 1000}, ["lake"], "/log")


def settings(home: Path, **environ: str) -> Settings:
    return read_settings({"LAKE_HOME": str(home), "PATH": "/usr/bin", **environ})


def lines(here: Settings, **keys: str) -> str:
    source = source_from({**GOOD, "schedule": "7 * * * *", **keys}, "goods.yaml")
    other = source_from({**GOOD, "name": "others", "schedule": "7  * * * *"}, "others.yaml")
    return "\n".join(block(here, {"goods": source, "others": other}))


def test_sources_with_the_same_schedule_stand_together_and_one_line_runs_all(tmp_path: Path) -> None:
    text = lines(settings(tmp_path))
    assert "#   7 * * * *  goods, others" in text
    assert [line[:9] for line in text.splitlines() if not line.startswith("#")] == ["* * * * *"]


def test_upkeep_stands_among_the_schedules_unless_it_is_off(tmp_path: Path) -> None:
    assert "#   33 3 * * *  `lake maintain`" in lines(settings(tmp_path)).splitlines()
    other = lines(settings(tmp_path, LAKE_MAINTAIN=" 7  * * * * "))
    assert other.splitlines()[3:5] == ["#   7 * * * *  goods, others", "#   7 * * * *  `lake maintain`"]
    assert " LAKE_MAINTAIN=' 7  * * * * ' " in other
    off = lines(settings(tmp_path, LAKE_MAINTAIN="off"))
    assert "`lake maintain`" not in off
    assert " LAKE_MAINTAIN=off " in off


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("daily", "expected five fields: "),
        ("61 3 * * *", "bad minute, expected five fields: "),
        ("", "expected five fields: "),
    ],
)
def test_a_wrong_time_of_upkeep_is_named_with_what_is_expected(tmp_path: Path, value: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        lines(settings(tmp_path, LAKE_MAINTAIN=value))
    assert f"LAKE_MAINTAIN: got {value!r}, {said}" in str(caught.value)
    assert str(caught.value).endswith(", or `off`")


def test_plain_settings_of_the_shell_go_along_and_those_of_files_do_not(tmp_path: Path) -> None:
    (tmp_path / ".lake").mkdir()
    (tmp_path / ".lake" / "env").write_text("export LAKE_ROOT='s3://lake'\nexport LAKE_S3_SECRET_ACCESS_KEY='hidden'\n")
    text = lines(settings(tmp_path, LAKE_ROOT="s3://lake", LAKE_S3_SECRET_ACCESS_KEY="hidden", LAKE_SPARK_MEMORY="3g"))
    assert "LAKE_SPARK_MEMORY=3g" in text
    assert "LAKE_ROOT" not in text
    assert "hidden" not in text


@pytest.mark.parametrize("name", ["LAKE_S3_SECRET_ACCESS_KEY", "LAKE_ANNOUNCE", "GOODS_TOKEN"])
def test_a_secret_that_cron_would_not_find_is_named_and_not_shown(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        lines(settings(tmp_path, **{name: "hidden"}), url="http://x/?token=${env:GOODS_TOKEN:-none}")
    assert f"cron: got {name} in this shell alone" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_secret_in_a_private_environment_file_is_named_by_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("export LAKE_ANNOUNCE='mail me'\nexport LAKE_S3_SECRET_ACCESS_KEY='hidden'\n")
    with pytest.raises(UsageError, match="run `chmod 600` on it"):
        lines(settings(tmp_path, LAKE_ENVIRONMENT_FILE="secrets.env"))
    os.chmod(file, 0o600)
    here = settings(tmp_path, LAKE_ENVIRONMENT_FILE="secrets.env")
    assert (str(here.announce), str(here.s3_secret_key)) == ("mail me", "hidden")
    text = lines(here)
    assert f"LAKE_ENVIRONMENT_FILE={file}" in text
    assert "hidden" not in text
    assert settings(tmp_path, LAKE_ENVIRONMENT_FILE="secrets.env", LAKE_ANNOUNCE="me").announce == "me"


def test_an_environment_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="LAKE_ENVIRONMENT_FILE: nowhere cannot be read: No such file"):
        settings(tmp_path, LAKE_ENVIRONMENT_FILE="nowhere")


def test_servers_that_were_started_here_are_started_after_a_boot(tmp_path: Path) -> None:
    assert "@reboot" not in lines(settings(tmp_path))
    (tmp_path / ".lake").mkdir()
    (tmp_path / ".lake" / "servers.json").write_text("{}")
    assert lines(settings(tmp_path)).splitlines()[-2].startswith("@reboot LAKE_HOME=")
