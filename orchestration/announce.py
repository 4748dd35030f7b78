"""Tells a person, by the command or address in `LAKE_ANNOUNCE`; one that fails is noted and breaks nothing."""

import json
import shlex
import subprocess
from typing import Any

from lake.settings import Settings

SECONDS = 15.0


def announce(settings: Settings, notice: dict[str, Any]) -> str | None:
    """Deliver a notice; what went wrong, in words without the address, or None. Without the setting nobody is told."""
    target, data = str(settings.announce), json.dumps(notice, default=str).encode()
    if not target:
        return None
    return _posted(target, data) if target.startswith(("http://", "https://")) else _commanded(target, data)


def _commanded(command: str, data: bytes) -> str | None:
    """The command gets the notice on its standard input."""
    try:
        done = subprocess.run(shlex.split(command), input=data, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"the command did not end within {SECONDS:.0f} s"
    except (OSError, ValueError) as error:
        return f"the command cannot be started: {error}"
    return f"the command ended with {done.returncode}" if done.returncode else None


def _posted(url: str, data: bytes) -> str | None:
    """The address gets the notice as the body of a POST."""
    from ingest.credentials import sent
    from ingest.http import RequestsTransport, Trouble

    address, headers = sent(url, {"Content-Type": "application/json", "User-Agent": "embalse"})
    try:
        answer = RequestsTransport().post(address, headers, data, SECONDS, SECONDS)
        answer.close()
    except Trouble as trouble:
        return f"the address gave {trouble.what}"
    return None if 200 <= answer.status < 300 else f"the address answered with status {answer.status}"
