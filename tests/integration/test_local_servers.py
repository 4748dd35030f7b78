"""The local servers as a person meets them: started, used, killed, in the way of each other, and ended."""

import os
import shutil
import signal
import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymysql
import pytest

from lake.errors import LakeError
from lake.settings import Settings, parse_env_file, read_settings
from local import postgresql
from local.mariadb import socket_path, user
from local.processes import is_alive, is_taken, start, wait_until
from local.servers import SERVERS, down, status, up
from local.shop_database import make_shop
from local.state import read_state, write_state


def settings_of(home: Path, **more: str) -> Settings:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME") if name in os.environ}
    return read_settings({**kept, "LAKE_HOME": str(home), **more})


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a lake"
    folder.mkdir()
    yield folder
    down(settings_of(folder))
    shutil.rmtree(postgresql.home_folder(settings_of(folder)), ignore_errors=True)


def kill(home: Path, name: str) -> None:
    process = read_state(home / ".lake")[name].process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(process), 10)


def states(home: Path) -> dict[str, str]:
    return {server.name: server.state for server in status(settings_of(home))}


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    password = read_state(home / ".lake")["mariadb"].secrets["reader_password"]
    port = read_state(home / ".lake")["mariadb"].port
    identity = {"host": "127.0.0.1", "port": port, "user": "shop_reader", "password": password, "database": "shop"}
    with pymysql.connect(**identity) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def test_every_server_answers_after_up_and_none_after_down(home: Path) -> None:
    started = up(settings_of(home))
    assert [(server.name, server.is_new) for server in started] == [(server.NAME, True) for server in SERVERS]
    assert set(states(home).values()) == {"running"}
    assert sorted(down(settings_of(home))) == ["feeds", "mariadb", "minio", "postgresql"]
    assert set(states(home).values()) == {"stopped"}
    assert not any(Path(f"/proc/{server.pid}/cmdline").exists() and is_running(server.pid) for server in started)


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_up_again_starts_nothing_and_changes_no_address(home: Path) -> None:
    first = up(settings_of(home))
    again = up(settings_of(home))
    assert [(server.name, server.address, server.pid) for server in again] == [(s.name, s.address, s.pid) for s in first]
    assert not any(server.is_new for server in again)


def test_a_folder_with_a_long_path_works_too(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 25)
    home.mkdir()
    try:
        up(settings_of(home))
        assert rows(home, "SELECT count(*) FROM customers") == [(13,)]
    finally:
        down(settings_of(home))
        socket_path(settings_of(home)).parent.rmdir()


