"""The supply mix of a plan: sums, limits, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.errors import MissingFact, PlannerError, UnknownName, WorkloadError
from planner.search.load_curve import load_curve
from planner.search.mix import Curve, mix, replicas_over
from planner.search.plan import plan
from planner.workloads import load_workload

SMALL = {
    "limits.accelerators": ["h200"],
    "limits.engines": ["vllm"],
    "limits.max_gpus_per_replica": 8,
    "traffic.rate_per_s": 30,
}
DAY = Curve("day", np.array([0.2] * 8 + [1.2] * 8 + [1.6] * 8))


def test_parts_sum_to_the_whole(catalog: Catalog) -> None:
    found = mix(load_workload("default", SMALL), catalog, DAY)
    parts = sum(line.fixed_usd_per_year + line.variable_usd_per_year for line in found.lines)
    assert parts == pytest.approx(found.usd_per_year, rel=1e-6)
    assert sum(line.served_share for line in found.lines) >= 0.999
    assert found.usd_per_month * 12 == pytest.approx(found.usd_per_year)


def test_the_mix_is_never_dearer_than_one_way_alone(catalog: Catalog) -> None:
    found = mix(load_workload("default", SMALL), catalog, DAY)
    known = [one for one in found.alternatives if one.saving is not None]
    assert len(known) >= 3 and all(one.saving >= -1e-4 for one in known if one.saving is not None)


def test_the_mean_load_takes_what_the_plan_takes(catalog: Catalog) -> None:
    for changes in ({}, {"traffic.concurrency": 700}):
        workload = load_workload("default", SMALL | changes)
        best = plan(workload, catalog).plans[0]
        assert replicas_over(workload, catalog, best, np.ones(1)).tolist() == [best.replicas]


def test_spot_comes_in_where_the_promise_allows_it(catalog: Catalog) -> None:
    workload = load_workload("default", {**SMALL, "supply.options": ["on_demand", "spot"]})
    firm = mix(workload, catalog, DAY)
    assert firm.firm_rule == "availability" and firm.firm_share == 1.0
    assert {line.option for line in firm.lines} == {"on_demand"}
    half = mix(workload, catalog, DAY, firm_share=0.5)
    assert {line.option for line in half.lines} == {"on_demand", "spot"}
    assert half.usd_per_year < firm.usd_per_year
    assert next(s for s in firm.shadows if s.limit == "firm").usd_per_year > 0


def test_a_residual_makes_owning_cheaper(catalog: Catalog) -> None:
    own = {**SMALL, "supply.options": ["own"]}
    plain, worth = (
        mix(load_workload("default", {**own, "ownership.residual_share": share}), catalog, DAY) for share in (0.0, 0.4)
    )
    assert worth.usd_per_year < 0.95 * plain.usd_per_year


def test_a_quota_binds_and_is_worth_something(catalog: Catalog) -> None:
    workload = load_workload("default", SMALL)
    free = mix(workload, catalog, DAY)
    most = next(line.accelerators for line in free.lines if line.option == "on_demand")
    bound = mix(workload, catalog, DAY, quotas={"on_demand": most / 2})
    assert next(line.accelerators for line in bound.lines if line.option == "on_demand") <= most / 2
    assert bound.usd_per_year > free.usd_per_year
    assert any(s.limit == "quota" and s.usd_per_year > 0 for s in bound.shadows)


def test_the_next_nine_has_a_price(catalog: Catalog) -> None:
    """One more nine is what the mix costs with it, less what it costs without."""
    layout = {"limits.tp": [8], "limits.dp": [1], "limits.pp": [1], "limits.ep": [1], "limits.kv": ["fp8"]}
    found, tighter = (
        mix(
            load_workload("default", {**SMALL, **layout, "traffic.rate_per_s": 60, "slo.availability": target}),
            catalog,
            DAY,
        )
        for target in (0.99, 0.999)
    )
    nine = next(s for s in found.shadows if s.limit == "availability")
    assert nine.of == "0.999" and nine.usd_per_year < -1000
    assert -nine.usd_per_year == pytest.approx(tighter.usd_per_year - found.usd_per_year)


def test_regions_stand_side_by_side(catalog: Catalog) -> None:
    workload = load_workload("default", {**SMALL, "supply.options": ["on_demand"], "supply.providers": ["aws"]})
    shapes = {i.instance_type for i in catalog.instances if i.accelerator == "h200-sxm-141gb" and i.provider == "aws"}
    sold = {p.region for p in catalog.prices if p.instance_type in shapes and p.term == "on_demand" and p.usable}
    first, second = sorted(sold)[:2]
    found = mix(workload, catalog, DAY, regions=(first, second), quotas={first: 16, second: 1000})
    assert {line.region for line in found.lines} <= {first, second}
    assert next(line for line in found.lines if line.region == second).accelerators > 0


def test_what_has_no_price_is_refused_or_told(catalog: Catalog) -> None:
    asked = load_workload("default", {**SMALL, "prices.h200": 2.0, "supply.options": ["on_demand", "spot"]})
    with pytest.raises(WorkloadError, match="no sourced price for spot"):
        mix(asked, catalog, DAY)
    told = mix(load_workload("default", {**SMALL, "prices.h200": 2.0}), catalog, DAY)
    assert set(told.unpriced) == {"commitment", "spot"}
    assert not {line.option for line in told.lines} & {"commitment", "spot"}


@pytest.mark.parametrize(
    ("quotas", "share", "part"),
    [
        ({"own": 0, "commitment": 0, "on_demand": 8, "spot": 0}, None, "above all quotas"),
        ({"nonsense": 3}, None, "nonsense"),
        ({"own": -1}, None, "0 or more"),
        ({"own": float("nan")}, None, "0 or more"),
        ({}, 1.5, "firm-share"),
    ],
)
def test_limits_that_cannot_be_are_refused(
    catalog: Catalog, quotas: dict[str, float], share: float | None, part: str
) -> None:
    with pytest.raises(PlannerError, match=part):
        mix(load_workload("default", SMALL), catalog, DAY, quotas=quotas, firm_share=share)


def test_no_such_plan(catalog: Catalog) -> None:
    with pytest.raises(WorkloadError, match="--plan 40"):
        mix(load_workload("default", SMALL), catalog, DAY, rank=40)


def test_recorded_and_own_curves(catalog: Catalog, tmp_path: Path) -> None:
    day = load_curve("servegen-r1-day", catalog)
    assert len(day.factors) == 24 and day.factors.mean() == pytest.approx(1)
    assert len(load_curve("servegen-small", catalog).factors) == 168
    assert load_curve("constant", catalog).factors.tolist() == [1.0]
    file = tmp_path / "mine.csv"
    file.write_text("rate_per_s\n1\n3\n", encoding="utf-8")
    assert load_curve(str(file), catalog).factors.tolist() == [0.5, 1.5]


@pytest.mark.parametrize("text", ["", "rate\n1\n", "rate_per_s\n-1\n", "rate_per_s\nx\n", "rate_per_s\n0\n", "\xff"])
def test_a_broken_curve_is_refused(catalog: Catalog, tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(WorkloadError, match=r"mine\.csv"):
        load_curve(str(file), catalog)
    with pytest.raises(UnknownName, match="servegen-small"):
        load_curve("servegen-smal", catalog)


def test_owned_servers_at_several_sites(catalog: Catalog) -> None:
    """The cheaper site fills its quota first, then the other; without quotas only the cheaper one is used."""
    workload = load_workload("default", {**SMALL, "supply.options": ["own"]})
    sites = ("us-iowa", "sweden")
    free = mix(workload, catalog, DAY, sites=sites)
    assert {line.region for line in free.lines} == {"us-iowa"}
    bound = mix(workload, catalog, DAY, sites=sites, quotas={"own@us-iowa": 16})
    by_site = {line.region: line for line in bound.lines}
    assert by_site["us-iowa"].accelerators == 16 and by_site["sweden"].accelerators >= 8
    assert bound.usd_per_year > free.usd_per_year
    assert any(s.limit == "quota" and s.of == "own@us-iowa" and s.usd_per_year > 0 for s in bound.shadows)


def test_sites_that_cannot_be_owned_at_are_refused(catalog: Catalog) -> None:
    workload = load_workload("default", SMALL)
    with pytest.raises(UnknownName, match="mars"):
        mix(workload, catalog, DAY, sites=("mars",))
    blank = catalog.sites["sweden"].model_copy(update={"electricity_usd_per_kwh": None})
    other = catalog.with_facts("no tariff", sites={**catalog.sites, "sweden": blank})
    with pytest.raises(MissingFact, match="electricity_usd_per_kwh"):
        mix(workload, other, DAY, sites=("sweden",))
    with pytest.raises(UnknownName, match="own@sweden"):
        mix(workload, catalog, DAY, quotas={"own@sweden": 8})


def test_what_a_mix_leaves_out_is_named(catalog: Catalog) -> None:
    own = {**SMALL, "supply.options": ["own"]}
    blank = mix(load_workload("default", own), catalog, DAY)
    assert {"network", "rack", "staff", "transit", "licences", "installation"} <= set(blank.not_included)
    assert "egress" not in blank.not_included
    stated = {**own, "ownership.licence_usd_per_gpu_year": 1000, "ownership.installation_share": 0.1}
    found = mix(load_workload("default", stated), catalog, DAY)
    assert not {"licences", "installation"} & set(found.not_included)
    gpus = sum(line.accelerators for line in blank.lines)
    assert found.usd_per_year - blank.usd_per_year > 1000 * gpus  # and a tenth of the purchase
    rented = mix(load_workload("default", {**SMALL, "supply.options": ["on_demand"]}), catalog, DAY)
    assert set(rented.not_included) == {"egress", "storage"}


def test_owned_servers_take_the_spares_that_their_repair_needs(catalog: Catalog) -> None:
    """One replica of one's own, away for a day when it fails, cannot keep 99.9 %: as the plan says."""
    alone = load_workload("default", SMALL | {"traffic.rate_per_s": 0.001, "supply.options": ["own"]})
    best = plan(alone, catalog).plans[0]
    found = mix(alone, catalog, Curve("flat", np.ones(24)))
    assert best.spares == 1 and sum(line.accelerators for line in found.lines) == best.gpus_total
    assert found.usd_per_month == pytest.approx(best.cost.usd_per_month, rel=0.01)
