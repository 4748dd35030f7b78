"""`lake source check` shows what a build would make of a source's first rows, and leaves no trace."""

from pathlib import Path

from ingest.sample import sample
from jobs.check import checked_rows
from tests.spark.conftest import Lab


def test_the_first_rows_are_shown_cast_and_judged_and_nothing_is_written(lab: Lab, tmp_path: Path) -> None:
    lab.declare("checked", {"id": "bigint", "price": "decimal(10,2)", "email": {"type": "string", "pii": True}})
    lab.serve("checked", [{"id": 1, "price": "1.5", "email": "hidden"}, {"id": "x", "price": 2, "email": "hidden", "new": 1}])
    before = [info.key for info in lab.objects.list("")]
    sources = lab.declared().sources
    found = sample("checked", sources, lab.objects, tmp_path)
    order = {"source": sources["checked"].model_dump(mode="json", by_alias=True), "sample": str(found.path), "rows": 10}
    assert checked_rows(lab.spark, order) == [
        {"row": 1, "values": {"id": "1", "price": "1.50"}, "problems": []},
        {
            "row": 2,
            "values": {"id": None, "price": "2.00"},
            "problems": ["id: got 'x', expected a whole number (bigint) (type)"],
        },
    ]
    assert found.facts["fields nobody declared"] == "new"
    assert [info.key for info in lab.objects.list("")] == before
