"""What the stand-in answers: FakeStore's routes as functions from data to an answer."""

import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

Record = dict[str, Any]
FILES_CHANGED_AT = datetime(2020, 4, 1, 6, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """One answer: `truncate_at` sends that many bytes of the body and hangs up, `delay_seconds` waits first."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    truncate_at: int | None = None


def json_answer(value: Any, status: int = 200) -> Answer:
    """The value as compact JSON, as FakeStore serves it."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "ETag": f'W/"{hashlib.sha256(body).hexdigest()[:27]}"'}
    return Answer(status, body, headers)


def not_found(path: str) -> Answer:
    """The HTML page for a path that nobody knows."""
    page = f"<!DOCTYPE html>\n<html><body><pre>Cannot GET {html.escape(path)}</pre></body></html>\n"
    return Answer(404, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


def api_answer(data: Mapping[str, list[Record]], path: list[str], query: Mapping[str, str]) -> Answer | None:
    """Answer to a path of the API; nothing for a path that it does not know."""
    match path:
        case ["products", "categories"]:
            return json_answer(list(dict.fromkeys(product["category"] for product in data["products"])))
        case ["products", "category", name]:
            return json_answer(_listed([product for product in data["products"] if product["category"] == name], query))
        case ["carts"]:
            return json_answer(_listed([cart for cart in data["carts"] if _is_between(cart, query)], query))
        case [("products" | "users") as collection]:
            return json_answer(_listed(data[collection], query))
        case [("products" | "carts" | "users") as collection, number]:
            found = [record for record in data[collection] if str(record["id"]) == number]
            return json_answer(found[0] if found else None)
    return None


def _listed(records: list[Record], query: Mapping[str, str]) -> list[Record]:
    """The records in the order and number asked for; what is no number is not heeded."""
    ordered = records[::-1] if query.get("sort") == "desc" else records
    limit = query.get("limit", "")
    return ordered[: int(limit)] if limit.isdecimal() and int(limit) > 0 else ordered


def _is_between(cart: Record, query: Mapping[str, str]) -> bool:
    day = str(cart["date"])[:10]
    return query.get("startdate", "") <= day <= query.get("enddate", "9999-12-31")


def file_answer(content: bytes, headers: Mapping[str, str]) -> Answer:
    """A file, the part of it that `Range` names, or 304 when the caller has it already."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    changed = format_datetime(FILES_CHANGED_AT, usegmt=True)
    facts = {"Content-Type": "text/csv; charset=utf-8", "ETag": etag, "Last-Modified": changed, "Accept-Ranges": "bytes"}
    asked = headers.get("if-none-match")
    is_known = etag in [tag.strip() for tag in asked.split(",")] if asked else headers.get("if-modified-since") == changed
    if is_known:
        return Answer(304, b"", facts)
    if "range" not in headers or headers.get("if-range", etag) not in (etag, changed):
        return Answer(200, content, facts)
    return _partial(content, headers["range"], facts)


def _partial(content: bytes, asked: str, facts: dict[str, str]) -> Answer:
    """One range of bytes; a request that is no single range gets everything."""
    first, dash, last = asked.removeprefix("bytes=").partition("-")
    if not (asked.startswith("bytes=") and dash and (first + last).isdecimal()):
        return Answer(200, content, facts)
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if start > end:
        return Answer(416, b"", {**facts, "Content-Range": f"bytes */{len(content)}"})
    return Answer(206, content[start : end + 1], {**facts, "Content-Range": f"bytes {start}-{end}/{len(content)}"})
