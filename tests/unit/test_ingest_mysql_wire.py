"""MySQL's rows from bytes: any values, however the network cuts them."""

import inspect
from importlib.metadata import version
from itertools import pairwise

import pymysql.connections
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ingest.mysql_wire as wire
from ingest.mysql_wire import Broken, Refused, Rows
from lake.settings import HOME

Value = bytes | None
END = b"\xfe\0\0\x22\0"


def lenenc(value: Value) -> bytes:
    if value is None:
        return b"\xfb"
    size = len(value)
    if size < 251:
        return bytes([size]) + value
    if size < 1 << 16:
        return b"\xfc" + size.to_bytes(2, "little") + value
    return (b"\xfd" + size.to_bytes(3, "little") if size < 1 << 24 else b"\xfe" + size.to_bytes(8, "little")) + value


def packets(payloads: list[bytes], sequence: int, longest: int) -> bytes:
    written = b""
    for payload in payloads:
        while True:
            piece, payload = payload[:longest], payload[longest:]
            written += len(piece).to_bytes(3, "little") + bytes([sequence]) + piece
            sequence = (sequence + 1) % 256
            if len(piece) < longest:
                break
    return written


def read(data: bytes, columns: int, cuts: list[int], sequence: int = 0) -> list[tuple[Value, ...]]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = iter([data[start:end] for start, end in pairwise(edges) if end > start])
    rows = Rows(lambda: next(pieces, b""), columns, sequence)
    return [row for batch in rows.batches() for row in zip(*(column.to_pylist() for column in batch), strict=True)]


sizes = st.one_of(st.integers(0, 20), st.sampled_from([*range(248, 258), 65_535, 65_536]))
short = st.one_of(st.none(), st.integers(0, 450).map(lambda size: b"y" * size))
value = st.one_of(st.none(), st.binary(max_size=12), sizes.map(lambda size: b"x" * size))


@settings(deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[value] * width), max_size=30)),
    cuts=st.lists(st.integers(0, 1 << 20), max_size=6),
    sequence=st.integers(0, 255),
)
def test_any_rows_are_read_however_they_are_cut(rows: list[tuple[Value, ...]], cuts: list[int], sequence: int) -> None:
    payloads = [b"".join(map(lenenc, row)) for row in rows]
    data = packets([*payloads, END], sequence, wire.LONGEST)
    assert read(data, len(rows[0]) if rows else 1, cuts, sequence) == rows


@settings(deadline=None)
@given(rows=st.lists(st.tuples(short, short), max_size=8), cuts=st.lists(st.integers(0, 1 << 20), max_size=6))
def test_a_row_of_several_packets_is_one_row(rows: list[tuple[Value, ...]], cuts: list[int]) -> None:
    whole = wire.LONGEST
    wire.LONGEST = 100  # 16 MB on a real server
    try:
        payloads = [b"".join(map(lenenc, row)) for row in rows]
        assert read(packets([*payloads, END], 7, 100), 2, cuts, 7) == rows
    finally:
        wire.LONGEST = whole


def test_small_batches_hold_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "BATCH_BYTES", 10)
    rows = [(str(number).encode(),) for number in range(600)]
    assert read(packets([*(lenenc(row[0]) for row in rows), END], 3, wire.LONGEST), 1, list(range(0, 5000, 17)), 3) == rows


def test_an_error_in_the_middle_is_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    data = packets([lenenc(b"1"), b"\xff\x25\x05#70100stopped"], 0, wire.LONGEST)
    with pytest.raises(Refused) as caught:
        read(data, 1, [])
    assert caught.value.packet[1:3] == b"\x25\x05"


@pytest.mark.parametrize("cut", [0, 3, 6, 9])
def test_rows_that_end_too_early_are_no_whole_result(cut: int) -> None:
    data = packets([lenenc(b"1"), lenenc(b"2"), END], 0, wire.LONGEST)
    with pytest.raises(Broken):
        read(data[:cut], 1, [])


def test_pymysql_is_pinned_and_has_the_inside_that_rows_are_read_from() -> None:
    there = version("pymysql")
    assert f"\npymysql=={there}\n" in (HOME / "requirements.in").read_text()
    inside = inspect.getsource(pymysql.connections)
    for name in ("self._rfile = ", "self._next_seq_id = ", "self.unbuffered_active = ", "def _force_close("):
        assert name in inside, f"PyMySQL {there} has no {name!r} any more: ingest/mysql.py reads the rows of chunks from there"


def test_a_packet_out_of_order_is_refused() -> None:
    with pytest.raises(Broken, match="out of order"):
        read(packets([lenenc(b"1"), END], 0, wire.LONGEST), 1, [], sequence=5)
