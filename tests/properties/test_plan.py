"""What holds for any plan: it keeps its promise, its parts add up, and asking for less never costs more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from planner.catalog import load_catalog
from planner.errors import NoPlan, PlannerError
from planner.models.roofline import decode_bytes_per_gpu, token_flops_per_gpu
from planner.schema import Plan, PlanResult, SupplyUnit, Workload
from planner.search.columns import KV, WEIGHTS, Candidates, place
from planner.search.plan import plan
from planner.shapes import llm_shape
from planner.units import HOURS_PER_MONTH
from planner.workloads import load_workload

CATALOG = load_catalog()
LLMS = ["llama-3.1-8b", "gemma-3-27b", "qwen3-32b", "gpt-oss-120b", "qwen3-30b-a3b", "llama-3.1-70b", "deepseek-r1"]
SEARCH = {"suppress_health_check": [HealthCheck.filter_too_much, HealthCheck.too_slow]}
RENTED = [["on_demand"], ["commitment"], ["on_demand", "commitment", "spot"], ["spot"]]
ANY_SUPPLY = [*RENTED, ["own"], ["own", "on_demand", "commitment", "spot"]]
CENT = 0.02  # costs are compared in whole cents


@st.composite
def workloads(draw: Callable[..., Any], supply: list[list[str]] = ANY_SUPPLY) -> dict[str, Any]:
    """A question about a few accelerators, some of which may not serve it."""
    accelerators = st.lists(st.sampled_from(list(CATALOG.accelerators)), min_size=1, max_size=4, unique=True)
    load = draw(
        st.one_of(
            st.builds(dict, rate_per_s=powers(-2, 2.5)),
            st.builds(dict, concurrency=st.sampled_from([1, 7, 100, 3000])),
        )
    )
    traffic = load | {
        "input_tokens": int(draw(powers(0, 4))),
        "output_tokens": int(draw(powers(0, 3.5))),
        "prefix_hit_rate": draw(st.sampled_from([0.0, 0.5, 0.9])),
        "burst_factor": draw(st.sampled_from([None, 1.0, 5.0])),
        "input_cv": draw(st.sampled_from([None, 0.0, 2.0])),
    }
    slo = {
        "ttft_p99_s": draw(powers(-0.5, 1.5)),
        "tpot_p99_s": draw(powers(-2, -0.5)),
        "e2e_p99_s": draw(st.sampled_from([None, None, 120.0, 600.0])),
        "availability": draw(st.sampled_from([0.5, 0.9, 0.999])),
    }
    limits = {"accelerators": draw(accelerators), "max_gpus_per_replica": draw(st.sampled_from([1, 8, 16]))}
    return {
        "llm": draw(st.sampled_from(LLMS)),
        "traffic": traffic,
        "slo": slo,
        "limits": limits,
        "supply": {"options": draw(st.sampled_from(supply))},
    }


def powers(low: float, high: float) -> st.SearchStrategy[float]:
    """10^low to 10^high."""
    return st.floats(low, high).map(lambda exponent: 10**exponent)


def answer(asked: dict[str, Any], confirmed: int = 0) -> PlanResult:
    """The plans of closed forms, which obey these laws exactly; a question without an answer is no example.

    Simulations add what a finite trace adds: a little more load can spread a little better.
    """
    try:
        return plan(Workload.model_validate(asked), CATALOG, 50, confirmed)
    except PlannerError:
        assume(False)
        raise


def changed(asked: dict[str, Any], part: str, **fields: object) -> dict[str, Any]:
    return asked | {part: asked[part] | fields}


def cheapest(result: PlanResult) -> float:
    return result.plans[0].cost.usd_per_month


def cost_at_most(asked: dict[str, Any], usd_per_month: float) -> bool:
    """Has the question a plan, at no higher cost?"""
    try:
        return cheapest(plan(Workload.model_validate(asked), CATALOG, 1, 0)) <= usd_per_month + CENT
    except NoPlan:
        return False


@settings(max_examples=60, **SEARCH)
@given(asked=workloads())
def test_every_plan_is_consistent(asked: dict[str, Any]) -> None:
    result = answer(asked)
    costs = [found.cost.usd_per_month for found in result.plans]
    assert costs == sorted(costs) or np.diff(costs).min() > -CENT
    assert [found.rank for found in result.plans] == list(range(1, len(costs) + 1))
    assert_finite(result.model_dump())
    for found in result.plans:
        assert_promise_is_kept(found, result.workload)
        assert_parts_add_up(found, result.workload)
        assert_memory_holds(found)
        assert_physical(found, result.workload)


def assert_finite(value: object) -> None:
    """No infinity and no not-a-number anywhere: JSON has neither."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            assert_finite(one)
    assert not isinstance(value, float) or np.isfinite(value)


