"""HTTP over real sockets: what servers do wrong, and what it is called."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.fetch import Clock, Limits, Request, fetch
from ingest.http import RequestsTransport
from lake.errors import LakeError, SourceError, TemporaryError, UsageError
from local.processes import free_port

Serve = Callable[..., str]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answers every connection with these bytes, and hangs up or hangs on; gives its address."""
    stop = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def run(answer: bytes, *, hang_up: bool) -> None:
        while not stop.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            open_ones.append(connection)
            connection.recv(65536)
            connection.sendall(answer)
            if hang_up:
                connection.close()

    def start(answer: bytes, *, hang_up: bool = True) -> str:
        threading.Thread(target=run, args=(answer,), kwargs={"hang_up": hang_up}, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/x"

    yield start
    stop.set()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for connection in open_ones:
        connection.close()


def got(url: str, folder: Path, seconds: float = 5) -> bytes:
    limits = Limits(seconds=seconds, max_bytes=1000, tries=2)
    fetch(
        Request("things", url, "shown"),
        folder / "body",
        limits,
        RequestsTransport(),
        Clock(sleep=lambda seconds: None, random=lambda: 0.0),
    )
    return (folder / "body").read_bytes()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\n[]", b"[]"),
        (OK + b"\r\n[]", b"[]"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n", b"[]"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_a_body_is_read_however_it_is_framed(serve: Serve, tmp_path: Path, answer: bytes, body: bytes) -> None:
    assert got(serve(answer), tmp_path) == body


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (OK + b"Content-Length: 5\r\n\r\n[1", TemporaryError, "a truncated body"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1", TemporaryError, "a truncated body"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n", TemporaryError, "a truncated body"),
        (OK + b"Content-Encoding: gzip\r\n\r\n[]", TemporaryError, "a damaged gzip body"),
        (b"", TemporaryError, "no connection"),
        (b"SSH-2.0-OpenSSH\r\n", TemporaryError, "no connection"),
        (b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\n[]", SourceError, "status 206, a JSON list, expected status 200"),
        (OK + b"Content-Length: 5000\r\n\r\n", SourceError, "5,000 bytes, more than max_bytes 1,000"),
    ],
)
def test_what_a_server_does_wrong_is_named(
    serve: Serve, tmp_path: Path, answer: bytes, kind: type[LakeError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        got(serve(answer), tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize("answer", [b"", OK, OK + b"\r\n[", OK + b"Content-Length: 2\r\n\r\n["])
def test_a_server_that_falls_silent_is_left(serve: Serve, tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(TemporaryError, match="no answer in time; tried 2 times"):
        got(serve(answer, hang_up=False), tmp_path, seconds=0.2)


def test_nobody_at_the_address_is_temporary(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match="things: shown: got no connection"):
        got(f"http://127.0.0.1:{free_port()}/x", tmp_path)


@pytest.mark.parametrize("url", ["http://", "http://host:port/", "gopher://h/"])
def test_an_address_that_is_none_is_the_users_mistake(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="an address that is none"):
        got(url, tmp_path)


def test_a_header_that_cannot_be_sent_is_not_shown(tmp_path: Path) -> None:
    request = Request("things", "http://127.0.0.1:1/", "shown", {"X-Api-Key": "s3cret\nX: y"})
    with pytest.raises(UsageError) as caught:
        fetch(request, tmp_path / "body", Limits(5, 1000), RequestsTransport())
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__
