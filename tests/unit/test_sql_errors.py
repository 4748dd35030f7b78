"""What may not be asked, and where the error points."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import UsageError
from lake.settings import read_settings
from sql.duckdb_engine import DuckDBEngine
from sql.engine import open_engine
from sql.words import at_word


class Tables:
    """A catalog of two tables and one that only its full name reaches."""

    def tables(self) -> dict[str, str]:
        return {"refined.category_summary": "summary", "trusted.products": "products", "meta.runs": "products"}


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    connection = duckdb.connect()
    connection.execute("create table summary(category varchar, avg_price double, products_quant bigint)")
    connection.execute("create table products(id bigint, price decimal(10,2), category varchar)")
    connection.execute("create macro fake_scan(location) as table select * from query_table(location)")
    return DuckDBEngine(connection, Tables(), reader="fake_scan")


POINTED = [
    (
        "SELECT avg_prise FROM refined.category_summary",
        "line 1, column 8: no column 'avg_prise' in refined.category_summary; did you mean 'avg_price'?",
        "avg_prise",
    ),
    ("SELECT category,\n\tavg_prise\nFROM category_summary", "line 2, column 2: no column 'avg_prise'", "avg_prise"),
    ("SELECT c.nope FROM products c", "no column 'nope' in trusted.products; expected one of category, id, price", "nope"),
    ("SELECT x.id FROM products c", "no table 'x' in this FROM", "x"),
    ("SELECT id FROM products ORDER BY nope", "no column 'nope'", "nope"),
    ("SELECT id FROM products a JOIN products b USING (nope)", "both sides of USING must have 'nope'", "nope"),
    ("SELECT category FROM products, category_summary", "could be of refined.category_summary or trusted.products", "category"),
    ("SELECT * FROM category_sumary", "no table 'category_sumary'; did you mean 'category_summary'?", "category_sumary"),
    ("SELECT * FROM refined.nope", "expected one of meta.runs, refined.category_summary, trusted.products", "refined.nope"),
    ("SELECT * FROM runs", "no table 'runs'", "runs"),
    ("SELECT * FORM products", "syntax error: did not expect 'products'", "products"),
    ("SELECT (1", "syntax error: expected ) after '1'", "1"),
    ("SELECT id FROM products WHERE", "syntax error: something is missing after 'WHERE'", "WHERE"),
    ("SELECT 'abc", "this ' is not closed", "'"),
    ("SELEC 1", "got 'SELEC', expected one SELECT", "SELEC"),
    ("SELECT 1; SELECT 2", "got 2 statements", " SELECT 2"),
    ("SELECT sqrtt(4)", "no function 'sqrtt' here; did you mean 'sqrt'?", "sqrtt"),
    ("SELECT id FROM products WHERE category ILIKE 'a'", "ILIKE is not part of a question", "category"),
    ("SELECT @x", "a parameter is written ?", "@"),
    ("DESCRIBE nope", "no table 'nope'", "nope"),
    ("SHOW SCHEMAS", "expected SHOW TABLES", "SHOW SCHEMAS"),
]


@pytest.mark.parametrize(("text", "said", "word"), POINTED, ids=[row[0] for row in POINTED])
def test_an_error_says_what_is_wrong_and_points_at_the_word(engine: DuckDBEngine, text: str, said: str, word: str) -> None:
    with pytest.raises(UsageError) as error:
        engine.ask(text)
    message, line, carets = str(error.value).split("\n")
    assert said in message
    start, end = carets.index("^"), carets.rindex("^") + 1
    assert line[start:end] == word


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM '/etc/passwd'",
        'SELECT * FROM "s3://lake/raw/x.csv"',
        "SELECT * FROM products.csv",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM iceberg_scan('s3://lake/x')",
        "SELECT * FROM fake_scan('products')",
        "SELECT * FROM query_table('products')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_settings",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM pg_catalog.pg_tables",
        "SELECT * FROM summary",
        "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
        "SELECT (WITH b AS (SELECT 1 AS x) SELECT x FROM b), (SELECT x FROM b)",
        "SELECT 1 WHERE 1 IN products",
        "SELECT getenv('HOME')",
        "SELECT \"getenv\"('HOME')",
        "SELECT read_text('/etc/passwd')",
        "SELECT current_setting('s3_endpoint')",
        "SELECT lake_div(1, 2)",
        "SELECT id FROM products WHERE id IN (SELECT getvariable('x'))",
        "WITH a AS (DELETE FROM products) SELECT 1",
        "WITH a AS (SELECT * FROM read_csv('x')) SELECT * FROM a",
        "SELECT (SELECT max(x) FROM read_parquet('x') AS t(x))",
        "SELECT 1 INTO x",
        "SELECT * FROM products FOR UPDATE",
        "SELECT * FROM products TABLESAMPLE BERNOULLI (10)",
        "SELECT * FROM products PIVOT (sum(price) FOR category IN ('a'))",
        "SELECT DISTINCT ON (id) id FROM products",
        "SELECT columns('.*') FROM products",
        "COPY products TO 'x'",
        "ATTACH 'x'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA version",
        "SET x = 1",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "DROP TABLE products",
        "INSERT INTO products VALUES (1)",
        "CREATE TABLE x AS SELECT 1",
        "FROM products",
        "SELECT 1; DROP TABLE products",
        "",
        "-- nothing",
    ],
)
def test_anything_but_one_question_about_tables_of_the_lake_is_refused(engine: DuckDBEngine, text: str) -> None:
    with pytest.raises(UsageError):
        engine.ask(text)


def test_an_engine_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="--engine: got 'athena', expected duckdb"):
        open_engine(read_settings({}), "athena", Tables())


@given(st.text(alphabet="ab\n\t ü", min_size=1, max_size=40), st.data())
def test_carets_stand_under_the_word_wherever_it_is(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    message = str(at_word(text, start, end, "here"))
    line, carets = message.split("\n")[-2:]
    assert line[carets.index("^")] == text[start] if text[start] != "\n" else carets.count("^") == 1
