"""JSON to rows: digits, paths, children, undeclared fields, and what is no record."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decode import Place, decode, decoder_of
from ingest.json_lines import lines
from ingest.json_text import Number, compact, values
from lake.errors import SourceError
from lake.sources import source_from


def source_of(columns: dict[str, Any], **more: Any) -> Any:
    declared = {
        "name": "things",
        "description": "One row per thing.",
        "kind": "rest",
        "url": "http://h/things",
        "load": "append",
    }
    return source_from({**declared, "columns": columns, **more}, "things.yaml")


def decoded(
    folder: Path, body: str | bytes, columns: dict[str, Any], request: dict[str, str] | None = None, **more: Any
) -> tuple[list[dict[str, Any]], set[str]]:
    source = source_of(columns, **more)
    original = folder / "original.json"
    original.write_bytes(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    decoder = decoder_of(source)
    place = Place("http://h/things", request or {}, "raw/things/original/000001.json", 1)
    decode(source, decoder, original, place, folder / "decoded.parquet")
    rows = pq.read_table(folder / "decoded.parquet").to_pylist()
    for row in rows:
        row["_faults"] = json.loads(row["_faults"]) if row["_faults"] else None
    return rows, decoder.observed


def values_of(folder: Path, body: str, columns: dict[str, Any], **more: Any) -> list[list[str | None]]:
    return [[row[name] for name in columns] for row in decoded(folder, body, columns, **more)[0]]


def refused(folder: Path, body: str | bytes, **more: Any) -> str:
    with pytest.raises(SourceError) as caught:
        decoded(folder, body, {"id": "bigint"}, **more)
    return str(caught.value).removeprefix("things: http://h/things: got ")


def test_numbers_keep_every_digit(tmp_path: Path) -> None:
    body = '[{"id": 12.50}, {"id": 1e400}, {"id": -0}, {"id": 123456789012345678901234567890.10}]'
    rows = values_of(tmp_path, body, {"id": "string"})
    assert rows == [["12.50"], ["1e400"], ["-0"], ["123456789012345678901234567890.10"]]


def test_leaves_of_every_kind_have_their_text(tmp_path: Path) -> None:
    body = '[{"a": "x", "b": true, "c": false, "d": null, "e": {"y": 1.0, "z": [null, "q\\""]}}]'
    columns = dict.fromkeys("abcdef", "string")
    assert values_of(tmp_path, body, columns) == [["x", "true", "false", None, '{"y":1.0,"z":[null,"q\\""]}', None]]


def test_rows_say_where_they_come_from(tmp_path: Path) -> None:
    rows, _ = decoded(tmp_path, '[{"id": 1}, {"id": 2}]', {"id": "bigint"})
    assert rows[1] == {
        "id": "2",
        "_raw_key": "raw/things/original/000001.json",
        "_raw_row": {"object": 1, "row": 2, "child": 0},
        "_extra": None,
        "_faults": None,
    }


def test_a_list_of_strings_is_read_whole(tmp_path: Path) -> None:
    assert values_of(tmp_path, '["electronics", "men\'s clothing"]', {"category": {"type": "string", "from": "$"}}) == [
        ["electronics"],
        ["men's clothing"],
    ]


def test_request_parameters_are_columns(tmp_path: Path) -> None:
    columns = {"category": {"type": "string", "from": "@category"}, "id": "bigint"}
    rows, _ = decoded(tmp_path, '[{"id": 1}]', columns, {"category": "shoes"})
    assert rows[0]["category"] == "shoes"


LINES = {
    "cart": {"type": "bigint", "from": "id"},
    "line": {"type": "int", "from": "@index"},
    "product": {"type": "bigint", "from": "products.productId"},
}


@pytest.mark.parametrize("nothing", ['{"id": 7, "products": []}', '{"id": 7, "products": null}', '{"id": 7}'])
def test_a_parent_without_children_is_one_row(tmp_path: Path, nothing: str) -> None:
    assert values_of(tmp_path, f"[{nothing}]", LINES, explode="products") == [["7", "0", None]]


def test_children_are_rows_with_their_parents_fields(tmp_path: Path) -> None:
    body = '[{"id": 7, "products": [{"productId": 1}, {"productId": 2}]}]'
    rows, _ = decoded(tmp_path, body, LINES, explode="products")
    assert [[row["cart"], row["line"], row["product"]] for row in rows] == [["7", "1", "1"], ["7", "2", "2"]]
    assert [row["_raw_row"]["child"] for row in rows] == [1, 2]


def test_children_that_are_no_list_are_a_fault_of_the_row(tmp_path: Path) -> None:
    rows, _ = decoded(tmp_path, '[{"id": 7, "products": {"productId": 1}}]', LINES, explode="products")
    assert [row["cart"] for row in rows] == ["7"]
    assert rows[0]["_faults"][0]["message"] == "products is a JSON object, expected a list"


def test_a_child_that_is_no_object_is_a_fault_of_its_row(tmp_path: Path) -> None:
    rows, _ = decoded(tmp_path, '[{"id": 7, "products": [{"productId": 1}, 5]}]', LINES, explode="products")
    assert [bool(row["_faults"]) for row in rows] == [False, True]
    assert rows[1]["_faults"][0]["value"] == "5"


def test_a_record_that_is_no_object_is_kept_as_a_fault(tmp_path: Path) -> None:
    rows, _ = decoded(tmp_path, '[{"id": 1}, "oops", null]', {"id": "bigint"})
    assert [row["id"] for row in rows] == ["1", None, None]
    assert rows[1]["_faults"] == [
        {"column": None, "rule": "shape", "value": "oops", "message": "a JSON string, expected an object"}
    ]
    assert rows[2]["_faults"][0]["message"] == "null, expected an object"


def test_a_path_through_a_scalar_is_a_fault_and_no_null(tmp_path: Path) -> None:
    rows, observed = decoded(tmp_path, '[{"rating": 5}]', {"rate": {"type": "double", "from": "rating.rate"}})
    assert rows[0]["_faults"][0] == {
        "column": "rate",
        "rule": "shape",
        "value": None,
        "message": "rating is a JSON number, expected an object",
    }
    assert (rows[0]["_extra"], observed) == (None, set())


def test_values_of_a_source_with_personal_columns_stay_out_of_faults(tmp_path: Path) -> None:
    columns = {"id": "bigint", "password": {"type": "string", "pii": True}}
    rows, _ = decoded(tmp_path, '["hunter2"]', columns)
    assert rows[0]["_faults"][0]["value"] is None


def test_undeclared_fields_are_kept_and_observed(tmp_path: Path) -> None:
    columns = {"id": "bigint", "rate": {"type": "double", "from": "rating.rate"}}
    rows, observed = decoded(tmp_path, '[{"id": 1, "rating": {"rate": 2, "count": 3.0}, "new": [1.50]}]', columns)
    assert rows[0]["_extra"] == '{"rating":{"count":3.0},"new":[1.50]}'
    assert observed == {"rating.count", "new"}


def test_undeclared_fields_of_a_child_stand_at_the_place_of_the_list(tmp_path: Path) -> None:
    body = '[{"id": 7, "note": "n", "products": [{"productId": 1, "size": "L"}, {"productId": 2}]}]'
    rows, observed = decoded(tmp_path, body, LINES, explode="products")
    assert [row["_extra"] for row in rows] == ['{"note":"n","products":{"size":"L"}}', '{"note":"n"}']
    assert observed == {"note", "products.size"}


def test_records_may_lie_deeper_in_the_body(tmp_path: Path) -> None:
    assert values_of(tmp_path, '{"data": {"items": [{"id": 1}]}}', {"id": "bigint"}, records="data.items") == [["1"]]


def test_one_object_is_one_record(tmp_path: Path) -> None:
    assert values_of(tmp_path, '{"id": 1}', {"id": "bigint"}) == [["1"]]


def test_an_empty_list_is_no_rows(tmp_path: Path) -> None:
    assert decoded(tmp_path, " [ ] ", {"id": "bigint"}) == ([], set())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("null", "the body null, expected a list of records"),
        ("", "an empty body"),
        ("<!DOCTYPE html><html>", "an HTML page"),
        ("<?xml version='1.0'?><a/>", "an XML document"),
        ("sorry, no", "a text"),
        ('"text"', "a JSON string, expected a list of records"),
        ("12", "a JSON number, expected a list of records"),
        ("true", "a JSON boolean, expected a list of records"),
        ('{"error": "x"}', "a JSON object with none of the declared fields, expected a list of records"),
        ('[{"id": 1}, {"id"', "truncated JSON after 17 bytes"),
        ('[{"id": 1}', "truncated JSON after 10 bytes"),
        ('[{"id": 1},', "truncated JSON after 11 bytes"),
        ("[", "truncated JSON after 1 bytes"),
        ('{"id": "unfinish', "truncated JSON after 16 bytes"),
        ('[{"id": 1} {"id": 2}, {"id": 3}, {"id": 4}]', "no JSON at byte 11"),
        ("[{'id': 1}, {'id': 2}, {'id': 3}]", "no JSON at byte 2"),
        ('[{"id": 1}] []', "JSON with something behind its end"),
        ('{"id": 1} x', "JSON with something behind its end"),
        ('[{"id": 1, "id": 2}]', "a JSON object in which the key 'id' stands twice"),
        ('[{"id": NaN}]', "the number NaN, which JSON does not know"),
        ('[{"id": -Infinity}]', "the number -Infinity, which JSON does not know"),
        ("[" * 100_000, "JSON nested deeper than 100"),
        ('[{"id": ' + "[" * 102 + "]" * 102 + "}]", "JSON nested deeper than 100"),
        ('[{"new": ' + "[" * 102 + "]" * 102 + "}]", "JSON nested deeper than 100"),
        (b'[{"id": "caf\xe9"}]', "a byte that is no UTF-8 at offset 12"),
        ('[{"id": 1}]'.encode("utf-16"), "a byte that is no UTF-8 at offset 0"),
    ],
)
def test_what_is_no_list_of_records_is_named(tmp_path: Path, body: str | bytes, said: str) -> None:
    assert refused(tmp_path, body) == said


def test_a_missing_list_is_named_by_its_path(tmp_path: Path) -> None:
    assert refused(tmp_path, '{"data": {}}', records="data.items") == "a JSON object at 'data' without 'items'"
    assert refused(tmp_path, '{"data": 5}', records="data") == "a JSON number at 'data', expected a list of records"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert decoded(tmp_path, b'\xef\xbb\xbf[{"id": 1}]', {"id": "bigint"})[0][0]["id"] == "1"


def test_half_a_surrogate_pair_is_a_fault_of_its_column(tmp_path: Path) -> None:
    rows, _ = decoded(tmp_path, r'[{"id": "\ud800", "new": "\ud800"}]', {"id": "string"})
    assert rows[0]["id"] is None
    assert rows[0]["_faults"][0]["column"] == "id"
    assert rows[0]["_extra"] == r'{"new":"\ud800"}'


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def plain(value: Any) -> Any:
    """The value as Python's own parser would have made it from integers."""
    if isinstance(value, Number):
        return int(value)
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(st.lists(documents, max_size=5), st.sampled_from([None, 0, 2]), st.integers(1, 40))
def test_any_list_is_read_in_any_pieces_as_python_reads_it(items: list[Any], indent: int | None, piece: int) -> None:
    import tempfile

    from ingest import json_text

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "PIECE", piece)
        path = Path(folder) / "x.json"
        path.write_text(json.dumps(items, indent=indent, ensure_ascii=False), encoding="utf-8")
        found = list(values(path, None, lambda value: True))
    assert [plain(value) for value in found] == items
    assert [json.loads(compact(value)) for value in found] == items


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,5})?", fullmatch=True), st.integers(1, 8))
def test_any_number_keeps_its_text_across_pieces(number: str, piece: int) -> None:
    import tempfile

    from ingest import json_text

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "PIECE", piece)
        path = Path(folder) / "x.json"
        path.write_text(f"[{number},[{number}] , {number}]")
        assert list(values(path, None, lambda value: True)) == [number, [number], number]


