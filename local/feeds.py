"""A stand-in for the APIs and files that the lake asks, the shop's with FakeStore's quirks, that tests can script to misbehave."""

import argparse
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import FrameType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.exchange_rates import exchange_rates_csv
from local.fakestore import load_fakestore
from local.feed_answers import Answer, api_answer, file_answer, json_answer, not_found
from local.flight_answers import Files, flights_answer
from local.flights import monthly_files

__all__ = ["Answer", "Feeds", "json_answer", "start_feeds"]


@dataclass(frozen=True)
class Request:
    """A request as it came: path with its query, headers with lower-case names."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Feeds:
    """A running stand-in: `requests` are those that came so far, `faults` the answers it has still to give first, by path."""

    server: ThreadingHTTPServer
    data: dict[str, list[dict[str, Any]]]
    files: dict[str, bytes]
    faults: dict[str, list[Answer]]
    flights: Files
    requests: list[Request] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        """Address of the shop's API."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def files_url(self) -> str:
        """Address of the shop's files."""
        return f"{self.url}/files"

    @property
    def flights_url(self) -> str:
        """Address of all that is about flights."""
        return f"{self.url}/flights"

    def close(self) -> None:
        """Stop answering."""
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: Request) -> Answer:
        """What a request gets: the next fault scripted for its path (with or without query), else the data."""
        parts = urlsplit(request.path)
        with self.lock:
            self.requests.append(request)
            for path in (request.path, parts.path, unquote(parts.path)):
                if self.faults.get(path):
                    return self.faults[path].pop(0)
            segments = [unquote(segment) for segment in parts.path.strip("/").split("/")]
            if segments[0] == "files":
                content = self.files.get("/".join(segments[1:]))
                return not_found(request.path) if content is None else file_answer(content, request.headers)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            if segments[0] == "flights":
                return flights_answer(self.flights, segments[1:], query, request.headers) or not_found(request.path)
            return api_answer(self.data, segments, query) or not_found(request.path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "standin"
    sys_version = ""
    feeds: Feeds

    def do_GET(self) -> None:
        self._send(has_body=True)

    def do_HEAD(self) -> None:
        self._send(has_body=False)

    def _send(self, has_body: bool) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.feeds.answer(Request(self.command, self.path, headers))
        time.sleep(answer.delay_seconds)
        self.send_response(answer.status)
        length = {"Content-Length": str(len(answer.body))} if answer.status != 304 else {}
        for name, value in {**length, **answer.headers}.items():
            self.send_header(name, value)
        if answer.truncate_at is not None:
            self.send_header("Connection", "close")
        self.end_headers()
        if has_body:
            self.wfile.write(answer.body[: answer.truncate_at])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests are recorded, not logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of callers who hang up."""


def start_feeds(
    data: Mapping[str, list[dict[str, Any]]] | None = None,
    faults: Mapping[str, Sequence[Answer]] | None = None,
    files: Mapping[str, bytes] | None = None,
    port: int = 0,
    flights: Files = monthly_files,
) -> Feeds:
    """A stand-in that answers on loopback; `data` replaces whole collections, `files` adds files, `faults` answer first."""

    class Handler(_Handler):
        pass

    feeds = Feeds(
        server=_Server(("127.0.0.1", port), Handler),
        data={**load_fakestore(), **(data or {})},
        files={"exchange_rates.csv": exchange_rates_csv(), **(files or {})},
        faults={path: list(answers) for path, answers in (faults or {}).items()},
        flights=flights,
    )
    Handler.feeds = feeds
    Thread(target=feeds.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return feeds


def main() -> None:
    """Serve until somebody says stop."""
    parser = argparse.ArgumentParser(
        prog="python -m local.feeds", description="stand-in for the APIs and files that the lake asks"
    )
    parser.add_argument("--port", type=int, required=True, help="port of the loopback interface")
    feeds = start_feeds(port=parser.parse_args().port)

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        signal.pause()
        feeds.requests.clear()


if __name__ == "__main__":
    main()
