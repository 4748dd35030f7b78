"""Names what a source sent by its kind; never by an excerpt, which may hold a password."""

_NUMBER = frozenset(b"-0123456789")


def kind_of(start: bytes, content_type: str | None = None) -> str:
    """What a body that begins with `start` is: `an HTML page`, `the body null`, `a JSON list`."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    lowered = text[:200].lower()
    if not text:
        return "an empty body"
    if lowered.startswith((b"<!doctype html", b"<html")) or (text[:1] == b"<" and "html" in (content_type or "").lower()):
        return "an HTML page"
    if text[:1] == b"<":
        return "an XML document"
    if text.strip(b" \t\r\n") == b"null":
        return "the body null"
    if text.startswith(b"\x1f\x8b"):
        return "gzip data"
    if text.startswith(b"PK\x03\x04"):
        return "a zip archive"
    return _json_kind(text) or ("binary data" if b"\0" in text else "a text")


def _json_kind(text: bytes) -> str | None:
    kinds = {b"{": "a JSON object", b"[": "a JSON list", b'"': "a JSON string"}
    if text[:1] in kinds:
        return kinds[text[:1]]
    if text.strip() in (b"true", b"false"):
        return "a JSON boolean"
    if text[0] in _NUMBER and not text.strip(b"-+.eE0123456789 \t\r\n"):
        return "a JSON number"
    return None
