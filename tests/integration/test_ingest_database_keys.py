"""The key sweep on real servers: which rows are gone is known of one snapshot, proven, and stored beside the originals."""

import io
import os
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ingest.database
import ingest.database_parts
from ingest.database import DatabaseBot
from ingest.landing import Wish
from ingest.originals import AllKeys, Stopped, Window
from ingest.verify import sweep, verify
from lake.errors import SourceError, TemporaryError
from local.processes import is_alive, wait_until
from store import raw
from store.manifests import Manifest
from store.objects import Objects
from tests.integration.conftest import decoded_rows
from tests.integration.databases import Database, insert, landed, newest, read, values, visit

SWEPT = {"load": "merge", "key": ["id"], "columns": {"id": "bigint", "v": "string"}, "deletes": "key_sweep"}
BY_VERSION = {**SWEPT, "cursor": {"column": "version"}}


def head(objects: Objects) -> Manifest:
    found = raw.head(objects, "things")
    assert found
    return found


def keys_of(objects: Objects) -> list[tuple[Any, ...]]:
    keys = head(objects).keys
    assert keys
    table = pq.read_table(io.BytesIO(objects.get(keys.key)))
    assert (table.column_names, table.num_rows) == (keys.fields, keys.rows)
    return [tuple(row.values()) for row in table.to_pylist()]


def swept(source: Any, folder: Path) -> list[tuple[Any, ...]]:
    found: list[AllKeys] = []
    read(source, folder, keep_keys=found.append)
    return [tuple(row.values()) for row in pq.read_table(found[0].path).to_pylist()]


def make(database: Database, versions: dict[int, int]) -> None:
    database.run("create table things (id int primary key, version int not null, v varchar(9))")
    insert(database, [f"({key}, {version}, 'v')" for key, version in versions.items()])


def test_a_run_in_which_only_a_row_was_deleted_is_a_new_run_and_an_unchanged_one_is_none(
    database: Database, objects: Objects
) -> None:
    make(database, {1: 10, 2: 20, 3: 30})
    source = database.source(**BY_VERSION)
    assert landed(source, objects).rows == 3
    assert keys_of(objects) == [("1",), ("2",), ("3",)]
    assert landed(source, objects).outcome == "unchanged"
    first = head(objects)
    database.run("delete from things where id = 2")
    assert (landed(source, objects).outcome, keys_of(objects)) == ("new", [("1",), ("3",)])
    second = head(objects)
    assert (second.first_decoding.rows, second.cursor, second.content != first.content) == (0, first.cursor, True)
    assert landed(source, objects).outcome == "unchanged"


def test_the_keys_are_no_decoded_rows_and_are_proven_like_any_object(database: Database, objects: Objects) -> None:
    make(database, {1: 10, 2: 20})
    landed(database.source(**BY_VERSION), objects)
    manifest = head(objects)
    assert manifest.keys
    assert [row["id"] for row in decoded_rows(objects, manifest.first_decoding)] == ["1", "2"]
    assert verify(objects, ["things"]).problems == []
    assert sweep(objects, "things") == []
    objects.put(manifest.keys.key, b"other")
    (problem,) = verify(objects, ["things"]).problems
    assert (problem.kind, problem.key) == ("changed", manifest.keys.key)


def test_a_row_that_changed_brings_its_row_and_all_keys_again(database: Database, objects: Objects) -> None:
    make(database, {1: 10, 2: 20})
    source = database.source(**BY_VERSION)
    landed(source, objects)
    database.run("update things set version = 30 where id = 1")
    landed(source, objects)
    assert (newest(objects), keys_of(objects)) == (["1", "2"], [("1",), ("2",)])


def test_a_lag_and_a_whole_table_find_deleted_rows_too(database: Database, objects: Objects) -> None:
    make(database, {1: 10, 2: 20})
    for number, source in enumerate(
        [database.source(**{**SWEPT, "cursor": {"column": "version", "lag": 5}}), database.source(**SWEPT)], 3
    ):
        database.run(f"insert into things values ({number}, 20, null)")
        landed(source, objects)
        landed(source, objects)
        assert landed(source, objects).outcome == "unchanged"
        database.run(f"delete from things where id = {number}")
        assert landed(source, objects).outcome == "new"
        assert keys_of(objects) == [("1",), ("2",)]


