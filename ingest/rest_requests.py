"""What a REST source asks for: addresses with their request, date and query parameters, as sent and as shown."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ingest.credentials import origin, redirected
from ingest.rest_cursor import filled, names_in
from lake.errors import SourceError, UsageError
from lake.references import REFERENCE, public_url, resolved
from lake.rest_source import Each, RestSource

_PARAMETER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
#: Query parameters of paging that look like secrets and are none.
_PAGE_TOKEN = re.compile(r"(?i)^(next|page|continuation|continue|sync|scroll|start|cursor)[-_]?token$")
MASK = "***"


@dataclass(frozen=True)
class Ask:
    """One request before it is cut into pages; `shown` names it in messages and manifests, `url` may hold secrets."""

    shown: str
    url: str = field(default="", repr=False)
    request: dict[str, str] = field(default_factory=dict)


class Addresses:
    """The addresses of one source, references resolved; `secrets` are query parameters whose values are never shown."""

    def __init__(
        self,
        source: RestSource,
        environment: Mapping[str, str],
        values_of: Callable[[Each], list[str]],
        hidden: Callable[[Each], bool],
        credentials: Mapping[str, str],
    ) -> None:
        self.source, self._values_of, self._hidden, self._credentials = source, cache(values_of), hidden, dict(credentials)
        self.url = resolved(source.url, environment, f"{source.name}.yaml: url")
        if not _is_http(self.url):
            raise UsageError(f"{source.name}.yaml: url: got something else, expected http://host/... or https://host/...")
        self._parameters = {
            name: resolved(text(value), environment, f"{source.name}.yaml: parameters.{name}")
            for name, value in source.parameters.items()
        }
        referring = {name for name, value in source.parameters.items() if REFERENCE.search(str(value))}
        self.secrets = referring | set(credentials)
        known = [*source.for_each, "from", "to", "date"]
        for place, template in [("url", source.url), *((f"parameters.{n}", str(v)) for n, v in source.parameters.items())]:
            for name in _PARAMETER.findall(REFERENCE.sub("", template)):
                if name not in known:
                    allowed = ", ".join(source.for_each) or "none"
                    raise UsageError(
                        f"{source.name}.yaml: {place}: got {{{name}}}, expected one of {allowed}, or from, to, date"
                    )

    @property
    def instants(self) -> set[str]:
        """Which of from, to and date stand anywhere."""
        return names_in(self.source.url).union(*(names_in(str(value)) for value in self.source.parameters.values()))

    @property
    def is_hidden(self) -> bool:
        """Whether a request parameter identifies a person."""
        return any(self._hidden(each) for each in self.source.for_each.values())

    def asked_for(self) -> list[object]:
        """Everything by which two runs ask for the same; no secrets, no instants."""
        shown = {name: MASK if name in self.secrets else value for name, value in self._parameters.items()}
        each = [[name, self._values_of(one)] for name, one in self.source.for_each.items()]
        source = self.source
        parts: list[object] = [public_url(self.url), shown, each, source.pagination.model_dump(mode="json")]
        return [*parts, source.cursor.model_dump(mode="json") if source.cursor else None, source.on_empty]

    def asks(self, moments: Mapping[str, str | None], dates: Iterable[str | None]) -> list[Ask]:
        """One ask for each date and combination of request parameters; a value that identifies a person is not shown."""
        names = list(self.source.for_each)
        values = [self._values_of(self.source.for_each[name]) for name in names]
        return [
            self._ask({**dict(zip(names, combination, strict=True)), **({"date": day} if day else {})}, moments)
            for day in dates
            for combination in product(*values)
        ]

    def with_page(self, ask: Ask, parameters: Mapping[str, str]) -> Ask:
        """The ask with the parameters of one page."""
        url = with_parameters(ask.url, parameters)
        return Ask(with_parameters(ask.shown, parameters) if self.is_hidden else self.shown(url), url, ask.request)

    def named(self, ask: Ask, before: str, address: str) -> Ask:
        """The ask at an address that a page named; to another host no credential goes along.

        Raises SourceError when it is none.
        """
        target = redirected(before, address)
        if target is None:
            raise SourceError(f"{self.source.name}: {ask.shown}: got a next address that is none, expected http or https")
        is_ours = origin(target) == origin(self.url)
        again = {name: value for name, value in self._own_secrets().items() if is_ours}
        url = with_parameters(without_parameters(target, self.secrets), again)
        login = urlsplit(self.url).netloc.rpartition("@")[0]
        if is_ours and login:
            url = url.replace("://", f"://{login}@", 1)
        return Ask(ask.shown if self.is_hidden else self.shown(url), url, ask.request)

    def kept(self, before: str, address: str) -> str | None:
        """A next address that a checkpoint may hold: without our secrets; None when it holds another's."""
        url = without_parameters(redirected(before, address) or "", self.secrets)
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        plain = without_parameters(url, {name for name, _ in pairs if _PAGE_TOKEN.match(name)})
        return url if public_url(plain) == plain else None

    def shown(self, url: str) -> str:
        """The address as messages and manifests name it."""
        public = public_url(url)
        parts = urlsplit(public)
        if not self.secrets or not parts.query:
            return public
        pairs = [
            f"{pair.partition('=')[0]}={MASK}" if pair.partition("=")[0] in self.secrets else pair
            for pair in parts.query.split("&")
        ]
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join(pairs), ""))

    def _own_secrets(self) -> dict[str, str]:
        own = {name: value for name, value in self._parameters.items() if name in self.secrets and not names_in(value)}
        return {**own, **self._credentials}

    def _ask(self, request: dict[str, str], moments: Mapping[str, str | None]) -> Ask:
        instants = {**moments, "date": request.get("date", moments.get("date"))}
        template = filled(self.url, instants)
        if template is None:
            raise UsageError(f"{self.source.name}: url: got no window for {{from}} and {{to}}, expected `--from` and `--to`")
        parameters = {}
        for name, value in self._parameters.items():
            written = filled(value, instants)
            if written is not None:
                parameters[name] = _PARAMETER.sub(lambda match: request.get(match[1], match[0]), written)
        url = _PARAMETER.sub(lambda match: self._quoted(match, request), template)
        sent = with_parameters(url, {**parameters, **self._credentials})
        shown = self.shown(with_parameters(template, {}) if self.is_hidden else sent)
        return Ask(shown, sent, request)

    def _quoted(self, match: re.Match[str], request: dict[str, str]) -> str:
        name = match[1]
        if name not in request:
            return match[0]
        if request[name] in ("", ".", ".."):
            raise SourceError(
                f"{self.source.name}: {public_url(self.url)}: got {request[name]!r} for {name}, expected a value that can stand in a path"
            )
        return quote(request[name], safe="")


def with_parameters(url: str, parameters: Mapping[str, str]) -> str:
    """The address with more query parameters."""
    if not parameters:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters, quote_via=quote)}"


def without_parameters(url: str, names: set[str]) -> str:
    """The address without the named query parameters."""
    parts = urlsplit(url)
    pairs = [pair for pair in parts.query.split("&") if pair and pair.partition("=")[0] not in names]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join(pairs), ""))


def text(value: str | int | bool) -> str:
    """A query parameter's value as it is sent."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