def test_an_object_keyed_by_ids_is_one_row_per_key(tmp_path: Path) -> None:
    columns = {"currency": "string", "usd": {"type": "double", "from": "$"}}
    body = '{"date": "2024-01-01", "rates": {"EUR": 1.10, "GBP": null}}'
    found = values_of(tmp_path, body, columns, records={"path": "rates", "keyed_by": "currency"})
    assert found == [["EUR", "1.10"], ["GBP", None]]


def test_records_keyed_by_ids_have_their_own_fields_and_children(tmp_path: Path) -> None:
    columns = {"user": "string", "name": "string", "tag": {"type": "string", "from": "tags.t"}}
    body = '{"u1": {"name": "Ann", "tags": [{"t": "a"}, {"t": "b"}]}, "u2": {"name": "Bob", "age": 7}}'
    found = values_of(tmp_path, body, columns, records={"keyed_by": "user"}, explode="tags")
    assert found == [["u1", "Ann", "a"], ["u1", "Ann", "b"], ["u2", "Bob", None]]


def test_a_list_where_an_object_of_ids_is_declared_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, '{"rates": []}', records={"path": "rates", "keyed_by": "id"})
    assert said == "a JSON list at 'rates', expected an object of records by their key"


def test_geojson_features_are_rows_with_places_in_their_coordinates(tmp_path: Path) -> None:
    columns = {
        "name": {"type": "string", "from": "properties.name"},
        "longitude": {"type": "double", "from": "geometry.coordinates.0"},
        "latitude": {"type": "double", "from": "geometry.coordinates.1"},
        "height": {"type": "double", "from": "geometry.coordinates.2"},
        "shape": {"type": "string", "from": "geometry.type"},
    }
    point = (
        '{"type": "Feature", "properties": {"name": "x"}, "geometry": {"type": "Point", "coordinates": [-3.70379, 40.416775]}}'
    )
    nowhere = '{"type": "Feature", "properties": {"name": "y"}, "geometry": null}'
    body = f'{{"type": "FeatureCollection", "features": [{point}, {nowhere}]}}'
    found = values_of(tmp_path, body, columns, records="features")
    assert found == [["x", "-3.70379", "40.416775", None, "Point"], ["y", None, None, None, None]]


