"""What a plan costs: parts sum to totals, blanks are told and never zero, and the buyer's figures count."""

from __future__ import annotations

from itertools import pairwise

import pytest

from planner.catalog import Catalog
from planner.errors import UnknownName, WorkloadError
from planner.models import finance
from planner.report.costs import slo_table, unpriced_lines
from planner.schema import PlanResult, Sourced
from planner.schema.costs import CostAnswer, WayCost
from planner.schema.sizing import MOST_MARGIN
from planner.search.cost import cost
from planner.search.plan import plan
from planner.units import HOURS_PER_MONTH
from planner.workloads import load_workload

OWN = {
    "supply.options": ["own"],
    "limits.accelerators": ["h200"],
    "limits.engines": ["vllm"],
    "limits.max_gpus_per_replica": 8,
}


def result_of(catalog: Catalog, **changes: object) -> PlanResult:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return plan(load_workload("default", {**OWN, **named}), catalog)


def answer_of(catalog: Catalog, rank: int = 1, **changes: object) -> CostAnswer:
    return cost(result_of(catalog, **changes), rank, catalog)


@pytest.fixture(scope="module")
def owned(catalog: Catalog) -> CostAnswer:
    return answer_of(catalog)


def own_of(answer: CostAnswer) -> WayCost:
    return next(w for w in answer.ways if w.option == "own")


def line(way: WayCost, name: str) -> float:
    return next(part.usd_per_month for part in way.lines if part.name == name)


def test_parts_sum_to_totals(owned: CostAnswer) -> None:
    for way in owned.ways:
        assert sum(part.usd_per_month for part in way.lines) == pytest.approx(way.usd_per_month)
        paid = way.capital_usd - way.residual_usd + way.running_usd_per_month * 12 * owned.horizon_years
        assert way.total_usd == pytest.approx(paid)
        assert all(part.usd_per_month > 0 and part.source for part in way.lines)
    items = owned.bill.items
    assert owned.bill.capital_usd == pytest.approx(sum(i.total_usd or 0 for i in items))
    assert all(i.total_usd == pytest.approx(i.quantity * i.unit_usd) for i in items if i.unit_usd is not None)


def test_owning_costs_what_the_ranking_said(catalog: Catalog) -> None:
    """One replica a server and an unpriced front end: the same servers, tariffs and energy, less the optics' watts."""
    result = result_of(catalog)
    own, ranked = own_of(cost(result, 1, catalog)), result.plans[0].cost
    for name in ("capital", "maintenance"):
        assert line(own, name) == pytest.approx(ranked.parts_usd_per_month[name])
    for name in ("energy", "colocation"):
        assert line(own, name) == pytest.approx(ranked.parts_usd_per_month[name], rel=0.01)
        assert line(own, name) > ranked.parts_usd_per_month[name]


def test_capital_is_the_annuity_and_rent_is_hours(owned: CostAnswer) -> None:
    own = own_of(owned)
    yearly = float(finance.annuity_usd(own.capital_usd, 0.0, 3, 0.08))
    assert line(own, "capital") == pytest.approx(yearly / 12)
    rented = next(w for w in owned.ways if w.term == "on_demand")
    assert rented.usd_per_hour is not None
    assert line(rented, "rent") == pytest.approx(rented.units * rented.usd_per_hour * HOURS_PER_MONTH)


def test_what_has_no_price_is_named_and_in_no_total(owned: CostAnswer) -> None:
    blank = {i.item for i in owned.bill.items if i.unit_usd is None and not i.included}
    assert {"rack", "installation", "sn5400"} <= blank
    told = {u.what for u in owned.unpriced}
    assert blank <= told and {"staff", "licences", "transit", "demand", "carbon"} <= told
    assert not {part.name for part in own_of(owned).lines} & told


def test_stating_a_figure_prices_it(catalog: Catalog) -> None:
    stated = {
        "ownership.unit_prices": {"rack": 5000, "sn5400": 30_000, "400g-ethernet-link": 1000},
        "ownership.installation_share": 0.1,
        "ownership.staff_usd_per_year": 120_000,
        "ownership.licence_usd_per_gpu_year": 4500,
        "ownership.transit_usd_per_month": 800,
        "ownership.demand_charge_usd_per_kw_month": 15,
        "ownership.carbon_price_usd_per_tonne": 80,
    }
    answer, before = answer_of(catalog, **stated), answer_of(catalog)
    assert answer.unpriced == () and before.unpriced
    own = own_of(answer)
    gpus = answer.bill.servers * 8
    assert line(own, "staff") == 10_000 and line(own, "licences") == pytest.approx(gpus * 375)
    assert line(own, "carbon") == pytest.approx((own.kg_co2e_per_month or 0) / 1e3 * 80)
    goods = sum(i.total_usd or 0 for i in answer.bill.items if i.role != "installation")
    assert answer.bill.capital_usd == pytest.approx(1.1 * goods)
    assert own.usd_per_month > own_of(before).usd_per_month


