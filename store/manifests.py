"""Manifests: what a raw run holds, object by object; a run without one does not exist."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Original(_Facts):
    """An object as the source sent it."""

    key: str
    bytes: int
    sha256: str
    url: str
    """Address or table, without secrets."""
    request: dict[str, str] = {}
    """Request parameters, by which `@name` columns are decoded again."""
    status: int | None = None
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    fetched_at: str


class Decoded(_Facts):
    """An object of decoded rows."""

    key: str
    bytes: int
    sha256: str
    rows: int


class Decoding(_Facts):
    """All decoded rows of a run under one version of its declaration."""

    decoding: str
    """Hash of the part of the declaration that decides how originals are decoded."""
    objects: list[Decoded]
    rows: int
    faults: int = 0
    """Rows that could not be decoded; they stand among `rows` and go to quarantine."""
    observed_fields: list[str] = []
    """Fields that came and that nobody declared."""
    missing_columns: list[str] = []
    """Declared columns whose field came in no row, of a run that has rows."""


class Link(_Facts):
    """Where the manifest of a run is."""

    seq: int
    run: str
    manifest: str


class Manifest(_Facts):
    """One raw run."""

    state: Literal["complete"] = "complete"
    source: str
    run: str
    seq: int
    previous: Link | None
    created_at: str
    originals: list[Original]
    first_decoding: Decoding
    request_fingerprint: str
    """Hash of what was asked for: addresses or table, parameters."""
    content: str
    """Hash of all original bytes in order: equal content makes no new run."""
    cursor: dict[str, Any] | None = None
    window: dict[str, Any] | None = None

    @property
    def folder(self) -> str:
        """Folder of the run, ending with a slash."""
        return self.originals[0].key.rpartition("original/")[0] if self.originals else ""

    @property
    def link(self) -> "Link":
        """How others point at this run."""
        from lake import paths

        return Link(seq=self.seq, run=self.run, manifest=paths.manifest(paths.raw_run(self.source, self.run)))
