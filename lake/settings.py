"""The only module that reads the environment: every setting of the lake, its default and what it means."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lake.errors import UsageError

MEMORY = re.compile(r"[1-9]\d*(MB|GB|MiB|GiB)")
HOME = Path(__file__).resolve().parent.parent

#: name -> (default, meaning). The reference in docs/reference/settings.md is generated from this table.
SETTINGS: dict[str, tuple[str, str]] = {
    "LAKE_HOME": ("the checkout", "folder that holds `.lake/`, `dist/` and the declarations"),
    "LAKE_ROOT": ("s3://lake", "where the lake lives: a bucket, or a bucket and a prefix"),
    "LAKE_S3_ENDPOINT": ("", "address of an S3 server; empty means AWS itself, or the local MinIO once `lake up` ran"),
    "LAKE_S3_REGION": ("us-east-1", "region used to sign S3 requests"),
    "LAKE_S3_ACCESS_KEY_ID": ("", "S3 identity; empty means the usual AWS chain (profile, role, AWS_* variables)"),
    "LAKE_S3_SECRET_ACCESS_KEY": ("", "its secret"),
    "LAKE_CATALOG": ("sqlite:.lake/catalog.db", "`sqlite:FILE`, `glue`, or `rest:URL`: where table names are kept"),
    "LAKE_CATALOG_WAIT_SECONDS": ("30", "how long to wait while another process has the SQLite catalog locked"),
    "LAKE_SOURCES": ("ingest/sources", "folder of source declarations"),
    "LAKE_SPARK_MASTER": ("local[*]", "Spark master of `lake run`"),
    "LAKE_SPARK_MEMORY": ("2g", "memory of the Spark driver"),
    "LAKE_SPARK_JARS": ("the user's cache", "folder of the locked jars (laptop only)"),
    "LAKE_LEASE_SECONDS": ("60", "a lease whose heartbeat is older than this is free for others"),
    "LAKE_KEEP_PUBLISHES": (
        "20",
        "publishes of each table that `lake rollback` can go back to after `lake maintain`, at most 20",
    ),
    "LAKE_KEEP_SNAPSHOTS_HOURS": ("6", "how long `lake maintain` leaves what a reader may still read after it was replaced"),
    "LAKE_KEEP_RECORDS_DAYS": ("30", "age at which `lake maintain` removes run records and job logs; the newest 100 stay"),
    "LAKE_MAINTAIN": ("33 3 * * *", "when `lake cron` runs `lake maintain`, a cron expression in UTC; `off`: never"),
    "LAKE_ANNOUNCE": ("", "command or http(s) address that gets a JSON notice when scheduled runs begin to fail, and recover"),
    "LAKE_ENVIRONMENT_FILE": (
        "",
        "private file of `export NAME='value'` lines, for what cron should find; the environment wins",
    ),
    "LAKE_API_KEYS": (
        "",
        "who may ask `lake serve`: `NAME=sha256:HEX` (or `${file:PATH}`, `${env:NAME}`), separated by commas; empty: all, on loopback",
    ),
    "LAKE_API_TIMEOUT_SECONDS": ("10", "how long `lake serve` works on one question before it gives it up"),
    "LAKE_API_MAX_ROWS": ("10000", "most rows in one answer of `lake serve`"),
    "LAKE_API_MAX_BYTES": ("5000000", "most bytes of one answer of `lake serve`, before it is packed"),
    "LAKE_API_CONCURRENCY": ("4", "how many questions `lake serve` works on at once; four times as many may wait"),
    "LAKE_API_MEMORY": ("1GB", "memory of the SQL engine of `lake serve`, kept files of tables included"),
    "LAKE_CRASH_AT": ("", "tests only: `N:before` or `N:after` kills the process at its N-th effect"),
    "LAKE_CRASH_LOG": ("", "tests only: file that receives one line per effect"),
    "LAKE_LOG": ("warning", "level of the log on stderr: debug, info, warning or error"),
    "FAKESTORE_URL": ("the stand-in, once `lake up` ran", "address of the shop's API"),
    "SHOP_FILES_URL": ("the stand-in, once `lake up` ran", "address of the shop's files"),
    "SHOP_DATABASE_URL": ("the local MariaDB, once `lake up` ran", "mysql://user:password@host:port/database"),
    "FLIGHTS_URL": ("the stand-in, once `lake up` ran", "address of the flights' files and API"),
    "FLIGHTS_DATABASE_URL": ("the local PostgreSQL, once `lake up` ran", "postgresql://user:password@host:port/database"),
}

#: These come from one place together: naming one of them in the environment ignores what `lake up` wrote for the others.
S3_GROUP = ("LAKE_ROOT", "LAKE_S3_ENDPOINT", "LAKE_S3_REGION", "LAKE_S3_ACCESS_KEY_ID", "LAKE_S3_SECRET_ACCESS_KEY")
#: Addresses of the example's sources, which `lake up` provides.
EXAMPLE = ("FAKESTORE_URL", "SHOP_FILES_URL", "SHOP_DATABASE_URL", "FLIGHTS_URL", "FLIGHTS_DATABASE_URL")
OWN_DEFAULT = ("LAKE_HOME", "LAKE_SPARK_JARS", *EXAMPLE)


class Secret(str):
    """Text that prints as stars; use it as a str only where it is sent."""

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True)
class ApiSettings:
    """Who may ask over HTTP, and how much."""

    keys: Secret = field(repr=False)
    timeout_seconds: float
    max_rows: int
    max_bytes: int
    concurrency: int
    memory: str


@dataclass(frozen=True)
class Settings:
    """All settings of one process, read once at its entry point and passed down."""

    home: Path
    root: str
    s3_endpoint: str
    s3_region: str
    s3_access_key: str
    s3_secret_key: Secret = field(repr=False)
    catalog: str
    catalog_wait_seconds: float
    sources: Path
    spark_master: str
    spark_memory: str
    spark_jars: Path
    lease_seconds: float
    keep_publishes: int
    keep_snapshots_hours: float
    keep_records_days: float
    maintain: str
    api: ApiSettings
    crash_at: str
    crash_log: str
    log_level: str
    announce: Secret = field(repr=False)
    environment_file: Path | None
    environment: Mapping[str, str] = field(repr=False)

    @property
    def code(self) -> Path:
        """Folder of the checkout's code."""
        return HOME

    @property
    def local(self) -> Path:
        """Folder of everything the local servers keep."""
        return self.home / ".lake"

    @property
    def bucket(self) -> str:
        """Bucket part of the root."""
        return self.root.removeprefix("s3://").split("/", 1)[0]

    @property
    def prefix(self) -> str:
        """Part of the root behind the bucket, empty or ending with a slash."""
        rest = self.root.removeprefix("s3://").partition("/")[2].strip("/")
        return f"{rest}/" if rest else ""


