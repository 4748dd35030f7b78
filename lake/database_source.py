"""What a source in a database declares."""

from typing import Any, Literal

from pydantic import Field

from lake.source import Source


class DatabaseSource(Source):
    """A table of a MySQL or MariaDB database."""

    kind: Literal["database"]
    url: str = Field(description="mysql://user:password@host:port/database, best as one ${env:...} reference")
    table: str = Field(description="table or view to read")
    timeout_seconds: float = Field(default=300, gt=0, description="longest wait for the server's answer")

    def decoding_options(self) -> dict[str, Any]:
        """The table read."""
        return {"kind": self.kind}
