"""The header of a CSV file or a sheet: names by position, and what becomes of blank and repeated ones."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ingest.json_text import Unusable
from lake.columns import Column
from lake.files_source import FilesSource

_NAME = re.compile(r"[^<>{}\[\]\"]{1,64}")
POSITION = re.compile(r"#([1-9][0-9]{0,5})")


def header_names(fields: Sequence[str], source: FilesSource) -> list[str]:
    """The header's names, each of them once.

    Raises Unusable for a blank or repeated header unless they are to be renamed.
    """
    if source.bad_header == "rename":
        return renamed(fields)
    for position, name in enumerate(fields, 1):
        if not name.strip():
            raise Unusable(f"a blank header at position {position}; `bad_header: rename` calls it column_{position}")
    if len(set(fields)) != len(fields):
        twice = next(name for name, times in Counter(fields).items() if times > 1)
        raise Unusable(f"the header {shown(twice)} twice; `bad_header: rename` calls the second {twice[:64]}_2")
    return list(fields)


def position_names(width: int) -> list[str]:
    """The names of columns without a header."""
    return [f"#{position}" for position in range(1, width + 1)]


def paths_of(source: FilesSource) -> list[str]:
    """What each declared column reads; without a header a column's own name stands for the position it is declared at."""
    return [_path(name, column, number, source) for number, (name, column) in enumerate(source.columns.items(), 1)]


def places(paths: Iterable[str], names: list[str], *, missing_is_null: bool) -> list[int | None]:
    """The position that each path reads; None for what is not in the record.

    Raises Unusable when a declared header is missing.
    """
    known = {name: position for position, name in enumerate(names)}
    found: list[int | None] = []
    for path in paths:
        position = known.get(path)
        if position is None and (match := POSITION.fullmatch(path)) and int(match[1]) <= len(names):
            position = int(match[1]) - 1
        if position is None and not path.startswith(("@", "$")) and not missing_is_null:
            what = f"{len(names)} columns, expected at least {path[1:]}" if POSITION.fullmatch(path) else ""
            raise Unusable(what or f"no header {path!r}, expected it among {listed(names)}")
        found.append(position)
    return found


def listed(names: Sequence[str]) -> str:
    """Headers as a message may show them."""
    return ", ".join(shown(name) for name in names[:50]) + (f" and {len(names) - 50} more" if len(names) > 50 else "")


def shown(name: str) -> str:
    """A header as a message may show it: what is no name is no header either."""
    return repr(name) if _NAME.fullmatch(name) else f"(a text of {len(name):,} characters)"


def _path(name: str, column: Column, number: int, source: FilesSource) -> str:
    return column.from_ or (name if source.header else f"#{number}")


def renamed(fields: Sequence[str]) -> list[str]:
    """Names made unique from left to right; a name that stands once keeps it."""
    wanted = [name if name.strip() else f"column_{position}" for position, name in enumerate(fields, 1)]
    taken, found = set(wanted), []
    seen: set[str] = set()
    for name in wanted:
        number, free = 2, name
        while free in seen or (free != name and free in taken):
            free, number = f"{name}_{number}", number + 1
        seen.add(free)
        found.append(free)
    return found
