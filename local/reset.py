"""Deletes the local lake: its servers end first, then `.lake` goes with all its data, and what PostgreSQL keeps outside it."""

import shutil

from lake.settings import read_settings
from local import postgresql, servers


def main() -> None:
    """Delete it."""
    settings = read_settings()
    servers.down(settings)
    for folder in (settings.local, postgresql.home_folder(settings)):
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{settings.local.name} is deleted")


if __name__ == "__main__":
    main()
