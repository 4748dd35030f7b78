"""Asks for one page: who asks, politely, conditionally, and never with a credential for another host."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ingest.auth import authorizer
from ingest.credentials import carried
from ingest.fetch import Body, Clock, Limits, RefusedError, Request, fetch
from ingest.hosts import Hosts
from ingest.http import Transport
from ingest.originals import Visit
from ingest.rest_requests import Ask
from lake.references import resolved
from lake.rest_source import RestSource
from store.manifests import Original

ACCEPTED = {"json": "application/json", "jsonl": "application/x-ndjson, application/jsonl, application/json"}


@dataclass
class Answer:
    """One page that came, or that is still what the newest run holds (`known`)."""

    ask: Ask
    path: Path
    body: Body | None
    known: Original | None = None

    @property
    def status(self) -> int | None:
        """Status of the answer that brought its bytes."""
        known = self.known.status if self.known else None
        return self.body.status if self.body else known


class Asker:
    """Asks one source's API."""

    def __init__(
        self, source: RestSource, environment: Mapping[str, str], transport: Transport, hosts: Hosts, clock: Clock
    ) -> None:
        self._source, self._transport, self._hosts = source, transport, hosts
        self._limits = Limits(
            source.timeout_seconds,
            source.max_bytes,
            connect_seconds=source.connect_seconds,
            read_seconds=source.read_seconds,
        )
        self._headers = {
            name: resolved(value, environment, f"{source.name}.yaml: headers.{name}") for name, value in source.headers.items()
        }
        self._auth = authorizer(source.auth, source.name, environment, transport, self._limits, clock)
        self.credentials = self._auth.query
        self._accepted = [status for status in source.no_rows if isinstance(status, int)]

    def answered(self, visit: Visit, clock: Clock, home: str, ask: Ask, index: int | None = None) -> Answer:
        """The answer to one page, conditionally when it is the known original at `index`.

        A token that was refused is renewed once; credentials go to the host of `home` only.
        """
        known = self._known(visit, ask, index)
        path = visit.new_path()
        try:
            body = self._asked(clock, home, ask, path, known)
        except RefusedError as error:
            if error.status != 401 or not self._auth.renew():
                raise
            body = self._asked(clock, home, ask, path, known)
        return Answer(ask, path, body, None if body else known)

    def _known(self, visit: Visit, ask: Ask, index: int | None) -> Original | None:
        """What the newest run holds of this page; a 304 does not say which page a Link header names."""
        if index is None or index >= len(visit.known) or self._source.pagination.kind == "link_header":
            return None
        known = visit.known[index]
        return known if (known.url, known.request) == (ask.shown, ask.request) else None

    def _asked(self, clock: Clock, home: str, ask: Ask, path: Path, known: Original | None) -> Body | None:
        source = self._source
        headers = {"Accept": ACCEPTED[source.format], **self._headers, **self._auth.headers()}
        request = Request(
            source.name,
            ask.url,
            ask.shown,
            carried(headers, home, ask.url),
            known.etag if known else None,
            known.last_modified if known else None,
            accepted=self._accepted,
        )
        turn = partial(self._hosts.turn, ask.url, source.max_concurrency, source.rate_limit, clock.now, clock.sleep)
        return fetch(request, path, self._limits, self._transport, clock, turn)
