"""`lake lineage TABLE`: from a publish down to the bytes its sources sent, as a tree, JSON or OpenLineage events."""

import argparse
from typing import TYPE_CHECKING

from lake.declared import read_declarations
from lake.settings import Settings
from orchestration.lineage import as_facts, lineage
from orchestration.printing import print_json
from store.objects import Objects

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace


def called(settings: Settings, given: Given, world: "World") -> int:
    """Print the lineage."""
    root = lineage(settings, Objects(settings), read_declarations(settings), given.table, given.publish)
    form = given.format or ("json" if given.json else "text")
    if form == "json":
        print_json(as_facts(root))
    elif form == "openlineage":
        from orchestration.openlineage import events, lines

        print("\n".join(lines(events(settings, root))))
    else:
        from orchestration.lineage_text import as_text

        print(as_text(root))
    return 0