def test_json_lines_are_rows_and_blank_lines_none(tmp_path: Path) -> None:
    assert values_of(tmp_path, '{"id": 1.0}\r\n\n{"id": 2}', {"id": "double"}, format="jsonl") == [["1.0"], ["2"]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"id": 1}\n{"id": ', "no JSON at character 8 in line 2"),
        ('{"id": 1} {"id": 2}\n', "JSON with something behind its end in line 1"),
        ("<html>no</html>", "an HTML page in line 1"),
        ('{"id": 1, "id": 2}', "a JSON object in which the key 'id' stands twice"),
    ],
)
def test_lines_that_are_no_json_are_named(tmp_path: Path, body: str, said: str) -> None:
    assert refused(tmp_path, body, format="jsonl").startswith(said)


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=3), max_size=9), st.integers(1, 40))
@settings(deadline=None)
def test_any_lines_are_read_in_any_pieces(items: list[Any], piece: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr("ingest.json_text.PIECE", piece)
        path = Path(folder) / "x.jsonl"
        path.write_text("\n".join(json.dumps(item, ensure_ascii=False) for item in items), "utf-8", newline="")
        assert list(lines(path)) == items


@pytest.mark.parametrize("body", ["null", "", " null\n"])
def test_a_body_may_be_declared_to_mean_no_rows(tmp_path: Path, body: str) -> None:
    assert values_of(tmp_path, body, {"id": "bigint"}, no_rows=["null", "empty"]) == []
    assert "expected a list" in refused(tmp_path, body) or "an empty body" in refused(tmp_path, body)
