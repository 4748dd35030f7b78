"""Who asks: what a declared `auth` adds to each request, and how its token is renewed."""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from ingest.fetch import Clock, Limits, Request, fetch
from ingest.http import Transport
from lake.errors import SourceError
from lake.references import public_url, resolved
from lake.rest_auth import ApiKey, Auth, Basic, Bearer, ClientCredentials
from lake.settings import Secret
from store.scratch import scratch

#: A token is renewed so long before it ends.
EARLY_SECONDS = 30.0
Resolve = Callable[[str, str], str]


@dataclass
class Authorizer:
    """The headers and query parameters that say who asks; `renew` is true when asking again may help."""

    headers: Callable[[], Mapping[str, str]] = dict
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    renew: Callable[[], bool] = lambda: False


def authorizer(
    auth: Auth | None, source: str, environment: Mapping[str, str], transport: Transport, limits: Limits, clock: Clock
) -> Authorizer:
    """The authorizer of a declaration, its references resolved.

    Raises UsageError when a reference names nothing.
    """

    def value(template: str, key: str) -> str:
        return resolved(template, environment, f"{source}.yaml: auth.{key}")

    match auth:
        case ApiKey():
            secret = value(auth.value, "value")
            return Authorizer(query={auth.query: secret}) if auth.query else _fixed(auth.header or "", secret)
        case Basic():
            return _fixed("Authorization", basic(value(auth.user, "user"), value(auth.password, "password")))
        case Bearer():
            return _fixed("Authorization", f"Bearer {value(auth.token, 'token')}")
        case ClientCredentials():
            tokens = Tokens(auth, source, value, transport, limits, clock)
            return Authorizer(headers=tokens.headers, renew=tokens.renew)
    return Authorizer()


def basic(user: str, password: str) -> str:
    """User and password as an Authorization header."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _fixed(name: str, value: str) -> Authorizer:
    found = {name: value}
    return Authorizer(headers=lambda: found)


class Tokens:
    """Tokens by client credentials: one is used until shortly before it ends."""

    def __init__(
        self, auth: ClientCredentials, source: str, value: Resolve, transport: Transport, limits: Limits, clock: Clock
    ) -> None:
        self._auth, self._source = auth, source
        self._url = value(auth.token_url, "token_url")
        self._client = value(auth.client_id, "client_id")
        self._secret = Secret(value(auth.client_secret, "client_secret"))
        self._transport, self._limits, self._clock = transport, limits, clock
        self._token: Secret | None = None
        self._ends: float | None = None
        self._is_fresh = False
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """The token that is valid now.

        Raises SourceError when the server gives none.
        """
        with self._lock:
            if self._token is None or (self._ends is not None and self._clock.now() >= self._ends):
                self._ask()
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        """Forget a token that was refused before its time; false when it had only just been given."""
        with self._lock:
            self._token = None
            return True

    def _ask(self) -> None:
        form = {"grant_type": "client_credentials", "scope": self._auth.scope, "audience": self._auth.audience}
        headers = {"Accept": "application/json"}
        if self._auth.send == "header":  # both parts are form-encoded first (RFC 6749, 2.3.1)
            headers["Authorization"] = basic(quote(self._client, safe=""), quote(str(self._secret), safe=""))
        else:
            form |= {"client_id": self._client, "client_secret": str(self._secret)}
        sent = urlencode({name: value for name, value in form.items() if value is not None}).encode()
        shown = public_url(self._url)
        request = Request(self._source, self._url, shown, headers, form=sent)
        asked = self._clock.now()
        with scratch() as folder:
            path = folder / "token"
            fetch(request, path, self._limits, self._transport, self._clock)
            self._token, seconds = _token_of(path.read_bytes(), f"{self._source}: {shown}")
        early = 0.0 if seconds is None else min(EARLY_SECONDS, seconds / 10)
        self._ends = None if seconds is None else asked + seconds - early


def _token_of(body: bytes, where: str) -> tuple[Secret, float | None]:
    """The token of an answer and how long it is valid; nothing of the answer is shown."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token or str(answer.get("token_type", "bearer")).lower() != "bearer":
        raise SourceError(f"{where}: got no bearer token, expected a JSON object with access_token")
    seconds = answer.get("expires_in")
    try:
        return Secret(token), None if seconds is None else float(seconds)
    except (TypeError, ValueError):
        raise SourceError(f"{where}: got an expires_in that is no number, expected seconds") from None
