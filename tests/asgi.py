"""Asking an ASGI app in this process, without a server."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answered:
    """An answer: status, headers by their names in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


def ask(app: ASGIApp, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answered:
    """The answer to one request; `_` in a header's name stands for `-`."""
    return asyncio.run(_ask(app, path, method, body, {"host": "127.0.0.1:8480", **headers}))


async def _ask(app: ASGIApp, path: str, method: str, body: bytes, headers: dict[str, str]) -> Answered:
    place, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(place),
        "raw_path": quote(place, safe="/%").encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "http_version": "1.1",
        "scheme": "http",
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Answered(start["status"], found, b"".join(message.get("body", b"") for message in sent))
