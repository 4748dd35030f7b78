"""One way to read one table, in a process of its own: prints rows, seconds and peak memory; started by the bench."""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

Work = Callable[[str], int]


def connectorx(url: str) -> int:
    """Bare ConnectorX: Arrow batches, types as it finds them."""
    import connectorx as engine

    return sum(
        batch.num_rows for batch in engine.read_sql(url, "select * from t", return_type="arrow_stream", batch_size=50_000)
    )


def driver(url: str) -> int:
    """The plain driver with a cursor on the server, rows as tuples."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    facts: dict[str, Any] = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password}
    if parts.scheme == "mysql":
        import pymysql
        from pymysql.cursors import SSCursor

        cursor: Any = pymysql.connect(**facts, database=parts.path[1:], charset="utf8mb4").cursor(SSCursor)
    else:
        import psycopg

        cursor = psycopg.connect(**facts, dbname=parts.path[1:]).cursor("bench")
    cursor.execute("select * from t")
    rows = 0
    while found := cursor.fetchmany(10_000):
        rows += len(found)
    return rows


def dlt(url: str) -> int:
    """A dlt pipeline with its Arrow backend into Parquet files."""
    import dlt as engine
    from dlt.destinations import filesystem
    from dlt.sources.sql_database import sql_table

    address = url.replace("mysql://", "mysql+pymysql://").replace("postgresql://", "postgresql+psycopg2://")
    with tempfile.TemporaryDirectory() as folder:
        target = filesystem(bucket_url=f"file://{folder}/lake")
        pipeline = engine.pipeline("bench", destination=target, dataset_name="raw", pipelines_dir=f"{folder}/pipelines")
        table = sql_table(address, table="t", backend="pyarrow", chunk_size=50_000, reflection_level="full_with_precision")
        pipeline.run(table, loader_file_format="parquet")
        counts: dict[str, int] = pipeline.last_trace.last_normalize_info.row_counts
        return counts["t"]


def _source(url: str) -> Any:
    from lake.sources import source_from

    columns = {"id": "bigint", "qty": "int", "price": "decimal(12,2)", "score": "double", "name": "string", "city": "string"}
    columns |= {"day_on": "date", "seen_at": {"type": "timestamp", "zone": "UTC"}, "n": "smallint", "note": "string"}  # type: ignore[dict-item]
    facts = {"name": "t", "description": "One row per id.", "kind": "database", "load": "append", "url": url, "table": "t"}
    return source_from({**facts, "columns": columns}, "t.yaml")


def engine(url: str) -> int:
    """Embalse's engine alone: typed Arrow columns, nothing proven or written."""
    return sum(len(columns[0]) for columns in _typed(url, is_proven=False))


def proven(url: str) -> int:
    """The engine, every row proven by its checksum, every chunk by its count."""
    return sum(len(columns[0]) for columns in _typed(url, is_proven=True))


def _typed(url: str, *, is_proven: bool) -> Iterator[list[Any]]:
    from ingest.column_types import kept
    from ingest.database import connected
    from ingest.database_address import parsed_address
    from ingest.database_ahead import ahead
    from ingest.database_check import Chunk, as_text, checked

    server = connected(_source(url), parsed_address(url, "bench"))
    fields = server.fields()
    if is_proven:
        batches = checked(server, fields, Chunk(), "bench")
    else:
        select = f"select {', '.join(field.read for field in fields)} from {server.relation()}"
        plain = ahead(server.batches(select, len(fields)), server.patience_seconds)
        batches = ([as_text(*each, "bench") for each in zip(columns, fields, strict=True)] for columns in plain)
    for columns in batches:
        yield [kept(column, field.type) for column, field in zip(columns, fields, strict=True)]


def raw(url: str) -> int:
    """The whole bot: chunks along the key, proven, as Parquet originals."""
    return sum(rows for _, rows in _originals(url))


def decoded(url: str) -> int:
    """The whole bot, and the decoded rows beside each original."""
    from ingest.decode import Place, decode, decoder_of

    source = _source(url)
    decoder, rows = decoder_of(source), 0
    for path, _ in _originals(url):
        rows += decode(source, decoder, path, Place("bench", {}, "raw/t", 1), path.with_suffix(".decoded")).rows
        path.with_suffix(".decoded").unlink()
        path.unlink()
    return rows


def _originals(url: str) -> Iterator[tuple[Path, int]]:
    import pyarrow.parquet as pq

    from ingest.database import DatabaseBot
    from ingest.originals import Visit

    with tempfile.TemporaryDirectory() as folder:
        number = count()
        for part in DatabaseBot(_source(url), {}).originals(Visit(lambda: Path(folder) / str(next(number)))):
            yield part.path, pq.read_metadata(part.path).num_rows


WAYS: dict[str, Work] = {
    work.__name__: work for work in (connectorx, driver, dlt, engine, proven, raw, decoded)
}  # fmt: skip


#: What each way imports; loaded before the clock starts.
LAKE = (
    "lake.sources",
    "ingest.database",
    "ingest.mysql",
    "ingest.postgres",
    "ingest.decode",
    "pymysql",
    "psycopg",
    "pyarrow.csv",
)
MODULES = {
    "connectorx": ("connectorx", "pyarrow"),
    "driver": ("pymysql", "psycopg"),
    "dlt": ("dlt", "dlt.destinations", "dlt.sources.sql_database", "pyarrow.parquet"),
}


def main() -> None:
    """Read with the way of the first argument the table of the URL on standard input."""
    url = sys.stdin.read().strip()
    work = WAYS[sys.argv[1]]
    for name in MODULES.get(sys.argv[1], LAKE):
        import_module(name)
    began = time.monotonic()
    rows = work(url)
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak, cpu = used.ru_maxrss // 1024, used.ru_utime + used.ru_stime
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak}))


if __name__ == "__main__":
    main()
