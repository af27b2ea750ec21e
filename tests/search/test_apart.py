"""A plan in two pools keeps its promise in simulation, costs what its servers cost, and deploys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.catalog import Catalog
from planner.errors import PlannerError
from planner.schema import Plan, PlanResult
from planner.search.apart import two_pools
from planner.search.plan import plan
from planner.workloads import load_workload

H200 = {"limits.max_gpus_per_replica": 8, "limits.accelerators": ["h200"], "limits.engines": ["vllm"]}


@pytest.fixture(scope="module")
def answer(catalog: Catalog) -> PlanResult:
    changes = {**H200, "traffic.rate_per_s": 2.0, "slo.availability": 0.9}
    return plan(load_workload("default", changes), catalog, most=1)


@pytest.fixture(scope="module")
def apart(answer: PlanResult, catalog: Catalog) -> Plan:
    return two_pools(answer, 1, catalog, (1, 1)).plans[0]


def test_sixteen_accelerators(answer: PlanResult, apart: Plan) -> None:
    """Two servers in place of the plan's, at the plan's price for each; one group holds 2 requests/s."""
    one = answer.plans[0]
    assert (apart.gpus_per_replica, apart.nodes_per_replica, apart.replicas, apart.spares) == (16, 2, 1, 0)
    assert [(p.role, p.replicas, p.gpus_per_replica) for p in apart.pools] == [("prefill", 1, 8), ("decode", 1, 8)]
    assert apart.supply[0].units == 2 and apart.gpus_total == 16
    each = one.cost.usd_per_month / one.supply[0].units
    assert apart.cost.usd_per_month == pytest.approx(2 * each)
    assert apart.cost.npv_usd == pytest.approx(2 * one.cost.npv_usd / one.supply[0].units)
    tokens_per_month = 2.0 * answer.workload.traffic.output_tokens * 730.5 * 3600  # 365.25 days
    assert apart.cost.usd_per_million_output_tokens == pytest.approx(2 * each / tokens_per_month * 1e6)


def test_the_promise_is_kept_as_simulated(answer: PlanResult, apart: Plan, catalog: Catalog) -> None:
    slo, sizing = answer.workload.slo, apart.sizing
    assert sizing is not None and sizing.margin >= 1 / catalog.parameter("headroom").value
    assert sizing.ttft_s.p99 <= slo.ttft_p99_s and sizing.tpot_s is not None and sizing.tpot_s.p99 <= slo.tpot_p99_s
    assert apart.serving.requests_per_s == pytest.approx(2.0, rel=0.05)
    assert apart.serving.utilisation == pytest.approx(1 / sizing.margin)
    # Closed forms and simulation know the same means: no prompt disturbs the decode pool.
    assert sizing.tpot_s.p50 == pytest.approx(apart.serving.tpot_s, rel=0.25)


def test_more_requests_need_more_groups(answer: PlanResult, catalog: Catalog, apart: Plan) -> None:
    traffic = answer.workload.traffic.model_copy(update={"rate_per_s": 16.0})
    more = answer.model_copy(update={"workload": answer.workload.model_copy(update={"traffic": traffic})})
    found = two_pools(more, 1, catalog, (1, 1)).plans[0]
    assert apart.sizing is not None
    assert found.replicas >= 16 / (2 * apart.sizing.margin) > 1
    assert found.gpus_total == 16 * (found.replicas + found.spares)
    wider = two_pools(more, 1, catalog, (1, 3)).plans[0]
    assert wider.replicas < found.replicas and len(wider.pools) == 2


def test_what_two_pools_cannot_do(answer: PlanResult, catalog: Catalog) -> None:
    for engines in ((0, 1), (1, 0)):
        with pytest.raises(PlannerError, match="such as 1:1"):
            two_pools(answer, 1, catalog, engines)
    first = answer.plans[0]
    other = answer.model_copy(update={"plans": (first.model_copy(update={"engine": "tensorrt-llm"}),)})
    with pytest.raises(PlannerError, match="TensorRT-LLM"):
        two_pools(other, 1, catalog, (1, 1))
    users = answer.workload.traffic.model_copy(update={"rate_per_s": None, "concurrency": 8})
    closed = answer.model_copy(update={"workload": answer.workload.model_copy(update={"traffic": users})})
    with pytest.raises(PlannerError, match="Give --rate"):
        two_pools(closed, 1, catalog, (1, 1))
    dearer = first.supply[0].model_copy(update={"usd_per_hour": 1.23})
    old = answer.model_copy(update={"plans": (first.model_copy(update={"supply": (dearer,)}),)})
    with pytest.raises(PlannerError, match="plan again"):
        two_pools(old, 1, catalog, (1, 1))
    hasty = answer.workload.slo.model_copy(update={"ttft_p99_s": 0.05})
    broken = answer.model_copy(update={"workload": answer.workload.model_copy(update={"slo": hasty})})
    with pytest.raises(PlannerError, match="break the promise: ttft"):
        two_pools(broken, 1, catalog, (1, 1))


def test_from_the_command_line(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    asked = ("default", "--accelerator", "h200", "--engine", "vllm", "--max-gpus", "8", "--rate", "2")
    asked = (*asked, "--availability", "0.9", "--pools")
    found = run_cli("plan", *asked, "1:1", "--json")
    kept = PlanResult.model_validate_json(found.stdout)
    assert kept.plans[0].layout.mode == "disaggregated"
    found = run_cli("export", *asked, "1:1", "--out", str(tmp_path / "out"))
    assert found.exit_code == 0 and "8 prefill and 8 decode" in found.stdout, found.stderr
    assert (tmp_path / "out" / "k8s" / "base" / "router.yaml").exists()
    for wrong in ("1", "a:b", "1:-1", "0:1"):
        found = run_cli("export", *asked, wrong, "--out", str(tmp_path / "never"))
        assert found.exit_code == 1 and "such as 1:1" in found.stderr
    assert not (tmp_path / "never").exists()
