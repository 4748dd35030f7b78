"""What the lake writes into a crontab: its schedules as a comment, one line per minute, one after a boot, and no secret."""

import shutil
import sys
from pathlib import Path
from typing import Any

from lake.errors import UsageError
from lake.references import REFERENCE
from lake.settings import Settings, lasting_environment
from orchestration.cron_jobs import declared_jobs
from orchestration.crontab import command_line, marks

STANDARD = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
#: Settings that may stand in a crontab when they are not in a file.
PLAIN = (
    *("LAKE_ROOT", "LAKE_S3_ENDPOINT", "LAKE_S3_REGION", "LAKE_CATALOG", "LAKE_CATALOG_WAIT_SECONDS", "LAKE_SOURCES"),
    *("LAKE_SPARK_MASTER", "LAKE_SPARK_MEMORY", "LAKE_SPARK_JARS", "LAKE_LEASE_SECONDS", "LAKE_LOG"),
    *("LAKE_KEEP_PUBLISHES", "LAKE_KEEP_SNAPSHOTS_HOURS", "LAKE_KEEP_RECORDS_DAYS", "LAKE_MAINTAIN"),
    *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "JAVA_HOME", "XDG_CACHE_HOME"),
)
SECRET = ("LAKE_S3_ACCESS_KEY_ID", "LAKE_S3_SECRET_ACCESS_KEY", "LAKE_ANNOUNCE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def cron_log(settings: Settings) -> Path:
    """Where scheduled runs are told of."""
    return settings.local / "logs" / "cron.log"


def block(settings: Settings, sources: dict[str, Any]) -> list[str]:
    """The lines of the block.

    Raises UsageError when cron would not find a secret that is in this shell alone.
    """
    first, last = marks(str(settings.home))
    lake, log = str(Path(sys.executable).parent / "lake"), str(cron_log(settings))
    environment = _environment(settings, sources)
    lines = [first, "# Written by `lake cron install`. Schedules are UTC, whatever the zone of this machine; the lake decides"]
    lines.append("# each minute what is due, and catches up once what it missed:")
    lines += [f"#   {job.schedule}  {job.what}" for job in declared_jobs(settings, sources).values()]
    lines.append(command_line("* * * * *", environment, [lake, "cron", "tick"], log))
    if (settings.local / "servers.json").exists():
        lines.append(command_line("@reboot", environment, [lake, "up"], log))
    return [*lines, last]


def _environment(settings: Settings, sources: dict[str, Any]) -> dict[str, str]:
    """What a line sets: home, PATH, and the plain settings that no file says."""
    lasting, here = lasting_environment(settings), settings.environment

    def is_only_here(name: str) -> bool:
        return bool(here.get(name)) and here[name] != lasting.get(name)

    text = " ".join(source.model_dump_json(by_alias=True) for source in sources.values())
    references = [match["name"] for match in REFERENCE.finditer(text) if match["kind"] == "env"]
    missing = sorted({name for name in (*SECRET, *references) if is_only_here(name)})
    if missing:
        raise UsageError(
            f"cron: got {', '.join(missing)} in this shell alone, where cron does not look; write them as export NAME='value' "
            "into a file that only you can read, and name it in LAKE_ENVIRONMENT_FILE (an AWS identity goes into AWS's own files)"
        )
    file = settings.environment_file
    if file and file.stat().st_mode & 0o077:
        raise UsageError(f"LAKE_ENVIRONMENT_FILE: {file.name}: got a file that others can read; run `chmod 600` on it")
    named = {"LAKE_ENVIRONMENT_FILE": str(file)} if file else {}
    plain = {name: here[name] for name in PLAIN if is_only_here(name)}
    return {"LAKE_HOME": str(settings.home), "PATH": ":".join(_path(settings)), **named, **plain}


def _path(settings: Settings) -> list[str]:
    """Where programs are found: the standard places, and a Java that is elsewhere."""
    java = shutil.which("java", path=settings.environment.get("PATH"))
    own = str(Path(java).parent) if java else ""
    return [*([own] if own and own not in STANDARD else []), *STANDARD]
