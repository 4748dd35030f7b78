"""JSON Schemas of the declarations, by which editors complete and check YAML: what the validators know, short forms included."""

from typing import Any

from pydantic import TypeAdapter

from lake import columns
from lake.model import Model
from lake.series import SeriesModel
from lake.sources import AnySource
from lake.tables import Table

DECIMAL_PATTERN = r"^decimal\( ?\d{1,2} ?, ?\d{1,2} ?\)$"
Schema = dict[str, Any]


def source_schema() -> Schema:
    """JSON Schema of a source's file, short forms included."""
    adapter: TypeAdapter[Any] = TypeAdapter(AnySource)
    return _for_editors(adapter.json_schema(by_alias=True), "A source of the lake")


def table_schema() -> Schema:
    """JSON Schema of a refined table's file, short forms included."""
    return _for_editors(Table.model_json_schema(by_alias=True), "A refined table of the lake")


def model_schema() -> Schema:
    """JSON Schema of a model's or detector's file, short forms included."""
    adapter: TypeAdapter[Any] = TypeAdapter(Model | SeriesModel)
    return _for_editors(adapter.json_schema(by_alias=True), "A model or detector of the lake")


def _for_editors(schema: Schema, title: str) -> Schema:
    """The schema without generated titles, and with the types and the short form that the validators know."""
    clean: Schema = _untitled(schema)
    types = {"anyOf": [{"enum": list(columns.SIMPLE_TYPES)}, {"type": "string", "pattern": DECIMAL_PATTERN}]}
    clean["$defs"]["ColumnType"] = types
    for model in (clean, *clean["$defs"].values()):
        for listed in (model.get("properties", {}).get(name, {}) for name in ("columns", "entity", "carry")):
            if "additionalProperties" not in listed:
                continue
            listed["propertyNames"] = {"pattern": f"^{columns.NAME.pattern}$"}
            listed["additionalProperties"] = {"anyOf": [{"$ref": "#/$defs/ColumnType"}, listed["additionalProperties"]]}
    for name in ("Column", "TableColumn"):
        if name in clean["$defs"]:
            column = clean["$defs"][name]["properties"]
            column["type"] = {"$ref": "#/$defs/ColumnType", "description": column["type"]["description"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **clean}


def _untitled(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _untitled(value) for key, value in part.items() if not (key == "title" and isinstance(value, str))}
    return [_untitled(value) for value in part] if isinstance(part, list) else part
