"""Sets a checkout up, with the standard library alone: `python3 -m local.setup` does what is missing and skips the rest."""

import shutil
import sys
import time
from pathlib import Path

from lake.settings import Settings, read_settings
from local.cache import CHECKOUT, VENV, cache_folder, fingerprint, only_one
from local.debian import install, missing_packages
from local.jars import fetch_jars, jars_key
from local.minio_build import build_minio, minio_binary
from local.spark import STAMP as ARCHIVE_STAMP
from local.spark import archive_key, make_archive
from local.steps import Stamp, Step, StepFailed, run_steps, say
from local.venv import make_venv, venv_key

STAMPS = VENV / ".embalse"
PYTHON = (3, 11)


def python_3_11(path: str | None) -> Path:
    """The Python that the environment is made with: this one, or the python3.11 of PATH.

    Raises StepFailed (exit code 2) when there is none.
    """
    if sys.version_info[:2] == PYTHON:
        return Path(sys.executable)
    found = shutil.which("python3.11", path=path)
    if found is None:
        got = ".".join(str(part) for part in sys.version_info[:2])
        raise StepFailed(f"python3: got {got}, expected 3.11\nnext: apt-get install python3.11 python3.11-venv", exit_code=2)
    return Path(found)


def install_missing(settings: Settings) -> None:
    """Install the Debian packages that are missing, which needs root."""
    missing = missing_packages(settings.environment)
    if missing:
        install(missing, settings.environment)


def steps(settings: Settings) -> list[Step]:
    """Every step of the set-up with what it needs."""
    environ, jars = settings.environment, settings.spark_jars
    python = python_3_11(environ.get("PATH"))
    venv = Stamp(STAMPS / "venv", venv_key)
    fetched = Stamp(STAMPS / "jars", lambda: jars_key(jars))
    archive = Stamp(ARCHIVE_STAMP, lambda: archive_key(settings))
    is_whole = venv.path.exists()
    return [
        Step("system", (), lambda: not missing_packages(environ), lambda: install_missing(settings), "Debian packages"),
        Step("minio", (), minio_binary(environ).exists, lambda: build_minio(environ), "building it, 4 minutes, once per user"),
        Step(
            "venv",
            ("system",),
            venv.is_current,
            venv.around(lambda: make_venv(python, is_whole, environ)),
            "packages of requirements.txt",
        ),
        Step("jars", ("venv",), fetched.is_current, fetched.around(lambda: fetch_jars(jars, environ)), "fetching and checking"),
        Step(
            "spark-archive",
            ("jars",),
            archive.is_current,
            archive.around(lambda: make_archive(settings)),
            "class-data archive, so that Spark starts in half the time",
        ),
    ]


def set_up(settings: Settings) -> list[str]:
    """Do what is missing, one set-up of a checkout at a time; the names of the steps that had work.

    Raises StepFailed of the first step that could not do its work.
    """
    if all(step.is_done() for step in steps(settings)):
        return []
    cache = cache_folder(settings.environment)
    lock = cache / f"setup-{fingerprint(CHECKOUT)[:12]}.lock"
    with only_one(lock, lambda: say("setup: waiting for another one of this checkout to end"), is_inherited=True):
        return run_steps(steps(settings))


def main() -> int:
    """Set up; the exit code is 0, 1 when a step failed, or 2 when a person has to install something first."""
    started = time.monotonic()
    try:
        worked = set_up(read_settings())
    except StepFailed as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("setup: stopped; `make setup` goes on with what is missing")
        return 130
    say(f"setup: done in {time.monotonic() - started:.0f} s" if worked else "setup: everything is there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
