"""Where a database is: the parts of its URL, and the password that is never shown."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from lake.errors import UsageError
from lake.settings import Secret

PORTS = {"mysql": 3306, "postgresql": 5432}
SCHEMES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql", "postgres": "postgresql"}
FORM = "mysql://, mariadb:// or postgresql://user:password@host:port/database"


@dataclass(frozen=True)
class Address:
    """A database server, with the password that is never shown."""

    host: str
    port: int
    user: str
    database: str
    password: Secret = field(repr=False)
    engine: str = "mysql"

    @property
    def shown(self) -> str:
        """The address without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.engine}://{host}:{self.port}/{self.database}"


def parsed_address(url: str, where: str) -> Address:
    """The parts of a database's URL, percent-decoded.

    Raises UsageError that shows nothing of it.
    """
    try:
        parts = urlsplit(url)
        engine = SCHEMES.get(parts.scheme, "")
        host, port = parts.hostname, parts.port or PORTS.get(engine, 0)
    except ValueError:
        raise UsageError(f"{where}: got a URL that cannot be read, expected {FORM}") from None
    database = unquote(parts.path.lstrip("/"))
    if not engine or not host or not database or "/" in database or parts.query or parts.fragment:
        raise UsageError(f"{where}: got another form, expected {FORM}")
    return Address(host, port, unquote(parts.username or ""), database, Secret(unquote(parts.password or "")), engine)