def test_residual_and_tax_lower_the_present_cost(catalog: Catalog) -> None:
    plain, left = own_of(answer_of(catalog)), own_of(answer_of(catalog, ownership__residual_share=0.2))
    assert left.residual_usd == pytest.approx(0.2 * left.capital_usd)
    assert plain.npv_usd - left.npv_usd == pytest.approx(left.residual_usd / 1.08**3)
    taxed = own_of(answer_of(catalog, ownership__tax_rate=0.25))
    fast = own_of(answer_of(catalog, ownership__tax_rate=0.25, ownership__depreciation="declining_balance"))
    assert fast.npv_usd < taxed.npv_usd < plain.npv_usd


def test_energy_inside_the_colocation_price_is_not_paid_twice(catalog: Catalog) -> None:
    site = catalog.sites["us-average"]
    other = Catalog(catalog.folder)
    other.__dict__.update(catalog.__dict__)
    inclusive = site.model_copy(update={"colocation_includes_energy": True})
    other.__dict__["sites"] = {**catalog.sites, "us-average": inclusive}
    with_energy, without = own_of(answer_of(catalog)), own_of(answer_of(other))
    assert "energy" not in {part.name for part in without.lines}
    assert with_energy.usd_per_month - without.usd_per_month == pytest.approx(line(with_energy, "energy"))


def test_a_site_that_does_not_say_what_colocation_includes_is_told(catalog: Catalog) -> None:
    answer = answer_of(catalog, site="china")
    (line_,) = [text for text in unpriced_lines(answer, str) if "colocation_includes_energy" in text]
    assert line_.startswith("UNKNOWN") and {"energy", "colocation"} <= {p.name for p in own_of(answer).lines}


def test_energy_follows_the_load_curve(catalog: Catalog) -> None:
    constant, varying = answer_of(catalog), answer_of(catalog, ownership__load_profile="servegen-r1-day")
    assert line(own_of(varying), "energy") != pytest.approx(line(own_of(constant), "energy"), rel=1e-6)
    idle = catalog.accelerators["h200-sxm-141gb"].idle_low_w or 0
    tdp = catalog.accelerators["h200-sxm-141gb"].tdp_w or 0
    host = catalog.parameter("host_power_w_per_gpu").value
    gpus, tariff = varying.bill.servers * 8, 0.0929 * HOURS_PER_MONTH * 1.56 / 1e3
    least, most = (gpus * (w + host) * tariff for w in (idle, tdp))
    assert least < line(own_of(varying), "energy") < most * 1.02


def test_old_prices_are_flagged_everywhere(catalog: Catalog, owned: CostAnswer) -> None:
    def old(text: str) -> bool:
        return (catalog.as_of - Sourced(source="any", source_date=text, confidence="low").dated).days > 180

    for way in owned.ways:
        if way.option != "own":  # a server has several prices: the oldest counts
            assert way.stale == old(way.source_date), way
        assert all(part.stale == way.stale for part in way.lines if part.name == "rent")
    for item in owned.bill.items:
        assert not (item.unit_usd is None and item.stale)


def test_commitments_without_a_price_are_indicative_or_asked_for(catalog: Catalog, owned: CostAnswer) -> None:
    assert owned.commitments_asked == ("3y",)
    guess = next(w for w in owned.ways if w.term == "commitment_1y_indicative")
    where = (guess.provider, guess.instance_type, guess.region)
    hourly = [w for w in owned.ways if w.term == "on_demand"]
    base = next(w for w in hourly if (w.provider, w.instance_type, w.region) == where)
    assert guess.indicative and guess.confidence == "low" and "less 36%" in guess.source and guess.stale
    assert guess.usd_per_month == pytest.approx(0.64 * base.usd_per_month)
    mine = answer_of(catalog, **{"ownership.commitment_discounts": {"1y": 0.2, "3y": 0.5}})
    assert mine.commitments_asked == ()
    years = {w.term: w for w in mine.ways if w.provider == base.provider and w.region == base.region}
    assert years["commitment_1y_stated"].usd_per_month == pytest.approx(0.8 * base.usd_per_month)
    assert years["commitment_3y_stated"].usd_per_month == pytest.approx(0.5 * base.usd_per_month)
    assert not any(w.indicative for w in mine.ways)


def test_spot_pays_for_its_interruptions(owned: CostAnswer) -> None:
    spot = next(w for w in owned.ways if w.option == "spot")
    assert line(spot, "on_demand_fallback") > 0 and not spot.meets_availability
    assert {"capacity_block", "rental_3y"} <= {w.term for w in owned.ways}


