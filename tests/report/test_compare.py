"""What stands side by side: rows that differ among those that have them, and who costs least."""

from __future__ import annotations

import pytest

from planner.report.compare import SideBySide, finding, side_by_side
from planner.schema import PlanResult
from planner.search.plan import plan
from planner.workloads import load_workload

NARROW = {"limits.accelerators": ["h200"], "limits.engines": ["vllm"]}


@pytest.fixture(scope="module")
def answer() -> PlanResult:
    from planner.catalog import load_catalog

    return plan(load_workload("default", NARROW), load_catalog(), confirmed=0)


def dearer(answer: PlanResult, factor: float) -> PlanResult:
    """The same plan at another price."""
    best = answer.plans[0]
    cost = best.cost.model_copy(update={"usd_per_month": best.cost.usd_per_month * factor})
    return answer.model_copy(update={"plans": (best.model_copy(update={"cost": cost}),)})


def beside(answers: dict[str, PlanResult | None], answer: PlanResult) -> SideBySide:
    return side_by_side(list(answers), [answer.workload] * len(answers), list(answers.values()), str)


def test_a_question_without_a_plan_counts_in_no_difference(answer: PlanResult) -> None:
    table = beside({"a": answer, "b": answer, "none": None}, answer)
    assert finding(table, str) == "All that have a plan cost the same. 0 of 14 rows differ. Without a plan: none."
    cells = {row[0]: row[3] for row in table.rows}
    assert cells["LLM"] == "deepseek-r1" and cells["Load"] == "5/s" and cells["Promise"] != "—"
    assert cells["$/month"] == "—"


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ((1, 1), "All cost the same. 0 of 14 rows differ."),
        ((1, 2), "q0 costs least; the dearest costs 2.00 times as much. 1 of 14 rows differ."),
        ((2, 1, 1), "q1, q2 cost least, all the same; the dearest costs 2.00 times as much. 1 of 14 rows differ."),
        ((1,), "q0 alone: choose another to compare."),
    ],
)
def test_nobody_costs_least_on_a_tie(answer: PlanResult, factors: tuple[float, ...], said: str) -> None:
    assert finding(beside({f"q{n}": dearer(answer, f) for n, f in enumerate(factors)}, answer), str) == said


def test_one_plan_alone_costs_no_less_than_others(answer: PlanResult) -> None:
    said = finding(beside({"a": answer, "none": None}, answer), str)
    assert said == "0 of 14 rows differ. Without a plan: none."
    assert finding(beside({"none": None}, answer), str) == "None of these questions has a plan."
