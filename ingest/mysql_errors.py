"""What the error numbers of MySQL and MariaDB mean for the lake; the server's own words stay away, they may hold data."""

from ingest.database_server import Lost
from lake.errors import LakeError, SourceError, TemporaryError, UsageError

#: Client and server errors after which the same read may succeed.
TEMPORARY = {
    1040, 1041, 1042, 1053, 1129, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1412, 1927, 1969,
    2002, 2003, 2005, 2006, 2013, 2014, 2055, 3024,
}  # fmt: skip
#: The connection is gone, or there was none.
LOST = {0, 1053, 1927, 2002, 2003, 2006, 2013, 2055}
USAGE = {1044, 1045, 1049, 1142, 1143, 1698, 2026}
MEANING = {
    1044: "no right to the database", 1045: "access denied for the user", 1698: "access denied for the user",
    1049: "no such database", 1142: "no right to the table", 1143: "no right to a column", 1146: "no such table",
    1040: "too many connections", 1064: "a statement that the server cannot read", 1054: "no such column",
    2002: "no connection", 2003: "no connection", 2005: "an unknown host", 2026: "no encrypted connection",
    2006: "a server that went away", 2013: "a connection lost while reading", 1412: "a table that was altered meanwhile",
    1969: "a statement that took too long", 3024: "a statement that took too long", 1317: "a statement that was stopped",
    1927: "a connection that was killed", 1053: "a server that is shutting down",
}  # fmt: skip


def ours(code: int, where: str) -> LakeError:
    """The error of the lake for a number of the server or its client; 0 is trouble of the connection."""
    meaning = f"{MEANING.get(code, 'an error of the server' if code else 'a lost connection')} (MySQL error {code})"
    if code in TEMPORARY or code in LOST:
        return (Lost if code in LOST else TemporaryError)(f"{where}: got {meaning}; try again later")
    if code in USAGE:
        return UsageError(f"{where}: got {meaning}; check user, password and database in url, and tls")
    return SourceError(f"{where}: got {meaning}")
