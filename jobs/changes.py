"""What becomes of a source that changes: fields nobody declared, declared ones that are gone, values too wide for their type."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pyspark.sql import Column as Expr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.casts import cast
from lake.columns import Column
from lake.errors import GateError
from lake.source import Source

Evolved = dict[str, dict[str, str]]
"""`added`: column -> path of its field in the record; `widened`: column -> type it has now."""
NOTHING: Evolved = {"added": {}, "widened": {}}


def told(runs: Sequence[dict[str, Any]]) -> str:
    """In words, how the runs differ from the declaration; empty when they do not."""
    new = sorted({name for run in runs for name in run.get("observed", ())})
    gone = sorted({name for run in runs for name in run.get("missing", ())})
    parts = [f"fields nobody declared: {', '.join(new)}"] if new else []
    parts += [f"declared fields that did not come: {', '.join(gone)}"] if gone else []
    return "; ".join(parts) + (" (renamed?)" if new and gone else "")


def refuse_changes(source: Source, runs: Sequence[dict[str, Any]]) -> None:
    """Nothing, when the runs are as declared or the source may change.

    Raises GateError that names what is new and what is gone.
    """
    changed = told(runs)
    if source.changes == "strict" and changed:
        consent = _consent(run["run"] for run in runs if told([run]))
        policy = f"declare them, or choose another policy for `changes` ({consent})"
        raise GateError(f"{source.trusted}: {changed}; {policy}; the table stays as it was")


def told_rows(source: Source, counts: Sequence[dict[str, Any]], repeated: str) -> str:
    """In words, what is wrong with the keys of these runs; `repeated` is one that came more than once."""
    key = ", ".join(source.key)
    without, twice = (sum(count[name] for count in counts) for name in ("keyless", "repeated"))
    parts = [f"{without:,} rows without a key ({key}) went to quarantine"] if without else []
    parts += [f"{twice:,} keys came more than once in one run, such as {repeated}"] if twice else []
    absent = sum(count.get("absent", 0) for count in counts)
    if absent and source.is_brought_whole:
        parts.append(
            f"{absent:,} keys of the source have no row here: rejected, or behind the cursor (`lake ingest {source.name} --full`)"
        )
    return "; ".join(parts)


def refuse_rows(source: Source, counts: Sequence[dict[str, Any]], repeated: str, misfit: Callable[[], str]) -> None:
    """Nothing, when all rows of these runs fit and have a key of their own, or the source is not strict about it.

    To `merge` several rows of a key is what the source is there for. Raises GateError with an example of each fault.
    """
    if source.changes != "strict":
        return
    own = [{**count, "repeated": 0} for count in counts] if source.load == "merge" else counts
    misfits = sum(count["misfits"] for count in own)
    parts = [f"{misfits:,} rows do not fit, such as {misfit()}"] if misfits else []
    parts += [words] if (words := told_rows(source, own, repeated)) else []
    if parts:
        consent = _consent(count["run"] for count in own if count["misfits"] + count["keyless"] + count["repeated"])
        raise GateError(f"{source.trusted}: {'; '.join(parts)} ({consent}); the table stays as it was")


def _consent(runs: Iterable[str]) -> str:
    """How a person lets these very runs through."""
    return f"if that is right: `lake run --no-ingest {' '.join(f'--accept {run}' for run in runs)}`"


def evolved_by(source: Source, runs: Sequence[dict[str, Any]], before: Evolved) -> Evolved:
    """The columns that an evolving source has gained so far: those of the last publish, and the fields that are new.

    Raises GateError when a new field would take a column's name.
    """
    if source.changes != "evolve":
        return NOTHING
    added = {name: path for name, path in before["added"].items() if name not in source.columns}
    for path in sorted({path for run in runs for path in run.get("observed", ())}):
        name = column_name(path)
        if name in source.columns or added.get(name, path) != path or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise GateError(
                f"{source.trusted}: the new field {path!r} would be column {name!r}, which is taken or no name; declare it"
            )
        added[name] = path
    widened = {
        name: type_
        for name, type_ in before["widened"].items()
        if name in source.columns and type_ in source.columns[name].widen
    }
    return {"added": added, "widened": widened}


def evolved_source(source: Source, evolved: Evolved) -> Source:
    """The source as its table has it now."""
    columns = {
        name: column.model_copy(update={"type": evolved["widened"].get(name, column.type)})
        for name, column in source.columns.items()
    }
    added = {name: Column(type="string", description=f"field {path}, not declared") for name, path in evolved["added"].items()}
    return source.model_copy(update={"columns": {**columns, **added}})


def with_added(decoded: DataFrame, added: dict[str, str]) -> DataFrame:
    """The decoded rows with the text of each added field as a column."""
    return decoded.select("*", *(_extra_field(path).alias(name) for name, path in added.items())) if added else decoded


def wider_types(decoded: DataFrame, source: Source) -> dict[str, str]:
    """For each column that may widen and has values that do not fit: the first type with the fewest faults."""
    candidates = {name: [column.type, *_wider(column)] for name, column in source.columns.items() if _wider(column)}
    if not candidates:
        return {}
    counts = [
        F.count_if(cast(F.col(name), source.columns[name].model_copy(update={"type": type_})).is_faulty).alias(
            f"{name} {type_}"
        )
        for name, types in candidates.items()
        for type_ in types
    ]
    row = decoded.agg(*counts).first()
    faults = row.asDict() if row else {}
    best = {name: min(types, key=lambda type_, name=name: faults[f"{name} {type_}"]) for name, types in candidates.items()}  # type: ignore[misc]
    return {name: type_ for name, type_ in best.items() if type_ != source.columns[name].type}


def undeclared_fields() -> Expr:
    """Names of the row's fields that nobody declared, in one text; null when there are none."""
    return F.array_join(F.array_sort(F.json_object_keys("_extra")), ", ")


def column_name(path: str) -> str:
    """The column that a field becomes: `rating.starCount` is `rating_star_count`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def evolved_of(facts: Iterable[dict[str, Any]]) -> Evolved:
    """What a table's last publish says of its evolution."""
    return next((fact["evolved"] for fact in facts if "evolved" in fact), NOTHING)


def _wider(column: Column) -> list[str]:
    return column.widen[column.widen.index(column.type) + 1 :] if column.type in column.widen else list(column.widen)


def _extra_field(path: str) -> Expr:
    """The text of a field below `_extra`, every digit kept."""
    value: Expr = F.col("_extra")
    for step in path.split("."):
        value = F.from_json(value, "map<string,string>")[step]
    return value
