"""How columns and keys of MySQL and MariaDB are read, as far as no server is needed to tell."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from ingest.database_server import Field, KeyPart, first_key
from ingest.mysql_fields import DOUBLE, FLOAT, VECTOR, field_of, key_part

FIELDS = [Field(name, name, name, pa.int64()) for name in ("id", "part")]
ID, PART = KeyPart("id", "int"), KeyPart("part", "int")


@pytest.mark.parametrize("kind", [FLOAT, DOUBLE])
def test_a_double_is_read_in_the_form_whose_digits_are_the_same_in_any_text(kind: int) -> None:
    column = SimpleNamespace(name="d", type_code=kind, charsetnr=63, flags=0, length=22, scale=31)
    assert field_of(column, "`d`", is_mariadb=True).read == "cast(`d` as double)"
    found = field_of(column, "`d`", is_mariadb=False)
    assert (found.read, found.checked) == ("cast(`d` as json)", "cast(`d` as json)")


def test_a_vector_is_bytes() -> None:
    column = SimpleNamespace(name="v", type_code=VECTOR, charsetnr=63, flags=128, length=12, scale=31)
    assert field_of(column, "`v`", is_mariadb=False) == Field("v", "`v`", "lower(hex(`v`))", pa.binary())


@pytest.mark.parametrize(
    "facts",
    [(None, None, None, None), ("id", "enum", None, "NO"), ("id", "varchar", "5", "NO"), ("id", "int", None, "YES")],
    ids=["expression", "enum", "prefix", "nullable"],
)
def test_a_part_along_which_rows_would_be_lost_is_none(facts: tuple[str | None, ...]) -> None:
    assert key_part(*facts) is None
    assert key_part("id", "int", None, "NO") == ID


def test_the_first_index_of_columns_that_are_read_is_the_key() -> None:
    hidden = KeyPart("hidden", "int")
    assert first_key([("p", hidden), ("u", ID), ("u", None), ("w", PART), ("w", ID), ("x", ID)], FIELDS) == [PART, ID]
    assert first_key([("p", hidden)], FIELDS) == []
