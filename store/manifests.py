"""Manifests: what a raw run holds, object by object; a run without one does not exist."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Object(_Facts):
    """An object of a run, and what its bytes are."""

    key: str
    bytes: int
    sha256: str


class Original(Object):
    """An object as the source sent it."""

    url: str
    """Address or table, without secrets."""
    request: dict[str, str] = {}
    """Request parameters, by which `@name` columns are decoded again."""
    status: int | None = None
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    fetched_at: str


class Decoded(Object):
    """An object of decoded rows."""

    rows: int
    faults: int = 0
    """Rows among them that could not be decoded."""


class Keys(Object):
    """An object with the keys of all rows that a source had, as texts: what is not among them was deleted."""

    rows: int
    fields: list[str]
    """Names in the source of its columns."""


class Part(_Facts):
    """An original of a run that is being written, with its decoded rows."""

    original: Original
    decoded: Decoded


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
    detected: dict[str, list[str]] = {}
    """Option -> what was detected where the declaration says `detect`, to be pinned there."""


class Link(_Facts):
    """Where the manifest of a run is."""

    seq: int
    run: str
    manifest: str


class Beginning(_Facts):
    """Where the chain of a source's runs begins; what was before it is removed, or is being removed."""

    first: Link
    is_cleared: bool = False
    """Whether nothing of the runs before it is left."""


class Checkpoint(_Facts):
    """How far a run had come that is not visible yet: what it stored since the checkpoint before, and how to go on."""

    identity: str
    """Hash of what was asked for and how it is decoded: only the same pull may go on."""
    head: str | None
    """The newest visible run when this one began."""
    same: int = 0
    """How many originals from the start are the newest run's and have not been written yet."""
    parts: list[Part]
    resume: dict[str, Any]
    """The bot's own token, without secrets."""
    cursor: dict[str, Any] | None = None
    observed_fields: list[str] = []


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
    keys: Keys | None = None
    """No part of the rows; of a source that finds deleted ones by a key sweep."""
    request_fingerprint: str
    """Hash of what was asked for: addresses or table, parameters."""
    content: str
    """Hash of all original bytes in order, and of the keys: equal content makes no new run."""
    cursor: dict[str, Any] | None = None
    window: dict[str, Any] | None = None

    @property
    def link(self) -> "Link":
        """How others point at this run."""
        from lake import paths

        return Link(seq=self.seq, run=self.run, manifest=paths.manifest(paths.raw_run(self.source, self.run)))
