"""What the pages of `lake model report` have in common: a page that stands alone, its tables, and where it goes."""

from argparse import Namespace
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from lake.errors import UsageError
from lake.settings import Settings
from orchestration.printing import print_json


def page(title: str, parts: Sequence[str]) -> str:
    """The parts as HTML that asks nothing of any server."""
    style = (files("orchestration") / "model_report.css").read_text("utf-8")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{style}</style><main>{''.join(parts)}</main></html>\n"
    )


def html_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; a head of nothing is left out."""
    top = "".join(f"<th>{escape(str(cell))}</th>" for cell in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<tr>{top}</tr>' if top else ''}{body}</table>"


def write_page(settings: Settings, name: str, text: str, given: Namespace) -> int:
    """Write a page where `--to` says, or among the lake's reports, and say where it is.

    Raises UsageError when it cannot be written.
    """
    path = Path(given.to) if given.to else settings.local / "reports" / f"{name}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--to: {path} cannot be written: {error.strerror}") from None
    if given.json:
        print_json({"report": str(path), "bytes": len(text.encode())})
    else:
        print(path)
    return 0
