"""Answers as bytes: I-JSON (RFC 7493) that loses no digit, with a strong ETag, packed when it pays."""

import gzip
import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"
#: A program may read JSON's numbers as doubles, which hold whole numbers up to here.
SAFE = 2**53 - 1
WORTH_PACKING = 1024
PACKED = "-gzip"
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def plain(value: Any) -> Any:
    """The value as JSON holds it: decimals, and whole numbers beyond 2^53, as text; instants in ISO 8601, UTC."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -SAFE <= value <= SAFE else str(value)
        case float():
            return value if math.isfinite(value) else _infinite(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return _instant(value)
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {str(plain(key)): plain(item) for key, item in value.items()}
    return str(value)


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z" if value.tzinfo else value.isoformat()


def _infinite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def encoded(value: Any) -> bytes:
    """JSON of what is plain already."""
    return ENCODER.encode(value).encode()


def tag_of(*facts: object) -> str:
    """A strong ETag: equal facts, equal bytes."""
    return f'"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}"'


def known_tag(request: Request, etag: str) -> str | None:
    """The tag by which whoever asks has this answer already; packed or not, it is the same answer."""
    for asked in request.headers.get("if-none-match", "").split(","):
        tag = asked.strip().removeprefix("W/")
        if tag == "*" or tag.replace(f'{PACKED}"', '"') == etag:
            return etag if tag == "*" else tag
    return None


def unchanged(tag: str) -> Response:
    """304: what is known still holds."""
    return Response(status_code=304, headers=_headers(tag))


def respond(request: Request, body: bytes, etag: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """200 with the body, or 304 when it is known; without a tag, the body's own hash is it."""
    etag = etag or f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = known_tag(request, etag)
    if known is not None:
        return unchanged(known)
    packs = accepts_gzip(request) and len(body) >= WORTH_PACKING
    if not packs:
        return Response(body, headers={**_headers(etag), **(headers or {})}, media_type=JSON)
    sent = {**_headers(f'{etag[:-1]}{PACKED}"'), **(headers or {}), "Content-Encoding": "gzip"}
    return Response(gzip.compress(body, compresslevel=3, mtime=0), headers=sent, media_type=JSON)


def accepts_gzip(request: Request) -> bool:
    """Whether whoever asks takes gzip."""
    for offered in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, quality = offered.replace(" ", "").partition(";q=")
        if coding in ("gzip", "*"):
            return quality.strip("0.") != "" or not quality
    return False


def _headers(tag: str) -> dict[str, str]:
    """What an answer says of itself; it may be kept by whoever asked, who asks each time whether it still holds."""
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
