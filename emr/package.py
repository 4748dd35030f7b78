"""Builds `dist/lake.zip`, the code that every Spark job runs from: equal sources give equal bytes."""

import os
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

from lake.settings import HOME

PACKAGES = ("jobs", "lake", "store")
#: Zip files know no time before this one.
EPOCH = (1980, 1, 1, 0, 0, 0)


def packaged(home: Path) -> bytes:
    """The zip's bytes: every module and contract of the packages, in the order of their names, without times."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in PACKAGES:
            for path in sorted((home / package).rglob("*")):
                if path.suffix in (".py", ".yaml"):
                    entry = zipfile.ZipInfo(path.relative_to(home).as_posix(), EPOCH)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    entry.external_attr = 0o644 << 16
                    archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def build_zip(home: Path = HOME) -> Path:
    """Path of the zip, written anew only when the sources changed, and never seen half-written."""
    target = home / "dist" / "lake.zip"
    data = packaged(home)
    if target.exists() and target.read_bytes() == data:
        return target
    target.parent.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".zip")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.chmod(name, 0o644)
    os.replace(name, target)
    return target


if __name__ == "__main__":
    print(build_zip().relative_to(HOME))
