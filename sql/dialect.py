"""A question as a tree: parsed in Trino's dialect, checked against the allow-list, every name resolved."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.tokenizer_core import Token, TokenType

from lake.errors import UsageError
from sql.allowed import STATEMENT, check_allowed
from sql.words import at_first, at_node, at_word, near

#: Where a table without a schema is looked for, in this order.
DEFAULT_SCHEMAS = ("refined", "trusted")
FIRST_WORDS = ("select", "with", "values", "table", "(")
UNNAMED = "_col"

Columns = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Listing:
    """`SHOW TABLES [FROM schema]` or `DESCRIBE table`."""

    verb: str
    name: str


def parse(text: str) -> exp.Query | Listing:
    """The one statement of a text.

    Raises UsageError that points at the word where it is not one that may be asked.
    """
    try:
        tokens = Trino().tokenize(text)
        if not tokens:
            raise UsageError(f"got an empty statement, expected {STATEMENT}")
        first = tokens[0].text.lower()
        if first in ("show", "describe", "desc"):
            return _listing(text, text.lower().replace(";", " ").split())
        if first not in FIRST_WORDS:
            raise at_word(text, tokens[0].start, tokens[0].end + 1, f"got {tokens[0].text!r}, expected {STATEMENT}")
        tokens = _numbered(text, tokens)
        statements = [tree for tree in Trino().parser().parse(tokens, text) if tree is not None]
    except ParseError as error:
        raise _syntax_error(text, error) from None
    except TokenError as error:
        raise _open_quote(text, error) from None
    if len(statements) > 1:
        second = next(token for token in tokens if token.text == ";").end + 1
        raise at_word(text, second, len(text), f"got {len(statements)} statements, expected {STATEMENT}")
    query = statements[0]
    if isinstance(query, exp.Values):
        query = exp.select("*").from_(query)
    if not isinstance(query, exp.Query):
        raise at_word(text, tokens[0].start, tokens[0].end + 1, f"got {tokens[0].text!r}, expected {STATEMENT}")
    check_allowed(text, query)
    return query


def _numbered(text: str, tokens: list[Token]) -> list[Token]:
    """The tokens with every `?` made a numbered parameter, because a tree does not keep the order of the text."""
    numbered: list[Token] = []
    number = 0
    for token in tokens:
        if token.token_type in (TokenType.PARAMETER, TokenType.COLON):
            raise at_word(text, token.start, token.end + 1, f"got {token.text!r}; a parameter is written ?")
        if token.token_type != TokenType.PLACEHOLDER:
            numbered.append(token)
            continue
        number += 1
        for kind, word in ((TokenType.PARAMETER, "@"), (TokenType.NUMBER, str(number))):
            numbered.append(Token(kind, word, token.line, token.col, token.start, token.end))
    return numbered


def _listing(text: str, words: list[str]) -> Listing:
    if words[:2] == ["show", "tables"] and len(words) == 2:
        return Listing("tables", "")
    if words[:2] == ["show", "tables"] and len(words) == 4 and words[2] in ("from", "in"):
        return Listing("tables", words[3])
    if words[0] != "show" and len(words) == 2:
        return Listing("columns", words[1])
    raise at_word(text, 0, len(text), "expected SHOW TABLES, SHOW TABLES FROM schema, or DESCRIBE table")


def _syntax_error(text: str, error: ParseError) -> UsageError:
    """sqlglot's first complaint, pointing at its word."""
    first = error.errors[0]
    lines = text.split("\n")
    word = str(first["highlight"])
    end = sum(len(line) + 1 for line in lines[: first["line"] - 1]) + first["col"]
    said = str(first["description"])
    if said.startswith("Required keyword"):
        said = f"something is missing after {word!r}"
    elif said.startswith("Expecting"):
        side = "after" if end >= len(text.rstrip()) else "before"
        said = f"expected {said.removeprefix('Expecting ')} {side} {word!r}"
    else:
        said = f"did not expect {word!r}"
    return at_word(text, end - len(word), end, f"syntax error: {said}")


def _open_quote(text: str, error: TokenError) -> UsageError:
    """A quote or comment that is not closed: the last one opened."""
    for quote in ("'", '"'):
        if text.count(quote) % 2:
            start = text.rfind(quote)
            return at_word(text, start, start + 1, f"syntax error: this {quote} is not closed")
    return UsageError(f"syntax error: {str(error).splitlines()[0]}")


def resolve_table(name: str, known: Mapping[str, str]) -> str | None:
    """Full name of a table that is written with or without its schema."""
    if "." in name:
        return name if name in known else None
    return next((f"{schema}.{name}" for schema in DEFAULT_SCHEMAS if f"{schema}.{name}" in known), None)


def no_table(name: str, known: Mapping[str, str]) -> str:
    """What to say about a table that does not exist."""
    short = {full.partition(".")[2] if full.partition(".")[0] in DEFAULT_SCHEMAS else full for full in known}
    return f"no table {name!r}; {near(name, known if '.' in name else short)}"


