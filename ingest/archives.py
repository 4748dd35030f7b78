"""Files out of gzip and zip, with a guard against archives that are bombs."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from ingest.detect import packing_of
from ingest.json_text import Unusable

PIECE = 1 << 20
#: A file may be so many times as large as it is packed; DEFLATE cannot exceed 1,032, and text seldom reaches 100.
MAX_RATIO = 400
#: Below this size no ratio is suspicious.
SMALL = 32_000_000


@dataclass(frozen=True)
class Limits:
    """How much may come out of one archive."""

    bytes: int
    entries: int


@dataclass(frozen=True)
class Entry:
    """A file to decode; `name` is its name in a zip and empty otherwise, `number` its place from 1, 0 when it is alone."""

    path: Path
    name: str = ""
    number: int = 0


def packing(path: Path) -> str | None:
    """`gzip` or `zip` for an archive."""
    with path.open("rb") as file:
        return packing_of(file.read(4))


def unpacked(path: Path, pattern: str, limits: Limits) -> Iterator[Entry]:
    """The files of an archive, each gone when the next is asked for; a file that is no archive as it is.

    Raises Unusable for damage, a password, a bomb, a path that leads out, or an archive within the archive.
    """
    kind, target = packing(path), path.with_name(f"{path.name}.unpacked")
    if kind is None:
        yield Entry(path)
        return
    try:
        with _damage(kind):
            if kind == "gzip":
                _save(_gunzipped(path), target, path.stat().st_size, limits.bytes, "gzip data")
                _refuse_nested(target, "gzip data")
                yield Entry(target)
            else:
                yield from _zip_entries(path, target, pattern, limits)
    finally:
        target.unlink(missing_ok=True)


def checked_zip(path: Path, limits: Limits) -> list[zipfile.ZipInfo]:
    """The entries of a zip that promises to stay within its limits.

    Raises Unusable.
    """
    with _damage("zip"), zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > limits.entries:
        raise Unusable(f"a zip archive of {len(entries):,} files, expected at most {limits.entries:,}")
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in PurePosixPath(name).parts or ":" in name.split("/")[0]:
            raise Unusable("a zip archive with a path that leads out of it")
        if entry.flag_bits & 1:
            raise Unusable("a zip archive with a password, expected one without")
    promised, packed = sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    if promised > limits.bytes:
        raise Unusable(f"a zip archive that unpacks to {promised:,} bytes, more than max_unpacked_bytes {limits.bytes:,}")
    if promised > SMALL and promised > MAX_RATIO * max(packed, 1):
        raise Unusable(f"a zip archive that grows more than {MAX_RATIO} times, as bombs do")
    return entries


def _zip_entries(path: Path, target: Path, pattern: str, limits: Limits) -> Iterator[Entry]:
    entries = checked_zip(path, limits)
    names = [entry.filename for entry in entries]
    chosen = [entry for entry in entries if _is_wanted(entry.filename, pattern)]
    if not chosen:
        raise Unusable(f"a zip archive of {len(names):,} files, expected one that matches {pattern}")
    if len(set(names)) != len(names):
        raise Unusable("a zip archive in which a name stands twice")
    left = limits.bytes
    with zipfile.ZipFile(path) as archive:
        for number, entry in enumerate(sorted(chosen, key=lambda entry: entry.filename), 1):
            with archive.open(entry) as file:
                left -= _save(_pieces(file), target, entry.compress_size, min(left, entry.file_size), "a zip entry")
            _refuse_nested(target, "a zip archive")
            yield Entry(target, entry.filename, number if len(chosen) > 1 else 0)


def _is_wanted(name: str, pattern: str) -> bool:
    """Whether an entry, or its last part, matches; what Macintoshes add does not."""
    last = name.rpartition("/")[2]
    is_hidden = name.startswith("__MACOSX/") or last.startswith(".")
    return not is_hidden and (fnmatchcase(name, pattern) or fnmatchcase(last, pattern))


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _gunzipped(path: Path) -> Iterator[bytes]:
    """The content of all members of a gzip file.

    Raises Unusable when it ends too soon.
    """
    unzip = zlib.decompressobj(31)
    with path.open("rb") as file:
        while piece := file.read(1 << 16):
            while piece:
                if unzip.eof:
                    piece = piece.lstrip(b"\0")  # padding
                    if not piece:
                        break
                    unzip = zlib.decompressobj(31)
                yield unzip.decompress(piece, PIECE)
                piece = unzip.unconsumed_tail or unzip.unused_data
    while not unzip.eof:
        more = unzip.decompress(unzip.unconsumed_tail, PIECE)
        if not more:
            raise Unusable("gzip data that ends too soon")
        yield more


def _save(pieces: Iterator[bytes], target: Path, packed: int, most: int, what: str) -> int:
    """Write what comes out, and stop when it is too much; its length."""
    length = 0
    with target.open("wb") as file:
        for piece in pieces:
            length += len(piece)
            if length > most:
                raise Unusable(f"{what} of more than {most:,} bytes unpacked, the most that was promised or max_unpacked_bytes")
            if length > SMALL and length > MAX_RATIO * max(packed, 1):
                raise Unusable(f"{what} that grows more than {MAX_RATIO} times, as bombs do")
            file.write(piece)
    return length


def _refuse_nested(path: Path, outer: str) -> None:
    inner = packing(path)
    if inner == "gzip" or (inner == "zip" and not _is_workbook(path)):
        raise Unusable(f"{outer} that holds another archive, expected the file itself")


def _is_workbook(path: Path) -> bool:
    """Whether a zip is an Excel file."""
    return zipfile.is_zipfile(path) and "xl/workbook.xml" in zipfile.ZipFile(path).namelist()


@contextmanager
def _damage(kind: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, zipfile.LargeZipFile):
        raise Unusable(f"damaged {'gzip data' if kind == 'gzip' else 'zip archive'}") from None
