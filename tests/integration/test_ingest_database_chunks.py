"""Real servers of both families, read in chunks: each row once, proven, gone on with after a kill, and by a cursor."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ingest.database
import ingest.database_check
import ingest.database_parts
from ingest.amounts import Amount
from ingest.database import DatabaseBot
from ingest.landing import Wish
from ingest.originals import Fetched, Moved, Visit, Window
from lake.errors import LakeError, SourceError, TemporaryError, UsageError
from local.processes import is_alive, wait_until
from store.objects import Objects
from tests.integration.conftest import Server, lake_of
from tests.integration.databases import Database, insert, landed, newest, read, values, visit


@pytest.fixture
def lake(minio_server: Server, tmp_path: Path) -> Objects:
    return Objects(lake_of(minio_server, tmp_path))


def test_a_table_is_read_in_chunks_along_its_key_and_resumed_behind_each(database: Database, tmp_path: Path) -> None:
    database.run("create table things (a int, id int, v varchar(9), primary key (a, id))")
    insert(database, [f"({n % 3}, {n}, 'v{n}')" for n in range(20)])
    source = database.source(chunk_rows=7)
    whole = read(source, tmp_path)
    expected = sorted((n % 3, n) for n in range(20))
    assert values(whole, "a", "id") == expected
    assert [part.resume is None for part in whole] == [False, False, True]
    for position, part in enumerate(whole[:-1], 1):
        assert values(read(source, tmp_path, resume=part.resume), "a", "id") == expected[7 * position :]


def test_chunks_that_end_with_the_table_end_the_run(database: Database, tmp_path: Path) -> None:
    database.run("create table things (id int primary key)")
    insert(database, [f"({n})" for n in range(10)])
    parts = read(database.source(chunk_rows=5), tmp_path)
    assert [n for (n,) in values(parts, "id")] == list(range(10))


def test_how_far_it_is_is_told_of_as_many_rows_as_the_server_guesses(database: Database, lake: Objects, tmp_path: Path) -> None:
    database.run("create table things (id int primary key)")
    insert(database, [f"({n})" for n in range(1_000)])
    database.run({"mysql": "analyze table things", "postgresql": "analyze things"}[database.engine])
    told: list[Amount] = []
    read(database.source(chunk_rows=250), tmp_path, came=told.append)
    assert [each.rows for each in told] == [0, 250, 500, 750, 1_000]
    assert [each.share for each in told] == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.05)
    told.clear()
    read(database.source(chunk_rows=250, cursor={"column": "id", "start": 900}), tmp_path, came=told.append)
    assert [each.rows for each in told] == [0, 100]
    assert told[1].share == pytest.approx(1, abs=0.2)


KEYS = ["", "a", "A", "á", "ß", "ss", "a b", "ab", "Z", "z", "É", "e", "'", '"', "\\", "\\'", "%", "_", "10", "9", "日本", "😀"]


def test_text_keys_keep_the_order_of_their_own_index(database: Database, tmp_path: Path) -> None:
    collation = {"mysql": "character set utf8mb4 collate utf8mb4_bin", "postgresql": 'collate "C.utf8"'}[database.engine]
    database.run(f"create table things (id varchar(20) {collation} primary key)")
    quote = {"mysql": lambda key: key.replace("\\", "\\\\").replace("'", "''")}.get(
        database.engine, lambda key: key.replace("'", "''")
    )
    insert(database, [f"('{quote(key)}')" for key in KEYS])
    for size in (1, 3, 100):
        assert sorted(values(read(database.source(chunk_rows=size), tmp_path), "id")) == sorted((key,) for key in KEYS)


def test_keys_that_a_collation_sorts_oddly_come_once_each(database: Database, tmp_path: Path) -> None:
    declared = {"mysql": "character set latin1 collate latin1_german2_ci", "postgresql": 'collate "und-x-icu"'}[database.engine]
    database.run(f"create table things (id varchar(20) {declared} primary key)")
    keys = ["a", "b", "ä", "Ö", "o", "P", "straße", "Zebra", "z10", "z9", "_", "-", "é"]
    insert(database, [f"('{key}')" for key in keys])
    for size in (1, 2, 5):
        assert sorted(values(read(database.source(chunk_rows=size), tmp_path), "id")) == sorted((key,) for key in keys)


KEY_TYPES = [
    ("bigint", "-9223372036854775808", "-1", "9007199254740993", "9223372036854775807"),
    ("decimal(30,10)", "-1.0000000001", "0.0000000001", "12345678901234567890.0000000001", "12345678901234567890.0000000002"),
    ("date", "'2019-12-31'", "'2020-01-01'", "'2020-02-29'", "'9999-12-31'"),
    (
        "timestamp(6)",
        "'2020-01-01 00:00:00.000001'",
        "'2020-01-01 00:00:00.000002'",
        "'2020-01-01 00:00:01'",
        "'2037-01-01 00:00:00'",
    ),
    ("char(3)", "'a'", "'aa'", "'ab'", "'b'"),
    ("uuid", *(f"'123e4567-e89b-12d3-a456-42665544000{n}'" for n in range(4))),
]


@pytest.mark.parametrize("key", KEY_TYPES, ids=[kind for kind, *_ in KEY_TYPES])
def test_keys_of_every_kind_are_compared_exactly(database: Database, tmp_path: Path, key: tuple[str, ...]) -> None:
    kind, *keys = key
    database.run(f"create table things (id {kind} not null, n int, primary key (id))")
    insert(database, [f"({value}, {number})" for number, value in enumerate(keys)])
    parts = read(database.source(chunk_rows=1), tmp_path)
    assert [n for (n,) in values(parts, "n")] == [0, 1, 2, 3]
    assert len(parts) >= 4


def test_bytes_and_many_kinds_make_a_key_too(database: Database, tmp_path: Path) -> None:
    kind = {"mysql": "varbinary(4)", "postgresql": "bytea"}[database.engine]
    database.run(f"create table things (id {kind} not null, n int not null, primary key (id, n))")
    literal = {"mysql": "x'{}'", "postgresql": "'\\x{}'"}[database.engine]
    rows = [(text, n) for text in ("", "00", "0001", "7c", "ff") for n in (2, 1)]
    insert(database, [f"({literal.format(text)}, {n})" for text, n in rows])
    found = values(read(database.source(chunk_rows=3), tmp_path), "id", "n")
    assert found == sorted((bytes.fromhex(text), n) for text, n in rows)


def test_a_table_without_a_key_is_read_in_one_statement(database: Database, tmp_path: Path) -> None:
    database.run("create table things (id int, v varchar(5), unique (v))")
    insert(database, [f"({n}, null)" for n in range(25)])
    (part,) = read(database.source(chunk_rows=10), tmp_path)
    assert sorted(n for (n,) in values([part], "id")) == list(range(25))
    assert part.resume is None


def test_a_unique_index_without_nulls_serves_as_a_key(database: Database, tmp_path: Path) -> None:
    database.run("create table things (id int not null, v varchar(5), unique (id))")
    insert(database, [f"({n}, null)" for n in range(5)])
    assert len(read(database.source(chunk_rows=2), tmp_path)) == 3


def test_wide_rows_are_cut_into_originals_of_bounded_size(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest.database_parts, "PART_BYTES", 1_000_000)
    database.run(
        "create table things (id int primary key, v text)".replace("text", "longtext" if database.engine == "mysql" else "text")
    )
    for n in range(6):
        database.run(f"insert into things values ({n}, repeat('{n}', 400000))")
    database.run("insert into things values (6, repeat('x', 3000000)), (7, '')")
    parts = read(database.source(), tmp_path)
    assert [pq.read_metadata(part.path).num_rows for part in parts] == [2, 2, 2, 1, 1]
    assert [len(text) for (text,) in values(parts, "v")] == [400_000] * 6 + [3_000_000, 0]
    assert values(read(database.source(), tmp_path, resume=parts[1].resume), "id") == [(4,), (5,), (6,), (7,)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_rows_any_chunks_and_any_kill_give_each_row_once(database: Database, tmp_path: Path, data: st.DataObject) -> None:
    text = st.text(st.sampled_from("aAbB'\\ %é😀0|"), max_size=3)
    keys = data.draw(st.sets(st.tuples(st.integers(-3, 3), text), max_size=25))
    if database.engine == "mysql":  # its index takes keys that differ in spaces at their end for equal
        keys = {(n, key.rstrip(" ")) for n, key in keys}
    binary = {"mysql": "character set utf8mb4 collate utf8mb4_bin", "postgresql": 'collate "und-x-icu"'}[database.engine]
    database.run("drop table if exists things")
    database.run(f"create table things (k varchar(9) {binary} not null, n int not null, id int, primary key (n, k))")
    hexed = {"mysql": "convert(x'{}' using utf8mb4)", "postgresql": "convert_from('\\x{}', 'UTF8')"}[database.engine]
    if keys:
        insert(database, [f"({hexed.format(key.encode().hex())}, {n}, {position})" for position, (n, key) in enumerate(keys)])
    source = database.source(chunk_rows=data.draw(st.integers(1, 7)))
    parts = read(source, tmp_path)
    assert sorted(values(parts, "n", "k")) == sorted(keys)
    kill = data.draw(st.integers(0, len(parts) - 1))
    if parts[kill].resume:
        rest = read(source, tmp_path, resume=parts[kill].resume)
        assert values(parts[: kill + 1], "n", "k") + values(rest, "n", "k") == values(parts, "n", "k")


def test_a_run_goes_on_when_the_server_was_killed_and_started_again(database: Database, tmp_path: Path) -> None:
    database.run("create table things (id int primary key)")
    insert(database, [f"({n})" for n in range(30)])
    parts = DatabaseBot(database.source(chunk_rows=10), {}).originals(visit(tmp_path))
    first = next(parts)
    # PostgreSQL's first process leaves its others alone when it is killed; SIGQUIT is its own word for a crash.
    os.kill(database.server.process.pid, signal.SIGKILL if database.engine == "mysql" else signal.SIGQUIT)
    assert wait_until(lambda: not is_alive(database.server.process), 10)
    database.server.start()
    assert [n for (n,) in values([first, *parts], "id")] == list(range(30))


def test_a_server_that_stays_away_is_temporary_trouble(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest.database, "PAUSES", (0.01, 0.01))
    database.run("create table things (id int primary key)")
    insert(database, ["(1)", "(2)"])
    parts = DatabaseBot(database.source(chunk_rows=1), {}).originals(visit(tmp_path))
    next(parts)
    database.server.stop()
    try:
        with pytest.raises(TemporaryError):
            list(parts)
    finally:
        database.server.start()


def test_another_process_goes_on_where_one_was_stopped(
    database: Database, lake: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run("create table things (id int primary key)")
    insert(database, [f"({n})" for n in range(30)])
    source = database.source(chunk_rows=10)
    genuine, read_chunks = DatabaseBot.originals, []

    def stops(self: DatabaseBot, visit: Visit) -> Iterator[Fetched]:
        for part in genuine(self, visit):
            if len(read_chunks) == 2:
                raise TemporaryError("the machine is going down")
            read_chunks.append(part)
            yield part

    monkeypatch.setattr(DatabaseBot, "originals", stops)
    with pytest.raises(TemporaryError):
        landed(source, lake)
    monkeypatch.setattr(DatabaseBot, "originals", genuine)
    statements: list[str] = []
    spy_on(monkeypatch, database.engine, statements)
    assert landed(source, lake).rows == 30
    assert newest(lake) == [str(n) for n in range(30)]
    assert len(statements) == 2


def spy_on(monkeypatch: pytest.MonkeyPatch, engine: str, statements: list[str]) -> None:
    from ingest.mysql import MySql
    from ingest.postgres import Postgres

    server = MySql if engine == "mysql" else Postgres
    genuine = server.batches

    def batches(self: Any, statement: str, columns: int) -> Iterator[list[Any]]:
        statements.append(statement)
        return genuine(self, statement, columns)

    monkeypatch.setattr(server, "batches", batches)


def test_a_table_that_was_altered_is_not_gone_on_with(database: Database, tmp_path: Path) -> None:
    database.run("create table things (id int primary key)")
    insert(database, ["(1)", "(2)"])
    first, *_ = read(database.source(chunk_rows=1), tmp_path)
    database.run("alter table things add column v int")
    with pytest.raises(Moved, match="columns or its key have changed"):
        read(database.source(chunk_rows=1), tmp_path, resume=first.resume)


def test_all_chunks_show_the_table_as_it_was_when_the_run_began(database: Database, tmp_path: Path) -> None:
    database.run("create table things (id int primary key, v int)")
    insert(database, [f"({n}, 0)" for n in range(6)])
    parts = DatabaseBot(database.source(chunk_rows=2), {}).originals(visit(tmp_path))
    first = next(parts)
    database.run("update things set v = 1")
    database.run("delete from things where id = 5")
    assert values([first, *parts], "id", "v") == [(n, 0) for n in range(6)]


def test_a_row_that_changes_on_its_way_is_noticed(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database.run("create table things (id int primary key, v varchar(9))")
    insert(database, ["(1, 'a')", "(2, null)", "(3, '')"])
    genuine = ingest.database_check.as_text

    def altered(column: Any, field: Any, where: str) -> Any:
        import pyarrow as pa

        texts = genuine(column, field, where)
        return texts if field.name == "id" else pa.array(["a", "", ""], pa.string())

    monkeypatch.setattr(ingest.database_check, "as_text", altered)
    with pytest.raises(SourceError, match="got a row that differs from its checksum"):
        read(database.source(), tmp_path)


def test_a_row_that_is_lost_on_its_way_is_noticed(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest.mysql import MySql
    from ingest.postgres import Postgres

    database.run("create table things (id int primary key)")
    insert(database, ["(1)", "(2)", "(3)"])
    for server in (MySql, Postgres):
        genuine = server.batches
        monkeypatch.setattr(
            server, "batches", lambda *given, genuine=genuine: ([c.slice(1) for c in each] for each in genuine(*given))
        )
    with pytest.raises(SourceError, match="got 2 rows, expected 3 as the same statement counts"):
        read(database.source(), tmp_path)


CURSOR = {"load": "merge", "key": ["id"], "columns": {"id": "bigint"}}


def test_only_new_and_changed_rows_are_read_by_a_cursor(database: Database, lake: Objects) -> None:
    database.run("create table things (id int primary key, changed_at timestamp(6) not null)")
    insert(database, ["(1, '2020-01-01 00:00:00.000001')", "(2, '2020-01-02 00:00:00')"])
    source = database.source(cursor={"column": "changed_at"}, **CURSOR)
    assert landed(source, lake).rows == 2
    assert landed(source, lake).outcome == "unchanged"
    insert(database, ["(3, '2020-01-02 00:00:00')"])
    assert (landed(source, lake).rows, newest(lake)) == (2, ["2", "3"])
    database.run("update things set changed_at = '2020-01-03 00:00:00' where id = 1")
    assert (landed(source, lake).rows, newest(lake)) == (3, ["1", "2", "3"])
    assert landed(source, lake).outcome == "unchanged"


def test_a_lag_reads_again_what_was_committed_late(database: Database, lake: Objects) -> None:
    database.run("create table things (id int primary key, changed_at timestamp not null)")
    insert(database, ["(1, '2020-01-01 00:00:00')", "(2, '2020-01-02 00:00:00')"])
    source = database.source(cursor={"column": "changed_at", "lag": "10 minutes"}, **CURSOR)
    landed(source, lake)
    insert(database, ["(3, '2020-01-01 23:55:00')", "(4, '2020-01-01 23:45:00')"])
    assert (landed(source, lake).rows, newest(lake)) == (2, ["2", "3"])


def test_a_number_is_a_cursor_too_and_begins_where_it_is_told(database: Database, lake: Objects) -> None:
    database.run("create table things (id int primary key, version bigint not null)")
    insert(database, [f"({n}, {9007199254740990 + n})" for n in range(6)])
    source = database.source(cursor={"column": "version", "start": 9007199254740993, "lag": 1}, **CURSOR)
    assert (landed(source, lake).rows, newest(lake)) == (3, ["3", "4", "5"])
    insert(database, ["(6, 9007199254740996)"])
    assert (landed(source, lake).rows, newest(lake)) == (3, ["4", "5", "6"])


def test_a_row_that_changes_while_a_run_is_gone_on_with_is_left_to_the_next(database: Database, tmp_path: Path) -> None:
    database.run("create table things (id int primary key, version int not null)")
    insert(database, [f"({n}, {n})" for n in range(4)])
    source = database.source(cursor={"column": "version"}, chunk_rows=2, **CURSOR)
    first, *_ = read(source, tmp_path)
    database.run("update things set version = 10 where id in (0, 3)")
    rest = read(source, tmp_path, resume=first.resume)
    assert values(rest, "id") == [(2,)]
    assert rest[-1].cursor == {"column": "version", "value": "3", "at": 1}
    assert values(read(source, tmp_path, cursor=rest[-1].cursor), "id") == [(0,), (3,)]


def problem(source: Any, lake: Objects, kind: type[LakeError], wish: Wish | None = None) -> str:
    with pytest.raises(kind) as caught:
        landed(source, lake, wish)
    return str(caught.value)


def test_a_cursor_that_goes_backwards_or_is_null_is_named(database: Database, lake: Objects) -> None:
    database.run("create table things (id int primary key, version int)")
    insert(database, ["(1, 10)", "(2, 20)"])
    source = database.source(cursor={"column": "version"}, **CURSOR)
    landed(source, lake)
    database.run("delete from things where id = 2")
    assert "got a largest version below that of the last run" in problem(source, lake, SourceError)
    assert landed(source, lake, Wish(is_full=True)).rows == 1
    insert(database, ["(3, null)"])
    assert "got 1 rows whose version is null, expected none" in problem(source, lake, SourceError)


def test_a_table_with_a_cursor_that_was_emptied_is_named_until_all_is_read_again(database: Database, lake: Objects) -> None:
    database.run("create table things (id int primary key, version int)")
    insert(database, ["(1, 10)", "(2, 20)"])
    source = database.source(cursor={"column": "version"}, **CURSOR)
    landed(source, lake)
    database.run("delete from things")
    said = problem(source, lake, SourceError)
    assert "got no rows where the last run saw some: the table was emptied, expected them to stay" in said
    assert "`lake ingest things --full` reads all again" in said
    landed(source, lake, Wish(is_full=True))
    assert landed(source, lake).outcome == "unchanged"
    insert(database, ["(1, 3)"])
    assert landed(source, lake).rows == 1


@pytest.mark.parametrize("load", ["append", "snapshot"])
def test_a_table_without_a_cursor_that_was_emptied_is_named(database: Database, lake: Objects, load: str) -> None:
    database.run("create table things (id int primary key)")
    source = database.source(load=load, key=["id"])
    assert landed(source, lake).notes == []
    insert(database, ["(1)", "(2)"])
    assert landed(source, lake).notes == []
    database.run("delete from things")
    assert landed(source, lake).notes == ["got no rows where the run before had 2: was the source emptied?"]
    assert landed(source, lake).notes == []


def test_a_window_reads_beside_the_cursor(database: Database, lake: Objects) -> None:
    database.run("create table things (id int primary key, changed_at timestamp not null)")
    insert(database, [f"({n}, '2020-01-0{n} 00:00:00')" for n in range(1, 8)])
    source = database.source(cursor={"column": "changed_at"}, **CURSOR)
    landed(source, lake)
    window = Wish(window=Window("2020-01-02", "2020-01-04"))
    assert (landed(source, lake, window).rows, newest(lake)) == (2, ["2", "3"])
    assert landed(source, lake).outcome == "unchanged"
    assert "got a window without a cursor" in problem(database.source(**CURSOR), lake, UsageError, window)
