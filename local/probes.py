"""Looks at what a laptop brings: Python, Java, Spark, the locked jars, the class-data archive and the local servers."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lake.probing import NotHere, Probe, Unwell
from lake.settings import Settings
from local import servers
from local.cache import sha256
from local.debian import JAVA, java_home, java_version
from local.jars import locked_jars
from local.setup import PYTHON, STAMPS
from local.spark import has_archive
from local.steps import Stamp
from local.venv import LOCK, locked_lines, venv_key

AGAIN = "run `make setup`"


def machine_probes(settings: Settings) -> list[Probe]:
    """One probe per thing."""
    return [
        Probe("python", _python),
        Probe("java", lambda: _java(settings)),
        Probe("spark", _spark),
        Probe("jars", lambda: _jars(settings.spark_jars)),
        Probe("class-data archive", lambda: _archive(settings)),
        Probe("servers", lambda: _servers(settings)),
    ]


def _python() -> str:
    here = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] != PYTHON:
        raise Unwell(f"got Python {here}, expected 3.11", AGAIN)
    if not Stamp(STAMPS / "venv", venv_key).is_current():
        raise Unwell("the packages in .venv are not those of requirements.txt", AGAIN)
    return f"{here}, packages as locked"


def _java(settings: Settings) -> str:
    home = java_home(settings.environment)
    if home is None:
        raise Unwell(f"got no Java {JAVA}, expected one in JAVA_HOME, PATH or Debian's folder", AGAIN)
    return f"{java_version(home)} in {home}"


def _spark() -> str:
    wanted = locked_lines("pyspark", LOCK.read_text()).split("==")[1].split()[0]
    try:
        here = version("pyspark")
    except PackageNotFoundError:
        here = "none"
    if here != wanted:
        raise Unwell(f"got PySpark {here}, expected {wanted}", AGAIN)
    return here


def _jars(folder: Path) -> str:
    """The jars, each byte for byte the one that is locked."""
    expected = locked_jars()
    for name, digest in expected.items():
        path = folder / name
        if not path.exists():
            raise Unwell(f"{name} is missing in {folder}", AGAIN)
        if sha256(path) != digest:
            raise Unwell(f"{path} is not the file that local/jars/SHA256SUMS names", f"remove it and {AGAIN}")
    return f"{len(expected)} as locked"


def _archive(settings: Settings) -> str:
    if not has_archive(settings):
        raise Unwell("it is missing or was made for another Java, PySpark or set of jars; Spark starts slower", AGAIN)
    return "made for this Java, PySpark and jars"


def _servers(settings: Settings) -> str:
    """The servers that `lake up` started once."""
    found = [server for server in servers.status(settings) if server.state != "foreign" and server.address]
    if not found:
        raise NotHere("none was ever started here")
    away = [f"{server.name} {server.state}" for server in found if server.state != "running"]
    if away:
        raise Unwell(", ".join(away), "run `lake up`; what a server said is in .lake/logs/")
    return ", ".join(f"{server.name} {server.address}" for server in found)
