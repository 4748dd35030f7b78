"""What of a table DuckDB reads."""

from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True)
class Source:
    """A table's metadata, read at its current snapshot or at another one: a state that never changes."""

    location: str
    snapshot: int | None = None

    def scan(self, reader: str) -> exp.Anonymous:
        """The call of a DuckDB function that reads it."""
        expressions: list[exp.Expr] = [exp.Literal.string(self.location)]
        if self.snapshot is not None:
            expressions.append(exp.Kwarg(this=exp.var("snapshot_from_id"), expression=exp.Literal.number(self.snapshot)))
        return exp.Anonymous(this=reader, expressions=expressions)
