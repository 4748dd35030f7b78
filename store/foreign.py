"""The only reader of other people's buckets: lists, looks at and reads objects, and never writes one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lake.errors import LakeError, SourceError, TemporaryError, UsageError
from lake.settings import Secret
from store.objects import MISSING_CODES, TEMPORARY_CODES

PIECE = 1 << 20


@dataclass(frozen=True)
class Access:
    """How another bucket is reached; what is left out comes from the usual AWS chain."""

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: Secret | None = field(default=None, repr=False)
    anonymous: bool = False


@dataclass(frozen=True)
class ForeignObject:
    """An object of another bucket as a listing shows it."""

    key: str
    bytes: int
    etag: str
    modified_at: str


class ForeignBucket:
    """The objects of one bucket.

    Every method raises TemporaryError when the server does not answer or is busy, and UsageError when it refuses the
    bucket or the identity.
    """

    def __init__(self, bucket: str, access: Access, source: str) -> None:
        self.bucket, self._source = bucket, source
        self._client = _client(access)

    def list(self, prefix: str) -> Iterator[ForeignObject]:
        """All objects below a prefix in the order of their keys."""
        with self._errors(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield ForeignObject(entry["Key"], entry["Size"], entry["ETag"], entry["LastModified"].isoformat())

    def head(self, key: str) -> ForeignObject | None:
        """An object's facts, or None when it is not there."""
        try:
            with self._errors(key):
                found = self._client.head_object(Bucket=self.bucket, Key=key)
        except _Missing:
            return None
        return ForeignObject(key, found["ContentLength"], found["ETag"], found["LastModified"].isoformat())

    def pieces(self, seen: ForeignObject, start: int = 0) -> Iterator[bytes]:
        """The content from a byte on, of just the version that was seen.

        Raises TemporaryError also when it was replaced meanwhile.
        """
        if start >= seen.bytes:
            return
        with self._errors(seen.key):
            answer = self._client.get_object(Bucket=self.bucket, Key=seen.key, IfMatch=seen.etag, Range=f"bytes={start}-")
            yield from answer["Body"].iter_chunks(PIECE)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Errors of the client turned into ours; what it says of identities stays out."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError

        where = f"{self._source}: s3://{self.bucket}/{key}"
        try:
            yield
        except ClientError as error:
            raise _ours(error.response, where) from None
        except NoCredentialsError:
            raise UsageError(f"{where}: no S3 identity; declare s3.access_key_id as a reference, or set AWS's own") from None
        except (BotoCoreError, HTTPClientError) as error:
            raise TemporaryError(f"{where}: S3 does not answer ({type(error).__name__}); try again later") from None


class _Missing(LakeError):
    """There is no such object."""


def _ours(response: Any, where: str) -> LakeError:
    """The error of ours that an S3 answer means."""
    code = str(response.get("Error", {}).get("Code", "?"))
    status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    if code == "NoSuchBucket":
        return UsageError(f"{where}: got no such bucket, expected one that s3.endpoint and s3.region know")
    if code in MISSING_CODES:
        return _Missing(f"{where}: no such object")
    if code in ("PreconditionFailed", "412"):
        return TemporaryError(f"{where}: the object was replaced while it was read; try again later")
    if code in TEMPORARY_CODES or status.startswith("5"):
        return TemporaryError(f"{where}: S3 answered {code}; try again later")
    if status in ("401", "403") or code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"):
        return UsageError(
            f"{where}: S3 answered {code}; check s3.access_key_id and s3.secret_access_key, or AWS's own settings"
        )
    return SourceError(f"{where}: S3 answered {code}")


def _client(access: Access) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    explicit: dict[str, Any] = {}
    if access.access_key_id:
        explicit = {"aws_access_key_id": access.access_key_id, "aws_secret_access_key": str(access.secret_access_key)}
    return boto3.client(
        "s3",
        endpoint_url=access.endpoint or None,
        region_name=access.region,
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": 4},
            signature_version=UNSIGNED if access.anonymous else None,
            s3={"addressing_style": "path"} if access.endpoint else {},
        ),
        **explicit,
    )
