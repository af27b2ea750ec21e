"""Risk of plans: agreement with the models, limits, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.errors import PlannerError, WorkloadError
from planner.report import risk as report
from planner.search.change import Change, Question, apply
from planner.search.plan import plan
from planner.search.plan_draws import plan_model
from planner.search.risk import Setting, of_plan, risk
from planner.search.spread import Workers
from planner.search.uncertain import FIRST_TOKEN, STEP, parse, predictions
from planner.workloads import load_workload

SMALL = {
    "limits.accelerators": ["h200"], "limits.engines": ["vllm"], "limits.max_gpus_per_replica": 8,
    "traffic.rate_per_s": 12,
}  # fmt: skip
FEW = Setting(plans=2, draws=512)


@pytest.fixture
def question(catalog: Catalog) -> Question:
    return Question(load_workload("default", SMALL), catalog)


def test_at_mid_a_plan_is_itself(question: Question) -> None:
    for changes in ({}, {"traffic.concurrency": 700}):
        asked = Question(load_workload("default", SMALL | changes), question.catalog)
        best = plan(asked.workload, asked.catalog).plans[0]
        model = plan_model(asked, best, [], [], [of_plan(b, best) for b in predictions(asked, best)])
        drawn = model.evaluate({})
        assert drawn.usd_per_month[0] == pytest.approx(best.cost.usd_per_month)
        assert drawn.sized_usd_per_month[0] == pytest.approx(best.cost.usd_per_month)
        assert drawn.usd_per_million[0] == pytest.approx(
            best.cost.usd_per_million_output_tokens, rel=1e-3
        )  # a plan bisects for its running sequences
        assert drawn.ttft_p99_s[0] == pytest.approx(best.slo.ttft_p99_s)
        assert drawn.tpot_p99_s[0] == pytest.approx(best.slo.tpot_p99_s)
        assert drawn.replicas_needed[0] == best.replicas and drawn.kept[0]


@pytest.mark.parametrize("rate", [6.0, 30.0])
def test_another_rate_takes_what_its_own_plan_takes(question: Question, rate: float) -> None:
    """The interpolated curves and the plan's own search agree on the size of the fleet."""
    pinned = {"limits.tp": [8], "limits.dp": [1], "limits.pp": [1], "limits.ep": [1], "limits.kv": ["fp8"]}
    now = Question(load_workload("default", SMALL | pinned), question.catalog)
    best = plan(now.workload, now.catalog).plans[0]
    stated = parse(now, "traffic.rate_per_s=5,12,40")
    model = plan_model(now, best, [stated.uncertain], [stated], [of_plan(b, best) for b in predictions(now, best)])
    there, _ = apply(now, [Change("traffic.rate_per_s", str(rate))])
    other = plan(there.workload, there.catalog).plans[0]
    drawn = model.evaluate({"traffic.rate_per_s": np.array([rate])})
    assert drawn.replicas_needed[0] == pytest.approx(other.replicas, abs=1)


def test_wider_ranges_are_less_sure(question: Question) -> None:
    """A load that may be larger keeps the promise less often and costs no less."""
    calm = risk(question, [], FEW)
    wild = risk(question, [parse(question, "traffic.rate_per_s=+0%,+0%,+200%")], FEW)
    assert wild.plans[0].meets_slo < calm.plans[0].meets_slo
    assert (wild.plans[0].expected_usd_per_month or 0) > (calm.plans[0].expected_usd_per_month or 0)


def test_rented_cost_moves_with_its_market_alone(question: Question) -> None:
    rented = Question(load_workload("default", {**SMALL, "supply.options": ["on_demand"]}), question.catalog)
    found = risk(rented, [parse(rented, "cloud.on_demand=-20%,+0%,+20%:uniform")], Setting(1, 1024))
    cost = plan(rented.workload, rented.catalog).plans[0].cost.usd_per_month
    spread = found.plans[0].usd_per_month
    assert (spread.p10, spread.p50, spread.p90) == pytest.approx((0.84 * cost, cost, 1.16 * cost), rel=0.01)
    same = risk(
        rented, [parse(rented, "cloud.spot=-20%,+20%"), parse(rented, "purchases.all=-20%,+20%")], Setting(1, 256)
    )
    assert same.plans[0].usd_per_month.p10 == same.plans[0].usd_per_month.p90


