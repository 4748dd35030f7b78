"""Follows the guides step by step, in the order in which a newcomer reads them, in a lake beside the copy's first one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.settings import S3_GROUP
from tests.e2e.conftest import Copy
from tests.e2e.reader import Reader

pytestmark = pytest.mark.slow
#: Folders that the guides write into.
WRITTEN = ("docs/reference", "ingest/sources", "jobs/refined", "jobs/models", "tests/spark")


@pytest.fixture(scope="module")
def reader(copy: Copy) -> Iterator[Reader]:
    """A reader whose lake is empty; what the guides added to the copy goes with them."""
    assert copy.local_run.code == 0, copy.local_run.out
    before = {path: path.read_bytes() for path in _files(copy.folder)}
    s3 = {name: copy.written[name] for name in S3_GROUP if name in copy.written}
    own = {"LAKE_ROOT": f"{copy.written['LAKE_ROOT']}/guides", "LAKE_CATALOG": "sqlite:.lake/guides.db"}
    yield Reader(copy.folder, {**copy.lake.environment, **s3, **own})
    for path in _files(copy.folder):
        if path not in before:
            path.unlink()
        elif path.read_bytes() != before[path]:
            path.write_bytes(before[path])


@pytest.fixture(scope="module")
def with_source(reader: Reader) -> Reader:
    """A reader who has followed the guide to a source."""
    reader.follows("docs/guides/add-a-source.md")
    return reader


def _files(checkout: Path) -> list[Path]:
    return [path for folder in WRITTEN for path in (checkout / folder).rglob("*") if path.is_file()]


def test_the_guide_to_a_source_works_and_the_references_name_it(with_source: Reader) -> None:
    assert "trusted.product_ratings" in (with_source.checkout / "docs" / "reference" / "tables.md").read_text()
    assert with_source.types(".venv/bin/python -m orchestration.reference --check").code == 0


def test_a_second_pull_finds_nothing_new(with_source: Reader) -> None:
    assert "nothing new" in with_source.types(".venv/bin/lake ingest product_ratings").err


def test_the_guide_to_a_table_works(reader: Reader) -> None:
    done = reader.follows("docs/guides/add-a-table.md")
    assert any("lake run city_sales" in command for command in done)


def test_the_guide_to_models_works_and_its_report_stands_alone(reader: Reader) -> None:
    reader.follows("docs/guides/models.md")
    page = (reader.checkout / ".lake" / "reports" / "storm_hours.html").read_text()
    assert page.count("<svg") == 2
    assert re.findall(r"(?:src|href|url)\s*[=(]|https?:", page) == []


def test_the_guide_to_series_works_and_its_page_draws_the_airports(reader: Reader) -> None:
    done = reader.follows("docs/guides/series.md")
    assert sum("backtest" in command for command in done) == 2
    page = (reader.checkout / ".lake" / "reports" / "delay_alerts.html").read_text()
    assert page.count("<svg") == 3
    assert page.count('class="alert"') > 3


def test_the_commands_of_the_guide_to_operation_work(with_source: Reader) -> None:
    assert len(with_source.follows("docs/guides/operate.md")) >= 9
