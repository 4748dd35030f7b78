"""Which sources and tables a name means: all that it needs, or all that is made from it."""

from lake.declared import Declared
from lake.sources import source_from
from lake.tables import Refined, Table
from tests.unit.test_lake_declarations import GOOD

CONTRACT = Table.model_validate({"description": "One row.", "key": ["id"], "columns": {"id": "bigint"}})


def refined(name: str, *inputs: str) -> dict[str, Refined]:
    return {name: Refined(name, CONTRACT, inputs, "code")}


DECLARED = Declared(
    {name: source_from({**GOOD, "name": name}, f"{name}.yaml") for name in ("goods", "sales", "staff")},
    refined("sums", "goods", "sales") | refined("ranks", "sums") | refined("rota", "staff"),
    "code",
)


def test_what_is_made_from_a_source_is_found_through_other_tables() -> None:
    assert DECLARED.downstream(["sales"]) == ["sums", "ranks"]
    assert DECLARED.downstream(["trusted.staff"]) == ["rota"]


def test_what_is_made_from_a_refined_table_holds_the_table_itself() -> None:
    assert DECLARED.downstream(["refined.sums"]) == ["sums", "ranks"]


def test_building_what_is_made_from_a_source_looks_at_all_that_it_needs() -> None:
    assert DECLARED.closure(["sales", *DECLARED.downstream(["sales"])]) == (["goods", "sales"], ["sums", "ranks"])