def bind_tables(text: str, query: exp.Query, known: Mapping[str, str]) -> set[str]:
    """Give every table its full name, in place; the full names.

    Raises UsageError for a table that does not exist, or that stands where none is looked for.
    """
    named = set()
    seen: set[int] = set()
    for scope in traverse_scope(query):
        seen |= {id(table) for table in scope.tables if isinstance(scope.sources.get(table.alias_or_name), Scope)}
        for source in scope.sources.values():
            if not isinstance(source, exp.Table):
                continue
            seen.add(id(source))
            written = ".".join(part.name for part in source.parts).lower()
            full = resolve_table(written.removeprefix("awsdatacatalog."), known)
            if full is None:
                raise at_node(text, source, no_table(written, known))
            schema, _, table = full.partition(".")
            if not source.alias:
                exp.alias_(source, source.name, table=True, copy=False)
            source.set("catalog", None)
            source.set("db", exp.to_identifier(schema, quoted=True))
            source.set("this", source.this if source.name == table else exp.to_identifier(table, quoted=True))
            named.add(full)
    for stray in query.find_all(exp.Table):
        if id(stray) not in seen:
            raise at_node(text, stray, f"did not expect table {stray.name!r} here")
    return named


def bind_columns(text: str, query: exp.Query, columns: Columns) -> exp.Query:
    """The query with every column qualified by its table, stars written out, and Trino's names for the unnamed.

    Raises UsageError for a column that does not exist or could be two.
    """
    _name_the_unnamed(query)
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for full, types in columns.items():
        zone, _, table = full.partition(".")
        schema.setdefault(zone, {})[table] = dict(types)
    _bind_having(query, columns)
    before = query.copy()
    try:
        bound = qualify(
            query,
            dialect="trino",
            schema=schema,  # type: ignore[arg-type]
            expand_alias_refs=False,
            validate_qualify_columns=False,
        )
    except OptimizeError as error:
        raise _unresolved(text, before, str(error), columns) from None
    for scope in traverse_scope(bound):
        if isinstance(scope.expression, exp.Select):
            strangers = [] if scope.is_correlated_subquery else scope.external_columns
            having = scope.expression.args.get("having")
            aliases = [column for column in having.find_all(exp.Column) if not column.table] if having else []
            for column in [*strangers, *scope.unqualified_columns, *aliases]:
                if column.table:
                    raise at_node(text, exp.Column(this=column.args["table"]), f"no table {column.table!r} in this FROM")
                raise _no_column(text, column, columns)
    return bound


def _name_the_unnamed(query: exp.Query) -> None:
    """`_col0`, `_col1`: what Trino calls a column that is neither a name nor has one."""
    for select in query.find_all(exp.Select):
        for number, item in enumerate(select.selects):
            if not isinstance(item, (exp.Alias, exp.Column, exp.Star)) and not item.is_star:
                select.expressions[number] = exp.alias_(item, f"{UNNAMED}{number}")
                select.set("expressions", select.expressions)


def _bind_having(query: exp.Query, columns: Columns) -> None:
    """Say whose the columns in HAVING are: a name there never means an alias, though sqlglot would take it for one."""
    for scope in traverse_scope(query):
        having = scope.expression.args.get("having")
        for column in having.find_all(exp.Column) if having else ():
            if column.table or column.find_ancestor(exp.Select) is not scope.expression:
                continue
            owners = [alias for alias, source in scope.sources.items() if column.name.lower() in _names_of(source, columns)]
            if len(owners) == 1:
                column.set("table", exp.to_identifier(owners[0]))


def _names_of(source: exp.Expr | Scope, columns: Columns) -> set[str]:
    """Names of the columns of what stands in FROM, in lower case."""
    if isinstance(source, Scope):
        items = source.expression.selects if isinstance(source.expression, exp.Query) else []
        inner = [_names_of(each, columns) for each in source.sources.values()] if any(item.is_star for item in items) else []
        return {item.alias_or_name.lower() for item in items}.union(*inner)
    zone = source.args.get("db")
    return {name.lower() for name in columns.get(f"{zone.name}.{source.name}", {})} if zone else set()


def _no_column(text: str, column: exp.Column, columns: Columns) -> UsageError:
    known = {name for types in columns.values() for name in types}
    if column.name in known and not column.table:
        owners = sorted(full for full, types in columns.items() if column.name in types)
        if len(owners) > 1:
            return at_node(text, column, f"column {column.name!r} could be of {' or '.join(owners)}; write table.{column.name}")
    where = f" in {next(iter(columns))}" if len(columns) == 1 else ""
    return at_node(text, column, f"no column {column.name!r}{where}" + (f"; {near(column.name, known)}" if known else " here"))


def _unresolved(text: str, query: exp.Query, message: str, columns: Columns) -> UsageError:
    """sqlglot's complaint about a name, with its place looked up in the tree as it was."""
    name = message.rpartition(": ")[2].strip("'\"") if ": " in message else ""
    if message.startswith("Cannot automatically join"):
        return at_first(text, name, f"both sides of USING must have {name!r}")
    for column in query.find_all(exp.Column):
        if name and column.name.lower() == name.lower():
            return _no_column(text, column, columns)
        if name and column.table.lower() == name.lower():
            return at_node(text, column, f"no table {name!r} in this FROM")
    return at_first(text, name, message) if name else UsageError(message)
