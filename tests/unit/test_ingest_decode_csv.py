"""CSV to rows: quotes, nulls, ragged rows, headers and encodings."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.decode import Place, decode, decoder_of
from ingest.decode_csv import records
from lake.errors import SourceError
from lake.sources import source_from

AB = {"a": "string", "b": "string"}


def decoded(folder: Path, text: str | bytes, columns: Any = AB, *, old: bool = False, **more: Any) -> list[dict[str, Any]]:
    declared = {
        "name": "things",
        "description": "One row per thing.",
        "kind": "files",
        "url": "http://h/t.csv",
        "load": "append",
    }
    source = source_from({**declared, "columns": columns, **more}, "things.yaml")
    original = folder / "original.csv"
    original.write_bytes(text if isinstance(text, bytes) else text.encode())
    place = Place("http://h/t.csv", {}, "raw/things/original/000001.csv", 1)
    decode(source, decoder_of(source, missing_is_null=old), original, place, folder / "decoded.parquet")
    return pq.read_table(folder / "decoded.parquet").to_pylist()  # type: ignore[no-any-return]


def cells(folder: Path, text: str | bytes, **more: Any) -> list[tuple[str | None, str | None]]:
    return [(row["a"], row["b"]) for row in decoded(folder, text, **more)]


def refused(folder: Path, text: str | bytes, **more: Any) -> str:
    with pytest.raises(SourceError) as caught:
        decoded(folder, text, **more)
    return str(caught.value).removeprefix("things: http://h/t.csv: got ")


def test_quotes_hold_delimiters_quotes_and_newlines(tmp_path: Path) -> None:
    assert cells(tmp_path, 'a,b\n"x,y","say ""hi"""\n"1\r\n2",z\n') == [("x,y", 'say "hi"'), ("1\r\n2", "z")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_every_way(tmp_path: Path, end: str) -> None:
    assert cells(tmp_path, end.join(["a,b", '1,"2"', "3,4"])) == [("1", "2"), ("3", "4")]


def test_rows_carry_the_line_they_begin_in(tmp_path: Path) -> None:
    rows = decoded(tmp_path, 'a,b\n"1\n1",2\n\n3,4\n')
    assert [row["_raw_row"]["row"] for row in rows] == [2, 5]


def test_a_null_marker_counts_only_unquoted(tmp_path: Path) -> None:
    assert cells(tmp_path, 'a,b\nNA,"NA"\n,""\n', nulls=["NA", ""]) == [(None, "NA"), (None, "")]


def test_a_ragged_row_is_kept_as_a_fault_and_nothing_shifts(tmp_path: Path) -> None:
    rows = decoded(tmp_path, "a,b\n1,2,3\n1\n5,6\n")
    assert [(row["a"], row["b"]) for row in rows] == [(None, None), (None, None), ("5", "6")]
    assert json.loads(rows[0]["_faults"]) == [
        {"column": None, "rule": "ragged", "value": "1,2,3", "message": "3 fields, expected 2"}
    ]
    assert json.loads(rows[1]["_faults"])[0]["message"] == "1 field, expected 2"


def test_the_text_of_a_ragged_row_is_withheld_beside_personal_columns(tmp_path: Path) -> None:
    columns = {"a": "string", "b": {"type": "string", "pii": True}}
    assert json.loads(decoded(tmp_path, "a,b\nhunter2\n", columns)[0]["_faults"])[0]["value"] is None


def test_text_behind_a_closing_quote_is_a_fault(tmp_path: Path) -> None:
    rows = decoded(tmp_path, 'a,b\n"x"y,2\n3,4\n')
    assert json.loads(rows[0]["_faults"])[0]["rule"] == "quoting"
    assert rows[1]["a"] == "3"


def test_a_quote_inside_an_unquoted_field_is_text(tmp_path: Path) -> None:
    assert cells(tmp_path, 'a,b\n5" pipe,7"\n3,4\n') == [('5" pipe', '7"'), ("3", "4")]


def test_a_header_that_nobody_declared_is_kept(tmp_path: Path) -> None:
    rows = decoded(tmp_path, "a,extra,b\n1,x,2\n3,,4\n")
    assert [row["_extra"] for row in rows] == ['{"extra":"x"}', None]


def test_another_delimiter_encoding_and_a_byte_order_mark(tmp_path: Path) -> None:
    assert cells(tmp_path, "a;b\ncafé;2\n".encode("cp1252"), delimiter=";", encoding="cp1252") == [("café", "2")]
    assert cells(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n") == [("1", "2")]
    assert cells(tmp_path, "a,b\n1,2\n".encode("utf-16"), encoding="utf-16") == [("1", "2")]


def test_a_header_alone_is_no_rows(tmp_path: Path) -> None:
    assert decoded(tmp_path, "a,b\n") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty body, expected a CSV file"),
        ("<html><body>", "an HTML page, expected a CSV file"),
        (b"\x1f\x8b\x08\x00", "gzip data, expected a CSV file"),
        ("a,c\n1,2\n", "no header 'b', expected it among 'a', 'c'"),
        ("a,b,a\n", "the header 'a' twice"),
        ("a,,b\n", "a blank header at position 2"),
        ('{"password": "hunter2"}\n', "no header 'a', expected it among (a text of 23 characters)"),
        ('a,b\n1,2\n3,"4\n5,6\n', "a quote opened in line 3 that is never closed"),
        (b"a,b\n1,caf\xe9\n", "a byte that is no utf-8 at offset 9, line 2"),
    ],
)
def test_what_is_no_csv_of_this_source_is_named(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert refused(tmp_path, text) == said


def test_an_original_older_than_the_declaration_gives_nulls(tmp_path: Path) -> None:
    assert cells(tmp_path, "a\n1\n", old=True) == [("1", None)]


fields = st.text(st.sampled_from(list("ab ,;\"\n\r'é")), max_size=6)


@given(st.lists(st.lists(fields, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
@example([["", "\r"], ['"', "\n\n"]], "\n")
def test_what_python_writes_is_read_back(rows: list[list[str]], end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    text.seek(0)
    assert [record.fields for record in records(text, ",")] == rows


@given(st.text(st.sampled_from(list('ab,"\n')), max_size=30))
def test_whatever_comes_every_character_is_read_or_refused(text: str) -> None:
    from ingest.json_text import Unusable

    try:
        found = [record.text for record in records(io.StringIO(text, newline=""), ",")]
    except Unusable:
        return
    assert "\n".join(found).replace("\n", "") == text.replace("\n", "")
