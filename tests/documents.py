"""Documents as a reader follows them: their fenced blocks in order, and the commands among them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lake.settings import HOME

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([^`]+)`:$")
#: What changes from run to run: ids, times, ports.
CHANGING = ((r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "RUN"), (r"\d+ (seconds|minutes) ago", "ago"), (r"\d+\.\d+|:\d+|\d+ s\b", "#"))


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the file that the line before it names."""

    kind: str
    text: str
    file: str | None

    @property
    def commands(self) -> list[str]:
        """The commands of a block of them."""
        return [line for line in self.text.splitlines() if line.strip()] if self.kind in ("sh", "console") else []


def documents() -> list[Path]:
    """Every document of the checkout."""
    return sorted([*HOME.glob("*.md"), *(HOME / "docs").rglob("*.md")])


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        lines = text[: match.start()].rstrip().splitlines()
        named = NAMED.search(lines[-1]) if lines else None
        yield Block(match[1], match[2], named[1] if named else None)


def steady(line: str) -> str:
    """A line of output without what changes from run to run."""
    for pattern, instead in CHANGING:
        line = re.sub(pattern, instead, line)
    return " ".join(line.split())


def unsaid(shown: str, said: str) -> list[str]:
    """The lines that a document shows and that a command did not print; a line `...` stands for any."""
    printed = {steady(line) for line in said.splitlines()}
    return [line for line in shown.splitlines() if line.strip() not in ("", "...") and steady(line) not in printed]
