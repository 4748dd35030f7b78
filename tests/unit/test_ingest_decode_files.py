"""Parquet, Excel, JSON lines and archives to rows of exact text."""

import datetime as dt
import decimal
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.decode import Place, decode, decoder_of
from ingest.decode_parquet import texts
from lake.errors import SourceError
from lake.sources import source_from


def decoded(folder: Path, data: bytes, columns: Any, **more: Any) -> list[dict[str, Any]]:
    declared = {"name": "things", "description": "One row per thing.", "kind": "files", "url": "http://h/t", "load": "append"}
    source = source_from({**declared, "columns": columns, **more}, "things.yaml")
    (folder / "original").write_bytes(data)
    place = Place("http://h/t", {"file": "t"}, "raw/things/original/000001.x", 1)
    decode(source, decoder_of(source), folder / "original", place, folder / "decoded")
    return pq.read_table(folder / "decoded").to_pylist()  # type: ignore[no-any-return]


def refused(folder: Path, data: bytes, columns: Any, **more: Any) -> str:
    with pytest.raises(SourceError) as caught:
        decoded(folder, data, columns, **more)
    return str(caught.value).removeprefix("things: http://h/t")


def parquet(**columns: pa.Array) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


NESTED = pa.struct([("a", pa.decimal128(3, 2)), ("b", pa.list_(pa.uint64()))])


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615"),
        (pa.array([-(2**63)], pa.int64()), "-9223372036854775808"),
        (pa.array([decimal.Decimal("0.00000000010")], pa.decimal128(38, 11)), "0.00000000010"),
        (pa.array([decimal.Decimal("9" * 65 + "." + "1" * 11)], pa.decimal256(76, 11)), "9" * 65 + "." + "1" * 11),
        (pa.array([0.1]), "0.1"),
        (pa.array([0.1], pa.float32()), "0.1"),
        (pa.array([1e300]), "1e+300"),
        (pa.array([True]), "true"),
        (pa.array([dt.date(2024, 2, 29)]), "2024-02-29"),
        (pa.array([1], pa.timestamp("ns", "Europe/Madrid")), "1970-01-01 00:00:00.000000001Z"),
        (
            pa.array([dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)], pa.timestamp("us", "Europe/Madrid")),
            "2024-07-01 12:00:00.000000Z",
        ),
        (pa.array([1_500], pa.timestamp("ms")), "1970-01-01 00:00:01.500"),
        (pa.array([1], pa.time64("us")), "00:00:00.000001"),
        (pa.array([b"\x00\xff"]), "00ff"),
        (pa.array(["x"]).dictionary_encode(), "x"),
        (pa.array([[1, None]]), "[1,null]"),
        (pa.array([{"a": decimal.Decimal("1.50"), "b": [2**64 - 1]}], NESTED), '{"a":1.50,"b":[18446744073709551615]}'),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())), '[["k",1]]'),
        (pa.array([{"at": 1}], pa.struct([("at", pa.timestamp("ns"))])), '{"at":"1970-01-01 00:00:00.000000001"}'),
        (pa.array([float("nan")]), "nan"),
    ],
)
def test_every_type_of_parquet_is_written_exactly(array: pa.Array, expected: str) -> None:
    assert texts(array).to_pylist() == [expected]


def test_parquet_rows_are_counted_and_what_nobody_declared_is_kept(tmp_path: Path) -> None:
    data = parquet(id=pa.array([1, None]), more=pa.array([decimal.Decimal("1.50"), None]), s=pa.array([{"x": 5}, None]))
    rows = decoded(tmp_path, data, {"id": "bigint", "x": {"type": "int", "from": "s.x"}}, format="parquet")
    assert [(row["id"], row["x"], row["_extra"], row["_raw_row"]["row"]) for row in rows] == [
        ("1", "5", '{"more":1.50,"s":{"x":5}}', 1),
        (None, None, None, 2),
    ]


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    assert "no Parquet file" in refused(tmp_path, b"a,b\n1,2\n", {"a": "string"}, format="parquet")
    assert "no column 'a', expected it among 'b'" in refused(
        tmp_path, parquet(b=pa.array([1])), {"a": "string"}, format="parquet"
    )


