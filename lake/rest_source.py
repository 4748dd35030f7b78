"""What a REST source declares."""

from typing import Any, Literal

from pydantic import Field

from lake.columns import Declaration
from lake.source import Source


class Each(Declaration):
    """One request per value of a column of another source."""

    source: str = Field(description="name of the other source")
    column: str = Field(description="its column; one request per distinct value")


class RestSource(Source):
    """A REST API that answers JSON."""

    kind: Literal["rest"]
    url: str = Field(description="address; `{name}` is replaced by a request parameter, quoted")
    records: str | None = Field(default=None, description="path of the records in the body; the body itself when left out")
    explode: str | None = Field(
        default=None,
        description="path of a list in each record: one row per element; an empty list gives one row with @index 0",
    )
    for_each: dict[str, Each] = Field(default={}, description="request parameters taken from another source's newest run")
    headers: dict[str, str] = Field(default={}, description="headers to send; values may be references")
    timeout_seconds: float = Field(default=30, gt=0, description="longest wait for one answer as a whole")
    max_bytes: int = Field(default=100_000_000, gt=0, description="largest body accepted")

    def decoding_options(self) -> dict[str, Any]:
        """Where the records are."""
        return {"kind": self.kind, "records": self.records, "explode": self.explode}
