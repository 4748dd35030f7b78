"""Words of a source that is being pulled: rate, share and time left by a clock that the test holds; and when there is a line."""

import io
from dataclasses import asdict
from typing import Any

import pytest

from ingest.amounts import Amount, FilesAmount
from orchestration.pace import Pace
from orchestration.progress import Progress


def words(*told: tuple[float, Amount]) -> str:
    pace, said = Pace(), ""
    for now, amount in told:
        said = pace.words(asdict(amount), now)
    return said


def test_a_source_with_a_known_total_says_share_and_time_left() -> None:
    began = (100.0, Amount(0, 0, 0.0))
    assert (
        words(began, (110.0, Amount(2_500, 4_000_000, 0.25))) == "2,500 rows, 4.0 MB, 250 rows/s, about 25 %, 30 seconds left"
    )
    assert words(began, (1_000.0, Amount(9, 0, 0.1))) == "9 rows, 0.0 rows/s, about 10 %, 2 hours left"


def test_without_a_total_there_is_a_rate_and_no_share() -> None:
    assert words((0.0, Amount(0)), (4.0, Amount(8, 900, at="page 2"))) == "page 2, 8 rows, 900 B, 2.0 rows/s"


def test_bytes_are_counted_until_rows_are() -> None:
    began = (0.0, Amount(None, 0, 0.0))
    assert words(began, (2.0, Amount(0, 5_000_000, 0.5))) == "5.0 MB, 2.5 MB/s, about 50 %, 2 seconds left"
    assert words(began, (4.0, Amount(600, 9_000_000, 1.0))) == "600 rows, 9.0 MB, 150 rows/s"


def test_the_rate_leaves_out_what_an_earlier_process_brought() -> None:
    told = words((0.0, Amount(1_000, 0, 0.5)), (10.0, Amount(1_100, 0, 0.75)))
    assert told == "1,100 rows, 10 rows/s, about 75 %, 10 seconds left"


def test_a_guess_that_was_too_low_promises_nothing() -> None:
    assert words((0.0, Amount(0, 0, 0.0)), (2.0, Amount(40, 0, 1.0))) == "40 rows, 20 rows/s"


def test_keys_after_rows_and_a_pull_that_begins_again_are_counted_anew() -> None:
    rows, keys = (0.0, Amount(900)), (10.0, Amount(0, unit="keys"))
    assert words(rows, keys, (12.0, Amount(40, unit="keys"))) == "40 keys, 20 keys/s"
    assert words(rows, (10.0, Amount(0)), (12.0, Amount(40))) == "40 rows, 20 rows/s"


def test_the_first_second_has_no_rate() -> None:
    assert words((0.0, Amount(0, 0, 0.0)), (0.9, Amount(40, 7, 0.5))) == "40 rows, 7 B, about 50 %"


class Terminal(io.StringIO):
    """A terminal of which all that was written is kept."""

    def isatty(self) -> bool:
        return True


class Watch:
    """Progress by a clock that the test turns."""

    def __init__(self, stream: io.StringIO) -> None:
        self.now, self.stream = 0.0, stream
        self.progress = Progress(stream, now=lambda: self.now)

    def tell(self, source: str, rows: int, at: float) -> None:
        self.now = at
        self.progress({"event": "amount", "source": source, **asdict(Amount(rows))})

    def end(self, source: str) -> None:
        facts: dict[str, Any] = {"outcome": "new", "rows": 3, "bytes": 5, "seconds": 1.0}
        self.progress({"event": "source", "source": source, **facts})


def test_where_nobody_watches_a_long_pull_has_a_line_every_ten_seconds() -> None:
    watch = Watch(io.StringIO())
    for tenth in range(251):
        watch.tell("orders", tenth * 10, tenth / 10)
    watch.end("orders")
    assert [line.strip() for line in watch.stream.getvalue().splitlines()] == [
        "... orders: 1,000 rows, 100 rows/s",
        "... orders: 2,000 rows, 100 rows/s",
        "source orders                       3 rows, 5 B, 1.0 s",
    ]


def test_a_terminal_has_one_live_line_for_each_source_below_those_that_stay() -> None:
    watch = Watch(Terminal())
    for source in ("orders", "parts"):
        watch.tell(source, 0, 0.0)
        watch.tell(source, 7, 2.0)
    before = len(watch.stream.getvalue())
    watch.end("orders")
    assert watch.stream.getvalue()[before:] == (
        "\x1b[2A\r\x1b[J  source orders                       3 rows, 5 B, 1.0 s\n  ... parts: 7 rows, 3.5 rows/s\n"
    )


def test_a_terminal_is_not_drawn_for_every_piece() -> None:
    watch = Watch(Terminal())
    for piece in range(65):
        watch.tell("orders", piece, piece / 64)
    assert watch.stream.getvalue().count("orders") == 4


@pytest.mark.parametrize(
    ("sizes", "number", "came", "share"),
    [
        ([100, 300], 2, (150, 300), 0.625),
        ([None, None, 300, None], 3, (150, 300), 0.625),
        ([None, None], 2, (150, None), 0.5),
        ([None], 1, (150, 200), 0.75),
        ([None], 1, (150, None), None),
        ([0, 0], 2, (0, 0), 0.5),
        ([100], 1, (120, 100), 1.0),
    ],
)
def test_the_share_of_files(sizes: list[int | None], number: int, came: tuple[int, int | None], share: float | None) -> None:
    told: list[Amount] = []
    amount = FilesAmount(sizes, told.append)
    for each in range(1, number + 1):
        amount.begin(each)
    amount.came(*came)
    assert told[-1].share == share


def test_the_bytes_of_all_files_are_counted_and_those_of_a_new_try_only_once() -> None:
    told: list[Amount] = []
    amount = FilesAmount([None, None], told.append)
    amount.begin(1)
    for count in (60, 10, 100):
        amount.came(count, 100)
    amount.begin(2)
    amount.came(5, None)
    assert [each.bytes for each in told] == [0, 60, 10, 100, 100, 105]
    assert [each.at for each in told] == ["file 1 of 2"] * 4 + ["file 2 of 2"] * 2
