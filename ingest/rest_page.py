"""What the bot must know of a page before it can ask for the next: its records, the total, where to go on."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.decode_json import JsonRows, is_declared_empty
from ingest.json_text import Number, Unusable, body, kind_name
from lake.rest_source import RestSource

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^\s=;,]+\s*=\s*(?:\"[^\"]*\"|[^\s\",;]*))*)")
ABSENT = object()
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\",;]*))", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """One answer: its records, a hash of them, and what its body or headers say of the others.

    `names_next` is False where the body has nothing at all at the path of the next page, not even a null.
    """

    records: list[Any]
    digest: str
    total: int | None = None
    pages: int | None = None
    next: str | None = None
    more: bool | None = None
    names_next: bool = True


def page_of(source: RestSource, path: Path, status: int | None, link: str | None) -> Page:
    """The facts of a page.

    Raises Unusable that says what came instead.
    """
    if status in source.no_rows or is_declared_empty(path, source):
        return Page([], _digest([], None))
    paging = source.pagination
    whole = _body(source, path)
    records = _records(source, path, whole)
    asked = {name: getattr(paging, name, None) for name in ("total", "total_pages", "next", "more")}
    found = {name: _at(whole, route) for name, route in asked.items() if route}
    total = _count(found, asked, "total")
    following = next_link(link) if paging.kind == "link_header" else _next(found.get("next"), asked["next"])
    more = found.get("more")
    if more is not None and not isinstance(more, bool):
        raise Unusable(f"{kind_name(more)} at {asked['more']!r}, expected a JSON boolean")
    names_next = not asked["next"] or _at(whole, asked["next"], ABSENT) is not ABSENT
    return Page(records, _digest(records, total), total, _count(found, asked, "total_pages"), following, more, names_next)


def next_link(header: str | None) -> str | None:
    """The address of `rel=next` in a Link header (RFC 8288); None when there is none."""
    for match in _LINK.finditer(header or ""):
        rel = _REL.search(match[2])
        if rel and "next" in (rel[1] or rel[2] or "").lower().split():
            return match[1]
    return None


def _body(source: RestSource, path: Path) -> Any:
    return None if source.format == "jsonl" else body(path)


def _records(source: RestSource, path: Path, whole: Any) -> list[Any]:
    rows = JsonRows(source)
    if source.format == "jsonl":
        return list(rows.records(path))
    return rows.records_in(whole)


def _at(value: Any, path: str, absent: Any = None) -> Any:
    """The value at a path of the body; a number is a place in a list; `absent` where something on the way is not there."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step, absent)
        elif isinstance(value, list) and step.lstrip("-").isdigit():
            value = value[int(step)] if -len(value) <= int(step) < len(value) else absent
        else:
            return absent
    return value


def _count(found: dict[str, Any], asked: dict[str, str | None], name: str) -> int | None:
    if name not in found:
        return None
    value = found[name]
    if not isinstance(value, str) or not value.isdigit():
        raise Unusable(f"{kind_name(value)} at {asked[name]!r}, expected a count")
    return int(value)


def _next(value: Any, route: str | None) -> str | None:
    """A cursor or an address; null, false, absent and empty mean that there is none."""
    if value is None or value is False or value == "":
        return None
    if not isinstance(value, (str, Number)):
        raise Unusable(f"{kind_name(value)} at {route!r}, expected a string or a number")
    return str(value)


def _digest(records: list[Any], total: int | None) -> str:
    return hashlib.sha256(repr((records, total)).encode("utf-8", "surrogatepass")).hexdigest()
