"""What a table's metadata says of a snapshot: its columns, its publish, and whether readers ever saw it."""

import json
from typing import Any

from store.metadata import TableState


def state(**changes: Any) -> TableState:
    """A table published twice: 1 was published, 2 was upkeep of it, 3 was published, 4 is on a branch."""
    published = [{"number": 2, "snapshot": 3}, {"number": 1, "snapshot": 1}]
    snapshots = [
        {"snapshot-id": 1, "schema-id": 0, "summary": {"total-records": "10"}},
        {"snapshot-id": 2, "schema-id": 0, "parent-snapshot-id": 1, "summary": {"total-records": "10"}},
        {"snapshot-id": 3, "schema-id": 1, "parent-snapshot-id": 2, "summary": {}},
        {"snapshot-id": 4, "schema-id": 2, "parent-snapshot-id": 3, "summary": {"total-records": "12"}},
    ]
    metadata = {
        "current-snapshot-id": 3,
        "current-schema-id": 2,
        "schemas": [{"schema-id": n, "fields": [{"name": f"column_{n}", "type": "long"}]} for n in range(3)],
        "snapshots": snapshots,
        "snapshot-log": [{"snapshot-id": 1}, {"snapshot-id": 2}, {"snapshot-id": 3}],
        "properties": {"lake.publications": json.dumps(published)},
    }
    return TableState("s3://lake/t/metadata/1.json", {**metadata, **changes})


def test_a_snapshot_has_the_columns_that_it_was_written_with() -> None:
    assert [state().fields(snapshot)[0]["name"] for snapshot in (1, 3)] == ["column_0", "column_1"]


def test_rows_are_what_the_snapshot_s_summary_says() -> None:
    assert [state().rows(snapshot) for snapshot in (1, 3, 99)] == [10, None, 0]


def test_upkeep_shows_the_publish_before_it_and_a_rollback_its_own() -> None:
    publishes = [state().publication(snapshot) for snapshot in (1, 2, 3)]
    assert [publish and publish["number"] for publish in publishes] == [1, 1, 2]
    rolled_back = json.dumps([{"number": 3, "snapshot": 1}, {"number": 2, "snapshot": 3}, {"number": 1, "snapshot": 1}])
    found = state(properties={"lake.publications": rolled_back}).publication(1)
    assert found
    assert found["number"] == 3
    assert state(properties={}).publication(3) is None


def test_only_what_was_current_and_is_kept_was_seen_by_readers() -> None:
    assert [state().was_current(snapshot) for snapshot in (1, 3, 4, 99)] == [True, True, False, False]
    assert not state(snapshots=[]).was_current(1)


def test_a_table_without_snapshots_has_its_current_columns_and_no_rows() -> None:
    for none in (None, -1):
        empty = state(**{"current-snapshot-id": none, "snapshots": []})
        assert (empty.current, empty.rows(empty.current), empty.publication(empty.current)) == (None, 0, None)
        assert empty.fields(empty.current)[0]["name"] == "column_2"