def test_two_ups_at_once_start_each_server_once(home: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(up, [settings_of(home)] * 2)
    assert {server.pid for server in one} == {server.pid for server in other}


def test_a_killed_server_is_started_again_with_its_port_and_data(home: Path) -> None:
    up(settings_of(home))
    before = read_state(home / ".lake")["mariadb"].port
    kill(home, "mariadb")
    assert states(home) == {"minio": "running", "mariadb": "dead", "postgresql": "running", "feeds": "running"}
    assert [server.name for server in up(settings_of(home)) if server.is_new] == ["mariadb"]
    assert read_state(home / ".lake")["mariadb"].port == before
    assert rows(home, "SELECT count(*) FROM customers") == [(13,)]


def test_a_taken_port_is_named_with_the_process_that_has_it(home: Path) -> None:
    up(settings_of(home))
    kill(home, "feeds")
    port = read_state(home / ".lake")["feeds"].port
    assert wait_until(lambda: not is_taken(port), 10)  # the threads of a killed process end one after the other
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with pytest.raises(LakeError, match=rf"feeds: port {port} is taken by process {os.getpid()} \("):
            up(settings_of(home))


def test_down_leaves_alone_what_up_did_not_start(home: Path) -> None:
    up(settings_of(home))
    stranger = start(["/bin/sleep", "60"], {}, home / "stranger.log")
    state = read_state(home / ".lake")
    ours = state["feeds"].process
    assert ours is not None
    state["feeds"].process = type(ours)(stranger.pid, ours.started, ours.command)
    write_state(home / ".lake", state)
    try:
        assert sorted(down(settings_of(home))) == ["mariadb", "minio", "postgresql"]
        assert is_alive(stranger)
    finally:
        os.kill(stranger.pid, signal.SIGKILL)
        os.kill(ours.pid, signal.SIGTERM)


def test_credentials_lie_in_private_files_and_on_no_command_line(home: Path) -> None:
    started = up(settings_of(home))
    values = parse_env_file((home / ".lake" / "env").read_text(), "env")
    assert (home / ".lake" / "env").stat().st_mode & 0o777 == 0o600
    hidden = [secret for server in read_state(home / ".lake").values() for secret in server.secrets.values()]
    assert values["LAKE_S3_SECRET_ACCESS_KEY"] in hidden
    shown = "".join(Path(f"/proc/{server.pid}/cmdline").read_text() for server in started)
    logged = "".join(path.read_text(errors="replace") for path in (home / ".lake" / "logs").iterdir())
    assert not [secret for secret in hidden if secret in shown + logged]


def test_the_settings_find_every_server(home: Path) -> None:
    up(settings_of(home))
    found = settings_of(home)
    assert (found.root, found.s3_endpoint) == ("s3://lake", f"http://127.0.0.1:{read_state(home / '.lake')['minio'].port}")
    with urllib.request.urlopen(f"{found.environment['SHOP_FILES_URL']}/exchange_rates.csv") as answer:
        assert answer.readline() == b"date,currency,usd\n"
    with urllib.request.urlopen(f"{found.environment['FAKESTORE_URL']}/products/category/men%27s%20clothing") as answer:
        assert answer.read().count(b'"id":') == 4


def test_the_shops_customers_can_be_read_and_not_written(home: Path) -> None:
    up(settings_of(home))
    assert rows(home, "SELECT customer_id, name FROM customers WHERE customer_id IN (1, 12)") == [
        (1, "John Doe"),
        (12, "Søren Østergård"),
    ]
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        rows(home, "DELETE FROM customers")


def test_nobody_comes_in_as_root_by_tcp(home: Path) -> None:
    up(settings_of(home))
    port = read_state(home / ".lake")["mariadb"].port
    with pytest.raises(pymysql.err.OperationalError):
        pymysql.connect(host="127.0.0.1", port=port, user="root")


def test_customers_that_were_changed_stay_changed(home: Path) -> None:
    settings = settings_of(home)
    up(settings)
    password = read_state(home / ".lake")["mariadb"].secrets["reader_password"]
    before = rows(home, "SELECT * FROM customers ORDER BY 1")
    make_shop(socket_path(settings), user(), "shop_reader", password)
    assert rows(home, "SELECT * FROM customers ORDER BY 1") == before


def test_a_server_that_the_environment_puts_elsewhere_is_not_started(home: Path) -> None:
    settings = settings_of(
        home, LAKE_S3_ENDPOINT="http://127.0.0.1:1", SHOP_DATABASE_URL="mysql://me:hidden@db.example.com/shop"
    )
    assert [server.name for server in up(settings)] == ["postgresql", "feeds"]
    shown = {server.name: (server.state, server.address) for server in status(settings)}
    assert shown["minio"] == ("foreign", "http://127.0.0.1:1")
    assert shown["mariadb"] == ("foreign", "mysql://db.example.com/shop")


def test_sourcing_the_env_file_does_not_make_the_servers_foreign(home: Path) -> None:
    up(settings_of(home))
    sourced = parse_env_file((home / ".lake" / "env").read_text(), "env")
    assert {server.state for server in status(settings_of(home, **sourced))} == {"running"}


def test_servers_survive_ctrl_c_in_the_terminal(home: Path) -> None:
    for server in up(settings_of(home)):
        assert os.getsid(server.pid) == server.pid


def test_a_bucket_that_was_not_made_before_a_kill_is_made_by_the_next_up(home: Path) -> None:
    up(settings_of(home))
    state = read_state(home / ".lake")
    (home / ".lake" / "minio" / "lake").rmdir()
    state["minio"].is_provisioned = False
    write_state(home / ".lake", state)
    up(settings_of(home))
    assert (home / ".lake" / "minio" / "lake").is_dir()
