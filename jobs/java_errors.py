"""Errors of Spark, Iceberg, its catalog and its store turned into ours, once, at the edge."""

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from lake.errors import LakeError, LockedError, TemporaryError

#: What Iceberg says when somebody else changed the table first.
OUTRUN = ("CommitFailedException", "AlreadyExistsException", "not an ancestor", "Cannot use branch (does not exist)")
#: What clients say when a server does not answer.
UNREACHABLE = ("Connection refused", "SdkClientException", "UnknownHost", "SocketTimeout", "ConnectTimeout", "Read timed out")


@contextmanager
def java_errors(where: str) -> Iterator[None]:
    """Errors of Iceberg, its catalog and its store turned into ours."""
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        raise ours(error, where) from error


def ours(error: Exception, where: str) -> LakeError:
    """The error of ours that a Java error means; it keeps the first line alone."""
    text = str(error)
    if "SQLITE_BUSY" in text or "database is locked" in text:
        return TemporaryError(f"{where}: the catalog stayed locked; try again later")
    if any(sign in text for sign in OUTRUN):
        return LockedError(f"{where}: another run published in between; this run's rows were not published")
    if "XMinioStorageFull" in text or "No space left" in text:
        return TemporaryError(f"{where}: the disk is full; free some space and run again, nothing published was touched")
    if any(sign in text for sign in UNREACHABLE):
        return TemporaryError(f"{where}: the store does not answer; `lake status` shows what is up")
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    cause = next((line.lstrip(": ") for line in text.splitlines() if line.startswith(": ")), first)
    return LakeError(f"{where}: {cause[:400]}")
