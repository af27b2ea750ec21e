"""Promises that could be kept in place of one that cannot."""

from __future__ import annotations

import pytest

from planner.catalog import Catalog
from planner.errors import NoPlan
from planner.search.easing import FIGURES, STEP, eased
from planner.search.plan import plan
from planner.workloads import load_workload


def test_the_tightest_promise_that_can_be_kept(catalog: Catalog) -> None:
    """A step tighter and nothing serves; each further offer is looser and costs less."""
    asked = load_workload("default", {"slo.tpot_p99_s": 0.001})
    found = eased(asked, catalog)
    assert 1 < len(found) <= 3 and all(one.figures.keys() == {"tpot_p99_s"} for one in found)
    for one in found:
        assert one.plan.slo.tpot_p99_s <= one.figures["tpot_p99_s"] == one.workload.slo.tpot_p99_s
        assert one.workload.traffic == asked.traffic and one.workload.slo.ttft_p99_s == asked.slo.ttft_p99_s
        assert one.plan == plan(one.workload, catalog, 1).plans[0]
    times, costs = [one.figures["tpot_p99_s"] for one in found], [one.plan.cost.usd_per_month for one in found]
    assert times == sorted(times) and costs == sorted(costs, reverse=True)
    tighter = load_workload("default", {"slo.tpot_p99_s": found[0].figures["tpot_p99_s"] / STEP**1.5})
    with pytest.raises(NoPlan):
        plan(tighter, catalog, 1)


def test_both_are_eased_where_neither_alone_helps(catalog: Catalog) -> None:
    asked = load_workload("default", {"slo.tpot_p99_s": 0.005, "slo.ttft_p99_s": 0.2})
    found = eased(asked, catalog)
    assert found and all(one.figures.keys() == {"ttft_p99_s", "tpot_p99_s"} for one in found)
    for one in found:
        assert one.plan.slo.met and all(one.figures[name] > getattr(asked.slo, name) for name in one.figures)


def test_an_answer_never_ends_before_it_begins(catalog: Catalog) -> None:
    """With a promise for the whole answer the first token cannot be eased beyond it."""
    found = eased(load_workload("default", {"slo.e2e_p99_s": 3.0}), catalog)
    assert found and {name for one in found for name in one.figures} <= set(FIGURES)
    for one in found:
        assert one.workload.slo.e2e_p99_s and one.workload.slo.e2e_p99_s > one.workload.slo.ttft_p99_s


def test_nothing_where_memory_is_what_lacks(catalog: Catalog) -> None:
    limits = {"limits.accelerators": ["rtx-4090"], "limits.max_gpus_per_replica": 1, "prices": {"rtx-4090": 1.0}}
    assert eased(load_workload("default", limits), catalog) == ()
