"""The only S3 client of the lake: objects by key relative to the lake's root, with compare-and-swap."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from lake.errors import ConflictError, LakeError, TemporaryError, UsageError
from lake.settings import Settings
from store.effects import effect

#: S3 error codes after which the same request may succeed.
TEMPORARY_CODES = {
    "SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "InternalError", "RequestTimeout", "503", "500", "502", "504",
    "XMinioServerNotInitialized", "XMinioStorageFull", "507",
}  # fmt: skip
#: Larger files go up in parts.
ONE_REQUEST = 32 << 20
FULL_CODES = {"XMinioStorageFull", "507"}
MISSING_CODES = {"NoSuchKey", "404", "NotFound"}
CONFLICT_CODES = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing shows it."""

    key: str
    bytes: int
    modified_at: datetime
    etag: str


@dataclass(frozen=True)
class Versioned:
    """An object's content with the tag that a swap must name."""

    data: bytes
    etag: str


class Objects:
    """The lake's objects.

    Every method raises TemporaryError when the server does not answer, is busy or full, and UsageError when it
    refuses the bucket or the identity.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bucket = settings.bucket
        self.prefix = settings.prefix
        self._client = _client(settings)

    def uri(self, key: str) -> str:
        """Address of a key."""
        return f"{self.settings.root}/{key}"

    def key(self, uri: str) -> str:
        """Key of an address inside this lake."""
        return uri.removeprefix(f"{self.settings.root}/")

    def read(self, key: str) -> Versioned | None:
        """Content and tag, or None when there is no such object."""
        try:
            with self._errors(key):
                answer = self._client.get_object(Bucket=self.bucket, Key=self.prefix + key)
                return Versioned(answer["Body"].read(), answer["ETag"])
        except _Missing:
            return None

    def get(self, key: str) -> bytes:
        """Content of an object that must be there.

        Raises LakeError when it is not.
        """
        found = self.read(key)
        if found is None:
            raise LakeError(f"{self.uri(key)}: the object is missing; `lake raw verify` lists what else is")
        return found.data

    def bytes_of(self, key: str) -> int | None:
        """Length of an object, or None when it is not there."""
        try:
            with self._errors(key):
                length: int = self._client.head_object(Bucket=self.bucket, Key=self.prefix + key)["ContentLength"]
                return length
        except _Missing:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Write an object whatever was there."""
        with effect(f"put {key}"):
            self._sent(key, data)

    def put_file(self, key: str, path: Path) -> None:
        """Write a file of any size as an object."""
        if path.stat().st_size <= ONE_REQUEST:
            self.put(key, path.read_bytes())
            return
        with effect(f"put {key}"), self._errors(key):
            self._client.upload_file(str(path), self.bucket, self.prefix + key)

    def download(self, key: str, path: Path) -> None:
        """Copy an object into a file."""
        with self._errors(key):
            self._client.download_file(self.bucket, self.prefix + key, str(path))

    def create(self, key: str, data: bytes) -> str:
        """Write an object that must not exist; its tag.

        Raises ConflictError when it does. A repeated request that finds its own bytes has succeeded.
        """
        try:
            with effect(f"create {key}"):
                return self._sent(key, data, IfNoneMatch="*")
        except ConflictError:
            return self._mine(key, data)

    def swap(self, key: str, data: bytes, etag: str) -> str:
        """Write an object that must still have the tag; its new tag.

        Raises ConflictError when somebody else wrote first. A repeated request that finds its own bytes has succeeded.
        """
        try:
            with effect(f"swap {key}"):
                return self._sent(key, data, IfMatch=etag)
        except (ConflictError, _Missing):
            return self._mine(key, data)

    def _sent(self, key: str, data: bytes, **condition: str) -> str:
        """The tag of an object just written; a body that the server saw cut short is sent again."""
        for last in (False, False, True):
            try:
                with self._errors(key):
                    answer = self._client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data, **condition)
                    return str(answer["ETag"])
            except _CutShort:
                if last:
                    raise
        raise AssertionError("unreachable")

    def _mine(self, key: str, data: bytes) -> str:
        """The tag when the object holds just these bytes: the answer to our first try was lost on its way."""
        found = self.read(key)
        if found is None or found.data != data:
            raise ConflictError(f"{self.uri(key)}: somebody else wrote it first")
        return found.etag

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below a prefix in the order of their keys."""
        with self._errors(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for entry in page.get("Contents", ()):
                    key = entry["Key"].removeprefix(self.prefix)
                    yield ObjectInfo(key, entry["Size"], entry["LastModified"], entry["ETag"])

    def folders(self, prefix: str, after: str = "") -> Iterator[str]:
        """The folders directly below a prefix, each ending with a slash; `after` leaves out those before a name."""
        start = {"StartAfter": f"{self.prefix}{prefix}{after}"} if after else {}
        with self._errors(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix, Delimiter="/", **start
            )
            for page in pages:
                for entry in page.get("CommonPrefixes", ()):
                    yield entry["Prefix"].removeprefix(self.prefix)

    def delete(self, keys: Iterable[str]) -> int:
        """Remove objects; how many were named."""
        names = list(keys)
        for start in range(0, len(names), 1000):
            batch = names[start : start + 1000]
            with effect(f"delete {len(batch)} objects from {batch[0]}"), self._errors(batch[0]):
                entries = [{"Key": self.prefix + key} for key in batch]
                answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": entries, "Quiet": True})
            for failed in answer.get("Errors", ()):
                raise TemporaryError(f"{failed.get('Key')}: could not be removed: {failed.get('Code')}")
        return len(names)

    def sha256(self, key: str) -> tuple[int, str] | None:
        """Length and SHA-256 of an object, read in pieces; None when it is not there."""
        digest, length = hashlib.sha256(), 0
        try:
            with self._errors(key):
                body = self._client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"]
                for piece in body.iter_chunks(1 << 20):
                    digest.update(piece)
                    length += len(piece)
        except _Missing:
            return None
        return length, digest.hexdigest()

    def clock(self) -> datetime:
        """The store's own time, to the second."""
        with self._errors(""):
            answer = self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
            return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Errors of the client turned into ours."""
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            yield
        except ClientError as error:
            raise _ours(error.response, self.uri(key), self.settings) from error
        except S3UploadFailedError as error:
            cause = error.__cause__ or error.__context__
            if isinstance(cause, ClientError):
                raise _ours(cause.response, self.uri(key), self.settings) from error
            raise TemporaryError(f"{self.uri(key)}: the upload failed; try again later") from error
        except NoCredentialsError as error:
            raise UsageError(
                f"{self.settings.root}: no S3 identity; run `lake up` for the local MinIO, or set LAKE_S3_ACCESS_KEY_ID or AWS's own"
            ) from error
        except BotoCoreError as error:
            where = self.settings.s3_endpoint or "AWS"
            raise TemporaryError(
                f"{where}: S3 does not answer ({type(error).__name__}); is it up? `lake status` shows"
            ) from error


class _CutShort(TemporaryError):
    """The server did not get the whole body."""


class _Missing(LakeError):
    """There is no such object."""


def _ours(response: Any, uri: str, settings: Settings) -> LakeError:
    """The error of ours that an S3 answer means."""
    code = str(response.get("Error", {}).get("Code", "?"))
    status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    if code == "NoSuchBucket":
        return UsageError(
            f"LAKE_ROOT: bucket {settings.bucket!r} does not exist; create it, or run `lake up` for the local one"
        )
    if code in MISSING_CODES:
        return _Missing(f"{uri}: no such object")
    if code in CONFLICT_CODES:
        return ConflictError(f"{uri}: somebody else wrote it first")
    if code == "IncompleteBody":
        return _CutShort(f"{uri}: the store got half of what was sent; try again later")
    if code in FULL_CODES:
        return TemporaryError(f"{uri}: the store's disk is full; free some space and run again, nothing published was touched")
    if code in TEMPORARY_CODES or status.startswith("5"):
        return TemporaryError(f"{uri}: S3 answered {code}; try again later")
    if code == "RequestTimeTooSkewed":
        return UsageError(f"{uri}: this machine's clock and the store's differ by more than 15 minutes; set the clock")
    if code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"):
        return UsageError(f"{uri}: S3 answered {code}; check the identity in LAKE_S3_ACCESS_KEY_ID or AWS's own settings")
    return LakeError(f"{uri}: S3 answered {code}")


def _client(settings: Settings) -> Any:
    import boto3
    from botocore.config import Config

    explicit: dict[str, Any] = {}
    if settings.s3_access_key:
        explicit = {"aws_access_key_id": settings.s3_access_key, "aws_secret_access_key": str(settings.s3_secret_key)}
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint or None,
        region_name=settings.s3_region,
        config=Config(
            connect_timeout=3,
            read_timeout=30,
            retries={"mode": "standard", "max_attempts": 4},
            request_checksum_calculation="when_required",  # other S3 servers stumble over checksums behind the body
            response_checksum_validation="when_required",
            max_pool_connections=32,
            s3={"addressing_style": "path"} if settings.s3_endpoint else {},
        ),
        **explicit,
    )
