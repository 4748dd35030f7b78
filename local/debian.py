"""What the lake needs of the system, Java 17, MariaDB's and PostgreSQL's servers and Python's venv, and how Debian's packages bring it."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.steps import StepFailed, command

JAVA = "17"
JVMS = Path("/usr/lib/jvm")
POSTGRESQL_PROGRAMS = Path("/usr/lib/postgresql")
#: MariaDB's programs without the package that would start a service of its own.
MARIADB_PACKAGES = ("mariadb-server-core", "mariadb-client-core")


def java_home(environ: Mapping[str, str]) -> Path | None:
    """Home of a Java 17, or nothing: JAVA_HOME, the java of PATH, then Debian's own folder."""
    found = shutil.which("java", path=environ.get("PATH"))
    homes = [Path(environ["JAVA_HOME"])] if environ.get("JAVA_HOME") else []
    homes += [Path(found).resolve().parent.parent] if found else []
    homes += sorted(JVMS.glob(f"java-{JAVA}-openjdk-*"))
    return next((home for home in homes if java_version(home).split(".")[0] == JAVA), None)


def java_version(home: Path) -> str:
    """Version of the Java in this home, empty when there is none."""
    try:
        lines = (home / "release").read_text().splitlines()
    except OSError:
        return ""
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return values.get("JAVA_VERSION", "").strip('"') if (home / "bin" / "java").exists() else ""


def mariadb_program(name: str, environ: Mapping[str, str]) -> str | None:
    """Path of one of MariaDB's programs, which Debian keeps where a user's PATH need not look."""
    return shutil.which(name, path=f"{environ.get('PATH', '')}:/usr/sbin:/usr/bin")


def missing_packages(environ: Mapping[str, str]) -> list[str]:
    """Debian packages that would bring what this machine lacks."""
    missing = []
    if java_home(environ) is None:
        missing.append(f"openjdk-{JAVA}-jre-headless")
    if not all(mariadb_program(name, environ) for name in ("mariadbd", "mariadb-install-db", "my_print_defaults")):
        missing.extend(MARIADB_PACKAGES)
    if not any(POSTGRESQL_PROGRAMS.glob("*/bin/initdb")):
        missing.append("postgresql")
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        missing.append("python3-venv")
    return missing


def install_command(packages: list[str], sudo: bool) -> str:
    """What a person types to install the packages."""
    prefix = "sudo " if sudo else ""
    return f"{prefix}apt-get update && {prefix}apt-get install --yes --no-install-recommends {' '.join(packages)}"


def install(packages: list[str], environ: Mapping[str, str]) -> None:
    """Install the packages with apt-get, as root or by a sudo that asks nothing.

    Raises StepFailed (exit code 2) with the one command that a person has to run when neither is possible.
    """
    prefix = _root_prefix(environ)
    if prefix is None or not shutil.which("apt-get", path=environ.get("PATH")):
        needed = install_command(packages, sudo=os.geteuid() != 0)
        raise StepFailed(f"system: missing {', '.join(packages)}\nnext: {needed}", exit_code=2)
    next_step = install_command(packages, sudo=os.geteuid() != 0)
    # At run level 1 no package starts a service of its own.
    quiet = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]
    command([*quiet, "update"], next_step, environ)
    command([*quiet, "install", "--yes", "--no-install-recommends", *packages], next_step, environ)
    still = missing_packages(environ)
    if still:
        raise StepFailed(f"system: installed {', '.join(packages)}, but {', '.join(still)} is still missing\nnext: {next_step}")


def _root_prefix(environ: Mapping[str, str]) -> list[str] | None:
    """Words before a command that make it run as root; nothing when that would ask for a password."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo", path=environ.get("PATH")):
        return None
    asked = subprocess.run(["sudo", "-n", "true"], env=dict(environ), capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None
