"""Fetches the locked jars with the Ivy that PySpark brings, and lets none in whose SHA-256 is not the recorded one."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local.cache import CHECKOUT, cache_folder, fingerprint, only_one, sha256
from local.debian import java_home
from local.steps import StepFailed, command
from local.venv import SITE

FOLDER = CHECKOUT / "local" / "jars"
SUMS = FOLDER / "SHA256SUMS"
AGAIN = "make setup"


def locked_jars(sums: Path = SUMS) -> dict[str, str]:
    """Recorded SHA-256 of every jar by file name, in the order of names."""
    pairs = (line.split() for line in sums.read_text().splitlines() if line.strip())
    return dict(sorted((name, digest) for digest, name in pairs))


def jars_key(jars: Path) -> str:
    """What the jars depend on: the recorded sums, and size and time of each file as it lies in the cache."""
    seen = []
    for name in locked_jars():
        path = jars / name
        seen.append((name, path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else (name, "missing"))
    return fingerprint(SUMS, jars, *seen)


def check_jars(jars: Path, expected: Mapping[str, str]) -> None:
    """Compare every jar that is there with its recorded sum.

    Raises StepFailed naming jar, expected and got, after removing the jar.
    """
    for name, digest in expected.items():
        path = jars / name
        if path.exists() and (got := sha256(path)) != digest:
            path.unlink()
            raise StepFailed(f"jars: {name}: got SHA-256 {got}, expected {digest}; the file was removed\nnext: {AGAIN}")


def fetch_jars(jars: Path, environ: Mapping[str, str]) -> None:
    """Bring every missing jar into the cache, each checked before it gets its name there."""
    cache = cache_folder(environ)
    expected = locked_jars()
    with only_one(cache / "jars.lock"):
        jars.mkdir(parents=True, exist_ok=True)
        check_jars(jars, expected)
        if all((jars / name).exists() for name in expected):
            return
        for left_by_a_kill in jars.glob(".fetch-*"):
            shutil.rmtree(left_by_a_kill, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=jars, prefix=".fetch-") as part:
            _retrieve(Path(part), cache / "ivy", environ)
            _admit(Path(part), jars, cache / "ivy", expected)


def _retrieve(target: Path, ivy_cache: Path, environ: Mapping[str, str]) -> None:
    java = java_home(environ)
    ivy = sorted((SITE / "pyspark" / "jars").glob("ivy-*.jar"))
    if java is None or not ivy:
        raise StepFailed(f"jars: got Java {java} and {len(ivy)} Ivy jars, expected one of each\nnext: {AGAIN}")
    words: list[str | Path] = [java / "bin" / "java", "-jar", ivy[0], "-cache", ivy_cache]
    words += ["-settings", FOLDER / "ivysettings.xml", "-ivy", FOLDER / "ivy.xml"]
    command([*words, "-retrieve", f"{target}/[artifact]-[revision].[ext]"], AGAIN, environ)


def _admit(part: Path, jars: Path, ivy_cache: Path, expected: Mapping[str, str]) -> None:
    """Move the fetched jars to their place; a wrong one takes Ivy's copies with it, so that the next call fetches anew."""
    missing = [name for name in expected if not (part / name).exists()]
    if missing:
        raise StepFailed(f"jars: Ivy fetched no {missing[0]}, expected the artifacts of local/jars/ivy.xml\nnext: {AGAIN}")
    try:
        check_jars(part, expected)
    except StepFailed:
        shutil.rmtree(ivy_cache, ignore_errors=True)
        raise
    for name in expected:
        os.replace(part / name, jars / name)
