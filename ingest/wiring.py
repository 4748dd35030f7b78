"""The one place that wires a source to its bot, and a request parameter to another source's rows."""

from typing import Any

import pyarrow.parquet as pq

from ingest.database import DatabaseBot
from ingest.files import FilesBot
from ingest.hosts import Hosts
from ingest.http import RequestsTransport
from ingest.originals import Bot
from ingest.replay import ensure_decoded
from ingest.rest import RestBot
from lake.database_source import DatabaseSource
from lake.errors import LakeError
from lake.files_source import FilesSource
from lake.rest_source import RestSource
from store import raw
from store.objects import Objects
from store.scratch import scratch


def bot_of(source: Any, sources: dict[str, Any], objects: Objects, hosts: Hosts | None = None) -> Bot:
    """The bot for a source's kind; `hosts` are asked politely by all sources together."""
    environment = objects.settings.environment
    if isinstance(source, DatabaseSource):
        return DatabaseBot(source, environment)
    if isinstance(source, FilesSource):
        return FilesBot(source, environment, RequestsTransport())
    assert isinstance(source, RestSource)
    return RestBot(
        source,
        environment,
        RequestsTransport(),
        lambda each: values_of(objects, sources[each.source], each.column, source.name),
        lambda each: sources[each.source].columns[each.column].pii,
        hosts=hosts,
    )


def values_of(objects: Objects, source: Any, column: str, wanted_by: str) -> list[str]:
    """The distinct values of a column in the newest visible run of a source, sorted; nulls and rows with faults are none.

    Raises LakeError when the source has no run yet.
    """
    head = raw.head(objects, source.name)
    if head is None:
        raise LakeError(f"{wanted_by}: got no run of {source.name} yet, expected one; run `lake ingest {source.name}` first")
    found: set[str] = set()
    with scratch() as folder:
        for part in ensure_decoded(source, objects, [head])[0].objects:
            path = folder / "decoded.parquet"
            objects.download(part.key, path)
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=[column, "_faults"]):
                    values, faults = batch.column(column).to_pylist(), batch.column("_faults").to_pylist()
                    found.update(
                        value for value, fault in zip(values, faults, strict=True) if value is not None and fault is None
                    )
    return sorted(found)
