"""The only module that imports requests: one request, one answer, and troubles told apart by whether a repeat may help."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

PIECE = 1 << 16


class Trouble(Exception):
    """The answer did not come; `again` when the same request may succeed, `misused` when the address or a header is wrong."""

    def __init__(self, what: str, *, again: bool = False, misused: bool = False) -> None:
        super().__init__(what)
        self.what, self.again, self.misused = what, again, misused


class Answer(Protocol):
    """An answer whose body has not been read; header names are in lower case."""

    status: int
    headers: Mapping[str, str]

    def read(self) -> bytes:
        """What has come of the body, as sent but for chunking; empty at its end. Raises Trouble."""

    def close(self) -> None:
        """Give the connection back."""


class Transport(Protocol):
    """What the rest of the bots knows about HTTP."""

    def get(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Answer:
        """The answer to one GET; redirects are not followed. Raises Trouble."""

    def post(self, url: str, headers: Mapping[str, str], form: bytes, connect: float, read: float) -> Answer:
        """The answer to one POST of a form; redirects are not followed. Raises Trouble."""


class RequestsTransport:
    """HTTP with connections kept open; proxies come from the environment, credentials and cookies never do."""

    def __init__(self) -> None:
        from http.cookiejar import DefaultCookiePolicy

        import requests

        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Answer:
        """The answer to one GET; redirects are not followed.

        Raises Trouble.
        """
        return self._asked("GET", url, headers, None, (connect, read))

    def post(self, url: str, headers: Mapping[str, str], form: bytes, connect: float, read: float) -> Answer:
        """The answer to one POST of a form, or of what the headers say it is; redirects are not followed.

        Raises Trouble.
        """
        typed = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self._asked("POST", url, typed, form, (connect, read))

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], form: bytes | None, timeout: tuple[float, float]
    ) -> Answer:
        with _foreign_errors():
            response = self._session.request(
                method,
                url,
                headers=dict(headers),
                data=form,
                timeout=timeout,
                stream=True,
                allow_redirects=False,
                auth=_no_credentials,
            )
        return _RequestsAnswer(response)


class _RequestsAnswer:
    def __init__(self, response: Any) -> None:
        self._response = response
        self.status = int(response.status_code)
        self.headers: Mapping[str, str] = {name.lower(): str(value) for name, value in response.headers.items()}

    def read(self) -> bytes:
        with _foreign_errors():
            data: bytes | None = self._response.raw.read1(PIECE, decode_content=False)
        return data or b""

    def close(self) -> None:
        self._response.close()


def _no_credentials(request: Any) -> Any:
    """Stands where requests would look into a netrc file."""
    return request


@contextmanager
def _foreign_errors() -> Iterator[None]:
    """Foreign errors hold addresses and header values, so only their kind goes on."""
    import requests
    from urllib3 import exceptions as urllib3

    try:
        yield
    except (requests.exceptions.RequestException, urllib3.HTTPError, OSError) as error:
        raise _trouble(error) from None


def _trouble(error: Exception) -> Trouble:
    import requests
    from urllib3 import exceptions as urllib3

    wrong = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema)
    if isinstance(error, (*wrong, urllib3.LocationParseError)):
        return Trouble("an address that is none", misused=True)
    if isinstance(error, requests.exceptions.InvalidHeader):
        return Trouble("a header that cannot be sent", misused=True)
    if isinstance(error, (requests.exceptions.SSLError, urllib3.SSLError)):
        return Trouble("a certificate or TLS handshake that is not valid")
    if isinstance(error, (requests.exceptions.ConnectTimeout, urllib3.ConnectTimeoutError)):
        return Trouble("no connection in time", again=True)
    if isinstance(error, (requests.exceptions.Timeout, urllib3.TimeoutError)):
        return Trouble("no answer in time", again=True)
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, urllib3.ProtocolError)):
        return Trouble("a truncated body", again=True)
    return Trouble("no connection", again=True)


def reach(url: str, seconds: float) -> str | None:
    """What keeps the host of an address, or the proxy before it, from taking a connection; None when it takes one.

    Nothing is asked: for https the handshake proves the host, through a proxy its own connection is all.
    """
    import socket
    import ssl
    from urllib.parse import urlsplit

    from requests.utils import get_environ_proxies, select_proxy

    parts = urlsplit(url)
    proxy = select_proxy(url, get_environ_proxies(url))
    target = urlsplit(proxy if proxy and "://" in proxy else f"http://{proxy}") if proxy else parts
    port = target.port or {"https": 443}.get(target.scheme, 80)
    try:
        with socket.create_connection((target.hostname or "", port), timeout=seconds) as connection:
            if parts.scheme == "https" and not proxy:
                ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname).close()
    except ssl.SSLError:
        return "a certificate or TLS handshake that is not valid"
    except TimeoutError:
        return f"no connection within {seconds:g} s"
    except OSError as error:
        return f"no connection ({error.strerror or type(error).__name__})"
    return None
