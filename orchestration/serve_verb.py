"""The verb `serve`: the lake over HTTP."""

import argparse
import sys
from typing import TYPE_CHECKING

from lake.settings import Settings
from orchestration.printing import print_json

if TYPE_CHECKING:
    from orchestration.cli import World


def serve(settings: Settings, given: argparse.Namespace, world: "World") -> int:
    """Serve until a signal comes, or make a key."""
    from api.keys import new_key
    from api.server import serve as served

    if given.new_key:
        key, entry = new_key(given.new_key)
        if given.json:
            print_json({"key": key, "entry": entry})
        else:
            print(f"key, shown only now: {key}\nentry for LAKE_API_KEYS:  {entry}")
        return 0

    def tell(address: str) -> None:
        if given.json:
            print_json({"address": address})
            sys.stdout.flush()
        else:
            print(f"serving {address}, shown at {address}/docs; Ctrl-C ends it", file=sys.stderr)

    served(settings, given.host, given.port, tell)
    return 0
