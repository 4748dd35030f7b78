"""The log: one line per event on stderr, `time level name message`; results go to stdout and never here."""

import logging
import sys
import time

FORMAT = "%(asctime)sZ %(levelname)-7s %(name)s %(message)s"


def start_log(level: str) -> None:
    """Log to stderr at `level`, times in UTC."""
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
