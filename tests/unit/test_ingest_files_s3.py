"""Objects of other buckets: a connection that breaks, and an object that stays too short."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.fetch import Clock
from ingest.files_places import Came, FileAt
from ingest.files_s3 import S3Reader
from ingest.originals import Fetched, Validators
from lake.errors import SourceError, TemporaryError
from lake.sources import source_from
from store.foreign import ForeignObject

QUIET = Clock(sleep=lambda seconds: None, random=lambda: 0.0)
FILE = FileAt("s3://b/x.csv", "s3://b/x.csv", {}, 6, '"v1"', "2024-01-01T00:00:00+00:00")


class Bucket:
    """Gives two bytes a time and then breaks; `left` says how often it can be asked."""

    bucket = "b"

    def __init__(self, left: int = 99) -> None:
        self.left, self.starts = left, []  # type: ignore[var-annotated]

    def pieces(self, seen: ForeignObject, start: int = 0) -> Iterator[bytes]:
        self.starts.append(start)
        self.left -= 1
        if self.left >= 0:
            yield b"abcdef"[start : start + 2]
        if start + 2 < seen.bytes:
            raise TemporaryError("broken")


def reader(bucket: Any, **more: Any) -> S3Reader:
    declared = {"name": "things", "description": "One row per thing.", "kind": "files", "load": "append", "url": "s3://b/x.csv"}
    source: Any = source_from({**declared, "columns": {"a": "string"}, **more}, "things.yaml")
    found = S3Reader(source, {}, QUIET)
    found._buckets["b"] = bucket
    return found


def fetched(reader: S3Reader, folder: Path, came: Came = lambda count, announced: None) -> Fetched | None:
    return reader.fetched(FILE, folder / "x", Validators(), came)


def test_a_connection_that_breaks_is_gone_on_with(tmp_path: Path) -> None:
    bucket = Bucket()
    assert fetched(reader(bucket), tmp_path)
    assert (tmp_path / "x").read_bytes() == b"abcdef"
    assert bucket.starts == [0, 2, 4]


def test_an_object_that_does_not_come_to_its_end_is_temporary_trouble(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match="broken"):
        fetched(reader(Bucket(left=1)), tmp_path)


def test_an_object_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    bucket = Bucket()
    with pytest.raises(SourceError, match="got 6 bytes, more than max_bytes 5"):
        fetched(reader(bucket, max_bytes=5), tmp_path)
    assert bucket.starts == []
