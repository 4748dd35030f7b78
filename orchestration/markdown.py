"""Markdown of the generated references: pages, tables, headings."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

COMMAND = ".venv/bin/python -m orchestration.reference"
WRITTEN = f"Written from the code by `{COMMAND}`.\n"


def anchor(heading: str) -> str:
    """The fragment by which a heading is linked."""
    kept = (letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")


def names(listed: Iterable[str]) -> str:
    """Names, one behind the other."""
    return ", ".join(f"`{name}`" for name in listed) or "none"


def code(value: object) -> str:
    """The value as it is written in YAML."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{Decimal(repr(value)):f}`"
    return f"`{value:_}`" if isinstance(value, int) else f"`{value}`"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    cells = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |\n" for row in cells)


def page(title: str, *parts: str) -> str:
    """A page that says where it comes from."""
    return "\n".join([f"# {title}\n", WRITTEN, *parts])
