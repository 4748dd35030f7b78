"""What gates found reaches `meta.quality_results` once, whoever dies on the way and however many keep at once."""

import signal
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from jobs.gate import Gate
from jobs.quality import TABLE, keep_results
from jobs.results import Result, last_results, note_results, noted_results
from store.leases import held
from tests.spark.conftest import Lab
from tests.spark.drivers import build, ended, places, started, steps


def noted(lab: Lab, run: str, table: str = "trusted.any") -> Result:
    """What a gate of a run found, and no job has kept."""
    result = Result(run, table, "rows", "row_count", 3.0, 1.0, None, True, datetime.now(UTC))
    note_results(lab.objects, [result])
    return result


def keep(lab: Lab, run: str = "keeper") -> None:
    """Do what a job does at its end."""
    keep_results(lab.tables, Gate(run, partial(note_results, lab.objects)))


def kept(lab: Lab, run: str) -> list[tuple[str, str]]:
    """Runs and tables of the rows whose run begins like this."""
    rows = lab.spark.table(f"lake.{TABLE}").where(f"run_id like '{run}%'").select("run_id", "table_name").collect()
    return sorted((row.run_id, row.table_name) for row in rows)


def test_a_job_that_dies_while_it_keeps_results_loses_and_doubles_none(lab: Lab, tmp_path: Path) -> None:
    noted(lab, "dead-0")
    keep(lab)
    noted(lab, "dead-1")
    lines = steps(lab, keep, tmp_path / "log")
    assert any(f"publish {TABLE}" in line for line in lines)
    for number, place in enumerate(places(lines), 2):
        noted(lab, f"dead-{number}")
        assert ended(started(lab, partial(keep, run=f"keeper{number}"), place)) == -signal.SIGKILL
    newest = noted(lab, f"dead-{len(lines) + 3}")
    keep(lab)
    assert kept(lab, "dead-") == sorted((f"dead-{number}", "trusted.any") for number in range(len(lines) + 4))
    assert noted_results(lab.objects) == {}
    assert last_results(lab.objects)["trusted.any"] == [newest]


def test_results_of_tables_that_a_killed_job_published_are_kept_by_the_next_one(lab: Lab, tmp_path: Path) -> None:
    for name in ("judged_lives", "judged_dies"):
        lab.declare(name, {"id": "bigint"})
        lab.serve(name, [{"id": 1}])
    lab.pull("judged_lives", "judged_dies")
    lines = steps(lab, build("judged_lives"), tmp_path / "log")
    published = next(number for number, line in enumerate(lines, 1) if " publish trusted" in line)
    assert ended(started(lab, build("judged_dies"), f"{published}:after")) == -signal.SIGKILL
    run = lab.tables.publications("trusted.judged_dies")[0].run
    assert kept(lab, run) == []
    keep(lab)
    assert set(kept(lab, run)) == {(run, "trusted.judged_dies")}
    assert len(kept(lab, run)) == 3


def test_while_another_job_keeps_results_they_wait_for_the_next_one(lab: Lab) -> None:
    noted(lab, "waits-1")
    with held(lab.objects, f"table/{TABLE}", "another"):
        keep(lab)
        assert kept(lab, "waits") == []
    noted(lab, "waits-2")
    keep(lab)
    keep(lab)
    assert kept(lab, "waits") == [("waits-1", "trusted.any"), ("waits-2", "trusted.any")]


def test_an_older_result_does_not_take_the_place_of_a_newer_one(lab: Lab) -> None:
    late, newer = noted(lab, "order-1", "trusted.order"), noted(lab, "order-2", "trusted.order")
    keep(lab)
    note_results(lab.objects, [late])
    keep(lab)
    assert last_results(lab.objects)["trusted.order"] == [newer]
