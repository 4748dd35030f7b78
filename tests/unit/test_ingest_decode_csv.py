"""CSV to rows: quotes, nulls, ragged rows, headers and encodings."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.decode import Place, decode, decoder_of
from ingest.decode_csv_fast import columns_of
from ingest.decode_csv_records import Dialect, Record, records
from ingest.decode_csv_text import Block, Lines, TextForm, blocks, lines_in
from lake.errors import SourceError, UsageError
from lake.sources import source_from

AB = {"a": "string", "b": "string"}


def source_of(columns: Any = AB, **more: Any) -> Any:
    declared = {
        "name": "things",
        "description": "One row per thing.",
        "kind": "files",
        "url": "http://h/t.csv",
        "load": "append",
    }
    return source_from({**declared, "columns": columns, **more}, "things.yaml")


def decoded(folder: Path, text: str | bytes, columns: Any = AB, *, old: bool = False, **more: Any) -> list[dict[str, Any]]:
    source = source_of(columns, **more)
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


def faults(folder: Path, text: str | bytes, **more: Any) -> list[tuple[int, str, str | None]]:
    """Line, rule and text of each fault."""
    found = [(row["_raw_row"]["row"], json.loads(row["_faults"])) for row in decoded(folder, text, **more) if row["_faults"]]
    return [(line, fault["rule"], fault["value"]) for line, each in found for fault in each]


def parsed(text: str, dialect: Dialect | None = None, width: int | None = None) -> list[Record]:
    dialect = dialect or Dialect()
    lines = Lines(iter([Block(1, text)]), dialect.has_cr)
    lines.load()
    return list(records(lines, dialect, width))


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
        (b"\x1f\x8b\x08\x00", "gzip data that ends too soon"),
        ("a,c\n1,2\n", "no header 'b', expected it among 'a', 'c'"),
        ("a,b,a\n", "the header 'a' twice; `bad_header: rename` calls the second a_2"),
        ("a,,b\n", "a blank header at position 2; `bad_header: rename` calls it column_2"),
        ('{"password": "hunter2"}\n', "no header 'a', expected it among (a text of 23 characters)"),
        (b"a,caf\xe9\n1,2\n", "bytes that the declared encoding does not know in the header, line 1"),
        ("a,b\n1,2\n".encode("utf-16"), "a UTF-16 text, expected utf-8; declare `encoding: utf-16`"),
    ],
)
def test_what_is_no_csv_of_this_source_is_named(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert refused(tmp_path, text) == said


def test_bytes_that_are_no_text_cost_only_their_own_row(tmp_path: Path) -> None:
    text = b"a,b\n1,2\n3,caf\xe9\n5,6\n"
    assert cells(tmp_path, text) == [("1", "2"), (None, None), ("5", "6")]
    assert faults(tmp_path, text) == [(3, "encoding", "3,caf\\xe9")]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "utf-8-sig"])
def test_every_encoding_that_is_declared_or_detected_is_read(tmp_path: Path, codec: str) -> None:
    text = "a,b\ncafé,£2\n".encode(codec)
    assert cells(tmp_path, text, encoding=codec) == [("café", "£2")]
    assert cells(tmp_path, text, encoding="detect") == [("café", "£2")]


def test_half_a_utf_16_character_costs_only_its_row(tmp_path: Path) -> None:
    text = "a,b\n1,2\n".encode("utf-16") + b"x"
    assert cells(tmp_path, text, encoding="utf-16")[0] == ("1", "2")
    assert [rule for _, rule, _ in faults(tmp_path, text, encoding="utf-16")] == ["encoding"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected_and_told(tmp_path: Path, delimiter: str) -> None:
    text = f"a{delimiter}b\n1{delimiter}x,y;z|w t\n2{delimiter}3\n" if delimiter == "\t" else f"a{delimiter}b\n1{delimiter}2\n"
    decoder = decoder_of(source_of(delimiter="detect"))
    (tmp_path / "t").write_text(text)
    assert next(iter(decoder.rows(tmp_path / "t", {}))).values[0] == "1"
    assert decoder.notes == {"delimiter": [delimiter]}


def test_an_unclosed_quote_costs_only_its_own_line_when_it_explains_all(tmp_path: Path) -> None:
    assert cells(tmp_path, 'a,b\n1,2\n3,"4\n5,6\n') == [("1", "2"), (None, None), ("5", "6")]
    text = 'a,b\n1,"2\n3,4\n"5",6\n'
    assert cells(tmp_path, text) == [(None, None), ("3", "4"), ("5", "6")]
    assert faults(tmp_path, text) == [(2, "quoting", '1,"2')]


def test_lines_within_quotes_that_do_not_fit_are_no_rows(tmp_path: Path) -> None:
    text = 'a,b\n"one\n1,2\nsaid "hi" there\nend"\n8,9\n'
    assert faults(tmp_path, text) == [
        (2, "quoting", '"one'),
        (3, "quoting", "1,2"),
        (4, "quoting", 'said "hi" there'),
        (5, "ragged", 'end"'),
    ]


def test_a_carriage_return_outside_quotes_is_a_fault_where_lines_end_otherwise(tmp_path: Path) -> None:
    assert faults(tmp_path, "a,b\n1,x\ry\n3,4\n") == [(2, "line_end", "1,x\ry")]


def test_lines_before_the_header_after_the_end_and_comments_are_left_out(tmp_path: Path) -> None:
    text = '# made by\n"hand\na,b\n#no\n1,2\n3,4\ntotal,"2\nend\n\n'
    rows = decoded(tmp_path, text, skip_lines=2, footer_lines=2, comment="#")
    assert [(row["a"], row["_raw_row"]["row"]) for row in rows] == [("1", 5), ("3", 6)]


def test_an_escape_makes_the_next_character_text(tmp_path: Path) -> None:
    text = 'a,b\n1\\,2,"say \\"hi\\""\n\\N,x\\\ny\n'
    assert cells(tmp_path, text, escape="\\", nulls=["\\N"]) == [("1,2", 'say "hi"'), (None, "x\ny")]


def test_without_a_quote_character_quotes_are_text(tmp_path: Path) -> None:
    assert cells(tmp_path, 'a\tb\n"x\ty"\n', format="tsv", quote="") == [('"x', 'y"')]


def test_columns_without_a_header_are_named_by_their_position(tmp_path: Path) -> None:
    columns = {"a": {"type": "string", "from": "#2"}, "b": {"type": "string", "from": "#1"}}
    text = "1\n1,2\n3,4\n"
    assert cells(tmp_path, text, columns=columns, header=False) == [(None, None), ("2", "1"), ("4", "3")]
    assert cells(tmp_path, text, header=False) == [(None, None), ("1", "2"), ("3", "4")]
    assert refused(tmp_path, "1\n", header=False) == "1 columns, expected at least 2"


def test_blank_and_repeated_headers_are_renamed_when_declared(tmp_path: Path) -> None:
    columns = {"a": {"type": "string", "from": "x_3"}, "b": {"type": "string", "from": "column_4"}}
    assert cells(tmp_path, "x,x_2,x,,x\n1,2,3,4,5\n", columns=columns, bad_header="rename") == [("3", "4")]


def test_a_thousand_columns_are_read(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(1000)]
    text = ",".join(names) + "\n" + "\n".join(",".join(f"{row}.{name}" for name in names) for row in range(50)) + "\n"
    rows = decoded(tmp_path, text, dict.fromkeys(names, "string"))
    assert (len(rows), rows[49]["c999"]) == (50, "49.c999")


def test_a_decimal_comma_becomes_a_point_where_it_is_declared(tmp_path: Path) -> None:
    columns = {"a": "decimal(10,2)", "b": "string"}
    text = "a;b\n1.234,50;1,5\n-7;x\n12.34;y\n"
    found = decoded(tmp_path, text, columns, delimiter=";", decimal=",", thousands=".")
    assert [(row["a"], row["b"]) for row in found] == [("1234.50", "1,5"), ("-7", "x"), (None, "y")]
    assert json.loads(found[2]["_faults"])[0] == {
        "column": "a", "rule": "number", "value": "12.34", "message": "expected a number like 1.234,56"
    }  # fmt: skip


def test_a_null_marker_counts_within_quotes_when_declared(tmp_path: Path) -> None:
    assert cells(tmp_path, 'a,b\nNA,"NA"\n', nulls=["NA"], quoted_nulls=True) == [(None, None)]


def test_a_line_that_never_ends_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ingest.decode_csv_text", "ingest.decode_csv_records"):
        monkeypatch.setattr(f"{module}.MAX_RECORD", 100)
    monkeypatch.setattr("ingest.decode_csv_text.FIRST", 10)
    text = "a,b\n1,2\n" + "x" * 1000 + ',9\n3,4\n5,"' + "y\n" * 300 + "7,8\n"
    found = cells(tmp_path, text)
    assert [row for row in found if row[0]] == [("1", "2"), ("3", "4"), ("7", "8")]
    assert faults(tmp_path, text)[0][:2] == (3, "too_long")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"delimiter": '"'}, "have to differ"),
        ({"encoding": "klingon"}, "expected detect or a codec"),
        ({"thousands": "."}, "a sign that is not the decimal sign"),
        ({"url": ""}, "either url or urls"),
        ({"dates": {"from": "2024-01-01"}}, "belong together"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        source_of(**more)


def test_an_original_older_than_the_declaration_gives_nulls(tmp_path: Path) -> None:
    assert cells(tmp_path, "a\n1\n", old=True) == [("1", None)]


signs = st.text(st.sampled_from(list("ab ,;\"\n\r'é\x00\u2028")), max_size=6)
two = st.tuples(signs, signs)


@given(st.lists(st.lists(signs, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
@example([["", "\r"], ['"', "\n\n"]], "\n")
def test_what_python_writes_is_read_back(rows: list[list[str]], end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    found = parsed(text.getvalue())
    assert [record.fields for record in found if not record.problem] == rows


@given(
    st.lists(two, max_size=12),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([1, 3, 10, 1000]),
)
@settings(max_examples=60, deadline=None)
def test_any_cells_come_back_whatever_the_encoding_and_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], codec: str, end: str, size: int
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.decode_csv_text.FIRST", size)
        patch.setattr("ingest.decode_csv_text.BLOCK", size)
        assert cells(folder, text.getvalue().encode(codec), encoding=codec.removesuffix("-sig"), nulls=[]) == rows


plain = st.text(st.sampled_from(list("abé'01 ")), min_size=1, max_size=4)
damage = st.sampled_from([b"x", b"x,y,z", b"\xff,y", b"x,\xc3", b'x,"y', b'"x"y,z', b"x,y\rz"])


@given(st.lists(st.one_of(st.tuples(plain, plain), damage), max_size=12), st.sampled_from([5, 40, 1000]))
@settings(max_examples=80, deadline=None)
def test_a_damaged_row_never_shifts_others(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str] | bytes], size: int
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    data = b"a,b\n" + b"".join((line if isinstance(line, bytes) else ",".join(line).encode()) + b"\n" for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.decode_csv_text.FIRST", size)
        patch.setattr("ingest.decode_csv_text.BLOCK", size)
        rows = decoded(folder, data)
    good = {number: line for number, line in enumerate(lines, 2) if isinstance(line, tuple)}
    found = {row["_raw_row"]["row"]: (row["a"], row["b"]) for row in rows if not row["_faults"]}
    assert found.items() <= good.items()
    assert {row["_raw_row"]["row"] for row in rows} == set(range(2, len(lines) + 2))
    damaged = [line for line in lines if isinstance(line, bytes)]
    if not any(b'"' in line for line in damaged) or (len(damaged) == 1):
        assert found == good


@given(st.text(st.sampled_from(list('ab,"\n\r;NA\x00')), max_size=40), st.booleans())
@settings(max_examples=400)
@example('a,"NA"\nNA,b', False)
@example('"",', False)
@example('a,b\n"a,b",', False)
@example(',""', False)
@example('"","', True)
def test_the_fast_way_reads_what_the_careful_way_reads_or_leaves_it(text: str, has_quoted_nulls: bool) -> None:
    columns = columns_of(text, Dialect(), 2, ["NA", ""], quoted_nulls=has_quoted_nulls)
    if columns is None:
        return
    found = parsed(text)
    assert not any(record.problem for record in found)
    expected = [
        tuple(
            None if cell in ("NA", "") and (has_quoted_nulls or not (record.quoted or [False] * 2)[at]) else cell
            for at, cell in enumerate(record.fields)
        )
        for record in found
    ]
    assert list(zip(*(column.to_pylist() for column in columns), strict=True)) == expected
    assert [record.line for record in found] == list(range(1, len(found) + 1))


@given(st.binary(max_size=60), st.integers(1, 20), st.integers(0, 2), st.integers(0, 2))
@settings(max_examples=80, deadline=None)
def test_blocks_lose_no_line_and_count_them_right(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, size: int, skip: int, footer: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "t"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.decode_csv_text.FIRST", size)
        patch.setattr("ingest.decode_csv_text.BLOCK", size)
        found = list(blocks(path, TextForm("latin-1", False, skip, 0)))
    whole = data.decode("latin-1").split("\n")
    kept = "\n".join(whole[skip:])
    assert "".join(block.text for block in found) == kept
    line = skip + 1
    for block in found:
        assert block.line == line
        line += lines_in(block.text, has_cr=False)


@given(st.text(st.sampled_from(list('ab,"\n')), max_size=30))
def test_whatever_comes_every_character_is_read_or_told(text: str) -> None:
    found = [record.text for record in parsed(text, width=2)]
    assert "\n".join(found).replace("\n", "") == text.replace("\n", "")
