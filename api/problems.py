"""Everything that can go wrong, as problem details (RFC 9457): one table of types, used by code and documents alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lake.errors import ExpiredError, TemporaryError, TimeLimitError

PROBLEM_JSON = "application/problem+json"
TYPES_PATH = "/v1/problems"
RETRY_SECONDS = "1"


@dataclass(frozen=True)
class Kind:
    """A type of problem: its status, its title, and what it wants from whoever asked."""

    status: int
    title: str
    meaning: str


KINDS: dict[str, Kind] = {
    "invalid-request": Kind(400, "The request cannot be read", "The body is no JSON object of names and values."),
    "key-required": Kind(401, "A key is required", "Send one as `Authorization: Bearer KEY` or `X-API-Key: KEY`."),
    "not-found": Kind(
        404, "There is no such thing", "The detail says what there is: a table, query, run or path of another name."
    ),
    "method-not-allowed": Kind(405, "The method is not allowed here", "The header `Allow` lists those that are."),
    "expired-snapshot": Kind(
        410, "The snapshot is no longer kept", "The table's upkeep removed it; begin again without a cursor."
    ),
    "body-too-large": Kind(413, "The body is too large", "The parameters of a query have to fit into 64 KiB."),
    "wrong-host": Kind(421, "This host is not served here", "Without keys the API answers to names of this machine alone."),
    "invalid-parameter": Kind(422, "A parameter is wrong", "`errors` names each one, and says what was expected."),
    "answer-too-large": Kind(422, "The answer is too large", "Narrow the query down by its parameters."),
    "internal": Kind(500, "Something failed inside", "The log has more under the request's id."),
    "busy": Kind(503, "Too many questions at once", "Ask again after the seconds in `Retry-After`."),
    "unavailable": Kind(503, "A part of the lake does not answer", "The detail names it; ask again after `Retry-After`."),
    "time-limit": Kind(504, "The question took too long", "Ask for less, or narrow it down."),
}


class Problem(Exception):
    """A request that is answered by a problem; `more` are members of the answer beside those of RFC 9457."""

    def __init__(self, name: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.name = name
        self.kind = KINDS[name]
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def body(self, instance: str, request_id: str, prefix: str = "") -> dict[str, Any]:
        """The problem as JSON has it; `prefix` is the path that stands before the API's own."""
        return {
            "type": f"{prefix}{TYPES_PATH}/{self.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
            **self.more,
        }


def wrong_parameters(errors: Mapping[str, str] | Sequence[tuple[str, str]]) -> Problem:
    """The problem of parameters that are wrong, each with what is."""
    listed = list(errors.items() if isinstance(errors, Mapping) else errors)
    detail = "; ".join(f"{name}: {said}" for name, said in listed)
    return Problem("invalid-parameter", detail, errors=[{"parameter": name, "detail": said} for name, said in listed])


def of_error(error: Exception) -> Problem | None:
    """The problem that an error of the lake means to whoever asked; None for one that is ours alone."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, TimeLimitError):
        return Problem("time-limit", "the question took longer than it may; ask for less, or narrow it down")
    if isinstance(error, ExpiredError):
        return Problem("expired-snapshot", "the table's state that this cursor reads is no longer kept; begin again without it")
    if isinstance(error, TemporaryError):
        said = "the lake's store or catalog does not answer; try again"
        return Problem("unavailable", said, {"Retry-After": RETRY_SECONDS})
    return None
