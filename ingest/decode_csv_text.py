"""The bytes of a text file as blocks of whole lines: encodings, line ends, preamble and footer."""

import codecs
import io
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: The first block holds the header and is read with care, so it is small.
FIRST, BLOCK = 1 << 14, 1 << 22
#: The longest line and the longest record, in characters.
MAX_RECORD = 16_000_000
SAMPLE = 1 << 20
UNDECODABLE = re.compile("[\udc00-\udcff]")
_ESCAPING = "embalse-escaping"


class Block(NamedTuple):
    """Whole lines; `line` is the first one's number, `is_cut` says that the last line lost its end because it is too long."""

    line: int
    text: str
    is_cut: bool = False


class TextForm(NamedTuple):
    """How bytes are text: codec, whether a lone CR ends a line, and lines to leave out at both ends."""

    codec: str
    has_cr: bool = False
    skip: int = 0
    footer: int = 0


def blocks(path: Path, form: TextForm) -> Iterator[Block]:
    """The lines of a file in blocks; each byte that the codec does not know becomes U+DC00 and its value."""
    with path.open("rb") as raw, text_of(raw, form) as file:
        line, is_first = 1, True
        for _ in range(form.skip):
            line += bool(_line(file)[0])
            is_first = False
        held = ""
        while text := file.read(FIRST if line == 1 else BLOCK):
            rest, is_cut = _line(file)
            text = text.removeprefix("\ufeff") if is_first else text
            is_first = False
            whole = held + text + rest
            at = _footer(whole, form.footer)
            held = whole[at:]
            yield Block(line, whole[:at], is_cut and not held)
            line += lines_in(whole[:at], form.has_cr)


def text_of(raw: io.BufferedReader, form: TextForm) -> io.TextIOWrapper:
    """The text of a stream of bytes."""
    codecs.register_error(_ESCAPING, _escaped)
    return io.TextIOWrapper(raw, encoding=form.codec, errors=_ESCAPING, newline="" if form.has_cr else "\n")


def lines_in(text: str, has_cr: bool) -> int:
    """How many lines a text of whole lines has."""
    ends = text.count("\n") + (text.count("\r") - text.count("\r\n") if has_cr else 0)
    return ends + (bool(text) and not text.endswith(("\n", "\r") if has_cr else "\n"))


def is_writable(text: str) -> bool:
    """Whether every byte of the text could be decoded."""
    return text.isascii() or UNDECODABLE.search(text) is None


def shown(text: str) -> str:
    r"""The text with the bytes that could not be decoded as `\x..`."""
    return UNDECODABLE.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def has_lone_cr(sample: str, quote: str) -> bool:
    """Whether lines end in CR alone, as on old Macintoshes."""
    bare = re.sub(f"{quote}[^{quote}]*{quote}", "", sample) if quote else sample
    return "\r" in bare and "\n" not in bare


def _line(file: io.TextIOWrapper) -> tuple[str, bool]:
    """One line, and whether it lost its end."""
    line = file.readline(MAX_RECORD)
    if len(line) < MAX_RECORD or line[-1] in "\r\n":
        return line, False
    while (more := file.readline(MAX_RECORD)) and more[-1] not in "\r\n":
        pass
    return f"{line}\n", True


def _footer(text: str, lines: int) -> int:
    """Where the last lines begin; blank ones do not count."""
    at = len(text)
    for _ in range(lines):
        at = len(text[:at].rstrip("\r\n"))
        at = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    return at


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


class Lines:
    """The lines of blocks, one after the other; stops at the end of each block unless it is asked for `more`."""

    def __init__(self, found: Iterator[Block], has_cr: bool) -> None:
        self._blocks, self._has_cr = found, has_cr
        self._pushed: deque[str] = deque()
        self._text: Iterator[str] = iter(())
        self._block: Block | None = None
        self._left = 0
        self.line = 0
        self.is_cut = False

    def load(self) -> Block | None:
        """The next block, none of whose lines has been read; None at the end."""
        block = next(self._blocks, None)
        if block is not None:
            self._block, self.line = block, block.line - 1
            self._text = io.StringIO(block.text, newline="" if self._has_cr else "\n")
            self._left = lines_in(block.text, self._has_cr) if block.is_cut else -1
        return block

    def passed(self, lines: int) -> None:
        """Leave the loaded block's lines unread."""
        self._text, self.line = iter(()), self.line + lines

    def next(self) -> str | None:
        """The next line of the block; `line` becomes its number. None at its end."""
        line = self._pushed.popleft() if self._pushed else next(self._text, None)
        if line is not None:
            self.line += 1
            self._left -= 1
            self.is_cut = self._left == 0
        return line

    def more(self) -> str | None:
        """The next line, be it of the next block; None at the end of the file."""
        line = self.next()
        while line is None and self.load() is not None:
            line = self.next()
        return line

    def push(self, lines: list[str]) -> None:
        """Give lines back, to be read again."""
        self._pushed.extendleft(reversed(lines))
        self.line -= len(lines)
        self._left += len(lines)
