"""Makes `.venv` from the lock: the environment, every package by its hash, and the `lake` command."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.cache import CHECKOUT, VENV, fingerprint
from local.steps import command

LOCK = CHECKOUT / "requirements.txt"
SITE = VENV / "lib" / "python3.11" / "site-packages"
AGAIN = "make setup"
#: What makes the packages those of the lock; compiled here, or where nothing may write beside them each command compiles anew.
SYNC = ("pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode")
LAUNCHER = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
from orchestration.cli import main
sys.exit(main())
"""


def venv_key() -> str:
    """What `.venv` depends on: the lock, how it is installed, the place of the checkout (scripts name it), the launcher."""
    return fingerprint(LOCK, SYNC, CHECKOUT, LAUNCHER, (VENV / "bin" / "python").exists(), (VENV / "bin" / "lake").exists())


def make_venv(python: Path, is_whole: bool, environ: Mapping[str, str]) -> None:
    """Bring `.venv` to the lock; one that was never finished is made anew."""
    environ = {name: value for name, value in environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")}
    if not (is_whole and _has_pip()):
        shutil.rmtree(VENV, ignore_errors=True)
        command([python, "-m", "venv", VENV], AGAIN, environ)
    _install_uv(environ)
    command([VENV / "bin" / "uv", *SYNC, "--python", VENV / "bin" / "python", LOCK], AGAIN, environ)
    (SITE / "embalse.pth").write_text(f"{CHECKOUT}\n")
    launcher = VENV / "bin" / "lake"
    launcher.write_text(LAUNCHER.format(python=VENV / "bin" / "python"))
    launcher.chmod(0o755)


def locked_lines(name: str, lock: str) -> str:
    """The part of a lock that pins one package: its version and hashes."""
    found = re.search(rf"^{re.escape(name)}==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"requirements.txt: got no {name}==, expected the installer among the pinned packages")
    return found[0]


def _has_pip() -> bool:
    return (VENV / "bin" / "python").exists() and (SITE / "pip").exists()


def _install_uv(environ: Mapping[str, str]) -> None:
    """Install the pinned uv by pip, the one installer every Python brings."""
    wanted = locked_lines("uv", LOCK.read_text())
    uv = VENV / "bin" / "uv"
    version = wanted.split("==")[1].split()[0]
    if uv.exists() and _version(uv) == version:
        return
    part = VENV / "uv.txt"
    part.write_text(wanted)
    words: list[str | Path] = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes"]
    command([*words, "--no-deps", "-r", part], AGAIN, environ)


def _version(uv: Path) -> str:
    ended = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    return (ended.stdout.split() or ["", ""])[1] if ended.returncode == 0 else ""
