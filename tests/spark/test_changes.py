"""A source that changes is told apart from one that does not, and its policy decides what becomes of it."""

from typing import Any

import pytest

from lake.errors import UsageError
from tests.spark.conftest import Lab

COLUMNS = {"id": "bigint", "price": "decimal(10,2)"}


def start(lab: Lab, name: str, **keys: Any) -> None:
    lab.declare(name, keys.pop("columns", COLUMNS), **keys)
    lab.serve(name, [{"id": 1, "price": "1.50"}])
    lab.cycle(name)


def send(lab: Lab, name: str, *records: dict[str, Any]) -> dict[str, Any]:
    lab.serve(name, list(records))
    record: dict[str, Any] = lab.cycle(name)[f"trusted.{name}"]
    return record


def test_a_new_field_is_told_and_stays_in_raw_by_default(lab: Lab) -> None:
    start(lab, "noted")
    record = send(lab, "noted", {"id": 1, "price": "2", "colour": "red"})
    assert (record["outcome"], record["changes"]) == ("published", "fields nobody declared: colour")
    assert "colour" not in lab.spark.table("lake.trusted.noted").columns


def test_a_strict_source_stops_at_a_new_field_and_at_a_value_that_does_not_fit(lab: Lab) -> None:
    start(lab, "stern", changes="strict")
    record = send(lab, "stern", {"id": 1, "price": "2", "colour": "red"})
    (run,) = [run["run"] for run in lab.plan("stern")["tables"][0]["runs"]]
    assert (record["exit_code"], "fields nobody declared: colour" in record["reason"]) == (3, True)
    assert f"(if that is right: `lake run --no-ingest --accept {run}`)" in record["reason"]
    record = send(lab, "stern", {"id": 1, "price": "dear"})
    assert record["exit_code"] == 3
    assert "1 rows do not fit, such as price: got dear, expected a number" in record["reason"]
    assert [str(price) for (price,) in lab.rows("trusted.stern", "price")] == ["1.50"]
    assert send(lab, "stern", {"id": 1, "price": "3"})["outcome"] == "published"


def test_rows_with_new_fields_are_quarantined_where_that_is_the_policy(lab: Lab) -> None:
    start(lab, "picky", changes="quarantine", max_shrink=1)
    record = send(lab, "picky", {"id": 1, "price": "2", "colour": "red"}, {"id": 2, "price": "3"})
    assert (record["counts"][0]["kept"], record["counts"][0]["quarantined"]) == (1, 1)
    ((problems,),) = lab.rows("quarantine.picky", "problems")
    assert (problems[0]["rule"], problems[0]["message"]) == ("undeclared", "fields nobody declared: colour")


@pytest.mark.parametrize("load", ["snapshot", "append", "merge"])
def test_an_evolving_source_gains_columns_and_keeps_them(lab: Lab, load: str) -> None:
    name = f"grows_{load}"
    start(lab, name, changes="evolve", load=load, max_shrink=1)
    send(lab, name, {"id": 2, "price": "2", "starCount": 4.10, "made": {"in": "Jaén", "on": "2020"}})
    assert lab.rows(f"trusted.{name}", "id", "star_count", "made")[-1] == (2, "4.1", '{"in":"Jaén","on":"2020"}')
    send(lab, name, {"id": 3, "price": "3"})
    assert lab.rows(f"trusted.{name}", "id", "star_count")[-1] == (3, None)
    assert len(lab.rows(f"trusted.{name}", "id")) == (1 if load == "snapshot" else 3)


