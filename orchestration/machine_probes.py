"""Looks at this machine as a run finds it: secrets' files, disk, memory, and the crontab with its daemon."""

import shutil
import tempfile
from pathlib import Path

from lake.probing import NotHere, Probe, Unwell
from lake.settings import Settings
from lake.sources import load_sources
from orchestration.cron_block import block
from orchestration.crontab import has_crontab, parted, read_crontab
from orchestration.printing import size

LEAST_FREE = 1_000_000_000
#: What a run needs beside Spark's own memory: Python workers, the bots, Great Expectations.
BESIDE_SPARK = 700_000_000
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
DAEMONS = ("cron", "crond")


def machine_probes(settings: Settings) -> list[Probe]:
    """One probe per thing."""
    return [
        Probe("credentials", lambda: _credentials(settings)),
        Probe("disk", lambda: _disk(settings)),
        Probe("memory", lambda: _memory(settings)),
        Probe("cron", lambda: _cron(settings)),
    ]


def _credentials(settings: Settings) -> str:
    """Files that hold secrets are their owner's alone."""
    own = [settings.local / "env", settings.local / "servers.json"]
    files = [path for path in [*own, settings.environment_file] if path and path.exists()]
    if not files:
        raise NotHere("no file holds any")
    for path in files:
        if path.stat().st_mode & 0o077:
            raise Unwell(f"others can read {path}", f"run `chmod 600 {path}`")
    return f"{', '.join(path.name for path in files)}: readable by their owner alone"


def _disk(settings: Settings) -> str:
    """Room for the lake's folder and for temporary files."""
    told = []
    for folder in dict.fromkeys([settings.local if settings.local.exists() else settings.home, Path(tempfile.gettempdir())]):
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE:
            raise Unwell(f"{folder}: got {size(free)} free, expected at least {size(LEAST_FREE)}", "free some space")
        told.append(f"{size(free)} free for {folder}")
    return ", ".join(told)


def _memory(settings: Settings) -> str:
    """What Linux could give a run now."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    except OSError:
        raise NotHere("this system does not tell") from None
    available = int(lines["MemAvailable"].split()[0]) * 1024
    text = settings.spark_memory.lower().removesuffix("b")
    needed = int(float(text.rstrip("kmgt")) * UNITS.get(text[-1:], 1)) + BESIDE_SPARK
    if available < needed:
        wanted = f"expected {size(needed)} for Spark's {settings.spark_memory} and what runs beside it"
        raise Unwell(f"got {size(available)} available, {wanted}", "end other programs, or lower LAKE_SPARK_MEMORY")
    return f"{size(available)} available, {size(needed)} needed at most"


def _cron(settings: Settings) -> str:
    """The block as it would be written now, and a daemon that reads it."""
    if not has_crontab(settings):
        raise NotHere("no cron on this machine")
    there = parted(read_crontab(settings), str(settings.home)).block
    if there is None:
        raise NotHere("not installed; `lake cron install` lets sources run on their schedules")
    if there != block(settings, load_sources(settings.sources)):
        raise Unwell("the crontab has lines of other declarations or settings", "run `lake cron install`")
    if not any(_name(entry) in DAEMONS for entry in Path("/proc").glob("[0-9]*")):
        raise Unwell("the crontab is right and no cron runs", "start it: `service cron start`")
    return "installed and up to date"


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return ""
