"""Replaced figures: they change plans, name their reason, leave their neighbours and the catalogs as they were."""

from __future__ import annotations

import pytest

from planner.catalog import Catalog
from planner.errors import PlannerError, UnknownName, WorkloadError
from planner.report.explain import explain
from planner.search.overrides import Override, overridden
from planner.search.plan import plan
from planner.workloads import load_workload

WORKLOAD = load_workload(changes={"limits.accelerators": ["h200"], "supply.options": ["own", "on_demand"]})
H200 = "h200-sxm-141gb"


def test_a_figure_carries_its_reason_and_its_neighbours_do_not(catalog: Catalog) -> None:
    before = catalog.accelerators[H200]
    other = overridden(catalog, WORKLOAD, [Override(f"accelerators.{H200}.tdp_w", "600", "capped in our racks")])
    row = other.accelerators[H200]
    assert (row.tdp_w, catalog.accelerators[H200].tdp_w) == (600, before.tdp_w)
    replaced, kept = row.provenance(H200, "tdp_w"), row.provenance(H200, "bandwidth_bytes_per_s")
    assert "capped in our racks" in replaced.source and f"before: {before.tdp_w:,.6g}" in replaced.source
    assert replaced.confidence == "low"
    assert kept == before.provenance(H200, "bandwidth_bytes_per_s")
    assert other.sha256 != catalog.sha256
    assert other.accelerators["h100-sxm-80gb"] is catalog.accelerators["h100-sxm-80gb"]


def test_two_figures_of_one_row_keep_both_reasons(catalog: Catalog) -> None:
    asked = [
        Override(f"accelerators.{H200}.tdp_w", "600", "first"),
        Override(f"accelerators.{H200}.peak_flops_per_s.fp8", "-10%", "second"),
    ]
    row = overridden(catalog, WORKLOAD, asked).accelerators[H200]
    assert "first" in row.provenance(H200, "tdp_w").source
    assert "second" in row.provenance(H200, "peak_flops_per_s").source


def test_plans_and_explanations_follow(catalog: Catalog) -> None:
    slower = Override(f"accelerators.{H200}.bandwidth_bytes_per_s", "-30%", "a slower part was quoted")
    other = overridden(catalog, WORKLOAD, [slower])
    before, after = (plan(WORKLOAD, one, 1, 0) for one in (catalog, other))
    assert after.plans[0].cost.usd_per_month >= before.plans[0].cost.usd_per_month
    assert after.catalog_sha256 == other.sha256
    given = [given for one in explain(after, other) for given in one.inputs if "bandwidth" in given.name]
    assert given and all("a slower part was quoted" in one.source for one in given)


@pytest.mark.parametrize("field", ["calibration.headroom", f"purchases.{H200}"])
def test_a_row_of_one_figure_names_the_reason_itself(catalog: Catalog, field: str) -> None:
    other = overridden(catalog, WORKLOAD, [Override(field, "x0.9", "our own experience")])
    if field == "calibration.headroom":
        row = other.parameter("headroom")
    else:
        row = next(p for p in other.purchases if p.item == H200 and p.kind == "accelerator")  # type: ignore[assignment]
    assert "our own experience" in row.source and row.confidence == "low"


def test_the_reason_is_part_of_the_hash(catalog: Catalog) -> None:
    hashes = {
        overridden(catalog, WORKLOAD, [Override(f"accelerators.{H200}.tdp_w", "600", why)]).sha256
        for why in ("one", "two", "one")
    }
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (Override(f"accelerators.{H200}.tdp_w", "600", "  "), "say why"),
        (Override(f"accelerators.{H200}.tdp_w", "600", "x" * 301), "say why"),
        (Override(f"accelerators.{H200}.tdp_w", "-600", "why"), "greater than 0"),
        (Override(f"accelerators.{H200}.tdp_w", "hot", "why"), "number"),
        (Override("traffic.rate_per_s", "6", "why"), "no catalog figure"),
        (Override("prices.h200", "2", "why"), "no catalog figure"),
    ],
)
def test_what_cannot_be_is_refused(catalog: Catalog, override: Override, says: str) -> None:
    with pytest.raises(WorkloadError, match=says):
        overridden(catalog, WORKLOAD, [override])


def test_unknown_rows_and_figures_are_named(catalog: Catalog) -> None:
    for field in ("accelerators.h2000.tdp_w", f"accelerators.{H200}.tdp", "calibration.headrom"):
        with pytest.raises(PlannerError) as refused:
            overridden(catalog, WORKLOAD, [Override(field, "1", "why")])
        assert isinstance(refused.value, UnknownName)
