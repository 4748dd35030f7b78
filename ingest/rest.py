"""The bot for REST APIs: the pages of one request after the other, each so that another process can go on behind it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from ingest.amounts import Amount
from ingest.fetch import Clock
from ingest.hosts import Hosts
from ingest.http import Transport
from ingest.json_text import Unusable
from ingest.news import hashed
from ingest.originals import Fetched, Moved, Stopped, Token, Validators, Visit, unchanged
from ingest.rest_answers import Answer, Asker
from ingest.rest_page import Page, page_of
from ingest.rest_paging import Pager, Spot, share_before
from ingest.rest_requests import Addresses, Ask
from ingest.rest_run import RestRun, rest_run
from lake.errors import SourceError
from lake.rest_source import Each, RestSource


class RestBot:
    """A REST source; `values_of` gives the values of a column of another source's newest run."""

    def __init__(
        self,
        source: RestSource,
        environment: Mapping[str, str],
        transport: Transport,
        values_of: Callable[[Each], list[str]],
        hidden: Callable[[Each], bool] = lambda each: False,
        clock: Clock | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        self.source, self.extension = source, str(source.format)
        self._clock, self._is_real_time = clock or Clock(), clock is None
        self._asker = Asker(source, environment, transport, hosts or Hosts(), self._clock)
        self.addresses = Addresses(source, environment, values_of, hidden, self._asker.credentials)
        self._is_parsed = source.pagination.kind != "none" or source.cursor is not None or source.on_empty == "error"

    def fingerprint(self) -> str:
        """Hash of addresses, parameters and pages."""
        return hashed(self.addresses.asked_for())

    def originals(self, visit: Visit) -> Iterator[Fetched]:
        """Every page of every request, in order.

        Raises TemporaryError, SourceError, UsageError and Moved.
        """
        run = rest_run(self.source, self.addresses, visit, replace(self._clock, sleep=partial(self._sleep, visit)))
        first, spot = self._gone_on(run, visit.resume) if visit.resume else (0, None)
        visit.came(Amount(run.records if self._is_parsed else None, share=first / len(run.asks) if len(run.asks) > 1 else None))
        for number in range(first, len(run.asks)):
            yield from self._pages(run, number, spot)
            spot = None
        if self.source.cursor and not visit.window and not visit.is_full:
            run.cursor.check(visit.note)
        is_whole = run.cursor.committed is None and not visit.window
        if self.source.on_empty == "error" and is_whole and not run.records:
            raise SourceError(f"{self.source.name}: {run.asks[0].shown if run.asks else ''}: got no records, expected some")

    def _sleep(self, visit: Visit, seconds: float) -> None:
        """Wait, but not longer than until somebody says stop."""
        if self._is_real_time:
            visit.stop.wait(seconds)
        else:
            self._clock.sleep(seconds)
        if visit.stop.is_set():
            raise Stopped(f"{self.source.name}: stopped by a signal; run again")

    def _answered(self, run: RestRun, ask: Ask, index: int | None = None) -> Answer:
        """The answer to one page; of one that has not changed, the bytes that raw holds when they have to be read."""
        answer = self._asker.answered(run.visit, run.clock, self.addresses.url, ask, index)
        if answer.known and self._is_parsed:
            assert run.visit.copy_of
            answer.path = run.visit.copy_of(answer.known)
        return answer

    def _gone_on(self, run: RestRun, token: Token) -> tuple[int, Spot | None]:
        """Where a killed run goes on.

        Raises Moved when the last page that it stored is another one now.
        """
        here, spot = run.asks[token["here"]["ask"]], Spot(**token["here"]["spot"])
        run.before = here.url
        try:
            answer = self._answered(run, self._placed(here, spot, run))
            digest = self._digest(answer)
        except (SourceError, Unusable) as error:
            raise Moved(f"the last page stored cannot be fetched again: {error}") from None
        if digest != token["digest"]:
            raise Moved(f"{answer.ask.shown} is not what it was")
        answer.path.unlink()
        run.count, run.records, run.before = token["count"], token["records"], answer.ask.url
        run.cursor.greatest = token["greatest"]
        return token["ask"], Spot(**token["spot"]) if token["spot"] else None

    def _pages(self, run: RestRun, number: int, spot: Spot | None) -> Iterator[Fetched]:
        """The pages of one request from a spot on, or from the first."""
        ask = run.asks[number]
        pager = Pager(self.source.pagination, f"{self.source.name}: {ask.shown}", run.visit.note)
        is_first, spot = spot is None, spot or pager.first()
        while spot:
            answer = self._answered(run, self._placed(ask, spot, run), run.count)
            page = self._page(run, answer)
            following = pager.after(spot, page) if page else None
            if following is None and page and not page.records and not is_first and answer.known is None:
                answer.path.unlink()  # behind the last page: nothing to keep
                return
            if following is None and is_first and page:
                self._note_only(run.visit, page)
            run.count += 1
            run.before = answer.ask.url
            self._tell(run, answer, number, share_before(following, page))
            yield self._fetched(run, answer, self._resume(run, answer, number, spot, following, page))
            is_first, spot = False, following

    def _note_only(self, visit: Visit, page: Page) -> None:
        """Say once, in the first run of a declaration, that the API has no word of a second page: the path may be wrong."""
        is_sure = page.names_next or page.more is not None or page.total is not None or not page.records
        if not is_sure and not visit.known and visit.cursor is None:
            route = getattr(self.source.pagination, "next", None)
            visit.note(f"the first page has nothing at {route!r}, so it is taken for the only one")

    def _tell(self, run: RestRun, answer: Answer, number: int, share: float | None) -> None:
        """Tell how much has come: of one request what its API says, of many each the same."""
        original = answer.body or answer.known
        run.bytes += original.bytes if original else 0
        count = len(run.asks)
        whole = share if count == 1 else (number + (share or 0.0)) / count
        rows = run.records if self._is_parsed else None
        run.visit.came(Amount(rows, run.bytes, whole, f"page {run.count:,}"))

    def _placed(self, ask: Ask, spot: Spot, run: RestRun) -> Ask:
        """What to ask for at a spot."""
        pager = Pager(self.source.pagination, self.source.name, run.visit.note)
        address = pager.address(spot)
        if address is not None:
            return self.addresses.named(ask, run.before or ask.url, address)
        return self.addresses.with_page(ask, pager.parameters(spot))

    def _page(self, run: RestRun, answer: Answer) -> Page | None:
        """The facts of the page; None when nobody needs them."""
        if not self._is_parsed:
            return None
        try:
            page = page_of(self.source, answer.path, answer.status, answer.body.link if answer.body else None)
        except Unusable as came:
            raise SourceError(f"{self.source.name}: {answer.ask.shown}: got {came}") from None
        run.records += len(page.records)
        if self.source.cursor:
            run.cursor.take(page.records)
        return page

    def _digest(self, answer: Answer) -> str | None:
        if not self._is_parsed:
            return answer.body.sha256 if answer.body else None
        return page_of(self.source, answer.path, answer.status, None).digest

    def _resume(
        self, run: RestRun, answer: Answer, number: int, spot: Spot, following: Spot | None, page: Page | None
    ) -> Token | None:
        """How to go on behind this page; None behind the last, and where the next address would give a secret away."""
        is_last = following is None and number + 1 >= len(run.asks)
        if is_last or (answer.body is None and page is None):
            return None
        here, after = asdict(spot), asdict(following) if following else None
        is_named = self.source.pagination.kind in ("next_url", "link_header")
        for each in (here, after) if is_named else ():
            if each and each["at"] is not None:
                each["at"] = self.addresses.kept(answer.ask.url, each["at"])
                if each["at"] is None:
                    return None
        digest = page.digest if page else answer.body.sha256 if answer.body else None
        place = {"ask": number if following else number + 1, "spot": after, "here": {"ask": number, "spot": here}}
        facts = {"digest": digest, "count": run.count, "records": run.records, "greatest": run.cursor.greatest}
        return {**place, **facts, "now": run.now}

    def _fetched(self, run: RestRun, answer: Answer, resume: Token | None) -> Fetched:
        cursor: dict[str, Any] | None = run.cursor.token if self.source.cursor else None
        if answer.known:
            if self._is_parsed:
                answer.path.unlink()
            return unchanged(answer.known, resume, cursor)
        body = answer.body
        assert body
        return Fetched(
            path=answer.path,
            shown=answer.ask.shown,
            bytes=body.bytes,
            sha256=body.sha256,
            fetched_at=body.fetched_at,
            request=answer.ask.request,
            status=body.status,
            content_type=body.content_type,
            validators=Validators(body.etag, body.last_modified),
            resume=resume,
            cursor=cursor,
        )
