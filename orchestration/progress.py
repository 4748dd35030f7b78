"""What a run shows while it goes on: one line per finished step, and on a terminal the step that is under way."""

import shutil
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TextIO

from lake.upkeep import NOTHING_TO_DO
from orchestration.pace import Pace
from orchestration.printing import size

Event = dict[str, Any]
STATES = {
    "published": "published",
    "skipped": "as it was",
    "blocked": "blocked",
    "failed": "FAILED",
    "rolled back": "rolled back",
    "looked at": "would be maintained",
}


#: How often a line of a source that is being pulled changes on a terminal, and how often there is one elsewhere.
LIVE_SECONDS, LINE_SECONDS = 0.2, 10.0


class Progress:
    """Prints events; on a terminal with a live line for each source below, plain lines where nobody watches, nothing when quiet."""

    def __init__(self, stream: TextIO | None = None, is_quiet: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream or sys.stderr
        self.is_quiet, self.now = is_quiet, now
        self.is_terminal = self.stream.isatty()
        self.lock = threading.Lock()
        self.live: dict[str, str] = {}
        self.shown = 0
        self.paces: dict[str, Pace] = defaultdict(Pace)
        self.told_at: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self.is_quiet:
            return
        with self.lock:
            if event["event"] == "amount":
                self._amount(event)
            else:
                self._event(event)

    def _amount(self, event: Event) -> None:
        """How far a source is: often on a terminal, elsewhere now and then."""
        source, now = event["source"], self.now()
        words = f"{source}: {self.paces[source].words(event, now)}"
        if now - self.told_at.setdefault(source, now) < (LIVE_SECONDS if self.is_terminal else LINE_SECONDS):
            return
        self.told_at[source] = now
        if self.is_terminal:
            self._show("", {source: words})
        else:
            self._show(f"  ... {words}", {})

    def _event(self, event: Event) -> None:
        under_way, line = _lines(event)
        source = event.get("source", "")
        if event["event"] == "source":
            self.paces.pop(source, None)
        elif event["event"] == "window":
            self.live.clear()
            self.paces.clear()
        self._show(line, {source: under_way})

    def _show(self, line: str, live: dict[str, str]) -> None:
        """A line that stays, above what is under way."""
        self.live = {key: words for key, words in {**self.live, **live}.items() if words}
        drawn = ""
        if self.is_terminal:
            width = shutil.get_terminal_size().columns - 1
            drawn = "".join(f"{f'  ... {words}'[:width]}\n" for words in self.live.values())
            self.stream.write(f"\x1b[{self.shown}A\r\x1b[J" if self.shown else "")
            self.shown = len(self.live)
        self.stream.write((f"{line}\n" if line else "") + drawn)
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
    if event.get("reason") == NOTHING_TO_DO:
        state = "looked at"
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
