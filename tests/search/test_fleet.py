"""Sections of a simulation about fleets over time, on a plan of the chat preset."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.errors import MissingFact, NoSpotPrice, UnknownName, WorkloadError
from planner.models.traffic import RateProfile, Trace
from planner.schema import (
    Autoscaled,
    AutoscaleOptions,
    FailureOptions,
    FleetOptions,
    Plan,
    SpotOptions,
    SurgeOptions,
    Workload,
)
from planner.search import spot, spot_fleet
from planner.search.failing import fail, parts_of
from planner.search.fleet import Subject, autoscale, peak_replicas, rates_of
from planner.search.plan import plan as run_plan
from planner.search.replay import Server, server_of
from planner.search.sections import sections_of
from planner.search.service import service_of
from planner.search.spot_fleet import family_of, live_on_spot
from planner.search.surging import let_surge, pool_of, surged
from planner.traces import load_trace
from planner.workloads import load_workload

REQUESTS = 2000
# Step times of one fit, kept: what a fleet does hangs on how many replicas its rate takes.
FROZEN = {
    ("gemm_memory_efficiency", "fp8"): 0.788,
    ("gemm_compute_efficiency", "fp8"): 0.706,
    ("moe_memory_efficiency", "fp8-block"): 0.654,
    ("moe_compute_efficiency", "fp8-block"): 0.161,
    ("moe_extra_rows", ""): 6.72,
    ("latent_kv_factor", ""): 0.672,
    ("kv_memory_efficiency", ""): 0.789,
    ("host_layer_s", ""): 3.74e-5,
    ("host_moe_layer_s", ""): 4.5e-5,
    ("host_step_s", ""): 3.09e-4,
    ("host_sequence_s", ""): 7.96e-6,
    ("host_engine_factor", "vllm"): 1.0,
    ("host_weights_factor", "fp8"): 1.0,
    ("prompt_layer_s", ""): 1e-6,
    ("prompt_moe_layer_s", ""): 1e-6,
    ("prompt_latent_layer_s", ""): 1e-6,
}
NARROW = {"limits.accelerators": ["h200-sxm-141gb"], "limits.engines": ["vllm"], "limits.max_gpus_per_replica": 8}


class Case:
    """A plan with its simulated replica, made once: seconds."""

    def __init__(self, catalog: Catalog) -> None:
        self.workload: Workload = load_workload("chat", NARROW)
        self.plan: Plan = run_plan(self.workload, catalog, 1).plans[0]
        whole = load_trace("azure-conv", catalog)
        part = whole.window(0.0, float(whole.arrivals_s[REQUESTS]))
        assert self.workload.traffic.rate_per_s is not None
        self.trace: Trace = part.at_rate(self.workload.traffic.rate_per_s)
        self.server: Server = server_of(self.plan, catalog, self.trace, self.workload.traffic.prefix_hit_rate)
        self.subject = Subject(
            self.plan,
            service_of(self.server, self.trace, self.workload.slo),
            self.trace.rate_per_s,
            self.workload.slo.ttft_p99_s,
            0.8,
            self.workload.slo.availability,
        )


@pytest.fixture(scope="module")
def case(catalog: Catalog) -> Case:
    return Case(catalog.calibrated(FROZEN))


@pytest.fixture(scope="module")
def day(case: Case, catalog: Catalog) -> Autoscaled:
    return autoscale(case.subject, catalog, AutoscaleOptions())


def test_a_replica_gets_slower_with_its_rate(case: Case) -> None:
    service = case.subject.service
    assert (np.diff(service.ttft_p99_s[:-1]) > -1e-3).all()
    assert (np.diff(service.e2e_s) > 0).all()
    assert service.attained[0] == 1
    assert float(service.at(service.attained, service.holds_per_s)) == pytest.approx(0.99, abs=0.01)
    assert service.takes_per_s > service.holds_per_s


def test_rates_keep_their_shape_and_get_the_mean() -> None:
    rate, step_s = rates_of(RateProfile("two", 600.0, np.array([1.0, 3.0])), 8.0)
    assert step_s == 5.0
    assert len(rate) == 240
    assert rate.mean() == pytest.approx(8.0)
    assert rate[0] / rate[-1] == pytest.approx(1 / 3)
    with pytest.raises(WorkloadError, match="no requests"):
        rates_of(RateProfile("none", 600.0, np.zeros(3)), 8.0)


def test_a_day_under_every_rule(day: Autoscaled, case: Case) -> None:
    found = {policy.rule: policy for policy in day.policies}
    assert found["fixed"].gpu_hours_ratio == pytest.approx(1)
    assert found["fixed"].attained_by_requests > 0.999
    assert found["fixed"].gpu_hours == pytest.approx(24 * 8 * peak_replicas(case.subject, day.peak_rate_per_s))
    for rule in ("hpa", "knative", "forecast"):
        assert found[rule].gpu_hours_ratio < 0.7
        assert found[rule].idle_share < found["fixed"].idle_share
        assert found[rule].attained_by_requests > 0.95
        assert found[rule].ups > 3
    # The promise on tokens breaks long before a request has to wait, so that a rule on those sees nothing.
    assert found["keda"].attained_by_requests < 0.9
    assert day.mean_rate_per_s == pytest.approx(case.subject.rate_per_s)
    assert day.start.seconds == pytest.approx(
        day.start.node_s + day.start.image_s + day.start.load_s + day.start.engine_s
    )


def test_series_tell_the_same_as_the_policies(day: Autoscaled) -> None:
    for policy, series in zip(day.policies, day.series, strict=True):
        assert len(series.time_s) == 288
        hours = (np.mean(series.ready) + np.mean(series.starting)) * 24 * day.gpus_per_replica
        assert hours == pytest.approx(policy.gpu_hours, rel=0.02)  # the rest drains
        assert np.average(series.attained, weights=series.rate_per_s) == pytest.approx(
            policy.attained_by_requests, abs=0.002
        )
        assert np.mean(series.rate_per_s) == pytest.approx(day.mean_rate_per_s)


def test_a_quicker_start_keeps_more_of_the_promise(case: Case, catalog: Catalog) -> None:
    options = [AutoscaleOptions(rules=("hpa",), start_s=seconds) for seconds in (1800.0, 30.0)]
    slow, quick = (autoscale(case.subject, catalog, one).policies[0] for one in options)
    assert quick.attained_by_requests >= slow.attained_by_requests


def test_storage_decides_the_start(case: Case, catalog: Catalog) -> None:
    options = AutoscaleOptions(rules=("fixed",), storage="object", loader="safetensors", warm_nodes=True)
    start = autoscale(case.subject, catalog, options).start
    assert start.bound == "loader"
    assert start.node_s == start.image_s == 0


def test_failures_of_a_plan(case: Case, catalog: Catalog) -> None:
    parts = parts_of(catalog, 8)
    # Together they fail as often as the report says: one per 50,700 accelerator-hours.
    assert 1 / (1 / parts.accelerator_hours + 1 / (8 * parts.node_hours)) == pytest.approx(50_700)
    one = fail(case.subject, catalog, FailureOptions(repair_hours=24.0))
    assert one.replica_availability == pytest.approx(1 / (1 + 8 * 24 / 50_700))
    assert one.chance == pytest.approx(one.replica_availability**2)
    assert not one.met
    assert one.spares_needed == 1
    assert one.outages_per_year * one.outage_hours / 8766 == pytest.approx(1 - one.chance)
    assert one.by_requests_unfailing >= one.by_requests
    worse = fail(case.subject, catalog, FailureOptions(repair_hours=24.0, rack_mtbf_hours=1000.0))
    assert worse.chance < one.chance
    waiting = fail(case.subject, catalog, FailureOptions(repair_hours=24.0, repairs_at_once=1))
    assert waiting.chance < one.chance


def test_spot_of_a_plan(case: Case, catalog: Catalog) -> None:
    found = live_on_spot(case.subject, case.server, case.trace, catalog, SpotOptions(days=10), 400.0)
    assert found.firm_base == found.needed == case.plan.replicas
    assert found.mixes[-1].ready == 1
    assert found.mixes[-1].cost_ratio == 1
    for mix in found.mixes[:-1]:
        assert mix.ready < 0.999
        assert mix.ready_alone < mix.ready
        assert mix.cost_ratio < 1
    family = family_of(catalog, "h200-sxm-141gb")
    assert family is not None
    assert family.name == "p5e" or family.name == "p5en"
    assert found.price_ratio == family.price_ratio
    assert found.recomputed_share < 0.05  # answers are shorter than the notice
    again = live_on_spot(case.subject, case.server, case.trace, catalog, SpotOptions(days=10), 400.0)
    assert again == found


def test_the_cheapest_mix_that_reaches_the_target(case: Case, catalog: Catalog) -> None:
    """Gaps are filled on demand after a start, so that fewer must be firm for a target that allows for those."""
    subject = replace(case.subject, plan=case.plan.model_copy(update={"replicas": 6}))
    options = SpotOptions(days=10)
    strict, loose = (
        live_on_spot(replace(subject, target=target), case.server, case.trace, catalog, options, 400.0).reaching
        for target in (0.999, 0.9)
    )
    assert strict.ready >= 0.999 and loose.ready >= 0.9
    assert loose.base < strict.base <= 6 and loose.cost_ratio < strict.cost_ratio <= 1


def test_a_day_on_spot(case: Case, catalog: Catalog) -> None:
    """Zones vanish together within the day: cheaper than on demand, and the promise is broken for longer."""
    firm = autoscale(case.subject, catalog, AutoscaleOptions(rules=("fixed",)))
    asked = AutoscaleOptions(rules=("fixed",), spot_base=0)
    days = [autoscale(case.subject, catalog, asked, seed) for seed in range(4)]
    assert firm.spot is None and firm.policies[0].cost_ratio is None
    assert len({day.spot.available for day in days if day.spot}) == 4
    for day in days:
        policy = day.policies[0]
        assert day.spot is not None and day.spot.zones == 3
        assert policy.spot_gpu_hours > 0.5 * policy.gpu_hours
        assert policy.cost_ratio is not None and policy.cost_ratio < policy.gpu_hours_ratio
        assert policy.attained_by_requests <= firm.policies[0].attained_by_requests
        assert sum(day.series[0].lost) == policy.lost
    assert sum(day.policies[0].lost for day in days) > 0
    assert min(day.policies[0].attained_by_requests for day in days) < firm.policies[0].attained_by_requests
    base = autoscale(case.subject, catalog, AutoscaleOptions(rules=("fixed",), spot_base=1000)).policies[0]
    assert base.cost_ratio == pytest.approx(1) and base.attained_by_requests == firm.policies[0].attained_by_requests
    assert days[0] == autoscale(case.subject, catalog, asked)


def test_the_catalogs_prices_stand_in_for_the_advisor(catalog: Catalog) -> None:
    """Of B200 the advisor says nothing; a cloud sells it both ways."""
    ratio, source = spot.price_ratio(catalog, "b200-sxm-180gb", None, "spot.price_ratio")
    cheapest: dict[tuple[str, str], float] = {}
    for price, count in catalog.rented["b200-sxm-180gb"]:
        key = (price.provider, price.term)
        cheapest[key] = min(cheapest.get(key, math.inf), price.price_usd_per_hour / count)
    provider, spot_usd = min(
        ((p, usd) for (p, term), usd in cheapest.items() if term == "spot"), key=lambda one: one[1]
    )
    assert ratio == pytest.approx(spot_usd / cheapest[provider, "on_demand"])
    assert source.count(provider) >= 2 and "2026-07-20" in source
    with pytest.raises(NoSpotPrice, match=r"gb200.*spot\.price_ratio"):
        spot.price_ratio(catalog, "gb200-192gb", None, "spot.price_ratio")


def test_without_a_price_ratio_spot_is_refused(case: Case, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (spot, spot_fleet):
        monkeypatch.setattr(module, "family_of", lambda *_: None)
    monkeypatch.setattr(spot, "_priced", lambda *_: None)
    with pytest.raises(MissingFact, match=r"spot\.price_ratio"):
        live_on_spot(case.subject, case.server, case.trace, catalog, SpotOptions(), 400.0)
    given = SpotOptions(price_ratio=0.4, days=5)
    assert live_on_spot(case.subject, case.server, case.trace, catalog, given, 400.0).price_ratio == 0.4


def test_bursts_stay_in_a_surge(case: Case) -> None:
    times = surged(case.trace, 5.0, 3.0, 100.0, 50.0, 300.0)
    assert (np.diff(times) >= 0).all()
    assert len(times) == pytest.approx(5 * 100 + 15 * 50 + 5 * 150, rel=0.15)
    inside = ((times >= 100) & (times < 150)).sum()
    assert inside / 50 > 2 * (times < 100).sum() / 100


def test_surge_of_a_plan(case: Case) -> None:
    found = let_surge(
        case.subject, case.plan.replicas, case.trace, SurgeOptions(factor=12.0, surge_s=60.0, after_s=120.0)
    )
    cases = {one.protection: one for one in found.cases}
    for one in found.cases:
        assert one.attained + one.late + one.degraded + one.failed == pytest.approx(1)
    assert cases["none"].wasted_share > cases["limit"].wasted_share
    assert cases["limit"].attained > cases["none"].attained
    assert cases["breaker"].degraded > 0 == cases["limit"].degraded
    assert cases["breaker"].failed < cases["limit"].failed
    pool = pool_of(case.subject, 2)
    assert pool.places == pytest.approx(2 * case.subject.service.takes_per_s * case.subject.service.e2e_s[-1], abs=1)
    with pytest.raises(WorkloadError, match="at most"):
        let_surge(replace(case.subject, rate_per_s=1e5), 2, case.trace, SurgeOptions())


def test_only_what_was_asked_for(case: Case, catalog: Catalog) -> None:
    arguments = (case.workload, catalog, case.plan, 2, case.server, case.trace)
    assert not any(dict(sections_of(FleetOptions(), *arguments)).values())
    some = sections_of(FleetOptions(failures=FailureOptions()), *arguments)
    assert some.failures is not None
    assert some.autoscale is some.spot is some.surge is None


def test_impossible_fleets_are_refused(case: Case, catalog: Catalog) -> None:
    with pytest.raises(UnknownName, match="servegen"):
        autoscale(case.subject, catalog, AutoscaleOptions(profile="servegen-r1-dya"))
    with pytest.raises(WorkloadError, match="at most 2 replicas"):
        autoscale(case.subject, catalog, AutoscaleOptions(least=3, most=2))
    with pytest.raises(WorkloadError, match="even alone"):
        service_of(case.server, case.trace, case.workload.slo.model_copy(update={"ttft_p99_s": 1e-3}))
