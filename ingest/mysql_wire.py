"""Rows of MySQL's text protocol as Arrow columns, a batch at once: what PyMySQL can only do value by value."""

import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

HEADER = 4
#: A packet of this length goes on in the next one.
LONGEST = LONGEST_MASK = 0xFFFFFF
HEAD = struct.Struct("<IB").unpack_from
EOF, ERROR = 0xFE, 0xFF
#: A packet that begins like an EOF and has so many bytes is a row with a very long first value.
SHORTEST_LONG_ROW = 9
NULL = 0xFB
#: First byte of a value's length -> bytes of the length that follow it.
WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}
BATCH_BYTES = 2 << 20

Ints = npt.NDArray[np.int64]


class Broken(Exception):
    """The bytes are no rows of this protocol, or they end too early."""


class Refused(Exception):
    """The server ended the rows with an error; `packet` is what it sent."""

    def __init__(self, packet: bytes) -> None:
        super().__init__("the server ended the rows with an error")
        self.packet = packet


class Rows:
    """The rows of one result as they are read from `read`, which gives some bytes, and none when the connection is gone."""

    def __init__(self, read: Callable[[], bytes], columns: int, sequence: int) -> None:
        self._read, self._columns, self._sequence = read, columns, sequence
        self._buffer = bytearray()
        self._position = 0
        self._is_done = False

    def batches(self) -> Iterator[list[Any]]:
        """The columns of row after row as binary arrays.

        Raises Broken and Refused.
        """
        while not self._is_done:
            starts: list[int] = []
            while not self._is_done and self._position < BATCH_BYTES:
                piece = self._read()  # would wait for ever behind the last packet
                if not piece:
                    raise Broken("the connection ended before the rows did")
                self._buffer += piece
                self._split(starts)
            if starts:
                yield _columns(bytes(self._buffer[: self._position]), np.array(starts, np.int64), self._columns)
            del self._buffer[: self._position]
            self._position = 0

    def _split(self, starts: list[int]) -> None:
        """Note where each row begins that is whole by now."""
        buffer, begin, first = self._buffer, self._position, len(starts)
        while True:
            self._position = _plain_rows(buffer, self._position, starts)
            if self._position + HEADER > len(buffer):
                break
            length, packets = int.from_bytes(buffer[self._position : self._position + 3], "little"), 1
            if length == LONGEST:
                length, packets = self._joined(self._position)
            after = self._position + HEADER + length
            if not packets or after > len(buffer):
                break
            self._in_order(starts[first:], begin)
            self._expect(buffer[self._position + 3], packets)
            if not length:
                raise Broken("an empty packet")
            kind = buffer[self._position + HEADER]
            if kind == ERROR:
                raise Refused(bytes(buffer[self._position + HEADER : after]))
            if kind == EOF and length < SHORTEST_LONG_ROW:
                self._is_done = True
                return
            starts.append(self._position + HEADER)
            self._position = begin = after
            first = len(starts)
        self._in_order(starts[first:], begin)

    def _in_order(self, starts: list[int], begin: int) -> None:
        """Packets of one row each are numbered one after another."""
        if not starts:
            return
        numbers = np.frombuffer(bytes(self._buffer[begin : starts[-1]]), np.uint8)[np.array(starts) - begin - 1]
        expected = np.arange(self._sequence, self._sequence + len(starts)) & 255
        if not np.array_equal(numbers, expected):
            raise Broken("a packet out of order")
        self._sequence = (self._sequence + len(starts)) & 255

    def _expect(self, number: int, packets: int) -> None:
        if number != self._sequence:
            raise Broken("a packet out of order")
        self._sequence = (self._sequence + packets) & 255

    def _joined(self, position: int) -> tuple[int, int]:
        """Length of a row of several packets, whose inner headers are taken out, and their number; 0 until all have come."""
        inner, start, length = [], position, LONGEST
        while length == LONGEST:
            if start + HEADER > len(self._buffer):
                return 0, 0
            length = int.from_bytes(self._buffer[start : start + 3], "little")
            inner.append(start)
            start += HEADER + length
        if start > len(self._buffer):
            return 0, 0
        for header in reversed(inner[1:]):
            del self._buffer[header : header + HEADER]
        return start - position - HEADER * len(inner), len(inner)


def _plain_rows(buffer: bytearray, position: int, starts: list[int]) -> int:
    """Note the rows that are whole, of one packet and surely no end; where the first begins that is none of these."""
    add, last = starts.append, len(buffer) - HEADER - 1
    while position <= last:
        header, kind = HEAD(buffer, position)
        length = header & LONGEST_MASK
        after = position + HEADER + length
        if kind >= EOF or not 0 < length < LONGEST or after > last + HEADER + 1:
            break
        add(position + HEADER)
        position = after
    return position


def _columns(buffer: bytes, starts: Ints, columns: int) -> list[Any]:
    """The values of each column: all of them lie in the buffer already, in order, with lengths in between."""
    data, count = np.frombuffer(buffer, np.uint8), len(starts)
    small = len(buffer) < 1 << 31
    kind, size = (pa.binary(), np.int32) if small else (pa.large_binary(), np.int64)
    edges = np.empty((count, 2 * columns), size)
    nulls: list[Any] = []
    position = starts
    for column in range(columns):
        begins, lengths, missing = _values(data, position)
        position = begins + lengths
        edges[:, 2 * column], edges[:, 2 * column + 1] = begins, position
        nulls.append(missing)
    offsets = np.append(edges.ravel(), position[-1:].astype(size))
    whole = pa.Array.from_buffers(kind, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(buffer)])
    first = np.arange(count, dtype=np.int32) * (2 * columns)
    return [whole.take(pa.array(first + 2 * column, mask=missing)).cast(pa.binary()) for column, missing in enumerate(nulls)]


def _values(data: npt.NDArray[np.uint8], position: Ints) -> tuple[Ints, Ints, Any]:
    """Where each row's value begins that stands at its position, how long it is, and which are null."""
    first = data[position]
    lengths, begins = first.astype(np.int64), position + 1
    if first.max() < NULL:
        return begins, lengths, None
    missing = first == NULL
    for kind, width in WIDTHS.items():
        rows = np.nonzero(first == kind)[0]
        if len(rows):
            value = np.zeros(len(rows), np.int64)
            for byte in range(width):
                value |= data[position[rows] + 1 + byte].astype(np.int64) << (8 * byte)
            lengths[rows] = value
            begins[rows] += width
    lengths[missing] = 0
    return begins, lengths, missing
