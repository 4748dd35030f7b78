"""Which snapshots may go: never one that is kept, never one that a reader may have begun with."""

from lake.upkeep import expiry, lease_of, pins, told

HOUR = 3_600_000


def test_a_snapshot_may_be_read_for_a_while_after_it_was_replaced_however_old_it_is() -> None:
    log = [(0, 1), (100 * HOUR, 2), (101 * HOUR, 3)]
    made_at = {1: 0, 2: 100 * HOUR, 3: 101 * HOUR}
    found = expiry(made_at, log, {3}, now=102 * HOUR, readers=2 * HOUR)
    assert (found.gone, found.again_at) == ([1], 103 * HOUR)
    assert expiry(made_at, log, {3}, now=102 * HOUR - 1, readers=2 * HOUR).gone == []
    assert expiry(made_at, log, {3}, now=103 * HOUR, readers=2 * HOUR).gone == [1, 2]


def test_what_is_kept_stays_whatever_its_age_and_asks_for_no_other_look() -> None:
    found = expiry({1: 0, 2: 1}, [(0, 1), (1, 2)], {1, 2}, now=100 * HOUR, readers=HOUR)
    assert (found.gone, found.again_at) == ([], None)


def test_a_snapshot_that_came_back_counts_from_the_last_time_it_was_replaced() -> None:
    log = [(0, 1), (HOUR, 2), (2 * HOUR, 1), (9 * HOUR, 3)]
    assert expiry({1: 0, 2: HOUR, 3: 9 * HOUR}, log, {3}, now=9 * HOUR, readers=HOUR).gone == [2]


def test_a_snapshot_from_before_the_log_was_replaced_when_the_log_begins() -> None:
    assert expiry({1: 0, 7: 9 * HOUR}, [(9 * HOUR, 7)], {7}, now=9 * HOUR, readers=HOUR).again_at == 10 * HOUR


def test_the_newest_publish_of_each_table_pins_what_it_was_made_from() -> None:
    newest = {"inputs": {"trusted.a": {"number": 2, "snapshot": 12}, "shop": {"seq": 1, "run": "R"}}}
    older = {"inputs": {"trusted.a": {"number": 1, "snapshot": 11}}}
    other = {"inputs": {"trusted.a": {"number": 1, "snapshot": 10}}}
    assert pins({"refined.x": [newest, older], "refined.y": [other], "meta.z": []}) == {"trusted.a": [10, 12]}


def test_rejected_rows_are_guarded_by_the_lease_of_the_trusted_table() -> None:
    assert [lease_of(table) for table in ("quarantine.a", "refined.b")] == ["table/trusted.a", "table/refined.b"]


def test_what_was_done_is_told_without_what_was_not() -> None:
    assert told({"compacted": 1200, "expired": 0, "removed": 3}) == "1,200 small files compacted, 3 objects removed"
