"""A lineage as OpenLineage run events, specification 2-0-2: START and COMPLETE of every ingestion and every publish in it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid5

from ulid import ULID

from lake.settings import Settings
from orchestration.lineage import Made
from store.manifests import Manifest

PRODUCER = "urn:embalse"
SPEC = "https://openlineage.io/spec"
EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
#: Facet -> version of its published schema.
FACETS = {
    "ParentRunFacet": "1-2-0",
    "JobTypeJobFacet": "2-0-4",
    "SchemaDatasetFacet": "1-2-0",
    "DatasetVersionDatasetFacet": "1-0-1",
    "StorageDatasetFacet": "1-0-1",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "InputStatisticsInputDatasetFacet": "1-0-0",
}
Facts = dict[str, Any]


def events(settings: Settings, root: Made) -> list[Facts]:
    """Every event, what is made from others behind them."""
    tables = list(root.all())
    runs = {(run.source, run.run): run for each in tables for origin in each.origins for run in origin.runs}
    found = [event for run in runs.values() for event in _ingested(settings, run)]
    return found + [event for each in tables if each.publication for event in _published(settings, each)]


def _ingested(settings: Settings, run: Manifest) -> list[Facts]:
    """A bot brought a raw run; its inputs are the addresses it asked, without their queries."""
    asked: dict[tuple[str, str], list[Any]] = {}
    for original in run.originals:
        asked.setdefault(named(original.url), []).append(original)
    inputs = [
        {
            **_dataset(*place),
            "facets": {"version": _version(f"sha256:{each[0].sha256}")} if len(each) == 1 else {},
            "inputFacets": {
                "inputStatistics": _facet(
                    "InputStatisticsInputDatasetFacet", size=sum(one.bytes for one in each), fileCount=len(each)
                )
            },
        }
        for place, each in asked.items()
    ]
    output = _raw(settings, run) | {"outputFacets": {"outputStatistics": _statistics(run)}}
    originals = [{"key": each.key, "url": each.url, "sha256": each.sha256, "bytes": each.bytes} for each in run.originals]
    output["facets"]["embalse_originals"] = {
        "_producer": PRODUCER,
        "_schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/DatasetFacet",
        "originals": originals,
    }
    return _run(settings, f"ingest.{run.source}", "EMBALSE", run.run, run.created_at, inputs, output)


def _published(settings: Settings, made: Made) -> list[Facts]:
    """Spark published a table from other tables, or from raw runs."""
    told = made.publication or {}
    inputs = [_table(settings, each) for each in made.tables]
    inputs += [_raw(settings, origin.runs[-1]) for origin in made.origins if origin.runs]
    facts = _facet("OutputStatisticsOutputDatasetFacet", rowCount=told["rows"])
    output = _table(settings, made) | {"outputFacets": {"outputStatistics": facts}}
    return _run(settings, made.table, "SPARK", told["run"], told["published_at"], inputs, output)


def _run(
    settings: Settings, job: str, integration: str, run: str, ended_at: str, inputs: list[Facts], output: Facts
) -> list[Facts]:
    """Its two events; one run of the lake is the parent of one run for each job in it."""
    whole = ULID.from_str(run).to_uuid()
    parent = {"run": {"runId": str(whole)}, "job": {"namespace": settings.root, "name": "lake run"}}
    kind = _facet("JobTypeJobFacet", processingType="BATCH", integration=integration, jobType="JOB")
    shared = {
        "producer": PRODUCER,
        "schemaURL": EVENT,
        "run": {"runId": str(uuid5(whole, job)), "facets": {"parent": _facet("ParentRunFacet", **parent)}},
        "job": {"namespace": settings.root, "name": job, "facets": {"jobType": kind}},
        "inputs": inputs,
        "outputs": [output],
    }
    began_at = datetime.fromtimestamp(ULID.from_str(run).timestamp, UTC).isoformat(timespec="milliseconds")
    return [{"eventType": "START", "eventTime": began_at, **shared}, {"eventType": "COMPLETE", "eventTime": ended_at, **shared}]


def _table(settings: Settings, made: Made) -> Facts:
    """A table at the snapshot of one of its publishes."""
    facets = {"storage": _facet("StorageDatasetFacet", storageLayer="iceberg", fileFormat="parquet")}
    if made.publication:
        facets["version"] = _version(str(made.publication["snapshot"]))
    if made.fields:
        facets["schema"] = _facet("SchemaDatasetFacet", fields=[_field(each) for each in made.fields])
    return {**_dataset(settings.root, made.table), "facets": facets}


def _raw(settings: Settings, run: Manifest) -> Facts:
    """A source's raw zone at one of its runs."""
    return {**_dataset(settings.root, f"raw/{run.source}"), "facets": {"version": _version(run.run)}}


def _field(column: Facts) -> Facts:
    return {name: value for name, value in column.items() if value}


def _statistics(run: Manifest) -> Facts:
    total = sum(each.bytes for each in run.originals)
    rows, files = run.first_decoding.rows, len(run.originals)
    return _facet("OutputStatisticsOutputDatasetFacet", rowCount=rows, size=total, fileCount=files)


def _dataset(namespace: str, name: str) -> Facts:
    return {"namespace": namespace, "name": name}


def _version(text: str) -> Facts:
    return _facet("DatasetVersionDatasetFacet", datasetVersion=text)


def _facet(name: str, **facts: Any) -> Facts:
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/{FACETS[name]}/{name}.json#/$defs/{name}", **facts}


def named(url: str) -> tuple[str, str]:
    """Namespace and name of what an address stands for, as the specification's naming has it."""
    parts = urlsplit(url)
    path = parts.path.lstrip("/")
    if parts.scheme == "file":
        return "file", parts.path
    if parts.scheme in ("mysql", "postgresql"):
        return f"{parts.scheme}://{parts.netloc}", path.replace("/", ".")
    return f"{parts.scheme}://{parts.netloc}", path or "/"


def lines(found: Iterable[Facts]) -> Iterable[str]:
    """One event per line, as programs that collect them read it."""
    return (json.dumps(event, ensure_ascii=False) for event in found)
