"""How much of a pull has come: the one fact that bots tell while they are at work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Amount:
    """What has come so far: `rows`, None where the bot does not count them itself, and `bytes` of originals.

    `share` of all there is, from 0 to 1, is None where the source does not say how much that is; `at` names the file or
    page under way, `unit` what is counted.
    """

    rows: int | None = None
    bytes: int = 0
    share: float | None = None
    at: str = ""
    unit: str = "rows"


@dataclass
class FilesAmount:
    """Counts the bytes of one file after the other; `sizes` are those that the listing gave, None where it gave none."""

    sizes: Sequence[int | None]
    tell: Callable[[Amount], None]
    _number: int = field(default=0, init=False)
    _before: int = field(default=0, init=False)
    _came: int = field(default=0, init=False)

    def begin(self, number: int) -> None:
        """The file with this number, from 1, is next."""
        self._number, self._before, self._came = number, self._before + self._came, 0
        self.came(0, None)

    def came(self, count: int, announced: int | None) -> None:
        """So many bytes of the present file are here, of as many as its server announced."""
        self._came = count
        at = f"file {self._number:,} of {len(self.sizes):,}" if len(self.sizes) > 1 else ""
        self.tell(Amount(None, self._before + count, self._share(announced), at))

    def _share(self, announced: int | None) -> float | None:
        """By bytes where the size of every file is known, else each file counts the same."""
        before, sizes = self._number - 1, [size for size in self.sizes if size is not None]
        total = sum(sizes)
        if total and len(sizes) == len(self.sizes):
            return (sum(sizes[:before]) + min(self._came, sizes[before])) / total
        if len(self.sizes) == 1 and not announced:
            return None
        return (before + (min(1.0, self._came / announced) if announced else 0.0)) / len(self.sizes)
