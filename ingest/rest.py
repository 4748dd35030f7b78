"""The bot for REST APIs: one GET for each combination of request parameters."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from urllib.parse import quote, urlsplit

from ingest.fetch import Clock, Limits, Request, fetch
from ingest.http import Transport
from ingest.originals import Ask, Fetched, Validators
from lake.errors import SourceError, UsageError
from lake.files_source import FilesSource
from lake.references import public_url, resolved
from lake.rest_source import Each, RestSource

_PARAMETER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class HttpBot:
    """Fetches what `asks` lists, with the headers and limits of the source."""

    def __init__(
        self,
        source: RestSource | FilesSource,
        environment: Mapping[str, str],
        transport: Transport,
        clock: Clock | None = None,
    ) -> None:
        self.source, self._transport, self._clock = source, transport, clock
        self._url = resolved(source.url, environment, f"{source.name}.yaml: url")
        self._headers = {
            name: resolved(value, environment, f"{source.name}.yaml: headers.{name}") for name, value in source.headers.items()
        }
        self._limits = Limits(source.timeout_seconds, source.max_bytes)
        if not _is_http(self._url):
            raise UsageError(f"{source.name}.yaml: url: got something else, expected http://host/... or https://host/...")

    def asks(self) -> list[Ask]:
        """The declared address."""
        return [Ask(public_url(self._url), self._url)]

    def originals(self, ask: Ask, new_path: Callable[[], Path], known: Validators) -> Iterator[Fetched | None]:
        """The one answer.

        Raises TemporaryError or SourceError.
        """
        is_rest = isinstance(self.source, RestSource)
        headers = {"Accept": "application/json", **self._headers} if is_rest else self._headers
        request = Request(self.source.name, ask.url, ask.shown, headers, known.etag, known.last_modified, is_rest)
        path = new_path()
        body = fetch(request, path, self._limits, self._transport, self._clock)
        if body is None:
            yield None
            return
        validators = Validators(body.etag, body.last_modified)
        yield Fetched(path, ask, body.bytes, body.sha256, body.fetched_at, body.status, body.content_type, validators)


class RestBot(HttpBot):
    """A REST source; `values_of` gives the values of a column of another source's newest run."""

    extension = "json"

    def __init__(
        self,
        source: RestSource,
        environment: Mapping[str, str],
        transport: Transport,
        values_of: Callable[[Each], list[str]],
        hidden: Callable[[Each], bool] = lambda each: False,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(source, environment, transport, clock)
        self._each, self._values_of, self._hidden = source.for_each, values_of, hidden
        for name in _PARAMETER.findall(source.url):
            if name not in self._each:
                raise UsageError(f"{source.name}.yaml: url: got {{{name}}}, expected one of {', '.join(self._each) or 'none'}")

    def asks(self) -> list[Ask]:
        """One ask for each combination of request parameters; a value that identifies a person is not shown."""
        is_hidden = any(self._hidden(each) for each in self._each.values())
        names = list(self._each)
        found = []
        for combination in product(*(self._values_of(self._each[name]) for name in names)):
            request = dict(zip(names, combination, strict=True))
            url = _PARAMETER.sub(lambda match, request=request: self._quoted(match, request), self._url)  # type: ignore[misc]
            found.append(Ask(public_url(self._url if is_hidden else url), url, request))
        return found

    def _quoted(self, match: re.Match[str], request: dict[str, str]) -> str:
        name = match[1]
        if name not in request:
            return match[0]
        if request[name] in ("", ".", ".."):
            raise SourceError(
                f"{self.source.name}: {public_url(self._url)}: got {request[name]!r} for {name}, expected a value that can stand in a path"
            )
        return quote(request[name], safe="")
