"""What a run shows while it goes on: one line per finished step, and on a terminal the step that is under way."""

import sys
import threading
from typing import Any, TextIO

Event = dict[str, Any]
STATES = {
    "published": "published",
    "skipped": "as it was",
    "blocked": "blocked",
    "failed": "FAILED",
    "rolled back": "rolled back",
    "looked at": "would be maintained",
}


class Progress:
    """Prints events; plain lines where nobody watches, nothing at all when quiet."""

    def __init__(self, stream: TextIO | None = None, is_quiet: bool = False) -> None:
        self.stream = stream or sys.stderr
        self.is_quiet = is_quiet
        self.is_terminal = self.stream.isatty()
        self.lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self.is_quiet:
            return
        with self.lock:
            under_way, line = _lines(event)
            if self.is_terminal:
                self.stream.write("\r\x1b[2K")
            if line:
                self.stream.write(f"{line}\n")
            if under_way and self.is_terminal:
                self.stream.write(f"  ... {under_way}")
            self.stream.flush()


def _lines(event: Event) -> tuple[str, str]:
    """What is under way now, and the line that stays; either may be empty."""
    kind = event["event"]
    if kind == "source":
        return "", _source_line(event)
    if kind == "note":
        return "", event["message"]
    if kind == "window":
        return "", _window_line(event)
    if kind == "step":
        return f"{event['source']}: {event['message']}", ""
    if kind == "spark":
        return ("Spark starts", "") if event["state"] == "starting" else ("", "")
    if kind == "failed":
        return "", f"  FAILED {event['error']}"
    if kind == "table" and event["state"] == "building":
        return f"building {event['table']}", ""
    if kind == "table":
        return "", _table_line(event)
    return "", ""


def _source_line(event: Event) -> str:
    facts = f"{event['source']:<28}"
    if event["outcome"] == "failed":
        return f"  source {facts} FAILED {event['reason']}"
    notes = "; ".join([f"{event['seconds']:.1f} s", *event.get("notes", ())])
    if event["outcome"] == "unchanged":
        return f"  source {facts} nothing new, {notes}"
    swept = f" and {event['keys']:,} keys" if event.get("keys") is not None else ""
    return f"  source {facts} {event['rows']:,} rows{swept}, {size(event['bytes'])}, {notes}"


def _window_line(event: Event) -> str:
    facts = f"{event['number']:>{len(str(event['of']))}} of {event['of']}, {event['from']} to {event['to']}"
    if event["outcome"] == "failed":
        return f"  window {facts}: FAILED {event['reason']}"
    if event["outcome"] == "there":
        return f"  window {facts}: in raw already"
    return f"  window {facts}: {event['rows']:,} rows, {event['seconds']:.1f} s"


def _table_line(event: Event) -> str:
    state = STATES.get(event["state"], event["state"])
    if event["state"] in ("failed", "blocked"):
        return f"  table  {event['table']:<28} {state} {event['reason']}"
    rows = f"{event['rows']:,} rows, " if "rows" in event else ""
    seconds = f", {event['seconds']:.1f} s" if "seconds" in event else ""
    why = "; ".join(filter(None, [event.get("reason"), event.get("changes")]))
    return f"  table  {event['table']:<28} {rows}{state}{seconds}{_left_out(event)}: {why}".rstrip(": ")


def _left_out(event: Event) -> str:
    """How many rows were rejected, and how many left the table because their source has them no longer."""
    totals = {fate: sum(count.get(fate, 0) for count in event.get("counts", ())) for fate in ("quarantined", "deleted")}
    return "".join(f", {total:,} {fate}" for fate, total in totals.items() if total)


def size(count: int) -> str:
    """Bytes as a person reads them."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"
