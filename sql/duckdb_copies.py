"""Copies of tables that are asked again and again, in DuckDB's own memory: a look-up there takes a fifth of the time."""

import logging
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import duckdb

from lake.kept import Kept
from sql.duckdb_source import Source

log = logging.getLogger(__name__)
#: A state of a table is copied when it is asked this often.
WORTH = 3
#: Rows times columns of all copies together; a cell takes about 14 bytes.
MOST_CELLS = 25_000_000
#: A copy that nobody asked for so long goes when the next one is made.
IDLE_SECONDS = 600.0
#: A copy that is not given out any more is still read by those who got it.
GRACE_SECONDS = 60.0


@dataclass
class _Copy:
    name: str
    cells: int
    used_at: float


class Copies:
    """Copies by the state of the table they are of, which never changes; they are made beside the questions."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, reader: str) -> None:
        self._connection = connection
        self._reader = reader
        self._asked: Kept[Source, int] = Kept(1000)
        self._copies: OrderedDict[Source, _Copy] = OrderedDict()
        self._retired: list[_Copy] = []
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "copies")
        connection.execute("attach ':memory:' as copies")

    def of(self, source: Source) -> str | None:
        """Name of the copy, if there is one; asking often has one made."""
        with self._lock:
            copy = self._copies.get(source)
            if copy is not None:
                copy.used_at = time.monotonic()
                self._copies.move_to_end(source)
                return copy.name
            times = self._asked.put(source, (self._asked.get(source) or 0) + 1)
        if times == WORTH:
            with suppress(RuntimeError):  # it was closed a moment ago
                self._worker.submit(self._make, source)
        return None

    def settle(self) -> None:
        """Wait until every copy under way is made."""
        self._worker.submit(lambda: None).result()

    def close(self) -> None:
        """Make no more copies."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _make(self, source: Source) -> None:
        cursor = self._connection.cursor()
        scan, name = source.scan(self._reader).sql("duckdb"), f"copies.t{next(self._numbers)}"
        try:
            self._drop_retired(cursor)
            columns = len(cursor.execute(f"describe from {scan}").fetchall())
            (rows,) = cursor.execute(f"from {scan} select count(*)").fetchall()[0]
            if rows * columns > MOST_CELLS:
                return
            cursor.execute(f"create table {name} as from {scan}")
        except duckdb.Error as error:
            log.warning("a table is read without a copy in memory: %s", type(error).__name__)
            return
        finally:
            cursor.close()
        now = time.monotonic()
        with self._lock:
            self._copies[source] = _Copy(name, rows * columns, now)
            while self._is_too_much(now):
                _, oldest = self._copies.popitem(last=False)
                oldest.used_at = now
                self._retired.append(oldest)

    def _is_too_much(self, now: float) -> bool:
        oldest = next(iter(self._copies.values()))
        return sum(copy.cells for copy in self._copies.values()) > MOST_CELLS or now - oldest.used_at > IDLE_SECONDS

    def _drop_retired(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Drop the copies that nobody can be reading any more."""
        with self._lock:
            over = [copy for copy in self._retired if time.monotonic() - copy.used_at > GRACE_SECONDS]
            self._retired = [copy for copy in self._retired if copy not in over]
        for copy in over:
            cursor.execute(f"drop table {copy.name}")
