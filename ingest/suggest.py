"""A first declaration for files behind an address, from a sample of one of them."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

import yaml

from ingest.decode_csv_header import POSITION
from ingest.suggest_sample import Sample, sample_of
from ingest.suggest_types import Guess, guess
from lake.columns import NAME
from lake.files_source import DATE
from lake.references import public_url
from lake.settings import Settings
from store.scratch import scratch


def suggest(url: str, settings: Settings, name: str | None = None) -> str:
    """The text of a source file for what is behind the address, with remarks on what was detected.

    Raises UsageError, SourceError or TemporaryError when there is nothing to look at.
    """
    name = name or _name_of(url)
    with scratch() as folder:
        sample = sample_of(url, name, settings, folder)
    columns = _columns(sample)
    keys = [column for column, _, texts, found in columns if _may_be_key(texts, found)]
    shown = public_url(url) if url.lower().startswith("http") else url
    lines = [
        f"# A first draft from {len(sample.rows):,} rows of a sample of {sample.bytes:,} bytes: read it, correct it, then run",
        f"# `lake source check {name}`.",
        f"name: {name}",
        "description: One row per TODO.",
        "kind: files",
        f"url: {_scalar(shown)}" + ("  # secrets are left out: write them as ${env:NAME}" if shown != url else ""),
        *_form(sample, columns),
        f"load: {'snapshot' if keys else 'append'}  # snapshot: the whole truth; append: rows are added; merge: newest per key",
        *_key(keys),
        "columns:",
        *(_column(*column) for column in columns),
    ]
    return "\n".join(lines) + "\n"


_Column = tuple[str, str, list[str | None], Guess]


def _columns(sample: Sample) -> list[_Column]:
    """Name, header, texts and type of each column."""
    found: list[_Column] = []
    taken: set[str] = set()
    for position, header in enumerate(sample.names):
        texts = [row[position] for row in sample.rows]
        name = base = _spelled(header, position + 1)
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        kind = (
            Guess(sample.types[position]) if sample.types else guess(texts, may_have_comma=sample.delimiter not in (None, ","))
        )
        found.append((name, header, texts, kind))
    return found


def _form(sample: Sample, columns: Sequence[_Column]) -> list[str]:
    """How the files are cut, as detected."""
    lines = [f"format: {sample.format}"]
    if sample.packing:
        lines.append(f"# packed as {sample.packing}, which is undone by itself")
    if sample.format == "csv":
        lines.append(f"delimiter: {_quoted(sample.delimiter or ',')}  # detected; `detect` would look at every file")
        lines.append(f"encoding: {sample.encoding}  # detected")
        if sample.skip_lines:
            lines.append(f"skip_lines: {sample.skip_lines}  # they have fewer fields than the others")
        if not sample.header:
            lines.append("header: false  # the first line looks like data")
        if sample.has_odd_header:
            lines.append("bad_header: rename  # the header has blank or repeated names")
        if any(found.has_comma for _, _, _, found in columns):
            lines.append('decimal: ","')
    if sample.format in ("csv", "excel"):
        nulls = sorted({marker for _, _, _, found in columns for marker in found.nulls})
        if nulls not in ([], [""]):
            lines.append(f"nulls: [{', '.join(_quoted(marker) for marker in nulls)}]  # read as null where not quoted")
    if sample.records:
        lines.append(f"records: {_scalar(sample.records)}")
    return lines


def _key(keys: Sequence[str]) -> list[str]:
    if not keys:
        return ["# no single column was without nulls and repeats, so none is proposed as the key"]
    others = f"; so could {', '.join(keys[1:6])}" if len(keys) > 1 else ""
    return [f"key: [{keys[0]}]  # no null and no repeat in the sample{others}"]


def _column(name: str, header: str, texts: list[str | None], found: Guess) -> str:
    needs_from = header != name and not POSITION.fullmatch(header)
    parts = [("from", header)] if needs_from else []
    parts += found.options
    remark = f"  # {found.remark}" if found.remark else ""
    if not parts:
        return f"  {name}: {found.type}{remark}"
    kind = _quoted(found.type) if "," in found.type else found.type
    rest = "".join(f", {key}: {_quoted(value)}" for key, value in parts)
    return f"  {name}: {{type: {kind}{rest}}}{remark}"


def _may_be_key(texts: Sequence[str | None], found: Guess) -> bool:
    is_whole = len(texts) > 1 and all(text is not None and text.strip() and text not in found.nulls for text in texts)
    return is_whole and len(set(texts)) == len(texts) and found.type in ("bigint", "string", "date", "timestamp")


def _spelled(header: str, position: int) -> str:
    """A header as a column may be called."""
    plain = unicodedata.normalize("NFKD", header.replace("ß", "ss")).encode("ascii", "ignore").decode()
    text = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()).strip("_")
    return (
        text
        if NAME.fullmatch(text)
        else f"column_{text}"
        if text and text[0].isdigit() and not POSITION.fullmatch(header)
        else f"column_{position}"
    )


def _name_of(url: str) -> str:
    """A name for the source, from the file's."""
    path = DATE.sub("", url.partition("?")[0])
    stem = PurePosixPath(path).name.split(".")[0] or "files"
    return _spelled(stem.replace("*", " "), 1).strip("_") if re.search("[A-Za-z]", stem) else "files"


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10_000).strip()


def _scalar(text: str) -> str:
    return _quoted(text) if re.search(r"[:#{}\[\],&*!|>'\"%@`]\s|\s#|^[*&!%@`{\[]|\{date", text) else text