def assert_promise_is_kept(found: Plan, asked: Workload) -> None:
    slo, got = asked.slo, found.slo
    assert got.met
    assert found.serving.ttft_s <= got.ttft_p99_s <= slo.ttft_p99_s
    assert found.serving.tpot_s <= got.tpot_p99_s * (1 + 1e-9)
    assert got.tpot_p99_s <= slo.tpot_p99_s or asked.traffic.output_tokens == 1  # has no time per further token
    assert slo.availability <= found.availability <= 1
    if slo.e2e_p99_s is not None:
        assert got.ttft_p99_s + asked.traffic.output_tokens * got.tpot_p99_s <= slo.e2e_p99_s
    assert found.serving.utilisation <= 1


def assert_parts_add_up(found: Plan, asked: Workload) -> None:
    layout, cost = found.layout, found.cost
    assert found.gpus_per_replica == layout.tp * layout.dp * layout.pp <= asked.limits.max_gpus_per_replica
    assert found.gpus_total == found.gpus_per_replica * (found.replicas + found.spares)
    assert sum(cost.parts_usd_per_month.values()) == pytest.approx(cost.usd_per_month)
    assert len(found.supply) == 1 and found.supply[0].option in asked.supply.options
    unit = found.supply[0]
    fixed = sum(v for k, v in cost.parts_usd_per_month.items() if k not in ("energy", "colocation"))
    assert unit.units * unit.usd_per_hour * HOURS_PER_MONTH == pytest.approx(fixed)
    assert_units_hold(found, unit)
    tokens = found.serving.output_tokens_per_s * found.replicas * HOURS_PER_MONTH * 3600
    assert cost.usd_per_million_output_tokens == pytest.approx(cost.usd_per_month / tokens * 1e6)


