"""What the local servers remember, and who else may read it."""

from pathlib import Path

import pytest

from lake.errors import LakeError, TemporaryError
from lake.settings import parse_env_file
from local.processes import Process, is_alive, wait_until_ready
from local.state import ServerState, check_space, read_state, write_env, write_state

GONE = Process(2**22 + 1, "1", ["minio"])


def test_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    state = {
        "minio": ServerState(9000, {"secret_key": "k"}, Process(7, "11", ["minio", "server"]), True),
        "feeds": ServerState(1),
    }
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state


def test_only_their_owner_may_read_what_servers_remember(tmp_path: Path) -> None:
    write_state(tmp_path, {})
    write_env(tmp_path, {"LAKE_ROOT": "s3://lake"})
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("servers.json", "env")] == [0o600, 0o600]


def test_the_env_file_is_what_the_settings_read(tmp_path: Path) -> None:
    values = {"LAKE_ROOT": "s3://lake", "SHOP_DATABASE_URL": "mysql://shop_reader:a-b_c@127.0.0.1:3306/shop"}
    write_env(tmp_path, values)
    assert parse_env_file((tmp_path / "env").read_text(), "env") == values


def test_an_env_file_that_others_may_read_is_closed_again(tmp_path: Path) -> None:
    write_env(tmp_path, {"LAKE_ROOT": "s3://lake"})
    (tmp_path / "env").chmod(0o644)
    write_env(tmp_path, {"LAKE_ROOT": "s3://lake"})
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600


def test_too_little_space_is_a_reason_to_try_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.state.LEAST_FREE_BYTES", 2**62)
    with pytest.raises(TemporaryError, match=r"got \d+ MB free, expected at least"):
        check_space(tmp_path)


def test_a_process_that_got_the_same_number_later_is_not_ours(tmp_path: Path) -> None:
    import os

    assert not is_alive(Process(os.getpid(), "1", ["python"]))


def test_a_server_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "minio.log").write_text("FATAL bad drive\n")
    with pytest.raises(LakeError, match="minio: the server ended while starting") as failed:
        wait_until_ready("minio", GONE, lambda: False, tmp_path / "minio.log", 1)
    assert "FATAL bad drive" in str(failed.value)


def test_a_server_that_ends_for_want_of_space_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mariadb.log").write_text("InnoDB: No space left on device\n")
    with pytest.raises(TemporaryError, match="mariadb: the disk is full"):
        wait_until_ready("mariadb", GONE, lambda: False, tmp_path / "mariadb.log", 1)