def test_a_window_sweeps_nothing_and_the_next_run_does_so_anew(database: Database, objects: Objects) -> None:
    make(database, {1: 10, 2: 20})
    source = database.source(**BY_VERSION)
    landed(source, objects)
    database.run("insert into things values (3, 5, 'late')")
    assert landed(source, objects, Wish(window=Window("5", "6"))).rows == 1
    assert head(objects).keys is None
    database.run("delete from things where id = 3")
    assert landed(source, objects).outcome == "new"  # the keys are those before the window, and yet row 3 is gone
    assert keys_of(objects) == [("1",), ("2",)]
    assert landed(source, objects).outcome == "unchanged"


def test_a_full_pull_sweeps_too(database: Database, objects: Objects) -> None:
    make(database, {1: 10, 2: 20})
    source = database.source(**BY_VERSION)
    landed(source, objects)
    database.run("delete from things where id = 1")
    assert landed(source, objects, Wish(is_full=True)).rows == 1
    assert keys_of(objects) == [("2",)]


def test_a_deleted_newest_row_is_no_cursor_gone_backwards_and_all_rows_are_read_again(
    database: Database, objects: Objects
) -> None:
    make(database, {1: 10, 2: 20})
    source = database.source(**BY_VERSION)
    landed(source, objects)
    database.run("delete from things where id = 2")
    database.run("insert into things values (3, 5, null)")
    pull = landed(source, objects)
    assert (newest(objects), keys_of(objects)) == (["1", "3"], [("1",), ("3",)])
    assert pull.notes == ["cursor: got a largest version below that of the last run; all rows are read again"]
    assert head(objects).cursor == {"column": "version", "value": "10", "at": 1}


def test_a_run_that_reads_all_rows_again_does_so_when_it_is_gone_on_with(database: Database, tmp_path: Path) -> None:
    make(database, {1: 10, 2: 20, 3: 30})
    source, seen = database.source(**BY_VERSION, chunk_rows=1), {"column": "version", "value": "100", "at": 1}
    first, *_ = read(source, tmp_path, cursor=seen)
    assert values(read(source, tmp_path, cursor=seen, resume=first.resume), "id") == [(2,), (3,)]


def test_an_emptied_table_has_no_keys_and_is_read_from_the_start_when_it_is_filled_again(
    database: Database, objects: Objects
) -> None:
    make(database, {1: 10, 2: 20})
    source = database.source(**BY_VERSION)
    landed(source, objects)
    database.run("delete from things")
    assert "the table was emptied; all rows are read again" in landed(source, objects).notes[0]
    assert keys_of(objects) == []
    assert landed(source, objects).outcome == "unchanged"
    insert(database, ["(7, 1, null)", "(8, 2, null)"])
    assert landed(source, objects).rows == 2


TYPES = {
    "mysql": ("decimal(20,4)", "timestamp(3)", "varbinary(4)", "x'00ff'"),
    "postgresql": ("numeric(20,4)", "timestamptz(3)", "bytea", "'\\x00ff'"),
}


def test_keys_have_the_very_texts_of_the_decoded_rows(database: Database, objects: Objects) -> None:
    decimal, instant, binary, value = TYPES[database.engine]
    database.run(
        f"create table things (a {decimal} not null, b {instant} not null, c varchar(9) not null, d {binary} not null,"
        " e double precision not null, f date not null, other text, primary key (a, b, f))"
    )
    insert(
        database,
        [
            f"(1.5, '2026-01-02 03:04:05', 'é|\"', {value}, 0.1, '2020-02-29', 'x')",
            f"(12345678901234.5678, '2026-01-02 03:04:05.006', '', {value}, 1e22, '9999-12-31', null)",
        ],
    )
    key = ["k1", "b", "c", "d", "e", "f"]
    columns = {"k1": {"type": "decimal(20,4)", "from": "a"}, **dict.fromkeys(key[1:], "string")}
    landed(database.source(**{**SWEPT, "key": key, "columns": columns}), objects)
    rows = decoded_rows(objects, head(objects).first_decoding)
    assert keys_of(objects) == [tuple(row[name] for name in key) for row in rows]
    keys = head(objects).keys
    assert keys
    assert keys.fields == ["a", "b", "c", "d", "e", "f"]


