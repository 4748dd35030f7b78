"""What a job tells whoever started it: one line of JSON on stdout per event."""

import json
import sys
from typing import Any


def tell(**event: Any) -> None:
    """Tell an event; the line is written at once and whole."""
    sys.stdout.write(f"{json.dumps(event)}\n")
    sys.stdout.flush()
