"""JSON records to rows of text: paths, exploded children, request parameters, and the fields nobody declared."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.decoded import Fault, Row
from ingest.json_lines import lines
from ingest.json_text import body, compact, inside, is_writable, keyed, kind_name, leaf, values
from lake.files_source import FilesSource
from lake.rest_source import RestSource

MAX_OBSERVED = 1000
#: By what name the key of a record is found among its request parameters.
KEY = "@key"
#: Declared fields as a tree; a leaf is None and stands for all below it.
Tree = dict[str, Any]


class _Fault(Exception):
    """A path met a value it cannot go through."""


@dataclass(frozen=True)
class _Reader:
    """How one column is read: from the record, from its child, or from something beside them."""

    name: str
    scope: str
    steps: tuple[str, ...] = ()


@dataclass
class JsonRows:
    """Decodes the records of one source; `observed` grows by the fields that came undeclared, `present` by the columns whose field came."""

    source: RestSource | FilesSource
    observed: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        rest = self.source if isinstance(self.source, RestSource) else None
        self._keyed_by = rest.keyed_by if rest else None
        self._path = rest.records_path if rest else self.source.records if isinstance(self.source, FilesSource) else None
        self._readers = [
            _Reader(name, "request", (KEY,))
            if name == self._keyed_by
            else _reader(name, column.from_ or name, self.source.explode)
            for name, column in self.source.columns.items()
        ]
        self._withheld = any(column.pii for column in self.source.columns.values())
        self._explode = tuple(self.source.explode.split(".")) if self.source.explode else ()
        self._parent = _tree(reader.steps for reader in self._readers if reader.scope == "record")
        self._child = _tree(reader.steps for reader in self._readers if reader.scope == "child")
        self._is_whole = any(reader.scope == "itself" for reader in self._readers)
        self._is_whole_child = any(reader.scope == "child" and not reader.steps for reader in self._readers)
        self._has_fields = bool(self._parent or self._explode)

    def rows(self, path: Path, request: Mapping[str, str]) -> Iterator[Row]:
        """The rows of one original.

        Raises Unusable that says what came instead of records.
        """
        if isinstance(self.source, RestSource) and is_declared_empty(path, self.source):
            return
        if self._keyed_by:
            for number, (key, record) in enumerate(keyed(body(path), self._path), 1):
                yield from self.of(number, record, {**request, KEY: key})
            return
        for number, record in enumerate(self.records(path), 1):
            yield from self.of(number, record, request)

    def records(self, path: Path) -> Iterator[Any]:
        """The records of a list, of one object or of lines."""
        if self.source.format == "jsonl":
            return lines(path)
        return values(path, self._path, self._is_record)

    def records_in(self, whole: Any) -> list[Any]:
        """The records of a body that was read already."""
        if self._keyed_by:
            return list(keyed(whole, self._path))
        return list(inside(whole, self._path, self._is_record))

    def _is_record(self, value: Any) -> bool:
        """Whether an object that stands alone has a field that some column reads."""
        roots = {*self._parent, *self._explode[:1]}
        return self._is_whole or not roots.isdisjoint(value)

    def of(self, number: int, record: Any, request: Mapping[str, str]) -> Iterator[Row]:
        """The rows of one record: one, or one for each child."""
        faults: list[Fault] = []
        if self._has_fields and not isinstance(record, dict):
            faults.append(self._fault(None, "shape", record, f"{kind_name(record)}, expected an object"))
        try:
            children = _children(record, self._explode)
        except _Fault as error:
            faults.append(self._fault(None, "shape", record, str(error)))
            children = []
        extra = self._undeclared(record, self._parent, self._explode)
        if not children:
            yield self._row(number, 0, record, None, request, extra, list(faults))
        for position, child in enumerate(children, 1):
            found = list(faults)
            if self._child and not isinstance(child, dict):
                found.append(
                    self._fault(None, "shape", child, f"{kind_name(child)} in {self.source.explode}, expected an object")
                )
            beside = self._with_child(extra, child)
            yield self._row(number, position, record, child, request, beside, found)

    def _row(
        self, number: int, position: int, record: Any, child: Any, request: Mapping[str, str], extra: Tree, faults: list[Fault]
    ) -> Row:
        texts: list[str | None] = []
        for reader in self._readers:
            try:
                text = _text(reader, position, record, child, request)
                if reader.name not in self.present and (text is not None or _came(reader, record, child)):
                    self.present.add(reader.name)
                if text is not None and not is_writable(text):
                    raise _Fault("half a surrogate pair, expected text that is Unicode")
            except _Fault as error:
                text = None
                faults.append(self._fault(reader.name, "shape", None, str(error)))
            texts.append(text)
        return Row(texts, number, position, compact(extra) if extra else None, tuple(faults))

    @property
    def missing(self) -> list[str]:
        """Columns whose field came in no record so far."""
        return [
            reader.name for reader in self._readers if reader.scope in ("record", "child") and reader.name not in self.present
        ]

    def _fault(self, column: str | None, rule: str, value: Any, message: str) -> Fault:
        return Fault(column, rule, None if self._withheld or value is None else (leaf(value) or "")[:2000], message)

    def _undeclared(self, record: Any, tree: Tree, exploded: tuple[str, ...] = ()) -> Tree:
        """The fields of a record that no column reads."""
        if self._is_whole or not isinstance(record, dict):
            return {}
        return self._rest(record, tree, "", exploded)

    def _rest(self, value: Tree, tree: Tree, prefix: str, exploded: tuple[str, ...] = ()) -> Tree:
        left: Tree = {}
        for name, part in value.items():
            below = tree.get(name, {})
            if below is None or exploded == (name,):
                continue
            if below or exploded[:1] == (name,):
                if isinstance(part, dict):
                    nested = self._rest(part, below, f"{prefix}{name}.", exploded[1:] if exploded[:1] == (name,) else ())
                    left.update({name: nested} if nested else {})
                elif isinstance(part, list) and exploded[:1] != (name,):
                    left[name] = part  # columns read single places of it
                continue
            left[name] = part
            if len(self.observed) < MAX_OBSERVED:
                self.observed.add(f"{prefix}{name}")
        return left

    def _with_child(self, extra: Tree, child: Any) -> Tree:
        """The undeclared fields of parent and child, the child's at the place of the list."""
        if self._is_whole or self._is_whole_child or not isinstance(child, dict):
            return extra
        rest = self._rest(child, self._child, f"{self.source.explode}.")
        return _placed(extra, self._explode, rest) if rest else extra


