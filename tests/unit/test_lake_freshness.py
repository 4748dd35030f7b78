"""A table is as fresh as the oldest thing that its inputs have and it has not."""

from datetime import UTC, datetime, timedelta

import pytest

from lake.errors import UsageError
from lake.freshness import AsOf, is_kept, of_inputs, of_source
from lake.sources import source_from
from lake.tables import Table
from tests.unit.test_lake_declarations import GOOD

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EARLIER, EARLIEST = NOON - timedelta(minutes=10), NOON - timedelta(hours=2)


def test_a_source_that_was_just_asked_and_had_nothing_new_is_fresh() -> None:
    assert of_source("goods", NOON, None) == AsOf(NOON, "goods was asked")


def test_news_that_is_not_in_the_table_makes_it_as_old_as_the_news() -> None:
    assert of_source("goods", NOON, ("R1", EARLIER)) == AsOf(EARLIER, "run R1 of goods is not in it")


def test_a_refined_table_is_as_fresh_as_its_oldest_input() -> None:
    inputs = [("trusted.a", AsOf(EARLIER, "a"), None), ("trusted.b", AsOf(EARLIEST, "b"), None)]
    assert of_inputs(inputs) == AsOf(EARLIEST, "b")


def test_a_publish_of_an_input_that_is_not_in_the_table_makes_it_as_old_as_that_publish() -> None:
    inputs = [("trusted.a", AsOf(NOON, "a"), (7, EARLIER)), ("trusted.b", AsOf(NOON, "b"), None)]
    assert of_inputs(inputs) == AsOf(EARLIER, "publish 7 of trusted.a is not in it")


def test_an_input_that_was_never_asked_leaves_nothing_to_say() -> None:
    assert of_inputs([("trusted.a", AsOf(NOON, "a"), None), ("trusted.b", AsOf(None, "never"), None)]) == AsOf(None, "never")


@pytest.mark.parametrize(
    ("promise", "at", "kept"),
    [("10 minutes", EARLIER, True), ("9 minutes", EARLIER, False), ("2 hours", EARLIEST, True), ("1 day", None, False)],
)
def test_a_promise_is_kept_up_to_its_very_end(promise: str, at: datetime | None, kept: bool) -> None:
    assert is_kept(promise, AsOf(at, ""), NOON) is kept


def test_where_nothing_was_promised_nothing_is_broken() -> None:
    assert is_kept(None, AsOf(None, ""), NOON) is None


@pytest.mark.parametrize("promise", ["soon", "0 hours", "1.5 hours", "1 week"])
def test_a_promise_of_no_length_is_refused(promise: str) -> None:
    with pytest.raises(UsageError, match=f"fresh_within: got '{promise}', expected a length of time such as `15 minutes`"):
        source_from({**GOOD, "fresh_within": promise}, "goods.yaml")


def test_a_promise_rebuilds_no_table() -> None:
    from lake.tables import Refined

    contract = {"description": "One row.", "key": ["id"], "columns": {"id": "bigint"}}
    promised = {**contract, "fresh_within": "1 hour"}
    plain, fresh = (Refined("a", Table.model_validate(each), (), "code") for each in (contract, promised))
    assert plain.declaration == fresh.declaration
    source = source_from(GOOD, "goods.yaml")
    assert source_from({**GOOD, "fresh_within": "1 hour"}, "goods.yaml").declaration == source.declaration
