"""Opens DuckDB for the lake: S3 and Iceberg loaded, Trino's meanings defined, files kept, and the configuration locked."""

from importlib.util import find_spec
from pathlib import Path

import duckdb

from lake.errors import LakeError
from lake.settings import Settings
from sql.rewrites import MACROS

#: The lake's files never change under their names: what was read of one is kept in memory, and not asked for again.
KEPT_FILES = ("set global validate_external_file_cache = 'NO_VALIDATION'", "set global parquet_metadata_cache = true")


def open_duckdb(settings: Settings, memory: str = "") -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that reads the lake's tables and nothing else of its own accord; `memory` bounds it."""
    options: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    options |= {"temp_directory": str(settings.local / "duckdb"), **({"memory_limit": memory} if memory else {})}
    connection = duckdb.connect(config=options)
    for name in ("httpfs", "avro", "iceberg", *(() if settings.s3_access_key else ("aws",))):
        connection.load_extension(str(_extension(name)))
    connection.execute(_secret(settings))
    for statement in KEPT_FILES:
        connection.execute(statement)
    return connection


def close_to_changes(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the connection Trino's meanings, and leave nothing that a question could change."""
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute("set global python_enable_replacements = false")
    connection.execute("set global ieee_floating_point_ops = true")
    for macro in MACROS:
        connection.execute(macro)
    connection.execute("set lock_configuration = true")


def _extension(name: str) -> Path:
    """File of an extension that was installed as a wheel."""
    spec = find_spec(f"duckdb_extension_{name}")
    places = (spec.submodule_search_locations or []) if spec else []
    found = [path for place in places for path in Path(place).rglob("*.duckdb_extension")]
    if not found:
        raise LakeError(f"duckdb: extension {name} is missing; run `make setup`")
    return found[0]


def _secret(settings: Settings) -> str:
    """Statement that tells DuckDB where S3 is and who asks."""
    scheme, _, host = settings.s3_endpoint.rpartition("://")
    options = {"type": "s3", "region": settings.s3_region}
    if settings.s3_access_key:
        options |= {"key_id": settings.s3_access_key, "secret": str(settings.s3_secret_key)}
    else:
        options |= {"provider": "credential_chain"}
    if host:
        options |= {"endpoint": host, "url_style": "path", "use_ssl": "false" if scheme == "http" else "true"}
    return f"create secret lake ({', '.join(f'{key} {_quoted(value)}' for key, value in options.items())})"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