def parse_env_file(text: str, where: str) -> dict[str, str]:
    """Variables of a file of `export NAME='value'` lines, as `lake up` writes it.

    Raises UsageError naming file and line for anything else.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"{where}:{number}: got {name!r}, expected export NAME='value'")
        values[name] = value.strip().strip("'\"")
    return values


def _environment_file(environ: Mapping[str, str], home: Path) -> Path | None:
    name = environ.get("LAKE_ENVIRONMENT_FILE")
    return home / Path(name).expanduser() if name else None


def lasting_environment(settings: Settings) -> dict[str, str]:
    """What a process finds that has none of this one's variables but the names of its home and its environment file."""
    named = {"LAKE_ENVIRONMENT_FILE": str(settings.environment_file)} if settings.environment_file else {}
    return _merged(named, settings.home)


def _merged(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment laid over its file, and both over what `lake up` wrote; the S3 settings count as one group.

    Raises UsageError when the file cannot be read.
    """
    file = _environment_file(environ, home)
    if file:
        try:
            environ = {**parse_env_file(file.read_text(), file.name), **environ}
        except OSError as error:
            raise UsageError(f"LAKE_ENVIRONMENT_FILE: {file.name} cannot be read: {error.strerror}") from None
    path = home / ".lake" / "env"
    written = parse_env_file(path.read_text(), ".lake/env") if path.exists() else {}
    if any(name in environ for name in S3_GROUP):
        written = {name: value for name, value in written.items() if name not in S3_GROUP}
    return {**written, **environ}


def read_settings(environ: Mapping[str, str] | None = None, overrides: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment and `.lake/env`; `overrides` win over both.

    Raises UsageError when a value cannot be used.
    """
    environ = {**(os.environ if environ is None else environ), **(overrides or {})}
    home = Path(environ.get("LAKE_HOME") or HOME).resolve()
    values = _merged(environ, home)

    def get(name: str) -> str:
        default = "" if name in OWN_DEFAULT else SETTINGS[name][0]
        return values.get(name, default)

    root = get("LAKE_ROOT").rstrip("/")
    if not root.startswith("s3://") or root == "s3:/":
        raise UsageError(f"LAKE_ROOT: got {root!r}, expected s3://BUCKET or s3://BUCKET/PREFIX")
    return Settings(
        home=home,
        root=root,
        s3_endpoint=get("LAKE_S3_ENDPOINT").rstrip("/"),
        s3_region=get("LAKE_S3_REGION"),
        s3_access_key=get("LAKE_S3_ACCESS_KEY_ID"),
        s3_secret_key=Secret(get("LAKE_S3_SECRET_ACCESS_KEY")),
        catalog=_catalog(get("LAKE_CATALOG"), home),
        catalog_wait_seconds=_number("LAKE_CATALOG_WAIT_SECONDS", get("LAKE_CATALOG_WAIT_SECONDS")),
        sources=home / get("LAKE_SOURCES"),
        spark_master=get("LAKE_SPARK_MASTER"),
        spark_memory=get("LAKE_SPARK_MEMORY"),
        spark_jars=Path(
            get("LAKE_SPARK_JARS") or Path(values.get("XDG_CACHE_HOME") or "~/.cache") / "embalse" / "jars"
        ).expanduser(),
        lease_seconds=_number("LAKE_LEASE_SECONDS", get("LAKE_LEASE_SECONDS")),
        keep_publishes=int(_number("LAKE_KEEP_PUBLISHES", get("LAKE_KEEP_PUBLISHES"), "publishes, from 1 on")),
        keep_snapshots_hours=_number("LAKE_KEEP_SNAPSHOTS_HOURS", get("LAKE_KEEP_SNAPSHOTS_HOURS"), "hours above 0"),
        keep_records_days=_number("LAKE_KEEP_RECORDS_DAYS", get("LAKE_KEEP_RECORDS_DAYS"), "days above 0"),
        maintain=get("LAKE_MAINTAIN"),
        api=_api(get),
        crash_at=get("LAKE_CRASH_AT"),
        crash_log=get("LAKE_CRASH_LOG"),
        log_level=get("LAKE_LOG"),
        announce=Secret(get("LAKE_ANNOUNCE")),
        environment_file=_environment_file(environ, home),
        environment=values,
    )


def _api(get: Callable[[str], str]) -> ApiSettings:
    """The settings of the HTTP API."""
    memory = get("LAKE_API_MEMORY").replace(" ", "")
    if not MEMORY.fullmatch(memory):
        raise UsageError(f"LAKE_API_MEMORY: got {memory!r}, expected a size such as 512MB or 2GB")
    return ApiSettings(
        keys=Secret(get("LAKE_API_KEYS")),
        timeout_seconds=_number("LAKE_API_TIMEOUT_SECONDS", get("LAKE_API_TIMEOUT_SECONDS")),
        max_rows=_count("LAKE_API_MAX_ROWS", get("LAKE_API_MAX_ROWS")),
        max_bytes=_count("LAKE_API_MAX_BYTES", get("LAKE_API_MAX_BYTES")),
        concurrency=_count("LAKE_API_CONCURRENCY", get("LAKE_API_CONCURRENCY")),
        memory=memory,
    )


def _catalog(value: str, home: Path) -> str:
    """The catalog setting with a relative SQLite file made absolute."""
    kind, _, place = value.partition(":")
    if kind == "sqlite" and place:
        return f"sqlite:{home / place}"
    if value == "glue" or (kind == "rest" and place):
        return value
    raise UsageError(f"LAKE_CATALOG: got {value!r}, expected sqlite:FILE, glue or rest:URL")


def _number(name: str, value: str, what: str = "seconds above 0") -> float:
    """A number above 0, of `what`.

    Raises UsageError when it is none.
    """
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UsageError(f"{name}: got {value!r}, expected a number of {what}")
    return number


def _count(name: str, value: str) -> int:
    """A number of things.

    Raises UsageError when it is none.
    """
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise UsageError(f"{name}: got {value!r}, expected a whole number above 0")
    return int(value)