def test_owned_cost_moves_with_what_it_depends_on(question: Question) -> None:
    own = Question(load_workload("default", {**SMALL, "supply.options": ["own"]}), question.catalog)
    plain = plan(own.workload, own.catalog).plans[0].cost
    for text, part, factor in (
        ("site.electricity_usd_per_kwh=x2,x2,x2", "energy", 2.0),
        ("purchases.all=x1.5,x1.5,x1.5", "capital", 1.5),
    ):
        asked = [parse(own, one) for one in (text, *(["purchases.all=x1,x1,x1"] if part == "energy" else []))]
        found = risk(own, asked, Setting(1, 64)).plans[0].usd_per_month
        more = plain.parts_usd_per_month[part] * (factor - 1)
        more += plain.parts_usd_per_month.get("maintenance", 0.0) * 0.5 if part == "capital" else 0.0
        assert found.p50 == pytest.approx(plain.usd_per_month + more, rel=1e-6)


def test_terms_of_a_purchase_are_those_of_a_plan_made_with_them(question: Question) -> None:
    """Five years and 12 % in the draws cost what a plan for five years at 12 % costs."""
    own = {**SMALL, "supply.options": ["own"], "ownership.residual_share": 0.2}
    now = Question(load_workload("default", own), question.catalog)
    best = plan(now.workload, now.catalog).plans[0]
    asked = [parse(now, "horizon_years=2,3,6"), parse(now, "discount_rate=0.01,0.08,0.2")]
    model = plan_model(
        now, best, [s.uncertain for s in asked], asked, [of_plan(b, best) for b in predictions(now, best)]
    )
    drawn = model.evaluate({"horizon_years": np.array([5.0]), "discount_rate": np.array([0.12])})
    other = Question(load_workload("default", {**own, "horizon_years": 5, "discount_rate": 0.12}), question.catalog)
    same = [p for p in plan(other.workload, other.catalog, 50).plans if p.title == best.title]
    assert drawn.usd_per_month[0] == pytest.approx(same[0].cost.usd_per_month, rel=1e-6)


def test_sourced_ranges_enter_by_themselves(question: Question) -> None:
    own = Question(load_workload("default", {**SMALL, "supply.options": ["own"]}), question.catalog)
    names = [one.name for one in risk(own, [], Setting(1, 64)).inputs]
    assert any(name.startswith("purchases.h200") for name in names)
    assert any(name.startswith(STEP) for name in names) and any(name.startswith(FIRST_TOKEN) for name in names)


def test_any_other_field_acts_through_the_models(question: Question) -> None:
    text = "accelerators.h200.bandwidth_bytes_per_s=3.6e12,4.8e12,5.5e12"
    found = risk(question, [parse(question, text)], Setting(1, 256))
    bar = next(bar for bar in found.tornado if bar.input.startswith("accelerators."))
    assert bar.at_low is not None and bar.at_high is not None and bar.at_low > bar.at_high


def test_the_users_own_price_may_be_a_range(question: Question) -> None:
    """Nothing held before: the plans are made for the middle of 2 and 3 USD."""
    rented = Question(load_workload("default", {**SMALL, "supply.options": ["on_demand"]}), question.catalog)
    found = risk(rented, [parse(rented, "prices.h200=2,3:uniform")], Setting(1, 1024))
    spread = found.plans[0].usd_per_month
    assert spread.p50 == pytest.approx(2.5 * 730.5 * found.plans[0].gpus_total, rel=0.01)
    assert (spread.p90 or 0) / (spread.p10 or 1) == pytest.approx(2.9 / 2.1, rel=0.01)


def test_plans_are_made_for_the_middle(question: Question) -> None:
    found = risk(question, [parse(question, "traffic.rate_per_s=30,40,50")], FEW)
    assert found.workload.traffic.rate_per_s == 40


def test_less_headroom_takes_fewer_replicas(question: Question) -> None:
    busy = Question(load_workload("default", {**SMALL, "traffic.rate_per_s": 60}), question.catalog)
    found = risk(busy, [parse(busy, "calibration.headroom=0.5,0.8,0.99")], Setting(1, 64))
    bar = next(bar for bar in found.tornado if bar.input == "calibration.headroom")
    assert bar.at_low is not None and bar.at_high is not None and bar.at_low > bar.at_high


def test_findings_state_what_the_charts_show(question: Question) -> None:
    found = risk(question, [parse(question, "cloud.all=-10%,+20%")], FEW)
    told = report.tornado_finding(found, str)
    assert report.input_name(found.tornado[0].input, str)[1:] in told and "{" not in told
    still = found.model_copy(update={"tornado": (found.tornado[0].model_copy(update={"at_low": 5.0, "at_high": 5.0}),)})
    assert "No input alone changes it: $5.00" in report.tornado_finding(still, str)
    lost = found.model_copy(update={"tornado": (found.tornado[0].model_copy(update={"at_high": None}),)})
    assert "at its high end the promise is out of reach" in report.tornado_finding(lost, str)
    assert f"beats plan 2 in {found.beats[0][1] * 100:.0f} %" in report.chance_finding(found, str)
    table = report.chance_table(found, str)
    assert len(table.headings) == 1 + len(found.plans) and len(table.rows) >= 5


