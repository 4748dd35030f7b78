"""A wrong declaration is answered with file, key, what was given and what is allowed."""

from pathlib import Path
from typing import Any

import pytest

from lake.declarations import parse_yaml
from lake.errors import UsageError
from lake.sources import load_sources, source_from
from lake.tables import code_hash, in_order, load_refined

GOOD: dict[str, Any] = {
    "name": "goods",
    "description": "One row per good.",
    "kind": "rest",
    "url": "http://x",
    "load": "snapshot",
    "key": ["id"],
    "columns": {"id": "bigint", "price": "decimal(10,2)", "email": {"type": "string", "pii": True}},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shcedule": "x"}, "goods.yaml: shcedule: no such key; did you mean 'schedule'?"),
        ({"delimiter": ";"}, "goods.yaml: delimiter: no such key, expected one of auth, changes, checks, columns, "),
        (
            {"pagination": {"kind": "cursor", "param": "after", "next": "next", "size": 10}},
            "goods.yaml: pagination.cursor.size: no such key, expected one of kind, max_pages, more, next, param, total",
        ),
        (
            {"checks": [{"column": "price", "rule": "between", "min": 0}]},
            "goods.yaml: checks.0.between.min: no such key, expected one of column, high, low, on_fail, rule",
        ),
        ({"kind": "rst"}, "goods.yaml: kind: got 'rst', expected one of 'rest', 'files', 'database'"),
        ({"load": "snap"}, "goods.yaml: load: got 'snap', expected 'snapshot', 'append', 'merge' or 'overwrite'"),
        ({"key": ["ident"]}, "goods.yaml: key: got 'ident', expected one of id, price"),
        ({"key": ["email"]}, "goods.yaml: key: got 'email', expected one of id, price"),
        ({"key": []}, "goods.yaml: load snapshot needs a key"),
        ({"columns": {"id": "integer"}}, "goods.yaml: columns.id.type: got 'integer', expected string"),
        ({"columns": {"Id": "bigint"}, "key": ["Id"]}, "goods.yaml: expected lower-case letters"),
        ({"checks": [{"column": "cost", "rule": "between", "low": 0}]}, "goods.yaml: checks: got column 'cost'"),
        ({"checks": [{"column": "price", "rule": "betwixt"}]}, "got 'betwixt', expected one of 'between', 'in'"),
    ],
)
def test_a_wrong_key_or_value_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        source_from({**GOOD, **change}, "goods.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "came"), [("# later", "nothing"), ("- name: goods", "a list"), ("name", "a single value")])
def test_a_file_that_holds_no_keys_is_told_what_it_holds(text: str, came: str) -> None:
    with pytest.raises(UsageError, match=f"goods.yaml: got {came}, expected keys with their values"):
        source_from(parse_yaml(text, "goods.yaml"), "goods.yaml")


def test_a_key_that_stands_twice_is_an_error_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"goods.yaml:2:1: key 'name' stands twice"):
        parse_yaml("name: a\nname: b\n", "goods.yaml")


def test_words_and_schedules_do_not_rebuild_a_table_but_columns_do() -> None:
    source = source_from(GOOD, "goods.yaml")
    reworded = source_from({**GOOD, "description": "Otherwise.", "schedule": "* * * * *"}, "goods.yaml")
    retyped = source_from({**GOOD, "columns": {**GOOD["columns"], "price": "double"}}, "goods.yaml")
    assert reworded.declaration == source.declaration != retyped.declaration
    assert retyped.decoding == source.decoding


def test_a_file_must_be_called_like_its_source(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(str(GOOD))
    with pytest.raises(UsageError, match=r"other\.yaml: name: got 'goods', expected 'other'"):
        load_sources(tmp_path)


def test_comments_docstrings_and_layout_do_not_change_the_hash_of_code() -> None:
    assert code_hash(['def f(x):\n    """Words."""\n    return x  # why']) == code_hash(["def f(x): return (x)"])
    assert code_hash(["def f(x): return x"]) != code_hash(["def f(x): return -x"])


def table(folder: Path, name: str, *inputs: str) -> None:
    (folder / f"{name}.py").write_text(f"def {name}({', '.join(inputs)}): ...\n")
    (folder / f"{name}.yaml").write_text("description: One row.\nkey: [id]\ncolumns: {id: bigint}\n")


def test_refined_tables_come_after_their_inputs(tmp_path: Path) -> None:
    table(tmp_path, "a", "b", "goods")
    table(tmp_path, "b", "goods")
    assert [each.name for each in in_order(["goods"], load_refined(tmp_path))] == ["b", "a"]


def test_unknown_inputs_circles_and_doubled_names_are_errors(tmp_path: Path) -> None:
    table(tmp_path, "a", "b")
    with pytest.raises(UsageError, match=r"a.py: got input 'b', expected one of a, goods"):
        in_order(["goods"], load_refined(tmp_path))
    table(tmp_path, "b", "a")
    with pytest.raises(UsageError, match="a, b need each other in a circle"):
        in_order(["goods"], load_refined(tmp_path))
    with pytest.raises(UsageError, match="a source is called 'a' too"):
        in_order(["a"], load_refined(tmp_path))


def test_a_function_without_its_contract_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "lonely.py").write_text("def lonely(goods): ...\n")
    with pytest.raises(UsageError, match=r"expected lonely.yaml, its contract, beside it"):
        load_refined(tmp_path)
