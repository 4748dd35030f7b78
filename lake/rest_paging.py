"""How a REST API cuts its answer into pages: one model for each way."""

from typing import Annotated, Any, Literal

from pydantic import Field

from lake.columns import Declaration


class _Pages(Declaration):
    """What all ways of paging have."""

    max_pages: int = Field(default=100_000, gt=0, description="more pages than this are an error: a guard against endless ones")


class _Counted(_Pages):
    """Pages whose API may say how many records there are."""

    total: str | None = Field(
        default=None, description="path in the body of the number of all records; the pages must bring as many"
    )


class _Numbered(_Counted):
    """Pages that are asked for by a number; they end at the total."""

    size_param: str | None = Field(default=None, description="query parameter of the page size; not sent when left out")
    size: int | None = Field(default=None, gt=0, description="records per page that is asked for")
    more: str | None = Field(default=None, description="path in the body of a boolean that is false on the last page")


class PagePages(_Numbered):
    """`?page=2`: pages by number."""

    kind: Literal["page"]
    param: str = Field(default="page", description="query parameter of the number")
    start: int = Field(default=1, description="number of the first page")
    total_pages: str | None = Field(default=None, description="path in the body of the number of all pages")
    short_pages: Literal["last", "any"] = Field(
        default="last", description="last: only the last page may hold fewer records than the first, any: APIs that filter"
    )


class OffsetPages(_Numbered):
    """`?offset=100&limit=100`: pages by the number of records before them."""

    kind: Literal["offset"]
    param: str = Field(default="offset", description="query parameter of the offset")
    start: int = Field(default=0, description="offset of the first record")
    size_param: str | None = Field(default="limit", description="query parameter of the page size")


class CursorPages(_Counted):
    """A cursor in the body that is sent with the next request."""

    kind: Literal["cursor"]
    param: str = Field(description="query parameter of the cursor")
    next: str = Field(description="path in the body of the next cursor; a number is a place in a list, `data.-1.id` the last")
    more: str | None = Field(default=None, description="path in the body of a boolean that is false on the last page")


class NextUrlPages(_Counted):
    """The address of the next page in the body."""

    kind: Literal["next_url"]
    next: str = Field(description="path in the body of the next address")


class LinkPages(_Counted):
    """The address of the next page in the `Link` header, `rel=\"next\"`."""

    kind: Literal["link_header"]


class OnePage(_Pages):
    """One answer holds everything."""

    kind: Literal["none"]


PAGINATIONS = (OnePage, PagePages, OffsetPages, CursorPages, NextUrlPages, LinkPages)
Pagination = Annotated[OnePage | PagePages | OffsetPages | CursorPages | NextUrlPages | LinkPages, Field(discriminator="kind")]


def kind_from(value: Any) -> Any:
    """The short form `pagination: link_header` written out."""
    return {"kind": value} if isinstance(value, str) else value