def test_the_seed_repeats(question: Question) -> None:
    one, other = (risk(question, [], FEW).model_dump(exclude={"wall_s", "draw_s"}) for _ in range(2))
    assert one == other
    assert (
        risk(question, [], Setting(2, 512, seed=2)).plans[0].usd_per_month
        == risk(question, [], FEW).plans[0].usd_per_month
    )


def test_chances_and_rankings_are_consistent(question: Question) -> None:
    found = risk(question, [], Setting(3, 512, budget_usd_per_month=1e9))
    assert all(p.meets_budget == 1.0 and p.meets_both == p.meets_slo for p in found.plans)
    assert sorted(found.by_regret) == sorted(found.by_expected_cost) == [p.rank for p in found.plans]
    matrix = np.array(found.beats)
    assert matrix + matrix.T == pytest.approx(np.ones_like(matrix))
    assert min(p.expected_regret_usd_per_month or 0 for p in found.plans) >= 0


@pytest.mark.parametrize(
    "text",
    [
        "traffic.rate_per_s",
        "traffic.rate_per_s=5",
        "traffic.rate_per_s=1,2,3,4",
        "traffic.rate_per_s=9,5,7",
        "traffic.rate_per_s=4,5,7:gauss",
        "traffic.rate_per_s=-5,5,7",
        "prices.h200=-1,2",
        "cloud.all=1,2",
        "nonsense=1,2",
        "llm=1,2",
        "accelerators.h200.name=+1%,+2%",
        "site=us-average,us-new-york",
        "discount_rate=0.1,1.0",
        "horizon_years=0,3",
        "slo.ttft_p99_s=1,2,3",
        "layout.tp=4,8",
        "site.pue=1.1,1.3",
    ],
)
def test_no_range_is_refused(question: Question, text: str) -> None:
    with pytest.raises(PlannerError):
        risk(question, [parse(question, text)], FEW)


def test_what_contradicts_is_refused(question: Question) -> None:
    users = Question(load_workload("default", SMALL | {"traffic.concurrency": 100}), question.catalog)
    with pytest.raises(WorkloadError, match="as users"):
        risk(users, [parse(users, "traffic.burst_factor=1,1.3,2")], FEW)
    twice = parse(question, "traffic.rate_per_s=4,12,15")
    with pytest.raises(WorkloadError, match="twice"):
        risk(question, [twice, twice], FEW)
    with pytest.raises(WorkloadError, match="metric"):
        risk(question, [], Setting(metric="luck"))
    with pytest.raises(WorkloadError, match="budget"):
        risk(question, [], Setting(budget_usd_per_month=-5))


def test_any_number_of_workers_draws_the_same(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.search.risk.BLOCK", 128)
    told: list[tuple[int, int]] = []
    stated = [parse(question, "traffic.rate_per_s=-20%,+50%")]
    alone, spread = (
        risk(question, stated, FEW, workers, lambda *done: told.append(done)).model_dump(exclude={"wall_s", "draw_s"})
        for workers in (Workers(), Workers(2))
    )
    assert alone == spread
    blocks = FEW.plans * FEW.draws // 128
    assert told[-1] == (blocks, blocks)


def test_blocks_of_any_size_are_the_same(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = risk(question, [], FEW).plans
    monkeypatch.setattr("planner.search.risk.BLOCK", 64)
    parts = risk(question, [], FEW).plans
    for one, other in zip(whole, parts, strict=True):
        assert one.usd_per_month.p50 == pytest.approx(other.usd_per_month.p50, rel=1e-12)
        assert one.meets_slo == other.meets_slo


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        # From 0.09 to 0.11 and from 0.89 to 0.91 halfway: $150 and $950.
        (
            ((0.09, 100.0), (0.11, 200.0), (0.89, 900.0), (0.91, 1000.0)),
            "costs $150 to $950 a month in eight of ten draws",
        ),
        (((0.09, 100.0), (0.75, 800.0)), "costs up to $800 a month; in 25 % of draws it cannot keep the promise"),
        ((), "costs up to – a month; in 100 % of draws it cannot keep the promise"),
    ],
)
def test_the_title_tells_what_the_chart_shows(
    question: Question, curve: tuple[tuple[float, float], ...], said: str
) -> None:
    found = risk(question, [parse(question, "cloud.all=-10%,+20%")], FEW)
    best = found.plans[0].model_copy(update={"cost_curve": curve})
    assert said in report.chance_finding(found.model_copy(update={"plans": (best,)}), str)
