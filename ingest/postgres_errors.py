"""What PostgreSQL's states mean for the lake; the server's own words stay away, they may hold data."""

from typing import Any

from ingest.database_server import Lost
from lake.errors import LakeError, SourceError, TemporaryError, UsageError

MEANING = {
    "28P01": "access denied for the user", "28000": "access denied for the user", "3D000": "no such database",
    "42501": "no right to the table", "42P01": "no such table", "3F000": "no such schema", "42703": "no such column",
    "42601": "a statement that the server cannot read", "57014": "a statement that took too long or was stopped",
    "57P01": "a server that is shutting down", "57P02": "a server that is shutting down", "57P03": "a server that is starting",
    "53300": "too many connections", "40001": "a conflict with recovery",
}  # fmt: skip
USAGE = ("28", "3D", "42501")
#: Connection trouble, too few resources, a transaction to repeat, an operator's doing, the system's errors.
TEMPORARY = ("08", "40", "53", "55", "57", "58", "XX")
#: The connection is gone, or there was none.
LOST = ("08", "57P")
#: What libpq says while it connects, when there is no state yet.
SAID = (
    ("password authentication failed", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("role ", "28000"),
    ("database ", "3D000"),
    ("no password supplied", "28P01"),
    ("too many clients", "53300"),
    ("starting up", "57P03"),
    ("shutting down", "57P01"),
)
PROOFS = ("certificate verify failed", "does not match host name", "root certificate file")


def ours(error: Any, where: str) -> LakeError:
    """The error of the lake for an error of psycopg."""
    state, said = error.sqlstate or "", str(error)
    if not state and any(words in said for words in PROOFS):
        return UsageError(f"{where}: got a certificate that does not prove the server, expected one of tls.ca for its host")
    if not state and "does not support SSL" in said:
        return UsageError(f"{where}: got a server without encryption, expected TLS; see tls")
    if not state and "FATAL" in said:
        state = next((found for words, found in SAID if words in said), "")
    known = MEANING.get(state, "an error of the server" if state else "no connection")
    meaning = f"{known} (PostgreSQL state {state})" if state else known
    if state.startswith(USAGE):
        return UsageError(f"{where}: got {meaning}; check user, password and database in url, and tls")
    if not state or state.startswith(TEMPORARY):
        return (Lost if not state or state.startswith(LOST) else TemporaryError)(f"{where}: got {meaning}; try again later")
    return SourceError(f"{where}: got {meaning}")
