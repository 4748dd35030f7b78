"""Files in buckets: lists objects, and reads the very version that was listed."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingest.fetch import Clock
from ingest.files_places import Address, Came, FileAt, matcher
from ingest.originals import Fetched, Validators
from lake.errors import SourceError, TemporaryError
from lake.files_source import FilesSource
from lake.references import resolved
from lake.settings import Secret
from store.foreign import Access, ForeignBucket, ForeignObject

TRIES = 5


class S3Reader:
    """Objects of other buckets."""

    def __init__(self, source: FilesSource, environment: Mapping[str, str], clock: Clock) -> None:
        self._source, self._clock = source, clock
        declared = source.s3

        def value(name: str, text: str | None) -> str | None:
            return resolved(text, environment, f"{source.name}.yaml: s3.{name}") if text else None

        secret = value("secret_access_key", declared.secret_access_key)
        self._access = Access(
            value("endpoint", declared.endpoint),
            declared.region,
            value("access_key_id", declared.access_key_id),
            Secret(secret) if secret else None,
            declared.anonymous,
        )
        self._buckets: dict[str, ForeignBucket] = {}

    def files(self, address: Address) -> Iterator[FileAt]:
        """The object, or all that match below the glob's folder."""
        bucket, key = self._bucket(address.url)
        if not address.is_glob:
            found = bucket.head(key)
            if found:
                yield self._at(bucket, found)
            return
        pattern = matcher(key)
        for each in bucket.list(address.prefix.split("/", 3)[3]):
            if pattern.fullmatch(each.key) and not each.key.endswith("/"):
                yield self._at(bucket, each)

    def fetched(self, file: FileAt, path: Path, known: Validators, came: Came) -> Fetched | None:
        """The very version that was listed, gone on with where a connection broke."""
        bucket, key = self._bucket(file.url)
        seen = ForeignObject(key, file.bytes or 0, file.etag or "", file.modified or "")
        if seen.bytes > self._source.max_bytes:
            raise SourceError(
                f"{self._source.name}: {file.shown}: got {seen.bytes:,} bytes, more than max_bytes {self._source.max_bytes:,}"
            )
        digest, length = hashlib.sha256(), 0
        with path.open("wb") as out:
            for tried in range(1, TRIES + 1):
                try:
                    for piece in bucket.pieces(seen, length):
                        length += len(piece)
                        came(length, seen.bytes)
                        digest.update(piece)
                        out.write(piece)
                except TemporaryError:
                    if tried == TRIES:
                        raise
                if length >= seen.bytes:
                    break
                self._clock.sleep(self._clock.random() * 2**tried / 2)
        if length != seen.bytes:
            raise TemporaryError(f"{self._source.name}: {file.shown}: got {length:,} of {seen.bytes:,} bytes; try again later")
        return file.brought(path, length, digest.hexdigest(), Validators(file.etag, file.modified))

    def start(self, file: FileAt, most: int) -> Iterator[bytes]:
        """The object as it comes."""
        bucket, key = self._bucket(file.url)
        yield from bucket.pieces(ForeignObject(key, file.bytes or 0, file.etag or "", file.modified or ""))

    def _at(self, bucket: ForeignBucket, found: ForeignObject) -> FileAt:
        url = f"s3://{bucket.bucket}/{found.key}"
        return FileAt(url, url, {}, found.bytes, found.etag, found.modified_at)

    def _bucket(self, url: str) -> tuple[ForeignBucket, str]:
        name, key = url.split("/", 3)[2:]
        if name not in self._buckets:
            self._buckets[name] = ForeignBucket(name, self._access, self._source.name)
        return self._buckets[name], key