def test_keys_come_along_the_tables_own_key_chunk_by_chunk_in_bounded_pieces(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run("create table things (n int primary key, id varchar(9) not null, version int)")
    insert(database, [f"({n}, 'key{n % 50}-{n}', {n})" for n in range(100)])
    monkeypatch.setattr(ingest.database_parts, "PART_ROWS", 7)
    source = database.source(**{**BY_VERSION, "columns": {"id": "string"}, "chunk_rows": 20})
    found: list[AllKeys] = []
    read(source, tmp_path, keep_keys=found.append)
    file = pq.ParquetFile(found[0].path)
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [7] * 14 + [2]
    assert file.read().column("id").to_pylist() == [f"key{n % 50}-{n}" for n in range(100)]


def test_a_view_is_swept_in_one_statement_that_gives_equal_bytes(database: Database, tmp_path: Path) -> None:
    database.run("create table things (id int primary key, version int not null, v varchar(9))")
    insert(database, [f"({n}, {-n}, 'v')" for n in range(10)])
    query = "select id, version, v from things where id < 5 order by version"
    source = database.source(**{**BY_VERSION, "table": None, "query": query, "chunk_rows": 2})
    assert swept(source, tmp_path) == [("0",), ("1",), ("2",), ("3",), ("4",)]


def test_keys_are_of_the_snapshot_of_the_rows(database: Database, tmp_path: Path) -> None:
    make(database, {1: 10, 2: 20, 3: 30})
    found: list[AllKeys] = []
    parts = DatabaseBot(database.source(**BY_VERSION, chunk_rows=1), {}).originals(visit(tmp_path, keep_keys=found.append))
    next(parts)
    database.run("delete from things where id = 3")
    list(parts)
    assert pq.read_table(found[0].path).column("id").to_pylist() == ["1", "2", "3"]


def test_a_lost_connection_begins_the_sweep_anew(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(database, {1: 10, 2: 20, 3: 30})
    genuine = ingest.database.all_keys

    def killed_once(*given: Any) -> AllKeys:
        monkeypatch.setattr(ingest.database, "all_keys", genuine)
        os.kill(database.server.process.pid, signal.SIGKILL if database.engine == "mysql" else signal.SIGQUIT)
        assert wait_until(lambda: not is_alive(database.server.process), 10)
        database.server.start()
        database.run("delete from things where id = 1")
        return genuine(*given)

    monkeypatch.setattr(ingest.database, "all_keys", killed_once)
    assert swept(database.source(**BY_VERSION), tmp_path) == [("2",), ("3",)]


def test_a_key_that_is_lost_or_changed_on_its_way_is_noticed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.mysql import MySql
    from ingest.postgres import Postgres

    make(database, {1: 10, 2: 20, 3: 30})
    for server in (MySql, Postgres):
        genuine = server.batches

        def batches(*given: Any, genuine: Any = genuine) -> Any:
            for columns in genuine(*given):
                is_sweep = len(columns) == 3
                yield [column.slice(1) for column in columns] if is_sweep else columns

        monkeypatch.setattr(server, "batches", batches)
    with pytest.raises(SourceError, match="got 2 rows, expected 3 as the same statement counts"):
        swept(database.source(**BY_VERSION), tmp_path)

    def altered(column: Any, field: Any, where: str) -> Any:
        return pa.array(["1", "2", "4"], pa.string()) if field.name == "id" else column.cast(pa.string())

    monkeypatch.undo()
    monkeypatch.setattr(ingest.database_check, "as_text", altered)
    with pytest.raises(SourceError, match="got a row that differs from its checksum"):
        swept(database.source(**BY_VERSION), tmp_path)


def test_a_signal_ends_a_sweep_between_two_chunks(database: Database, tmp_path: Path) -> None:
    make(database, {1: 10, 2: 20, 3: 30})
    seeing = visit(tmp_path)
    seeing.stop.set()
    with pytest.raises(Stopped, match="while its keys were read"):
        list(DatabaseBot(database.source(**BY_VERSION, chunk_rows=2), {}).originals(seeing))


def test_a_run_that_died_during_its_sweep_is_gone_on_with_and_swept_later(
    database: Database, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(database, {key: key for key in range(30)})
    source = database.source(**BY_VERSION, chunk_rows=10)
    with monkeypatch.context() as patched:

        def dies(*given: Any) -> AllKeys:
            raise TemporaryError("the machine is going down")

        patched.setattr(ingest.database, "all_keys", dies)
        with pytest.raises(TemporaryError):
            landed(source, objects)
    database.run("delete from things where id = 0")
    assert landed(source, objects).rows == 30  # row 0 had come before the machine went down
    assert keys_of(objects) == [(str(key),) for key in range(1, 30)]
    assert verify(objects, ["things"]).problems == []


def test_a_key_column_that_the_table_has_not_is_named(database: Database, objects: Objects) -> None:
    make(database, {1: 10})
    source = database.source(**{**SWEPT, "columns": {"id": {"type": "bigint", "from": "number"}}})
    with pytest.raises(SourceError, match="got no column 'number', expected it among id, version, v"):
        landed(source, objects)
