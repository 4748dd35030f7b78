"""What the stand-in answers about flights: a file per month, airlines by pages, airports by a cursor."""

from collections.abc import Callable, Mapping

from local import flights
from local.feed_answers import Answer, file_answer, json_answer

AIRLINES_AT_ONCE, AIRPORTS_AT_ONCE = 10, 500
#: Files by name, made when the first is asked for: cutting them out of the package takes a second.
Files = Callable[[], Mapping[str, bytes]]


def flights_answer(files: Files, path: list[str], query: Mapping[str, str], headers: Mapping[str, str]) -> Answer | None:
    """Answer to a path below `/flights`; nothing for a path that it does not know."""
    match path:
        case ["files", name]:
            content = files().get(name)
            return None if content is None else file_answer(content, headers)
        case ["airlines"]:
            return _page(flights.airlines(), query.get("page", "1"))
        case ["airports"]:
            return _after(flights.airports(), query.get("after", ""))
    return None


def _page(records: list[flights.Record], number: str) -> Answer:
    """`{"data": [...], "total": n}`: one page, counted from 1."""
    if not number.isdecimal():
        return json_answer({"error": "page must be a number"}, 400)
    start = (int(number) - 1) * AIRLINES_AT_ONCE
    return json_answer({"data": records[start : start + AIRLINES_AT_ONCE], "total": len(records)})


def _after(records: list[flights.Record], code: str) -> Answer:
    """`{"airports": [...], "next": code}`: those behind a code, `next` null behind the last."""
    left = [record for record in records if record["faa"] > code]
    found = left[:AIRPORTS_AT_ONCE]
    return json_answer({"airports": found, "next": found[-1]["faa"] if len(left) > len(found) else None})