def test_a_plan_over_two_servers_gets_rails(catalog: Catalog) -> None:
    big = {"limits.accelerators": ["h100"], "limits.weights": ["bf16"], "supply.options": ["own"]}
    result = plan(load_workload("default", big), catalog)
    assert result.plans[0].nodes_per_replica > 1
    bill = cost(result, 1, catalog).bill
    by_role = {i.role: i for i in bill.items}
    assert bill.fabric == "rails" and by_role["nic"].quantity == bill.servers * 8
    assert by_role["server_link"].quantity == bill.servers * 8 and by_role["server_link"].unit_usd == 1320
    assert by_role["leaf"].unit_usd == 43_000  # middle of 36,000 and 50,000


def test_a_link_of_72_needs_no_rails_for_two_trays(catalog: Catalog) -> None:
    trays = {"limits.accelerators": ["gb200"], "limits.max_gpus_per_replica": 8, "supply.options": ["commitment"]}
    result = plan(load_workload("default", trays), catalog)
    assert result.plans[0].nodes_per_replica > 1
    answer = cost(result, 1, catalog)
    assert answer.bill.fabric == "front-end" and answer.bill.capital_usd is None
    assert not any(w.option == "own" for w in answer.ways)  # no price of such a server is sourced
    assert "server-gb200-192gb" in {u.what for u in answer.unpriced}


def test_the_host_holds_what_it_must(catalog: Catalog, owned: CostAnswer) -> None:
    host = owned.bill.host
    assert host.cpu == "xeon-platinum-8480" and host.memory_channels == 16
    assert host.memory_bytes is not None and host.memory_bytes >= host.memory_needed_bytes
    assert host.cores is not None and host.cores >= host.cores_needed > 8
    assert host.array_bytes >= host.stored_bytes
    # 673 GB through 14 GB/s of one side of the mirror: 48 s, and the engine's 100 s
    assert host.load_time_s == pytest.approx(148, abs=2) and host.load_bound == "storage"
    slow = answer_of(catalog, ownership__host="epyc-7742").bill.host
    assert slow.array_read_bytes_per_s < 8e9 and slow.load_time_s > host.load_time_s + 30


def test_apis_by_the_hour(catalog: Catalog) -> None:
    answer = answer_of(catalog, **{"ownership.apis": ["deepseek/deepseek-reasoner"]})
    (api,) = answer.apis
    # Peak 00:30 to 16:30 UTC at 0.55 and 2.19, else 0.135 and 0.55: two thirds of the day are peak.
    assert api.time_of_day and api.input_usd_per_million_tokens == pytest.approx((2 * 0.55 + 0.135) / 3)
    assert api.output_usd_per_million_tokens == pytest.approx((2 * 2.19 + 0.55) / 3)
    assert api.usd_per_request == pytest.approx(
        (2000 * api.input_usd_per_million_tokens + 1000 * api.output_usd_per_million_tokens) / 1e6
    )


def test_the_break_even_is_where_both_cost_the_same(owned: CostAnswer) -> None:
    way = owned.ways[owned.planned]
    for api in owned.apis:
        if api.requests_per_day is not None:
            assert api.requests_per_day * api.usd_per_request * 365.25 / 12 == pytest.approx(way.usd_per_month)
        else:
            assert api.usd_per_request < owned.unit_full.usd_per_request


def test_a_tighter_promise_is_never_cheaper(owned: CostAnswer) -> None:
    for metric in ("ttft_p99_s", "tpot_p99_s"):
        costs = [s.usd_per_month or float("inf") for s in owned.slo_steps if s.metric == metric]
        assert len(costs) >= 5 and all(a >= b * (1 - 1e-6) for a, b in pairwise(costs))
        full = [s.usd_per_request_full for s in owned.slo_steps if s.metric == metric and s.usd_per_request_full]
        assert all(a >= b * (1 - 1e-6) for a, b in pairwise(full))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("ownership.unit_prices", {"rack": -5}, "greater than 0"),
        ("ownership.staff_usd_per_year", 0, "greater than 0"),
        ("ownership.currency", "EUR", "exchange rate"),
        ("ownership.currency", "euro", "pattern"),
        ("horizon_years", 0, "greater than 0"),
        ("discount_rate", 1.0, "less than 1"),
        ("ownership.commitment_discounts", {"1y": 1.0}, "less than 1"),
        ("ownership.tax_rate", 1.0, "less than 1"),
    ],
)
def test_bad_figures_are_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        load_workload("default", {field: value})