def is_declared_empty(path: Path, source: RestSource) -> bool:
    """Whether the body is one that the source declares to mean no rows."""
    if not source.no_rows or path.stat().st_size > 64:
        return False
    text = path.read_bytes().strip()
    return (not text and "empty" in source.no_rows) or (text == b"null" and "null" in source.no_rows)


def _placed(tree: Tree, steps: tuple[str, ...], value: Tree) -> Tree:
    """A copy of the tree with the value at a path."""
    if len(steps) == 1:
        return {**tree, steps[0]: value}
    return {**tree, steps[0]: _placed(tree.get(steps[0], {}), steps[1:], value)}


def _reader(name: str, path: str, explode: str | None) -> _Reader:
    if path == "$":
        return _Reader(name, "itself")
    if path.startswith("@"):
        return _Reader(name, "index" if path == "@index" else "request", (path[1:],))
    if explode and path == explode:
        return _Reader(name, "child")
    if explode and path.startswith(f"{explode}."):
        return _Reader(name, "child", tuple(path.removeprefix(f"{explode}.").split(".")))
    return _Reader(name, "record", tuple(path.split(".")))


def _tree(paths: Iterable[tuple[str, ...]]) -> Tree:
    tree: Tree = {}
    for steps in sorted(paths, key=len, reverse=True):
        node = tree
        for step in steps[:-1]:
            node = node.setdefault(step, {})
        if steps:
            node[steps[-1]] = None
    return tree


def _children(record: Any, explode: tuple[str, ...]) -> list[Any]:
    """The elements of the list to explode; empty when it is empty, null or absent."""
    found = _walked(record, explode) if explode and isinstance(record, dict) else None
    if found is not None and not isinstance(found, list):
        raise _Fault(f"{'.'.join(explode)} is {kind_name(found)}, expected a list")
    return found or []


def _walked(value: Any, steps: tuple[str, ...]) -> Any:
    """The value at a path; None where something on the way is null or absent."""
    for number, step in enumerate(steps):
        if value is None:
            return None
        if isinstance(value, list) and step.lstrip("-").isdigit():
            value = value[int(step)] if -len(value) <= int(step) < len(value) else None
            continue
        if not isinstance(value, dict):
            raise _Fault(f"{'.'.join(steps[:number])} is {kind_name(value)}, expected an object")
        value = value.get(step)
    return value


def _came(reader: _Reader, record: Any, child: Any) -> bool:
    """Whether the field of a column stands in the record, be it null."""
    value = record if reader.scope == "record" else child
    for step in reader.steps:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True


def _text(reader: _Reader, position: int, record: Any, child: Any, request: Mapping[str, str]) -> str | None:
    scope, steps = reader.scope, reader.steps
    if scope == "record":
        return leaf(_walked(record, steps)) if isinstance(record, dict) else None
    if scope == "child":
        return leaf(_walked(child, steps)) if isinstance(child, dict) or not steps else None
    if scope == "index":
        return str(position)
    return leaf(record) if scope == "itself" else request.get(steps[0])
