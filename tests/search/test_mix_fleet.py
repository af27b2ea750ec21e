"""Costs beside the units of a mix: as the bill has them, in the total, and in the choice."""

from __future__ import annotations

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.search.cost import cost
from planner.search.mix import Curve, mix
from planner.search.mix_fleet import FleetCosts
from planner.search.plan import plan
from planner.workloads import load_workload

SMALL = {
    "limits.accelerators": ["h200"],
    "limits.engines": ["vllm"],
    "limits.max_gpus_per_replica": 8,
    "traffic.rate_per_s": 30,
}
DAY = Curve("day", np.array([0.2] * 8 + [1.2] * 8 + [1.6] * 8))
STATED = {
    "ownership.unit_prices.rack": 20_000,
    "ownership.unit_prices.sn5400": 45_000,
    "ownership.unit_prices.400g-ethernet-link": 2_000,
    "ownership.staff_usd_per_rack_year": 6_000,
    "ownership.staff_usd_per_year": 120_000,
    "ownership.transit_usd_per_month": 900,
    "ownership.installation_share": 0.05,
    "ownership.residual_share": 0.1,
    "ownership.carbon_price_usd_per_tonne": 50,
    "ownership.demand_charge_usd_per_kw_month": 10,
}
RENTED = {"ownership.egress_usd_per_month": 700, "ownership.storage_usd_per_gb_month": 0.08}


def test_it_is_what_the_bill_says(catalog: Catalog) -> None:
    """Switches, links, racks, people and transit of the plan owned: as `planner cost` has them, less a blank one."""
    shared = {k: v for k, v in STATED.items() if "unit_prices" not in k and "staff" not in k and "transit" not in k}
    totals = []
    for changes in (shared, STATED):
        workload = load_workload("default", {**SMALL, "supply.options": ["own"], **changes})
        result = plan(workload, catalog, 1)
        way = next(w for w in cost(result, 1, catalog).ways if w.option == "own")
        totals.append((way.usd_per_month * 12, way.units, workload, result.plans[0]))
    (blank, servers, *_), (stated, _, workload, best) = totals
    at_site = FleetCosts(workload, catalog, best).at_site(workload.site, servers)
    known = {name: value for name, value in at_site.items() if value is not None}
    assert set(known) == {"network", "rack", "rack_staff", "transit"}
    # To 2 %: a bill counts the power of optics whether they are priced or not, a mix only where they are.
    assert sum(known.values()) + 120_000 == pytest.approx(stated - blank, rel=0.02)


def test_racks_by_hand(catalog: Catalog) -> None:
    """3 years at 8 %, nothing left: 20,000 x 0.388034 + 5 % support = 8,760.67 a rack and year."""
    asked = load_workload("default", {**SMALL, "ownership.unit_prices.rack": 20_000})
    best = plan(asked, catalog, 1).plans[0]
    costs = FleetCosts(asked, catalog, best)
    three = costs.at_site(asked.site, 1)["rack"]
    assert three == pytest.approx(20_000 * 0.08 / (1 - 1.08**-3) + 1_000, abs=0.01)
    assert three == pytest.approx(8_760.67, abs=0.01)
    many = costs.at_site(asked.site, 30)["rack"]
    assert many is not None and three is not None and round(many / three, 9) == round(many / three)  # whole racks


def test_lines_are_in_the_total_and_no_longer_missing(catalog: Catalog) -> None:
    found = mix(load_workload("default", {**SMALL, **STATED, **RENTED}), catalog, DAY)
    parts = sum(line.fixed_usd_per_year + line.variable_usd_per_year for line in found.lines)
    assert parts + sum(line.usd_per_year for line in found.fleet) == pytest.approx(found.usd_per_year, rel=1e-9)
    assert not {"network", "rack", "staff", "transit", "egress", "storage"} & set(found.not_included)
    assert all(one.saving is None or one.saving >= -1e-4 for one in found.alternatives)


def test_people_who_cost_more_than_owning_saves_end_it(catalog: Catalog) -> None:
    options = {**SMALL, "supply.options": ["own", "on_demand"]}
    plain = mix(load_workload("default", options), catalog, DAY)
    assert {line.option for line in plain.lines} >= {"own"}
    dear = mix(load_workload("default", {**options, "ownership.staff_usd_per_year": 50e6}), catalog, DAY)
    assert {line.option for line in dear.lines} == {"on_demand"} and dear.fleet == ()
    assert not [one for one in dear.shadows if one.limit == "quota"]  # nobody set one
    egress = {**options, "ownership.egress_usd_per_month": 5e6}
    home = mix(load_workload("default", egress), catalog, DAY)
    assert {line.option for line in home.lines} == {"own"} and home.fleet == ()


def test_a_site_with_its_own_transit_is_used_only_where_it_pays(catalog: Catalog) -> None:
    """A quota at the cheaper site; the other would cost its transit, too, and rent takes its part."""
    options = {**SMALL, "supply.options": ["own", "on_demand"]}
    asked = {"sites": ("us-iowa", "sweden"), "quotas": {"own@us-iowa": 16}}
    both = mix(load_workload("default", options), catalog, DAY, **asked)  # type: ignore[arg-type]
    assert {line.region for line in both.lines if line.option == "own"} == {"us-iowa", "sweden"}
    paid = {**options, "ownership.transit_usd_per_month": 3e6}
    none = mix(load_workload("default", paid), catalog, DAY, **asked)  # type: ignore[arg-type]
    assert {line.option for line in none.lines} == {"on_demand"}


def test_no_smaller_quota_is_cheaper(catalog: Catalog) -> None:
    """Racks come in steps: forbidding servers one by one never finds a cheaper mix."""
    workload = load_workload("default", {**SMALL, **STATED, "ownership.unit_prices.rack": 200_000})
    free = mix(workload, catalog, DAY)
    owned = sum(line.units for line in free.lines if line.option == "own")
    for servers in {0, 1, max(owned - 1, 0), max(owned - 2, 0), owned}:
        tied = mix(workload, catalog, DAY, quotas={"own": 8 * servers})
        assert tied.usd_per_year >= free.usd_per_year * (1 - 2e-4)


def test_a_misspelt_quote_is_refused(catalog: Catalog) -> None:
    with pytest.raises(WorkloadError, match=r"unit_prices\.rak: no such item"):
        mix(load_workload("default", {**SMALL, "ownership.unit_prices.rak": 20_000}), catalog, DAY)


def test_volumes_are_paid_whether_used_or_not(catalog: Catalog) -> None:
    options = {**SMALL, "supply.options": ["on_demand"]}
    plain = mix(load_workload("default", options), catalog, DAY)
    kept = mix(load_workload("default", {**options, "ownership.storage_usd_per_gb_month": 0.1}), catalog, DAY)
    best = plan(load_workload("default", options), catalog, 1).plans[0]
    replicas = sum(line.units for line in kept.lines) * 8 / best.gpus_per_replica
    each = (kept.usd_per_year - plain.usd_per_year) / replicas / 12 / 0.1  # GB of weights in a replica's volume
    assert 600 < each / best.nodes_per_replica < 800  # DeepSeek-R1 in FP8
    assert kept.lines[0].usd_per_unit_hour == plain.lines[0].usd_per_unit_hour
