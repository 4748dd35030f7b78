"""Where credentials may go: out of the address into a header, and never on to another host."""

import base64
from collections.abc import Mapping
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

#: The only headers that may go to another host than the one declared.
HARMLESS = ("accept", "accept-encoding", "accept-language", "user-agent", "if-none-match", "if-modified-since")


def sent(url: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Address without user and password, and the headers; user and password become an Authorization header."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    authorized = dict(headers)
    if at:
        user, _, password = login.partition(":")
        token = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
        authorized.setdefault("Authorization", f"Basic {token}")
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), authorized


def redirected(url: str, location: str | None) -> str | None:
    """Where a redirect leads, without user and password; None when it leads nowhere."""
    try:
        parts = urlsplit(urljoin(url, location or ""))
    except ValueError:
        return None
    if not location or parts.scheme not in ("http", "https"):
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def carried(headers: Mapping[str, str], url: str, target: str) -> dict[str, str]:
    """The headers that may go on from one address to the next: all on the same host, else those that hold no secret."""
    if origin(url) == origin(target):
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() in HARMLESS}


def origin(url: str) -> tuple[str, str, str]:
    """Scheme, host and port: credentials stay where all three are the same."""
    parts = urlsplit(url)
    port = parts.netloc.rpartition(":")[2]
    standard = {"http": "80", "https": "443"}.get(parts.scheme, "")
    return parts.scheme, (parts.hostname or "").lower(), port if port.isdigit() else standard
