"""What a source of files declares."""

from typing import Any, Literal

from pydantic import Field

from lake.source import Source


class FilesSource(Source):
    """A CSV file behind a URL."""

    kind: Literal["files"]
    url: str = Field(description="address of the file")
    format: Literal["csv"] = Field(default="csv", description="form of the file")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="what stands between two fields")
    encoding: str = Field(default="utf-8", description="name of a Python codec")
    nulls: list[str] = Field(default=[""], description="texts that mean null when not quoted")
    headers: dict[str, str] = Field(default={}, description="headers to send; values may be references")
    timeout_seconds: float = Field(default=300, gt=0, description="longest wait for the file as a whole")
    max_bytes: int = Field(default=10_000_000_000, gt=0, description="largest file accepted")

    def decoding_options(self) -> dict[str, Any]:
        """How the text is cut into fields."""
        return self.model_dump(mode="json", include={"kind", "format", "delimiter", "encoding", "nulls"})
