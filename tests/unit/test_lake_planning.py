"""A table is built when a build could give another table, and never twice for the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lake.planning import Wanted, decide


def wanted(seq: int = 1, declaration: str = "d", code: str = "c") -> Wanted:
    return Wanted(declaration, code, {"goods": {"seq": seq, "run": f"run-{seq}"}})


def published(by: Wanted, **facts: Any) -> list[dict[str, Any]]:
    return [
        {"fingerprint": by.fingerprint, "inputs": by.inputs, "facts": {"declaration": by.declaration, "code": by.code, **facts}}
    ]


def test_a_table_never_published_is_built_from_the_beginning() -> None:
    decision = decide(wanted(), [])
    assert (decision.build, decision.whole) == (True, True)


def test_a_table_built_from_just_this_is_left_alone() -> None:
    assert not decide(wanted(), published(wanted())).build


def test_new_input_is_added_and_named() -> None:
    decision = decide(wanted(2), published(wanted(1)))
    assert (decision.build, decision.whole, decision.reason) == (True, False, "new input from goods")


def test_a_changed_declaration_or_code_rebuilds_from_the_beginning() -> None:
    assert decide(wanted(declaration="other"), published(wanted())).whole
    assert decide(wanted(code="other"), published(wanted())).whole


def test_an_older_plan_never_goes_back() -> None:
    decision = decide(wanted(1), published(wanted(2)))
    assert (decision.build, decision.reason) == (False, "already built from newer input")


def test_what_was_rolled_back_from_waits_for_news() -> None:
    rolled_back = published(wanted(1), held=wanted(2).fingerprint)
    assert not decide(wanted(2), rolled_back).build
    assert decide(wanted(3), rolled_back).build


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_plans_carried_out_in_any_order_end_at_the_newest_input(seqs: list[int]) -> None:
    history: list[dict[str, Any]] = []
    for seq in seqs:
        if decide(wanted(seq), history).build:
            history = published(wanted(seq))
    assert history[0]["inputs"]["goods"]["seq"] == max(seqs)


def test_another_model_is_news_also_when_it_is_an_earlier_one() -> None:
    def scored(model: str) -> Wanted:
        return Wanted("declaration", "code", {"goods": {"seq": 1}, "model.sums": {"model": model}})

    decision = decide(scored("b"), published(scored("a")))
    assert (decision.build, decision.whole, decision.reason) == (True, False, "new input from model.sums")
    assert decide(scored("a"), published(scored("b"))).build