def assert_units_hold(found: Plan, unit: SupplyUnit) -> None:
    """Whole replicas in one unit each, or several whole units for a replica."""
    size, replicas = unit_size(found, unit), found.replicas + found.spares
    assert unit.units * size >= found.gpus_total
    if found.gpus_per_replica <= size:
        assert unit.units * (size // found.gpus_per_replica) >= replicas
    else:
        assert unit.units % replicas == 0
    assert (unit.units - 1) * size < max(found.gpus_total, replicas * size)  # and no idle unit


def unit_size(found: Plan, unit: SupplyUnit) -> int:
    """Accelerators in one unit."""
    if unit.option == "own":
        return CATALOG.accelerators[found.accelerator].server_accelerators
    sizes = {
        int(row.accelerators)
        for row in CATALOG.instances
        if (row.provider, row.instance_type) == (unit.provider, unit.instance_type) and row.accelerators
    }
    assert len(sizes) == 1, unit
    return sizes.pop()


def assert_memory_holds(found: Plan) -> None:
    memory, running = found.memory, found.serving.running_sequences
    filled = memory.weights_bytes_per_gpu + memory.activation_bytes_per_gpu + memory.reserve_bytes_per_gpu
    assert filled + memory.kv_room_bytes_per_gpu <= memory.usable_bytes_per_gpu * (1 + 1e-9)
    assert memory.usable_bytes_per_gpu <= memory.memory_bytes_per_gpu
    assert memory.fits
    assert running <= memory.max_sequences * (1 + 1e-9)
    ranks = found.layout.dp
    held = running / ranks * memory.kv_bytes_per_sequence * memory.kv_bytes_per_token_per_gpu
    assert held / memory.kv_bytes_per_token <= memory.kv_room_bytes_per_gpu * (1 + 1e-9)


def assert_physical(found: Plan, asked: Workload) -> None:
    """No token faster than its bytes can be read, no more arithmetic than the peak."""
    shape, one, layout = llm_shape(found.llm, CATALOG.llms[found.llm]), np.ones(1, np.int64), found.layout
    kinds = one * WEIGHTS.index(layout.weights), one * KV.index(layout.kv)
    sizes = [one * size for size in (layout.tp, layout.dp, layout.pp, layout.ep)]
    columns = Candidates((found.accelerator,), (found.engine,), one - 1, one - 1, *kinds, *sizes)
    placed, traffic = place(CATALOG, shape, CATALOG.llms[found.llm], columns), asked.traffic
    running = np.array([max(found.serving.running_sequences, 1.0)])  # a step has at least one sequence
    context = np.array([traffic.input_tokens + traffic.output_tokens / 2])
    read = float(decode_bytes_per_gpu(shape, placed, running, context)[0])
    assert found.serving.tpot_s * float(placed.bandwidth_bytes_per_s[0]) >= read * (1 - 1e-9)
    new = max(traffic.input_tokens * (1 - traffic.prefix_hit_rate), 1.0)
    flops = float(token_flops_per_gpu(shape, placed, np.zeros(1))[0]) * (traffic.output_tokens + new)
    assert found.serving.requests_per_s * flops <= float(placed.ffn_flops_per_s[0])
    assert found.serving.output_tokens_per_s_per_gpu * found.gpus_per_replica == pytest.approx(
        found.serving.requests_per_s * traffic.output_tokens
    )


@settings(max_examples=40, **SEARCH)
@given(asked=workloads())
def test_the_fleet_serves_what_was_asked(asked: dict[str, Any]) -> None:
    result = answer(asked)
    traffic = result.workload.traffic
    for found in result.plans:
        if traffic.rate_per_s is not None:
            served, wanted = found.serving.requests_per_s * found.replicas, traffic.rate_per_s
        else:
            served, wanted = found.serving.running_sequences * found.replicas, float(traffic.concurrency or 0)
        assert served == pytest.approx(wanted, rel=0.01)


def test_a_small_load_is_not_overstated() -> None:
    changes = {"llm": "qwen3-30b-a3b", "limits.weights": ["bf16"], "limits.accelerators": ["b200-sxm-180gb"]}
    changes |= {"traffic.rate_per_s": 0.01, "traffic.input_tokens": 10, "traffic.output_tokens": 2}
    found = plan(load_workload("default", changes), CATALOG).plans[0]
    assert found.serving.requests_per_s * found.replicas == pytest.approx(0.01, rel=0.01)


def test_a_quiet_service_with_short_answers_has_a_plan() -> None:
    # Eight H200 read 16,000 tokens in 0.7 s; once in 100 s leaves them idle. A mean of one running sequence, the
    # lightest load that the search looks at, would be hundreds of such prompts at once.
    changes = {"limits.accelerators": ["h200-sxm-141gb"], "slo.ttft_p99_s": 8.0, "traffic.rate_per_s": 0.01}
    changes |= {"traffic.input_tokens": 16_000, "traffic.output_tokens": 4}
    assert plan(load_workload("default", changes), CATALOG).plans[0].slo.met


@settings(max_examples=30, **SEARCH)
@given(asked=workloads(RENTED), factor=st.sampled_from([1.1, 2.0, 10.0]))
def test_more_traffic_is_never_cheaper(asked: dict[str, Any], factor: float) -> None:
    traffic = asked["traffic"]
    field = "rate_per_s" if "rate_per_s" in traffic else "concurrency"
    less, more = answer(asked), traffic[field] * factor
    busier = answer(changed(asked, "traffic", **{field: more if field == "rate_per_s" else int(np.ceil(more))}))
    assert cheapest(busier) >= cheapest(less) - CENT


@settings(max_examples=40, **SEARCH)
@given(
    asked=workloads(RENTED),
    field=st.sampled_from(["ttft_p99_s", "tpot_p99_s", "e2e_p99_s", "availability"]),
    factor=st.sampled_from([1.1, 3.0]),
)
def test_a_laxer_promise_is_never_dearer(asked: dict[str, Any], field: str, factor: float) -> None:
    usd, value = cheapest(answer(asked)), asked["slo"][field]
    laxer = 1 - (1 - value) * factor if field == "availability" else value and value * factor
    assume(field != "availability" or laxer > 0)
    assume(field != "ttft_p99_s" or laxer < (asked["slo"]["e2e_p99_s"] or 1e9))
    assert cost_at_most(changed(asked, "slo", **{field: laxer}), usd)


@settings(max_examples=30, **SEARCH)
@given(asked=workloads(RENTED), kept=st.sampled_from([0.9, 0.1]))
def test_more_prefix_hits_are_never_dearer(asked: dict[str, Any], kept: float) -> None:
    hits = 1 - (1 - asked["traffic"]["prefix_hit_rate"]) * kept
    assert cost_at_most(changed(asked, "traffic", prefix_hit_rate=hits), cheapest(answer(asked)))


@settings(max_examples=30, **SEARCH)
@given(asked=workloads(RENTED), other=st.sampled_from(list(CATALOG.accelerators)))
def test_more_choice_is_never_dearer(asked: dict[str, Any], other: str) -> None:
    usd, limits = cheapest(answer(asked)), asked["limits"]
    wider = {"accelerators": [*limits["accelerators"], other], "max_gpus_per_replica": 32}
    assert cost_at_most(changed(asked, "limits", **wider), usd)


@settings(max_examples=20, **SEARCH)
@given(asked=workloads([["own"]]), field=st.sampled_from(["ttft_p99_s", "tpot_p99_s"]))
def test_owned_servers_gain_from_a_laxer_promise_but_for_energy(asked: dict[str, Any], field: str) -> None:
    """Fewer replicas in the same servers run hotter, so that energy, not what is bought, may rise a little."""
    usd, value = cheapest(answer(asked)), asked["slo"][field]
    assume(field != "ttft_p99_s" or 2 * value < (asked["slo"]["e2e_p99_s"] or 1e9))
    assert cost_at_most(changed(asked, "slo", **{field: 2 * value}), 1.01 * usd)


@settings(max_examples=10, **SEARCH)
@given(asked=workloads())
def test_the_same_question_has_the_same_answer(asked: dict[str, Any]) -> None:
    first, second = answer(asked, confirmed=3), answer(asked, confirmed=3)
    assert first.model_dump_json(exclude={"wall_s"}) == second.model_dump_json(exclude={"wall_s"})


@pytest.mark.parametrize("llm", LLMS)
def test_slower_twins_are_never_cheaper_hardware(llm: str) -> None:
    """At one price, the accelerator that is better in everything never needs more of them."""
    prices = {"h100-sxm-80gb": 2.0, "h200-sxm-141gb": 2.0}
    total = {}
    for id in prices:
        changes = {"llm": llm, "limits.accelerators": [id], "limits.weights": [], "supply.options": ["on_demand"]}
        total[id] = cheapest(plan(load_workload("default", changes | {"prices": prices}), CATALOG, 1, 0))
    assert total["h200-sxm-141gb"] <= total["h100-sxm-80gb"] + CENT
