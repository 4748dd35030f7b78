"""`make local-run` in a fresh copy: from nothing to figures that are right, and no secret where it does not belong."""

import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from local.fakestore import load_fakestore
from local.processes import end, free_port, is_alive, start
from tests.e2e.conftest import Copy

SUMMARY = {
    "electronics": (332.49833333333333, 6),
    "jewelery": (220.995, 4),
    "men's clothing": (51.0575, 4),
    "women's clothing": (26.286666666666665, 6),
}


def test_it_ends_well_and_shows_the_refined_tables(copy: Copy) -> None:
    assert copy.local_run.code == 0, copy.local_run.err
    for told in (
        "20 tables published",
        "refined.category_summary",
        "refined.product_sales",
        "refined.customer_value",
        "s in all. Next:",
    ):
        assert told in copy.local_run.out + copy.local_run.err


def test_the_summary_has_the_shops_figures(copy: Copy) -> None:
    rows = copy.lake.rows("SELECT * FROM refined.category_summary ORDER BY category")
    assert [row["category"] for row in rows] == sorted(SUMMARY)
    for row in rows:
        average, products = SUMMARY[row["category"]]
        assert row["avg_price"] == pytest.approx(average, abs=1e-9)
        assert row["products_quant"] == products


def test_the_three_refined_tables_agree_with_each_other(copy: Copy) -> None:
    (sold,) = copy.lake.rows("SELECT sum(units) AS units, sum(revenue) AS revenue FROM refined.product_sales")
    (bought,) = copy.lake.rows(
        "SELECT sum(units) AS units, sum(revenue) AS revenue, count(*) AS customers FROM refined.customer_value"
    )
    assert (bought["units"], bought["customers"]) == (sold["units"], 13)
    assert float(bought["revenue"]) == pytest.approx(float(sold["revenue"]), abs=1e-9)


def test_every_row_that_came_is_accounted_for(copy: Copy) -> None:
    record = copy.lake("runs", "show", "--json").json
    asked = {source["source"]: source["rows"] for source in record["sources"]}
    counted = {
        name.removeprefix("trusted."): table["counts"]
        for name, table in record["tables"].items()
        if name.startswith("trusted.")
    }
    assert set(asked) == set(counted)
    for source, counts in counted.items():
        (count,) = counts
        assert count["decoded"] == asked[source]
        assert count["decoded"] == count["kept"] + count["quarantined"] + count["superseded"] + count["duplicates"]
    assert record["peak_memory_bytes"] > 0


def test_a_second_run_finds_nothing_new_and_does_not_start_spark(copy: Copy) -> None:
    again = copy.lake("run", "--json")
    assert again.code == 0
    assert {source["outcome"] for source in again.json["sources"]} == {"unchanged"}
    assert "tables" not in again.json
    assert "job_exit_code" not in again.json
    assert not (copy.folder / ".lake" / "logs" / f"job-{again.json['run']}.log").exists()


def test_a_second_set_up_has_nothing_to_do(copy: Copy) -> None:
    again = subprocess.run(["make", "setup"], cwd=copy.folder, env=dict(copy.lake.environment), capture_output=True, text=True)
    assert (again.returncode, again.stderr) == (0, "setup: everything is there\n")


def secrets(copy: Copy) -> Iterator[str]:
    """Everything that must not be seen: what opens the servers, and what identifies the shop's users."""
    yield copy.written["LAKE_S3_SECRET_ACCESS_KEY"]
    yield copy.written["SHOP_DATABASE_URL"].partition("://")[2].partition("@")[0].partition(":")[2]
    for user in load_fakestore()["users"]:
        yield from (user["password"], user["email"], user["phone"])


def found_in(text: str, copy: Copy) -> list[str]:
    """The secrets that a text holds."""
    return [secret for secret in secrets(copy) if secret in text]


def test_no_secret_is_printed_logged_or_on_a_command_line(copy: Copy) -> None:
    logs = [path for path in (copy.folder / ".lake" / "logs").rglob("*") if path.is_file()]
    assert any(path.name.startswith("job-") for path in logs)
    assert any("jobs/run.py" in line for line in copy.command_lines)
    for text in [
        copy.local_run.out,
        copy.local_run.err,
        *copy.command_lines,
        *(path.read_text(errors="replace") for path in logs),
    ]:
        assert found_in(text, copy) == []


def test_no_secret_leaves_raw(copy: Copy) -> None:
    objects, looked = copy.lake.objects, 0
    for info in objects.list(""):
        data = objects.get(info.key)
        is_parquet = info.key.endswith(".parquet")
        text = str(pq.read_table(io.BytesIO(data)).to_pylist()) if is_parquet else data.decode(errors="replace")
        if not info.key.startswith("raw/"):
            assert found_in(text, copy) == [], info.key
            looked += is_parquet
    assert looked > 10


def test_only_its_owner_can_read_the_credentials(copy: Copy) -> None:
    for name in ("env", "servers.json"):
        assert (copy.folder / ".lake" / name).stat().st_mode & 0o077 == 0


def listed(copy: Copy) -> list[Any]:
    """The tables without their ages."""
    return [(table["table"], table["snapshot"], table["rows"]) for table in copy.lake("tables", "--json").json]


def test_down_ends_what_up_started_and_nothing_else(copy: Copy, tmp_path: Path) -> None:
    before = listed(copy)
    python = str(copy.folder / ".venv" / "bin" / "python")
    environment = {**os.environ, "PYTHONPATH": str(copy.folder)}
    stranger = start([python, "-m", "local.feeds", "--port", str(free_port())], environment, tmp_path / "log")
    try:
        assert sorted(json.loads(copy.lake("down", "--json").out)) == ["feeds", "mariadb", "minio", "postgresql"]
        assert is_alive(stranger)
        asked = copy.lake("run")
        assert asked.code == 75
        assert copy.lake("up").code == 0
        assert listed(copy) == before
    finally:
        end([stranger])
        copy.lake("up")
