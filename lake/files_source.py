"""What a source of files declares."""

import codecs
import re
from datetime import date
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from lake.columns import Declaration
from lake.source import Source

DATE = re.compile(r"\{date:([^{}]+)\}")
#: Options that decide how the bytes of a file are cut into rows.
CUTTING = {
    *("kind", "format", "delimiter", "quote", "escape", "encoding", "header", "bad_header", "skip_lines", "footer_lines"),
    *("comment", "nulls", "quoted_nulls", "decimal", "thousands", "sheet", "records", "explode", "entries"),
}


class Dates(Declaration):
    """The days whose files are asked for, both ends included; equal addresses are asked once."""

    from_: date = Field(alias="from", description="first day, such as 2024-01-01")
    to: date | Literal["today", "yesterday"] = Field(default="today", description="last day; `today` and `yesterday` are UTC's")


class ForeignS3(Declaration):
    """Whose bucket it is; what is left out comes from the usual AWS chain (profile, role, AWS_* variables)."""

    endpoint: str | None = Field(default=None, description="address of an S3 server other than AWS; may be a reference")
    region: str = Field(default="us-east-1", description="region of the bucket")
    access_key_id: str | None = Field(default=None, description="identity, as a reference")
    secret_access_key: str | None = Field(default=None, description="its secret, as a reference")
    anonymous: bool = Field(default=False, description="ask without an identity, for public buckets")


class FilesSource(Source):
    """Files behind addresses: http, https, s3 or file."""

    kind: Literal["files"]
    url: str = Field(default="", description="address of a file; `*` in a name and `{date:%Y-%m}` make it many")
    urls: list[str] = Field(default=[], description="several addresses instead of `url`")
    dates: Dates | None = Field(default=None, description="the days that `{date:...}` in an address stands for")
    index: str | None = Field(
        default=None, description="page whose links `*` in an http address is matched with; the folder itself when left out"
    )
    missing: Literal["error", "skip"] = Field(default="error", description="what a listed address without a file means")
    format: Literal["csv", "tsv", "json", "jsonl", "parquet", "excel"] = Field(default="csv", description="form of the files")
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=6, description="what stands between two fields, or `detect`; `,` when left out"
    )
    quote: str = Field(default='"', max_length=1, description="what stands around a field; empty means that none does")
    escape: str = Field(default="", max_length=1, description="makes the next character plain text, such as `\\`")
    encoding: str = Field(default="utf-8", description="name of a Python codec, or `detect`")
    header: bool = Field(default=True, description="whether the first record names the columns; `from: '#3'` names the third")
    bad_header: Literal["error", "rename"] = Field(
        default="error", description="blank or repeated headers are an error, or become `column_3` and `name_2`"
    )
    skip_lines: int = Field(default=0, ge=0, description="lines (Excel: rows) before the header")
    footer_lines: int = Field(default=0, ge=0, le=1000, description="lines after the last record; blank ones do not count")
    comment: str | None = Field(default=None, min_length=1, description="lines that begin so are no records")
    nulls: list[str] = Field(default=[""], description="texts that mean null when not quoted")
    quoted_nulls: bool = Field(default=False, description="`nulls` mean null within quotes too")
    decimal: Literal[".", ","] = Field(default=".", description="the decimal sign of numbers")
    thousands: str | None = Field(default=None, min_length=1, max_length=1, description="what groups the digits of numbers")
    sheet: str | int = Field(default=1, description="Excel: name of the sheet, or its number from 1")
    records: str | None = Field(default=None, description="JSON: path of the records; the body itself when left out")
    explode: str | None = Field(default=None, description="JSON: path of a list in each record: one row per element")
    entries: str = Field(default="*", description="zip: which of its files are read, such as `*.csv`")
    headers: dict[str, str] = Field(default={}, description="headers to send; values may be references")
    s3: ForeignS3 = Field(default=ForeignS3(), description="whose bucket an s3 address is in")
    timeout_seconds: float = Field(default=300, gt=0, description="longest wait for one try at one file")
    max_bytes: int = Field(default=10_000_000_000, gt=0, description="largest file accepted")
    max_unpacked_bytes: int = Field(default=50_000_000_000, gt=0, description="most that an archive may hold")
    max_files: int = Field(default=10_000, gt=0, description="most files of one pull, and most entries of one archive")

    @property
    def addresses(self) -> list[str]:
        """The declared addresses."""
        return [self.url] if self.url else self.urls

    @field_validator("encoding")
    @classmethod
    def _known_codec(cls, value: str) -> str:
        try:
            "".encode(codecs.lookup(value).name if value != "detect" else "utf-8")
        except LookupError:
            raise ValueError("expected detect or a codec such as utf-8, utf-16, latin-1, cp1252") from None
        return value

    @model_validator(mode="after")
    def _addresses_agree(self) -> "FilesSource":
        if bool(self.url) == bool(self.urls):
            raise ValueError("expected either url or urls")
        if any(DATE.search(address) for address in self.addresses) != (self.dates is not None):
            raise ValueError("`{date:...}` in an address and `dates` belong together")
        return self

    @model_validator(mode="after")
    def _signs_differ(self) -> "FilesSource":
        if self.delimiter is not None and self.delimiter != "detect" and len(self.delimiter) > 4:
            raise ValueError(f"delimiter: got {self.delimiter!r}, expected one to four characters, or detect")
        signs = [sign for sign in (self.separator, self.quote, self.escape, self.comment) if sign]
        if len(set(signs)) != len(signs) or {*self.separator, self.quote, self.escape} & {"\n", "\r"}:
            raise ValueError("delimiter, quote, escape and comment have to differ from each other and from line ends")
        if self.thousands == self.decimal or (self.thousands or "x") in "0123456789+-eE":
            raise ValueError(f"thousands: got {self.thousands!r}, expected a sign that is not the decimal sign")
        return self

    @property
    def separator(self) -> str:
        """The delimiter, or `detect`."""
        return self.delimiter or ("\t" if self.format == "tsv" else ",")

    def decoding_options(self) -> dict[str, Any]:
        """How files are cut into rows."""
        types = {name: column.type for name, column in self.columns.items()} if self._types_matter else {}
        return {**self.model_dump(mode="json", include=CUTTING), "types": types}

    @property
    def _types_matter(self) -> bool:
        return self.format == "excel" or self.decimal != "." or self.thousands is not None