def workbook(**sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_excel_cells_are_read_as_they_are_meant(tmp_path: Path) -> None:
    at = dt.datetime.fromisoformat("2024-01-02 03:04:05")
    data = workbook(
        first=[["x"]],
        Data=[["made by hand"], ["n", "d", "t", "b"], [5, dt.date(2024, 2, 29), at, True], [0.1, None, None, False]],
    )
    columns = {"n": "decimal(5,1)", "d": "date", "t": "timestamp", "b": "boolean"}
    rows = decoded(tmp_path, data, columns, format="excel", sheet="Data", skip_lines=1)
    assert [(row["n"], row["d"], row["t"], row["b"], row["_raw_row"]["row"]) for row in rows] == [
        ("5", "2024-02-29", "2024-01-02 03:04:05", "true", 3),
        ("0.1", None, None, "false", 4),
    ]


def test_excel_errors_and_formulas_without_a_value_are_faults(tmp_path: Path) -> None:
    data = workbook(Data=[["a", "b"], ["#DIV/0!", 1], ["=1+1", 2], [3, 3]])
    rows = decoded(tmp_path, data, {"a": "bigint", "b": "bigint"}, format="excel")
    messages = [json.loads(row["_faults"])[0]["message"] if row["_faults"] else None for row in rows]
    assert [message and message.split(",")[0].split(";")[0] for message in messages] == [
        "the error #DIV/0!",
        "a formula without a stored value",
        None,
    ]
    assert [(row["a"], row["b"]) for row in rows] == [(None, "1"), (None, "2"), ("3", "3")]


@pytest.mark.parametrize(
    ("data", "more", "said"),
    [
        (b"\xd0\xcf\x11\xe0" + b"x" * 100, {}, "an old (xls) or protected workbook"),
        (b"a,b\n", {}, "expected an Excel workbook"),
        (workbook(Data=[["a"]]), {"sheet": "Other"}, "no sheet 'Other', expected one of 'Data'"),
        (workbook(Data=[["a"]]), {"sheet": 2}, "a workbook of 1 sheets, expected sheet 2"),
        (workbook(Data=[["b"]]), {}, "no header 'a', expected it among 'b'"),
    ],
)
def test_what_is_no_workbook_of_this_source_is_named(tmp_path: Path, data: bytes, more: Any, said: str) -> None:
    assert said in refused(tmp_path, data, {"a": "string"}, format="excel", **more)


def test_a_line_that_is_no_json_costs_only_itself(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf{"a": 1.10}\n\n{"a": \n{"a": "\xff"}\n{"a": {"b": 2}}\r\n'
    rows = decoded(tmp_path, data, {"a": "string"}, format="jsonl")
    assert [(row["a"], row["_raw_row"]["row"]) for row in rows] == [("1.10", 1), (None, 3), (None, 4), ('{"b":2}', 5)]
    assert [json.loads(row["_faults"])[0]["rule"] for row in rows if row["_faults"]] == ["json", "json"]


def test_json_records_are_found_where_they_are_declared(tmp_path: Path) -> None:
    data = b'{"data": {"rows": [{"a": 1}, {"a": 2}]}}'
    assert [row["a"] for row in decoded(tmp_path, data, {"a": "int"}, format="json", records="data.rows")] == ["1", "2"]


def test_every_file_of_an_archive_is_decoded_and_its_rows_told_apart(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("b.csv", "a\n3\n")
        archive.writestr("a.csv", "a\n1\n2\n")
    columns = {"a": "int", "entry": {"type": "string", "from": "@entry"}, "file": {"type": "string", "from": "@file"}}
    rows = decoded(tmp_path, buffer.getvalue(), columns)
    assert [(row["a"], row["entry"], row["file"], row["_raw_key"].rpartition("/")[2], row["_raw_row"]) for row in rows] == [
        ("1", "a.csv", "t", "000001.x!a.csv", {"object": 1, "row": 2, "child": 1}),
        ("2", "a.csv", "t", "000001.x!a.csv", {"object": 1, "row": 3, "child": 1}),
        ("3", "b.csv", "t", "000001.x!b.csv", {"object": 1, "row": 2, "child": 2}),
    ]


def test_gzip_is_undone_for_every_format(tmp_path: Path) -> None:
    assert [row["a"] for row in decoded(tmp_path, gzip.compress(b'{"a": 1}\n'), {"a": "int"}, format="jsonl")] == ["1"]
    assert [row["a"] for row in decoded(tmp_path, gzip.compress(b"a\n1\n"), {"a": "int"})] == ["1"]


def test_a_fault_within_an_archive_names_its_entry(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x/b.csv", "c\n")
    assert refused(tmp_path, buffer.getvalue(), {"a": "int"}) == "!x/b.csv: got no header 'a', expected it among 'c'"
