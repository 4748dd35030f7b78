"""The key sweep: the keys of all rows of a relation in one Parquet file of texts, by which deleted rows are found."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.amounts import Amount
from ingest.column_texts import texts_of
from ingest.column_types import kept
from ingest.database_check import Chunk, checked
from ingest.database_parts import joined, pieces
from ingest.database_server import Field, KeyPart, Server
from ingest.originals import AllKeys, Stopped, Visit
from lake.database_source import DatabaseSource


def all_keys(
    source: DatabaseSource, server: Server, fields: Sequence[Field], key: Sequence[KeyPart], visit: Visit, where: str
) -> AllKeys:
    """The key columns of every row that the connection's snapshot shows, in the texts that decoded rows have.

    Along a unique `key` they come chunk by chunk, else in one statement that sorts them, so that equal keys give equal
    bytes. Raises Stopped between two chunks when the run is to end.
    """
    named = {field.name: field for field in fields}
    stored = [named[name] for name in source.key_fields]
    read = [*stored, *(named[part.name] for part in key if part.name not in source.key_fields)]
    path, rows, guess = visit.new_path(), 0, server.estimate("")
    visit.came(Amount(0, unit="keys"))
    schema = pa.schema([(field.name, pa.string()) for field in stored])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for piece in pieces(_batches(source, server, read, key, visit, where)):
            texts = [texts_of(kept(column, field.type)) for column, field in zip(joined(piece), stored, strict=False)]
            writer.write_table(pa.table(texts, schema))
            rows += len(texts[0])
            visit.came(Amount(rows, path.stat().st_size, min(1.0, rows / guess) if guess else None, unit="keys"))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return AllKeys(path, path.stat().st_size, digest, rows, source.key_fields)


def _batches(
    source: DatabaseSource, server: Server, read: Sequence[Field], key: Sequence[KeyPart], visit: Visit, where: str
) -> Iterator[list[Any]]:
    """The columns of all rows, each chunk proven by its end."""
    order = ", ".join(map(server.quoted, [part.name for part in key] or source.key_fields))
    limit = source.chunk_rows if key else None
    condition, came = "", limit
    while came == limit:
        came, last = 0, []
        for columns in checked(server, read, Chunk(condition, order, limit), where):
            came, last = came + len(columns[0]), [column[-1].as_py() for column in columns]
            yield columns
        if limit is None or came < limit:
            return
        if visit.stop.is_set():
            raise Stopped(f"{source.name}: stopped by a signal while its keys were read; run again")
        found = dict(zip((field.name for field in read), last, strict=True))
        condition = server.after(key, [_text(found[part.name]) for part in key])


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
