"""An API that pages in every way, as a pure function for unit tests and as a real server for integration tests."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

Headers = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Headers
    body: str = ""


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: Headers = field(default_factory=dict)


def said(value: Any, status: int = 200, **headers: str) -> Said:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Said(status, body, {"content-type": "application/json", **headers})


@dataclass
class PagedApi:
    """Records behind `/page`, `/offset`, `/cursor`, `/link`, `/next`; `before` may answer in its place."""

    records: list[dict[str, Any]]
    size: int = 10
    base: str = "http://api.test"
    has_total: bool = False
    has_etags: bool = False
    before: Callable[[Asked], Said | None] = lambda asked: None
    asked: list[Asked] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def answer(self, asked: Asked) -> Said:
        with self.lock:
            self.asked.append(asked)
        found = self.before(asked) or self._page(asked)
        if not self.has_etags or found.status != 200:
            return found
        etag = f'"{hashlib.sha256(found.body).hexdigest()[:16]}"'
        if asked.headers.get("if-none-match") == etag:
            return Said(304, b"", {"etag": etag})
        return Said(found.status, found.body, {**found.headers, "etag": etag})

    def _page(self, asked: Asked) -> Said:
        query, size = asked.query, int(asked.query.get("limit", self.size))
        if since := query.get("since"):
            records = [record for record in self.records if str(record["at"]) >= since]
        else:
            records = self.records
        kind = asked.path.strip("/").split("/")[-1]
        start = {"page": (int(query.get("page", 1)) - 1) * size, "offset": int(query.get("offset", 0))}.get(kind)
        if start is None:
            start = int(base64.b64decode(query["after"])) if "after" in query else 0
        found = records[start : start + size]
        body: dict[str, Any] = {"items": found}
        if self.has_total:
            body["meta"] = {"total": len(records)}
        headers: Headers = {}
        if start + size < len(records):
            after = base64.b64encode(str(start + size).encode()).decode()
            following = f"{asked.path}?after={after.replace('=', '%3D')}"
            if kind == "cursor":
                body["next"] = after
            if kind == "next":
                body["next"] = f"{self.base}{following}"
            if kind == "link":
                headers["link"] = f'<{following}>; rel="next", <{self.base}{asked.path}>; rel="first"'
        return said(body, **headers)


@dataclass
class InMemory:
    """A transport that asks an API without a network."""

    api: PagedApi

    def get(self, url: str, headers: Mapping[str, str], connect: float, read: float) -> Any:
        return self._answered("GET", url, headers, b"")

    def post(self, url: str, headers: Mapping[str, str], form: bytes, connect: float, read: float) -> Any:
        return self._answered("POST", url, headers, form)

    def _answered(self, method: str, url: str, headers: Mapping[str, str], form: bytes) -> Any:
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        lower = {name.lower(): value for name, value in headers.items()}
        return _Answer(self.api.answer(Asked(method, parts.path, query, lower, form.decode())))


class _Answer:
    def __init__(self, found: Said) -> None:
        self.status, self.headers, self._left = found.status, found.headers, [found.body]

    def read(self) -> bytes:
        return self._left.pop() if self._left else b""

    def close(self) -> None:
        """Nothing to give back."""


@contextmanager
def serving(api: PagedApi) -> Iterator[str]:
    """The API behind a real port; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            found = api.answer(Asked(self.command, parts.path, query, headers, body))
            self.send_response(found.status)
            if found.status != 304:
                self.send_header("Content-Length", str(len(found.body)))
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Requests are recorded, not logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    api.base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api.base
    finally:
        server.shutdown()
        server.server_close()
