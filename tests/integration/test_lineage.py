"""From a publish back to the bytes: every table, raw run and original, in text, JSON and OpenLineage events."""

import json
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.generated import base
from openlineage.client.serde import Serde

from lake.errors import UsageError
from lake.planning import Wanted
from lake.settings import Settings
from local.feeds import Feeds
from store import raw
from store.objects import Objects
from tests.integration.conftest import Server, lake_of
from tests.integration.lakes import declare, publish, published, pulled, shop_declarations, verb


@pytest.fixture
def settings(minio_server: Server, feeds: Feeds, tmp_path: Path) -> Settings:
    """A lake in which the products and what is made from them were published once."""
    places = {"FAKESTORE_URL": feeds.url, "SHOP_FILES_URL": feeds.files_url, "LAKE_SOURCES": str(tmp_path / "sources")}
    made = lake_of(minio_server, tmp_path, **places)
    shop_declarations(made)
    pulled(made, "products")
    published(made, "products")
    publish(made, "refined.category_summary", wanted(1), 4)
    return made


def wanted(number: int) -> Wanted:
    return Wanted("d", "c", {"trusted.products": {"number": number, "snapshot": 1000 + number}})


def facts(settings: Settings, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert verb(settings, "lineage", *words, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def again(settings: Settings, feeds: Feeds) -> None:
    """The products change, and all is published anew."""
    feeds.data["products"] = feeds.data["products"][:3]
    pulled(settings, "products")
    published(settings, "products")
    publish(settings, "refined.category_summary", wanted(2), 2)


def test_a_publish_is_followed_to_the_bytes_that_came(
    settings: Settings, feeds: Feeds, capsys: pytest.CaptureFixture[str]
) -> None:
    found = facts(settings, capsys, "category_summary")
    trusted, refined = found["tables"]
    assert (refined["table"], refined["tables"]) == ("refined.category_summary", [{"table": "trusted.products", "publish": 1}])
    (run,) = found["runs"]
    assert trusted["sources"] == [{"source": "products", "runs": [run["run"]], "gone": []}]
    (original,) = run["originals"]
    body = Objects(settings).get(original["key"])
    assert original["sha256"] == sha256(body).hexdigest()
    assert original["url"] == f"{feeds.url}/products"
    verb(settings, "lineage", "refined.category_summary")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("refined.category_summary, publish 1: 4 rows, 2026-01-01T12:00:00 UTC, run ")
    assert [line.strip(" └─").partition(",")[0] for line in lines[1:3]] == ["trusted.products", "products"]
    assert lines[3].endswith(f"sha256 {original['sha256']}  {original['key']}")


def test_an_earlier_publish_has_the_inputs_that_it_had(
    settings: Settings, feeds: Feeds, capsys: pytest.CaptureFixture[str]
) -> None:
    before = facts(settings, capsys, "category_summary")
    again(settings, feeds)
    assert facts(settings, capsys, "category_summary", "--publish", "1") == before
    now = facts(settings, capsys, "category_summary")
    assert [(run["seq"], run["rows"]) for run in now["runs"]] == [(2, 3)], "a snapshot is its newest run alone"


def test_rows_that_were_added_come_from_every_run_so_far(
    settings: Settings, feeds: Feeds, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(settings, "things", load="append", url="${env:FAKESTORE_URL}/users")
    feeds.data["users"] = []
    for number in range(8):
        feeds.data["users"] = [{"id": number}]
        pulled(settings, "things")
    published(settings, "things")
    assert [run["seq"] for run in facts(settings, capsys, "trusted.things")["runs"]] == list(range(1, 9))
    verb(settings, "lineage", "things")
    text = capsys.readouterr().out
    assert "(number 8)" in text
    assert "... and 3 earlier runs of things; `--format json` lists them" in text
    fifth = raw.runs_after(Objects(settings), "things", 4)[0]
    Objects(settings).delete([fifth.link.manifest])
    (table,) = facts(settings, capsys, "things")["tables"]
    assert (len(table["sources"][0]["runs"]), table["sources"][0]["gone"]) == (3, [1, 2, 3, 4, 5])
    verb(settings, "lineage", "things")
    assert "... and 5 runs of things that raw no longer has" in capsys.readouterr().out


def test_a_publish_that_is_no_longer_remembered_is_named(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    publish(settings, "refined.product_sales", wanted(7), 1)
    assert [table["is_remembered"] for table in facts(settings, capsys, "product_sales")["tables"]] == [False, True]
    verb(settings, "lineage", "product_sales")
    assert "└─ trusted.products, publish 7: no longer remembered" in capsys.readouterr().out


def test_a_table_or_publish_that_is_not_there_is_answered_with_those_that_are(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"got 'nope', expected one of refined\.category_summary, trusted\.products"):
        verb(settings, "lineage", "nope")
    with pytest.raises(UsageError, match="--publish: got 4, expected one of 1"):
        verb(settings, "lineage", "products", "--publish", "4")


def test_events_are_what_the_specifications_own_classes_make(
    settings: Settings, feeds: Feeds, capsys: pytest.CaptureFixture[str]
) -> None:
    again(settings, feeds)
    verb(settings, "lineage", "category_summary", "--format", "openlineage")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["eventType"], event["job"]["name"]) for event in events] == [
        (kind, name)
        for name in ("ingest.products", "trusted.products", "refined.category_summary")
        for kind in ("START", "COMPLETE")
    ]
    for event in events:
        assert _shown(Serde.to_dict(_event(event))) == _shown(event)
    refined, trusted = events[-1], events[-3]
    output = refined["outputs"][0]
    assert output["facets"]["version"]["datasetVersion"] == "1002"
    assert output["facets"]["schema"]["fields"] == [{"name": "id", "type": "bigint", "description": "number"}]
    assert refined["inputs"][0] == {key: trusted["outputs"][0][key] for key in ("namespace", "name", "facets")}
    assert len({event["run"]["runId"] for event in events}) == 3


def test_the_classes_refuse_an_event_that_is_none() -> None:
    with pytest.raises(ValueError, match="badly formed"):
        base.Run(runId="01M89WPN3RCY9EDFFHT1H4NSWD")


MODULES = {
    "ParentRunFacet": "parent_run",
    "JobTypeJobFacet": "job_type_job",
    "SchemaDatasetFacet": "schema_dataset",
    "DatasetVersionDatasetFacet": "dataset_version_dataset",
    "StorageDatasetFacet": "storage_dataset",
    "OutputStatisticsOutputDatasetFacet": "output_statistics_output_dataset",
    "InputStatisticsInputDatasetFacet": "input_statistics_input_dataset",
}


def _event(event: dict[str, Any]) -> Any:
    """The event made anew by the classes that are generated from the published schemas."""
    assert event["schemaURL"] == base.RunEvent._get_schema()
    run, job = event["run"], event["job"]
    return base.RunEvent(
        eventTime=event["eventTime"],
        eventType=base.EventType[event["eventType"]],
        producer=event["producer"],
        run=base.Run(runId=run["runId"], facets=_facets(run["facets"])),
        job=base.Job(namespace=job["namespace"], name=job["name"], facets=_facets(job["facets"])),
        inputs=[
            base.InputDataset(
                **{**each, "facets": _facets(each["facets"]), "inputFacets": _facets(each.get("inputFacets", {}))}
            )
            for each in event["inputs"]
        ],
        outputs=[
            base.OutputDataset(**{**each, "facets": _facets(each["facets"]), "outputFacets": _facets(each["outputFacets"])})
            for each in event["outputs"]
        ],
    )


def _facets(facets: dict[str, Any]) -> dict[str, Any]:
    return {name: _facet(facet) for name, facet in facets.items()}


def _facet(facet: dict[str, Any]) -> Any:
    own = {name: value for name, value in facet.items() if not name.startswith("_")}
    name = facet["_schemaURL"].rpartition("/")[2]
    if name == "DatasetFacet":  # one of our own
        made: Any = base.DatasetFacet(producer=facet["_producer"])
        return made.with_additional_properties(**own)
    module = import_module(f"openlineage.client.generated.{MODULES[name]}")
    made = getattr(module, name)(**own, producer=facet["_producer"])
    assert made._get_schema() == facet["_schemaURL"]
    return made


def _shown(value: Any) -> Any:
    """Without what is empty."""
    if isinstance(value, dict):
        return {key: _shown(each) for key, each in value.items() if each not in (None, {}, [])}
    return [_shown(each) for each in value] if isinstance(value, list) else value
