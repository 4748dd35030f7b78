"""Whether every declared source's host can be reached: a connection or a login with a time-out, and no row is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ingest.database import connected
from ingest.database_address import parsed_address
from ingest.files_places import Address
from ingest.http import reach
from lake.database_source import DatabaseSource
from lake.errors import TemporaryError, UsageError
from lake.files_source import FilesSource
from lake.probing import Probe, Unwell
from lake.references import public_url, resolved

SECONDS = 5.0


def source_probes(sources: Mapping[str, Any], environment: Mapping[str, str]) -> list[Probe]:
    """One probe per host that sources name, in the order of the sources; one per database table."""
    probes: list[Probe] = []
    hosts: dict[str, list[str]] = {}
    for name, source in sources.items():
        if isinstance(source, DatabaseSource):
            probes.append(Probe(f"source {name}", lambda source=source: _database(source, environment)))  # type: ignore[misc]
            continue
        try:
            for url in _urls(source, environment):
                hosts.setdefault(_place(url), []).append(name)
        except UsageError as error:
            probes.append(Probe(f"source {name}", lambda error=error: _refused(error)))  # type: ignore[misc]
    for number, (place, names) in enumerate(hosts.items(), 1):
        wanted_by = ", ".join(dict.fromkeys(names))
        probes.append(Probe(f"host {number}", lambda place=place, wanted_by=wanted_by: _reached(place, wanted_by)))  # type: ignore[misc]
    return probes


def _refused(error: UsageError) -> str:
    raise error


def _urls(source: Any, environment: Mapping[str, str]) -> list[str]:
    """The addresses with their references filled in."""
    where = f"{source.name}.yaml: url"
    declared = source.addresses if isinstance(source, FilesSource) else [source.url]
    urls = [resolved(url, environment, where) for url in declared]
    if isinstance(source, FilesSource):
        own = resolved(source.s3.endpoint, environment, where) if source.s3.endpoint else None
        amazon = f"https://s3.{source.s3.region}.amazonaws.com"
        urls = [(own or amazon) if url.startswith("s3://") else url for url in urls]
    return urls


def _place(url: str) -> str:
    """Scheme, host and port, or the folder of a file."""
    if url.startswith("file://"):
        return Address(url).prefix.removeprefix("file://")
    parts = urlsplit(public_url(url))
    return f"{parts.scheme}://{parts.netloc}"


def _reached(place: str, wanted_by: str) -> str:
    if place.startswith("/"):
        if not Path(place).is_dir():
            raise Unwell(f"{place} for {wanted_by}: got no such folder", "correct `url` of the source, or mount the folder")
        return f"{place} is there: {wanted_by}"
    trouble = reach(place, SECONDS)
    if trouble:
        raise Unwell(f"{place} for {wanted_by}: {trouble}", "is the server up? `lake up` starts the local ones; else see `url`")
    return f"{place} takes connections: {wanted_by}"


def _database(source: DatabaseSource, environment: Mapping[str, str]) -> str:
    """A login, and the names of the table's columns."""
    where = f"{source.name}.yaml: url"
    address = parsed_address(resolved(source.url, environment, where), where)
    hasty = source.model_copy(update={"timeout_seconds": SECONDS})
    try:
        server = connected(hasty, address)
        try:
            server.fields()
        finally:
            server.close()
    except TemporaryError as error:
        raise Unwell(str(error), "is the server up? `lake up` starts the local one") from None
    return f"{address.shown} lets us in"
