"""Around every request: its id, the host and key that it came with, one line in the log, and no error without an answer."""

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from api.answers import ENCODER
from api.keys import Keys, is_loopback
from api.problems import PROBLEM_JSON, TYPES_PATH, Problem, of_error

access = logging.getLogger("api.access")
log = logging.getLogger("api")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: What is no secret: that the process lives, whether it can answer, and the page that shows how to ask.
OPEN = ("/healthz", "/readyz", "/docs")
ALWAYS = ((b"x-content-type-options", b"nosniff"),)


class Envelope:
    """The outermost layer of the app."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        try:
            exchange.asker = self._asker(scope, exchange.headers)
            inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
            await self.app(inner, receive, exchange.send)
        except Exception as error:  # whatever it was: who asked gets an answer, and the log the cause
            problem = of_error(error)
            if problem is not None and problem.name == "unavailable":
                log.warning("request %s: %s", exchange.id, error)
            if problem is None:
                log.error("request %s failed", exchange.id, exc_info=error)
                problem = Problem("internal", f"something failed inside; the log has more under {exchange.id}")
            await exchange.send_problem(problem)
        finally:
            exchange.log()

    def _asker(self, scope: Scope, headers: Headers) -> str:
        """Name of the key that was shown; empty when none is needed.

        Raises Problem when it is missing or wrong, or without keys when a page of another site may be asking.
        """
        path = scope["path"]
        if path in OPEN or path.startswith(f"{TYPES_PATH}/"):
            return ""
        if not self.keys.digests:
            host = headers.get("host", "")
            if not is_loopback(re.sub(r":\d+$", "", host).strip("[]")):
                raise Problem("wrong-host", f"got {host[:80]!r}, expected 127.0.0.1 or localhost")
            return ""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        presented = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        owner = self.keys.owner(presented) if presented else None
        if owner is None:
            said = "the key is not one of those known here" if presented else "this needs a key"
            raise Problem("key-required", said, {"WWW-Authenticate": 'Bearer realm="lake"'})
        return owner


class _Exchange:
    """One request and its answer, as the log tells them."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.began = time.perf_counter()
        self.scope = scope
        self.headers = Headers(scope=scope)
        given = self.headers.get("x-request-id", "")
        self.id = given if REQUEST_ID.fullmatch(given) else str(ULID())
        self.asker = ""
        self.status = 0
        self.bytes = 0
        self._send = send
        scope.setdefault("state", {})["request_id"] = self.id

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on, with the request's id; a HEAD gets no body."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], (b"x-request-id", self.id.encode()), *ALWAYS]}
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
            message = {**message, "body": b""} if self.scope["method"] == "HEAD" else message
        await self._send(message)

    async def send_problem(self, problem: Problem) -> None:
        """Answer with a problem, unless an answer is under way already."""
        if self.status:
            return
        instance = self.scope.get("raw_path", b"").decode("ascii", "replace") or "/"
        body = ENCODER.encode(problem.body(instance, self.id, self.scope.get("root_path", "")))
        data = body.encode("utf-8", "replace")
        headers: MutableMapping[str, Any] = {"content-type": PROBLEM_JSON, "cache-control": "no-store", **problem.headers}
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        raw.append((b"content-length", str(len(data)).encode()))
        await self.send({"type": "http.response.start", "status": problem.kind.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": data})

    def log(self) -> None:
        """One line: no query, which may hold anything, and no key but its name."""
        took = (time.perf_counter() - self.began) * 1000
        path = self.scope.get("raw_path", b"").decode("ascii", "replace")[:300]
        line = "%s %s %d %d bytes %.1f ms key=%s id=%s"
        access.info(line, self.scope["method"], path, self.status, self.bytes, took, self.asker or "-", self.id)
