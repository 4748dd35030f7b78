"""The line of a source or table says what a person should know of it."""

import io
from typing import Any

from orchestration.progress import Progress


def line(**event: Any) -> str:
    stream = io.StringIO()
    Progress(stream)(event)
    return " ".join(stream.getvalue().split())


def test_a_source_says_its_rows_its_keys_and_what_is_odd() -> None:
    facts = {"event": "source", "source": "orders", "outcome": "new", "rows": 1200, "bytes": 5, "seconds": 1.0}
    assert line(**facts) == "source orders 1,200 rows, 5 B, 1.0 s"
    odd = {"keys": 3400, "notes": ["got no rows", "the total changed"]}
    assert line(**facts, **odd) == "source orders 1,200 rows and 3,400 keys, 5 B, 1.0 s; got no rows; the total changed"
    unchanged = {**facts, **odd, "outcome": "unchanged"}
    assert line(**unchanged) == "source orders nothing new, 1.0 s; got no rows; the total changed"


def test_a_table_says_which_rows_are_left_out_and_what_changed_in_its_source() -> None:
    facts = {
        "event": "table",
        "table": "trusted.orders",
        "state": "published",
        "rows": 3,
        "seconds": 2.0,
        "reason": "new input",
    }
    assert line(**facts) == "table trusted.orders 3 rows, published, 2.0 s: new input"
    counts = [{"quarantined": 1, "deleted": 2}, {"quarantined": 1}]
    changes = "fields nobody declared: colour"
    said = "table trusted.orders 3 rows, published, 2.0 s, 2 quarantined, 2 deleted: new input; fields nobody declared: colour"
    assert line(**facts, counts=counts, changes=changes) == said
