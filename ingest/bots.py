"""Pulls many sources at once: each on its own, those that need others after them, and no failure stops the rest."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from ulid import ULID

from ingest.landing import Progress, Pull, Wish, pull
from lake.errors import LakeError, UsageError
from lake.rest_source import RestSource
from lake.settings import Settings
from store.objects import Objects

AT_ONCE = 8


@dataclass(frozen=True)
class Failure:
    """A source that could not be pulled, and why."""

    source: str
    error: LakeError


def pull_all(
    sources: dict[str, Any],
    names: Iterable[str],
    settings: Settings,
    objects: Objects | None = None,
    progress: Progress | None = None,
    run_id: str | None = None,
    wish: Wish | None = None,
    ended: Callable[[Pull | Failure], None] = lambda found: None,
) -> list[Pull | Failure]:
    """What became of each named source, in the order of the names; `ended` hears of each when it has ended.

    A signal that is raised here lets each running bot end its present original, so that the next pull goes on behind it.

    Raises UsageError when sources need each other in a circle.
    """
    objects, run_id, wish = objects or Objects(settings), run_id or str(ULID()), wish or Wish()
    wanted = list(dict.fromkeys(names))
    waiting = {name: needs(sources[name]) & set(wanted) - {name} for name in wanted}
    found: dict[str, Pull | Failure] = {}
    running: dict[Future[Pull | Failure], str] = {}
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bot")
    try:
        while waiting or running:
            for name in [name for name, needed in waiting.items() if needed <= set(found)]:
                del waiting[name]
                running[pool.submit(_pulled, name, sources, objects, run_id, progress, wish)] = name
            if not running:
                raise UsageError(f"for_each: {', '.join(sorted(waiting))} need each other in a circle")
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                ended(found.setdefault(running.pop(future), future.result()))
    except BaseException:
        wish.stop.set()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever stops the run does not wait for a source
    return [found[name] for name in wanted]


def needs(source: Any) -> set[str]:
    """The sources whose rows this one asks with."""
    return {each.source for each in source.for_each.values()} if isinstance(source, RestSource) else set()


def _pulled(
    name: str, sources: dict[str, Any], objects: Objects, run_id: str, progress: Progress | None, wish: Wish
) -> Pull | Failure:
    try:
        return pull(name, sources, objects, run_id, progress, wish)
    except LakeError as error:
        return Failure(name, error)
