"""JSON lines to rows: one record a line, and a line that is no JSON is a fault of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest.decode_csv_text import Lines, TextForm, blocks, is_writable, shown
from ingest.decode_json import JsonRows
from ingest.decoded import Fault, Row
from ingest.json_lines import line_value
from ingest.json_text import Unusable
from lake.files_source import FilesSource


@dataclass
class JsonLinesRows:
    """Decodes the JSON lines of one source; `observed` grows by the fields that came undeclared."""

    source: FilesSource
    observed: set[str] = field(default_factory=set)

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row]:
        """The rows of one original; `row` is the line."""
        records = JsonRows(self.source)
        self.observed = records.observed
        withheld = any(column.pii for column in self.source.columns.values())
        lines = Lines(blocks(path, TextForm("utf-8")), has_cr=False)
        while (line := lines.more()) is not None:
            if not line.strip():
                continue
            try:
                if lines.is_cut or not is_writable(line):
                    raise Unusable("a line that is too long" if lines.is_cut else "bytes that are no UTF-8")
                record = line_value(line.removeprefix("\ufeff"), lines.line)
            except (Unusable, ValueError) as came:
                text = None if withheld else shown(line).rstrip("\r\n")[:2000]
                values = [
                    request.get((column.from_ or "")[1:]) if (column.from_ or "")[:1] == "@" else None
                    for column in self.source.columns.values()
                ]
                yield Row(values, lines.line, 0, None, (Fault(None, "json", text, f"got {came}, expected one JSON record"),))
                continue
            yield from records.of(lines.line, record, request)
