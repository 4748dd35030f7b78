"""What a source in a database may declare, and what is said when it may not."""

from typing import Any

import pytest

from lake.errors import UsageError
from lake.sources import source_from


def declared(**more: Any) -> Any:
    facts = {"name": "t", "description": "x", "kind": "database", "url": "mysql://u@h/d", "load": "append"}
    return source_from({**facts, "columns": {"id": "bigint"}, **more}, "t.yaml")


@pytest.mark.parametrize(
    ("table", "parts"),
    [
        ("orders", (None, "orders")),
        ("sales.orders", ("sales", "orders")),
        ('"a.b"."c""d"', ("a.b", 'c"d')),
        ("od`d", (None, "od`d")),
    ],
)
def test_a_table_may_name_its_schema(table: str, parts: tuple[str | None, str]) -> None:
    assert declared(table=table).table_parts == parts


@pytest.mark.parametrize("table", ["a.b.c", "", "a.", ".b", '"open'])
def test_other_names_are_refused(table: str) -> None:
    with pytest.raises(UsageError, match=r"expected name, schema\.name"):
        declared(table=table)


@pytest.mark.parametrize("more", [{}, {"table": "t", "query": "select 1"}])
def test_a_table_or_a_query_is_needed_and_not_both(more: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="expected exactly one of table and query"):
        declared(**more)


@pytest.mark.parametrize(("lag", "number"), [(0, 0), (5, 5), ("10 minutes", 600), ("1 day", 86_400), ("2 hours", 7_200)])
def test_a_lag_is_a_number_or_a_time(lag: Any, number: int) -> None:
    assert declared(table="t", cursor={"column": "c", "lag": lag}).cursor.lag_number == number


@pytest.mark.parametrize("lag", ["soon", -1, "5 weeks"])
def test_another_lag_is_refused(lag: Any) -> None:
    with pytest.raises(UsageError, match="expected a whole number, or one with second"):
        declared(table="t", cursor={"column": "c", "lag": lag})


def test_a_snapshot_has_no_cursor() -> None:
    with pytest.raises(UsageError, match="got load snapshot, expected append or merge"):
        declared(table="t", cursor={"column": "c"}, load="snapshot", key=["id"])


SWEPT = {"table": "t", "load": "merge", "key": ["id"], "deletes": "key_sweep"}


def test_a_key_sweep_reads_the_keys_columns_in_the_database() -> None:
    columns = {"b": {"type": "int", "from": "B b"}, "a": "int", "again": {"type": "string", "from": "B b"}, "v": "int"}
    source = declared(**{**SWEPT, "key": ["a", "b", "again"], "columns": columns})
    assert (source.sweeps_keys, source.key_fields) == (True, ["a", "B b"])
    assert not declared(table="t").sweeps_keys


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"load": "snapshot"}, "got key_sweep with load snapshot, expected merge: snapshot forgets deleted rows by itself"),
        ({"load": "append"}, "got key_sweep with load append, expected merge: append forgets no row"),
        ({"key": []}, "load merge needs a key"),
        ({"columns": {"id": {"type": "int", "from": "@page"}}}, "got a key column from '@page', expected one from a column"),
        ({"deletes": "soft"}, "deletes: got 'soft', expected 'kept' or 'key_sweep'"),
    ],
)
def test_a_key_sweep_that_cannot_be_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        declared(**{**SWEPT, **more})


def test_turning_a_key_sweep_on_builds_the_table_again_from_the_same_decoded_rows() -> None:
    before, after = declared(**{**SWEPT, "deletes": "kept"}), declared(**SWEPT)
    assert (before.declaration != after.declaration, before.decoding == after.decoding) == (True, True)


def test_an_authority_without_encryption_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="ca belongs to mode verify_identity or verify_ca"):
        declared(table="t", tls={"mode": "off", "ca": "x.pem"})