@pytest.mark.parametrize("load", ["snapshot", "append", "merge"])
def test_a_column_widens_as_far_as_it_is_allowed(lab: Lab, load: str) -> None:
    name = f"widens_{load}"
    columns = {
        "id": {"type": "int", "widen": ["bigint"]},
        "price": {"type": "decimal(4,2)", "widen": ["decimal(6,2)", "decimal(9,2)"]},
    }
    start(lab, name, columns=columns, changes="evolve", load=load, max_shrink=1)
    record = send(lab, name, {"id": 3_000_000_000, "price": "1234.50"}, {"id": 2, "price": "12345678.00"})
    assert record["counts"][0]["quarantined"] == 1
    types = dict(lab.spark.table(f"lake.trusted.{name}").dtypes)
    assert (types["id"], types["price"]) == ("bigint", "decimal(6,2)")
    assert (3_000_000_000, "1234.50") in [(key, str(price)) for key, price in lab.rows(f"trusted.{name}", "id", "price")]
    send(lab, name, {"id": 4, "price": "1"})
    assert dict(lab.spark.table(f"lake.trusted.{name}").dtypes)["id"] == "bigint"


def test_evolving_and_pii_columns_do_not_go_together(lab: Lab) -> None:
    lab.declare("careful", {**COLUMNS, "email": {"type": "string", "pii": True}}, changes="evolve")
    with pytest.raises(UsageError, match="a new field may be personal"):
        lab.pull("careful")


def test_small_integers_are_checked_as_declared_and_kept_as_int(lab: Lab) -> None:
    start(lab, "small", columns={"id": "tinyint", "price": "smallint"}, max_shrink=1)
    record = send(lab, "small", {"id": 127, "price": 1}, {"id": 128, "price": 1})
    assert (record["counts"][0]["kept"], record["counts"][0]["quarantined"]) == (1, 1)
    assert dict(lab.spark.table("lake.trusted.small").dtypes)["id"] == "int"


def test_a_renamed_field_is_told_as_new_and_gone_and_stops_a_strict_source(lab: Lab) -> None:
    start(lab, "renamed", changes="strict")
    record = send(lab, "renamed", {"id": 1, "cost": "2"})
    assert record["exit_code"] == 3
    assert "fields nobody declared: cost; declared fields that did not come: price (renamed?)" in record["reason"]


def test_a_missing_field_is_null_and_told_by_default_and_a_null_one_is_not(lab: Lab) -> None:
    start(lab, "gone")
    assert send(lab, "gone", {"id": 1})["changes"] == "declared fields that did not come: price"
    assert lab.rows("trusted.gone", "id", "price") == [(1, None)]
    assert "changes" not in send(lab, "gone", {"id": 1, "price": None}, {"id": 2, "price": None})


TWICE = [{"id": 1, "price": "2"}, {"id": 7, "price": "2"}, {"id": 7, "price": "3"}, {"price": "4"}]
SAID = "1 rows without a key (id) went to quarantine; 1 keys came more than once in one run, such as id 7"


def test_keys_that_turn_null_or_repeat_are_told(lab: Lab) -> None:
    start(lab, "odd_keys")
    record = send(lab, "odd_keys", *TWICE)
    assert (record["outcome"], record["changes"]) == ("published", SAID)
    assert (record["counts"][0]["keyless"], record["counts"][0]["repeated"]) == (1, 1)


def test_keys_that_turn_null_or_repeat_stop_a_strict_source_until_a_person_consents(lab: Lab) -> None:
    start(lab, "stern_keys", changes="strict")
    record = send(lab, "stern_keys", *TWICE)
    (run,) = [run["run"] for run in lab.plan("stern_keys")["tables"][0]["runs"]]
    assert (record["exit_code"], len(lab.rows("trusted.stern_keys", "id"))) == (3, 1)
    assert f"{SAID} (if that is right: `lake run --no-ingest --accept {run}`); the table stays as it was" in record["reason"]
    assert lab.build(lab.plan("stern_keys", accept=(run,)))["trusted.stern_keys"]["outcome"] == "published"
    assert [key for (key,) in lab.rows("trusted.stern_keys", "id")] == [1, 7]


def test_several_rows_of_a_key_do_not_stop_a_strict_source_that_merges_them(lab: Lab) -> None:
    start(lab, "stern_merge", changes="strict", load="merge")
    record = send(lab, "stern_merge", *TWICE[:3])
    assert (record["outcome"], record["changes"]) == ("published", "1 keys came more than once in one run, such as id 7")
