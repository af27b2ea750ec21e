"""Expected regret of plans: never negative, nothing for a plan that wins every draw, the same every time."""

from __future__ import annotations

import pytest

from planner.catalog import load_catalog
from planner.search.plan import plan
from planner.search.regret import range_text, regrets, usual_ranges
from planner.search.uncertain import parse
from planner.workloads import load_workload


def test_regrets_of_plans() -> None:
    catalog = load_catalog()
    result = plan(load_workload("article", {"limits.accelerators": ["a100", "h200"]}), catalog)
    found = regrets(result, catalog)
    assert found.keys() == {p.rank for p in result.plans}
    assert min(found.values()) >= 0 and found == regrets(result, catalog)
    dearest = result.plans[-1]
    assert found[dearest.rank] > found[1]  # it costs many times as much in every draw
    assert found[dearest.rank] == pytest.approx(dearest.cost.usd_per_month, rel=1.0)


@pytest.mark.parametrize("preset", ["default", "2000-concurrent"])
def test_the_usual_ranges_can_be_drawn(preset: str) -> None:
    from planner.search.change import Question

    workload = load_workload(preset)
    question = Question(workload, load_catalog())
    names = [parse(question, range_text(f, *ends)).uncertain.name for f, ends in usual_ranges(workload).items()]
    assert names == list(usual_ranges(workload))
