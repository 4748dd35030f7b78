"""Runs pulls and replays in processes of their own that may be killed; started once, so that each costs only a fork."""

import gc
import json
import os
import sys
from typing import Any

import ingest.database
import ingest.landing  # noqa: F401 - loaded before the forks
from ingest.bots import Failure, pull_all
from ingest.replay import replay
from lake.settings import read_settings
from lake.sources import source_from
from store import effects
from store.objects import Objects


def work(order: dict[str, Any]) -> int:
    """One pull or replay; 0 when it went well."""
    settings = read_settings({**os.environ, **order["environment"]})
    effects.arm(settings)
    source = source_from(order["source"], "things.yaml")
    if order["verb"] == "replay":
        replay(source, Objects(settings))
        return 0
    (outcome,) = pull_all({source.name: source}, [source.name], settings)
    if isinstance(outcome, Failure):
        print(f"{type(outcome.error).__name__}: {outcome.error}", file=sys.stderr)
        return outcome.error.exit_code
    return 0


def main() -> None:
    """Read orders, one JSON line each, and answer each with the exit code of its process, negative for a signal."""
    import pyarrow.parquet  # noqa: F401 - loaded before the forks
    import requests  # noqa: F401

    Objects(read_settings({"LAKE_S3_ACCESS_KEY_ID": "x", "LAKE_S3_SECRET_ACCESS_KEY": "x"}))
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = work(json.loads(line))
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