def test_names_that_do_not_exist_are_refused(catalog: Catalog) -> None:
    with pytest.raises(WorkloadError, match="no such item"):
        answer_of(catalog, **{"ownership.unit_prices": {"rcak": 5}})
    with pytest.raises(WorkloadError, match="paid twice"):
        answer_of(catalog, **{"ownership.unit_prices": {"connectx-7": 1200}})
    for field in ("host", "drive", "load_profile"):
        with pytest.raises(UnknownName):
            answer_of(catalog, **{f"ownership.{field}": "nothing"})
    with pytest.raises(UnknownName):
        answer_of(catalog, **{"ownership.apis": ["nobody/nothing"]})
    with pytest.raises(WorkloadError, match="there are"):
        answer_of(catalog, rank=50)


def test_a_quote_for_the_server_replaces_the_catalog(catalog: Catalog) -> None:
    quote = {"ownership.unit_prices": {"server-h200-sxm-141gb": 250_000}}
    result = result_of(catalog, **quote)
    own = own_of(cost(result, 1, catalog))
    assert own.capital_usd == 250_000 * own.units and own.source == "ownership.unit_prices" and not own.stale
    assert result.plans[0].cost.parts_usd_per_month["capital"] == pytest.approx(line(own, "capital"))


def test_totals_in_another_currency(catalog: Catalog) -> None:
    answer = answer_of(catalog, ownership__currency="CNY", ownership__usd_per_currency_unit=0.14)
    assert (answer.currency, answer.usd_per_currency_unit) == ("CNY", 0.14)


def test_every_promise_has_its_steps(catalog: Catalog) -> None:
    """E2E only where it is promised, and above TTFT; each further nine of availability costs no less."""
    changes = {"slo.e2e_p99_s": 60, "limits.accelerators": ["h200"], "limits.engines": ["vllm"]}
    answer = cost(plan(load_workload("default", changes), catalog), 1, catalog)
    steps = {m: [s for s in answer.slo_steps if s.metric == m] for m in ("e2e_p99_s", "availability")}
    assert [s.limit_s for s in steps["e2e_p99_s"]] == [30, 45, 60, 90, 120]
    assert [round(s.availability or 0, 6) for s in steps["availability"]] == [0.99, 0.999, 0.9999]
    months = [s.usd_per_month or float("inf") for s in steps["availability"]]
    assert months == sorted(months)
    assert any("available 99.99 %" in row[0] for row in slo_table(answer, str).rows)


def test_a_fleet_is_full_at_the_mean_load_that_its_simulation_holds(catalog: Catalog) -> None:
    result = result_of(catalog)
    best = result.plans[0]
    assert best.sizing is not None and 1 < best.sizing.margin < MOST_MARGIN
    answer = cost(result, 1, catalog)
    assert answer.unit.utilisation == pytest.approx(1 / best.sizing.margin)
    assert answer.unit_full.requests_per_s == pytest.approx(5 * best.sizing.margin)
    full, real = answer.unit_full.usd_per_million_output_tokens, answer.unit.usd_per_million_output_tokens
    assert real == pytest.approx(full * best.sizing.margin)


def test_where_nobody_simulated_bursts_still_need_room(catalog: Catalog) -> None:
    result = plan(load_workload("default", OWN), catalog, confirmed=0)
    burst, served = catalog.parameter("burst_factor").value, result.plans[0].serving
    assert cost(result, 1, catalog).unit.utilisation == pytest.approx(burst * served.utilisation)


def test_a_way_tells_how_many_accelerators_it_takes(owned: CostAnswer) -> None:
    for way in owned.ways:
        assert way.accelerators >= (way.replicas + way.spares) * 8
        hours = HOURS_PER_MONTH * way.accelerators
        assert way.usd_per_gpu_hour == pytest.approx(way.usd_per_month / hours)


def test_no_commitment_outlasts_the_horizon(catalog: Catalog) -> None:
    """Three years are paid whether used or not: who plans for half a year rents by the hour."""
    short, long = (load_workload("default", {"horizon_years": years}) for years in (0.5, 3.0))
    terms = {unit.term for one in plan(short, catalog).plans for unit in one.supply}
    assert terms.isdisjoint({"rental_3y", "reserved_1y", "reserved_1y_no_upfront"})
    assert "rental_3y" in {unit.term for one in plan(long, catalog).plans for unit in one.supply}
    assert not any(
        way.term.endswith("3y_indicative") or way.term == "rental_3y"
        for way in cost(plan(short, catalog), 1, catalog).ways
    )
    with pytest.raises(WorkloadError, match=r"within the horizon of 0\.5 years"):
        asked = {"horizon_years": 0.5, "supply.options": ["commitment"], "limits.accelerators": ["b200"]}
        plan(load_workload("default", asked), catalog)
