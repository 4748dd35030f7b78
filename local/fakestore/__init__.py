"""The shop's public data, the same numbers as FakeStore's payload, with words and passwords of our own."""

import json
from pathlib import Path
from typing import Any

COLLECTIONS = ("products", "carts", "users")


def load_fakestore() -> dict[str, list[dict[str, Any]]]:
    """Records of products, carts and users."""
    folder = Path(__file__).parent
    return {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in COLLECTIONS}
