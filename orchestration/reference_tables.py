"""The reference of every trusted and refined table."""

from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from lake.database_source import DatabaseSource
from lake.model_tables import load_tables
from lake.settings import HOME
from lake.sources import load_sources
from lake.tables import Refined
from orchestration.markdown import anchor, code, names, page, table


def tables_page() -> str:
    """Every trusted and refined table of this lake."""
    sources, refined = load_sources(HOME / "ingest" / "sources"), load_tables(files("jobs"))
    rows = [(f"[`{s.trusted}`](#{anchor(s.trusted)})", s.description) for s in sources.values()]
    rows += [(f"[`{t.table}`](#{anchor(t.table)})", t.contract.description) for t in refined.values()]
    lineage = (
        "Every trusted table also has `_run_id` and `_ingested_at` (the raw run and when it was made), `_raw_key` and\n"
        "`_raw_row` (the original and the place in it). A source's rejected rows are in `quarantine.<source>`:\n"
        "`_run_id`, `_raw_key`, `_raw_row`, `problems` (column, rule, value, message), `payload` (the row's text as JSON,\n"
        "without PII) and `quarantined_at`. `meta.quality_results` has one row per judged expectation.\n"
    )
    parts = [_trusted(source) for source in sources.values()] + [_refined(made, sources) for made in refined.values()]
    return page("Tables", lineage, table(("table", "holds"), rows), *parts)


def _trusted(source: Any) -> str:
    """The section of a source's trusted table."""
    asked = f"table `{source.table}` of `{source.url}`" if isinstance(source, DatabaseSource) else f"`{source.url}`"
    schedule = f", on `{source.schedule}`" if source.schedule else ""
    facts = [f"From {asked} ({source.kind}), load {source.load}{schedule}. Key: {names(source.key)}."]
    hidden = [name for name, column in source.columns.items() if column.pii]
    facts += [f"Stays in raw, because it identifies a person: {names(hidden)}."] if hidden else []
    rows = [
        (f"`{name}`", column.type, "yes" if column.required else "", code(column.from_ or name), column.description or "")
        for name, column in source.published.items()
    ]
    parts = [source.description, *facts, table(("column", "type", "required", "from", "meaning"), rows)]
    return _described(source.trusted, parts, source.checks, source.expectations)


def _refined(made: Refined, sources: dict[str, Any]) -> str:
    """The section of a refined table."""
    inputs = [sources[name].trusted if name in sources else f"refined.{name}" for name in made.inputs]
    rows = [(f"`{name}`", column.type, column.description or "") for name, column in made.contract.columns.items()]
    parts = [made.contract.description, f"From {names(inputs)}. Key: {names(made.contract.key)}."]
    if made.model:
        parts.append(
            f"Judged by the model that `jobs/models/{made.name}.yaml` declares: k-means over {names(made.model.features)}."
        )
    parts.append(table(("column", "type", "meaning"), rows))
    return _described(made.table, parts, [], made.contract.expectations)


def _described(name: str, parts: list[str], checks: list[Any], expected: list[Any]) -> str:
    rules = [(check.rule, _arguments(check), f"each row: {check.on_fail}") for check in checks]
    rules += [(each.rule, _arguments(each), "whole table: halt") for each in expected]
    listed = [table(("check", "of", "when it fails"), rules)] if rules else []
    return f"## {name}\n\n" + "\n\n".join(part.rstrip("\n") for part in [*parts, *listed]) + "\n"


def _arguments(rule: BaseModel) -> str:
    given = rule.model_dump(exclude={"rule", "on_fail"}, exclude_none=True, exclude_defaults=True)
    return ", ".join(
        f"{key} {code(', '.join(map(str, value)) if isinstance(value, list) else value)}" for key, value in given.items()
    )
