"""The question turned round: what a limit allows, and that a little more would break it."""

from __future__ import annotations

import pytest

from planner.catalog import Catalog, load_catalog
from planner.errors import NoPlan, WorkloadError
from planner.report import inverse as told
from planner.schema import PlanResult, Workload
from planner.schema.inverse import Inverse
from planner.search import inverse
from planner.search.plan import plan
from planner.workloads import load_workload


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def workload() -> Workload:
    return load_workload("default", {"limits.accelerators": ["b200"], "limits.kv": ["bf16"]})


@pytest.fixture(scope="module")
def result(workload: Workload, catalog: Catalog) -> PlanResult:
    return plan(workload, catalog)


def told_without_gaps(found: Inverse, catalog: Catalog) -> None:
    text = told.sentence(found, catalog, str) + told.ends(found, str)
    assert "must hold 1.25 × its load" in text
    assert "{" not in text and "nan" not in text and found.plan.accelerator[:4].upper() in text


def test_a_budget_bounds_the_load(workload: Workload, catalog: Catalog, result: PlanResult) -> None:
    budget = 2.5 * result.plans[0].cost.usd_per_month
    found = inverse.most_load(workload, catalog, budget)
    assert found.value > found.before == workload.traffic.rate_per_s
    assert found.plan.cost.usd_per_month <= budget and found.plan.slo.met
    assert found.plan.sizing is not None and found.limit == "spend"
    told_without_gaps(found, catalog)
    again = plan(found.workload, catalog, 1, 1).plans[0]
    assert again.cost.usd_per_month <= budget
    assert plan(_rate(workload, found.value * 1.5), catalog, 1, 1).plans[0].cost.usd_per_month > budget


def _rate(workload: Workload, rate_per_s: float) -> Workload:
    return workload.model_copy(update={"traffic": workload.traffic.model_copy(update={"rate_per_s": rate_per_s})})


def test_accelerators_at_hand_bound_the_prompt(workload: Workload, catalog: Catalog, result: PlanResult) -> None:
    best = result.plans[0]
    found = inverse.longest_context(workload, catalog, best)
    assert found.value >= workload.traffic.input_tokens
    assert (found.plan.accelerator, found.plan.gpus_total) == (best.accelerator, best.gpus_total)
    assert found.workload.traffic.input_tokens == found.value
    told_without_gaps(found, catalog)
    longer = found.workload.traffic.model_copy(update={"input_tokens": round(found.value * 2)})
    try:
        more = plan(found.workload.model_copy(update={"traffic": longer}), catalog, 1, 1).plans[0].gpus_total
    except NoPlan:
        return
    assert more > best.gpus_total


def test_a_power_limit_bounds_accelerators_and_load(workload: Workload, catalog: Catalog) -> None:
    """By hand: 16 boards of 1,000 W and their hosts stay below what the limit allows."""
    found = inverse.most_in_power(workload, catalog, 60e3)
    board_w = catalog.accelerators[found.plan.accelerator].tdp_w
    pue = catalog.site(workload.site).pue
    host_w = catalog.parameter("host_power_w_per_gpu").value
    assert board_w is not None and pue is not None
    assert found.provisioned_w == pytest.approx(found.plan.gpus_total * (board_w + host_w) * pue)
    assert found.provisioned_w <= 60e3
    told_without_gaps(found, catalog)
    assert found.provisioned_w + 8 * (board_w + host_w) * pue > 60e3 or found.limit == "promise"


def test_a_budget_bounds_the_speed(workload: Workload, catalog: Catalog, result: PlanResult) -> None:
    budget = 2.5 * result.plans[0].cost.usd_per_month
    found = inverse.fastest(workload, catalog, budget)
    assert found.value < workload.slo.tpot_p99_s
    assert found.plan.slo.tpot_p99_s <= found.value and found.plan.cost.usd_per_month <= budget
    assert found.workload.slo.tpot_p99_s == found.value
    told_without_gaps(found, catalog)


def test_users_are_whole(catalog: Catalog) -> None:
    crowd = load_workload("2000-concurrent", {"limits.accelerators": ["h200"]})
    found = inverse.most_load(crowd, catalog, 40_000)
    assert found.field == "traffic.concurrency" and found.value == int(found.value) < 2000
    assert found.workload.traffic.concurrency == found.value


def test_nothing_within_the_limit_is_said(workload: Workload, catalog: Catalog) -> None:
    with pytest.raises(NoPlan, match=r"nothing serves deepseek-r1 within \$5\.00 a month"):
        inverse.most_load(workload, catalog, 5)
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(WorkloadError, match="above 0"):
            inverse.fastest(workload, catalog, bad)


def test_a_large_load_is_spelled_and_an_end_of_the_search_explained(workload: Workload, catalog: Catalog) -> None:
    found = inverse.most_load(workload, catalog, 60_000).model_copy(update={"value": 5000.0, "limit": "search"})
    assert "serve up to 5,000 requests/s" in told.sentence(found, catalog, str)
    assert told.ends(found, str).startswith("The search looks no further than this: more may be possible. Conf")
