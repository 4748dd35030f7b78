"""From one page to the next: pure rules that end, find loops and name an API that changes while it is read."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.rest_page import Page
from lake.errors import SourceError
from lake.rest_paging import CursorPages, LinkPages, NextUrlPages, OffsetPages, OnePage, PagePages, Pagination


@dataclass(frozen=True)
class Spot:
    """Where a page is: what to ask for, and what the pages before it were like.

    `at` is a page number, an offset, a cursor or an address; `size` the records of the first page, `digest` what the page
    before held.
    """

    at: str | None = None
    number: int = 1
    seen: int = 0
    size: int | None = None
    total: int | None = None
    has_moved_total: bool = False
    is_after_short: bool = False
    digest: str | None = None


def share_before(spot: Spot | None, page: Page | None) -> float | None:
    """How much of a request's pages came before a spot, from 0 to 1; None where the API does not say how many there are."""
    if spot is None:
        return 1.0
    if spot.total:
        return min(1.0, spot.seen / spot.total)
    return min(1.0, (spot.number - 1) / page.pages) if page and page.pages else None


@dataclass
class Pager:
    """The pages of one request."""

    paging: Pagination
    where: str
    note: Callable[[str], None]
    visited: set[str] = field(default_factory=set)

    def first(self) -> Spot:
        """Where the first page is."""
        return Spot(str(self.paging.start) if isinstance(self.paging, (PagePages, OffsetPages)) else None)

    def parameters(self, spot: Spot) -> dict[str, str]:
        """Query parameters of a page."""
        paging, found = self.paging, dict[str, str]()
        if isinstance(paging, (PagePages, OffsetPages)):
            found[paging.param] = spot.at or ""
            if paging.size_param and paging.size:
                found[paging.size_param] = str(paging.size)
        if isinstance(paging, CursorPages) and spot.at is not None:
            found[paging.param] = spot.at
        return found

    def address(self, spot: Spot) -> str | None:
        """The address of a page where the one before named it."""
        return spot.at if isinstance(self.paging, (NextUrlPages, LinkPages)) else None

    def after(self, spot: Spot, page: Page) -> Spot | None:
        """Where the next page is; None behind the last.

        Raises SourceError for a loop, too many pages, a page size that changed and a total that was not reached.
        """
        if isinstance(self.paging, OnePage):
            return None
        is_numbered = isinstance(self.paging, (PagePages, OffsetPages))
        if is_numbered and page.records and page.digest == spot.digest:
            raise self._error(f"page {spot.number:,} with the very records of the page before", self._hint())
        spot = self._counted(spot, page)
        following = self._following(spot, page)
        if following is None:
            self._check_end(spot)
            return None
        if spot.number >= self.paging.max_pages:
            raise self._error(f"more than {self.paging.max_pages:,} pages", "expected at most max_pages")
        if following in self.visited:
            raise self._error(f"page {spot.number:,} that leads back to a page before it", "expected one that is new")
        self.visited.add(following)
        return replace(spot, at=following, number=spot.number + 1, digest=page.digest)

    def _counted(self, spot: Spot, page: Page) -> Spot:
        """The spot with this page's records counted in."""
        count, paging = len(page.records), self.paging
        if page.total is not None and spot.total not in (None, page.total):
            self.note(f"the total changed from {spot.total:,} to {page.total:,} while pages were read")
            spot = replace(spot, has_moved_total=True)
        size = spot.size
        if size is None:
            size = count
        is_short, total = count < size, spot.total if page.total is None else page.total
        if isinstance(paging, PagePages) and paging.short_pages == "last" and count:
            self._check_size(spot, count, size)
        if isinstance(paging, (PagePages, OffsetPages)) and spot.number == 2 and count and paging.size not in (None, size):
            self.note(f"got pages of {size:,} records, expected {paging.size:,} as size says")
        return replace(spot, seen=spot.seen + count, size=size, total=total, is_after_short=is_short)

    def _check_size(self, spot: Spot, count: int, size: int) -> None:
        """Pages by number say nothing when their size changes on the way: records would be lost or doubled."""
        hint = "expected pages of one size; run again, or say short_pages: any if the API filters its pages"
        if count > size:
            raise self._error(f"{count:,} records on page {spot.number:,} after pages of {size:,}", hint)
        if spot.is_after_short:
            raise self._error(f"a page with fewer than {size:,} records and page {spot.number:,} behind it", hint)

    def _following(self, spot: Spot, page: Page) -> str | None:
        """What to ask for next; `spot` counts this page."""
        paging = self.paging
        if page.more is False:
            return None
        if isinstance(paging, (PagePages, OffsetPages)):
            if not page.records or (spot.total is not None and spot.seen >= spot.total):
                return None
            if isinstance(paging, OffsetPages):
                return str(paging.start + spot.seen)
            number = int(spot.at or 0)
            return None if page.pages is not None and number - paging.start + 1 >= page.pages else str(number + 1)
        return page.next

    def _check_end(self, spot: Spot) -> None:
        if spot.total is None or spot.has_moved_total or spot.seen == spot.total:
            return
        raise self._error(f"{spot.seen:,} records in {spot.number:,} pages", f"expected {spot.total:,} as the API's total says")

    def _hint(self) -> str:
        param: Any = getattr(self.paging, "param", None)
        return f"expected the next; does the API know the parameter {param!r}?" if param else "expected the next"

    def _error(self, came: str, expected: str) -> SourceError:
        return SourceError(f"{self.where}: got {came}, {expected}")
