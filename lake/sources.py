"""Source declarations: one YAML file per source, validated into frozen models."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from lake.columns import Column
from lake.database_source import DatabaseSource
from lake.declarations import first_problem, read_yaml
from lake.errors import UsageError
from lake.files_source import FilesSource
from lake.rest_auth import AUTHS
from lake.rest_paging import PAGINATIONS
from lake.rest_source import Records, RestCursor, RestSource

#: What an unknown key may have been meant for.
MODELS = (Column, RestSource, *PAGINATIONS, *AUTHS, RestCursor, Records, FilesSource, DatabaseSource)
AnySource = Annotated[RestSource | FilesSource | DatabaseSource, Field(discriminator="kind")]
_adapter: TypeAdapter[RestSource | FilesSource | DatabaseSource] = TypeAdapter(AnySource)


def source_from(declared: Any, where: str) -> RestSource | FilesSource | DatabaseSource:
    """A validated source.

    Raises UsageError that names file, key, what was given and what is allowed.
    """
    return first_problem(_adapter.validate_python, declared, where, *MODELS)


def load_sources(folder: Path) -> dict[str, RestSource | FilesSource | DatabaseSource]:
    """All sources of a folder by name.

    Raises UsageError for the first file that is wrong.
    """
    sources: dict[str, RestSource | FilesSource | DatabaseSource] = {}
    for path in sorted(folder.glob("*.yaml")):
        source = source_from(read_yaml(path), path.name)
        if source.name != path.stem:
            raise UsageError(f"{path.name}: name: got {source.name!r}, expected {path.stem!r} as the file is called")
        sources[source.name] = source
    for source in sources.values():
        for each in source.for_each.values() if isinstance(source, RestSource) else ():
            if each.source not in sources or each.column not in sources[each.source].columns:
                raise UsageError(f"{source.name}.yaml: for_each: got {each.source}.{each.column}, which no source declares")
    return sources


def chosen(sources: dict[str, Any], names: list[str]) -> list[str]:
    """The named sources, or all of them.

    Raises UsageError that lists the sources there are.
    """
    for name in names:
        if name not in sources:
            raise UsageError(f"source: got {name!r}, expected one of {', '.join(sorted(sources)) or 'none declared'}")
    return names or list(sources)
