"""JSON text to values and back with every digit kept: numbers stay text, a key that stands twice is an error."""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from json.encoder import encode_basestring, encode_basestring_ascii
from pathlib import Path
from typing import Any

from ingest.kinds import kind_of

MAX_DEPTH = 100
PIECE = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")


class Unusable(Exception):
    """What came instead of JSON that can be used; the caller adds where."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Unusable(f"a JSON object in which the key {twice[:64]!r} stands twice")
    return found


def _constant(name: str) -> Any:
    raise Unusable(f"the number {name}, which JSON does not know")


decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=_constant)


class Text:
    """The text of a file, read piece by piece."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self.bytes = 0
        self.ended = False

    def more(self, length: int) -> str:
        """About `length` more characters.

        Raises Unusable for bytes that are no UTF-8.
        """
        data = self._file.read(length)
        self.ended = not data
        held = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            raise Unusable(f"a byte that is no UTF-8 at offset {self.bytes - held + error.start:,}") from None
        text = text.removeprefix("\ufeff") if self.bytes == 0 else text
        self.bytes += len(data)
        return text

    def rest(self, start: str) -> str:
        """All that is left, behind `start`."""
        pieces = [start]
        while not self.ended:
            pieces.append(self.more(PIECE))
        return "".join(pieces)

    def close(self) -> None:
        self._file.close()


def body(path: Path) -> Any:
    """The one value of a JSON file.

    Raises Unusable that says what came instead.
    """
    text = Text(path)
    try:
        return _whole(text, text.rest(text.more(PIECE)))
    finally:
        text.close()


def values(path: Path, records: str | None, is_record: Callable[[Any], bool]) -> Iterator[Any]:
    """The records of a JSON file: elements of the list at `records`, or the one object there when it `is_record`.

    Raises Unusable that says what came instead.
    """
    text = Text(path)
    try:
        start = text.more(PIECE)
        at = skipped(start, 0)
        if records is None and start[at : at + 1] == "[":
            yield from _elements(text, start, at + 1)
        else:
            yield from inside(_whole(text, text.rest(start)), records, is_record)
    finally:
        text.close()


def _elements(text: Text, buffer: str, at: int) -> Iterator[Any]:
    """The elements of a list, one after the other, holding no more than one and the piece it is in."""
    is_first, is_next = True, True
    while True:
        at = skipped(buffer, at)
        if at == len(buffer) and not text.ended:
            buffer, at = text.more(PIECE), 0
        elif is_next and not (is_first and buffer[at : at + 1] == "]"):
            value, buffer, at = _element(text, buffer, at)
            yield value
            is_first = is_next = False
        elif buffer[at : at + 1] == ",":
            is_next, at = True, at + 1
        elif buffer[at : at + 1] == "]":
            break
        else:
            raise _broken(text, buffer, at)
    if skipped(rest := text.rest(buffer[at + 1 :]), 0) != len(rest):
        raise Unusable("JSON with something behind its end")


def _element(text: Text, buffer: str, at: int) -> tuple[Any, str, int]:
    """One element, the buffer it was found in, and where it ends."""
    while True:
        try:
            value, end = decoder.raw_decode(buffer, at)
            after = skipped(buffer, end)
            if text.ended or (buffer[after : after + 1] in (",", "]") and after < len(buffer)):
                return value, buffer, end
            if len(buffer) - after > 16:
                raise _broken(text, buffer, after)
        except json.JSONDecodeError as error:
            is_open = error.msg.startswith("Unterminated string") or len(buffer) - error.pos <= 16
            if text.ended or not is_open:
                raise _broken(text, buffer, error.pos) from None
        except RecursionError:
            raise Unusable(f"JSON nested deeper than {MAX_DEPTH}") from None
        buffer, at = buffer[at:] + text.more(max(PIECE, len(buffer) - at)), 0


def _whole(text: Text, content: str) -> Any:
    """The value of a whole text."""
    start = content[:4096].encode("utf-8", "replace")
    if kind_of(start) in ("an empty body", "an HTML page", "an XML document"):
        raise Unusable(kind_of(start))
    try:
        at = skipped(content, 0)
        value, end = decoder.raw_decode(content, at)
    except json.JSONDecodeError as error:
        if kind_of(start) in ("a text", "binary data"):
            raise Unusable(kind_of(start)) from None
        raise _broken(text, content, error.pos) from None
    except RecursionError:
        raise Unusable(f"JSON nested deeper than {MAX_DEPTH}") from None
    if skipped(content, end) != len(content):
        raise Unusable("JSON with something behind its end")
    return value


def keyed(whole: Any, records: str | None) -> Iterator[tuple[str, Any]]:
    """The records of the object at a path of a body, each with its key.

    Raises Unusable that says what came instead.
    """
    value, walked = _walked(whole, records)
    if not isinstance(value, dict):
        raise Unusable(f"{_body(value, walked)}, expected an object of records by their key")
    yield from value.items()


def inside(value: Any, records: str | None, is_record: Callable[[Any], bool]) -> Iterator[Any]:
    """The records at a path of a body: elements of a list, or the one object when it `is_record`.

    Raises Unusable that says what came instead.
    """
    value, walked = _walked(value, records)
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict) and is_record(value):
        yield value
    else:
        without = " with none of the declared fields" if isinstance(value, dict) else ""
        raise Unusable(f"{_body(value, walked)}{without}, expected a list of records")


def _walked(value: Any, records: str | None) -> tuple[Any, str]:
    walked = ""
    for step in records.split(".") if records else ():
        if not isinstance(value, dict) or step not in value:
            raise Unusable(
                f"{_body(value, walked)}{' without' if isinstance(value, dict) else ', expected an object with'} {step!r}"
            )
        value, walked = value[step], f"{walked}.{step}" if walked else step
    return value, walked


def _body(value: Any, walked: str) -> str:
    if not walked:
        return "the body null" if value is None else kind_name(value)
    return f"{kind_name(value)} at {walked!r}"


def _broken(text: Text, buffer: str, at: int) -> Unusable:
    """The error for JSON that ends too soon or is none."""
    text_end = skipped(buffer, min(at, len(buffer)))
    if text.ended and (text_end == len(buffer) or buffer[at : at + 1] == '"' or len(buffer) - at < 8):
        return Unusable(f"truncated JSON after {text.bytes:,} bytes")
    offset = text.bytes - len(buffer[at:].encode("utf-8", "replace"))
    return Unusable(f"no JSON at byte {offset:,}")


def skipped(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def kind_name(value: Any) -> str:
    """What kind of JSON value this is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a JSON boolean"
    if isinstance(value, Number):
        return "a JSON number"
    if isinstance(value, str):
        return "a JSON string"
    return "a JSON list" if isinstance(value, list) else "a JSON object"


def leaf(value: Any) -> str | None:
    """The text of a value: strings as they are, numbers as written, objects and lists as compact JSON."""
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    return compact(value)


def compact(value: Any, depth: int = 0) -> str:
    """JSON without spaces, its numbers as they were written.

    Raises Unusable when it is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise Unusable(f"JSON nested deeper than {MAX_DEPTH}")
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(name)}:{compact(part, depth + 1)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(compact(part, depth + 1) for part in value) + "]"
    return {None: "null", True: "true", False: "false"}[value]


def is_writable(text: str) -> bool:
    """Whether the text can be stored as UTF-8: half a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def quoted(text: str) -> str:
    """The text as a JSON string."""
    written: str = encode_basestring(text) if is_writable(text) else encode_basestring_ascii(text)
    return written
