"""What-if: changes reach what they name, differences add up, the rest stays as it was."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from planner.catalog import Catalog
from planner.errors import NoPlan, OutputError, PlannerError, UnknownName, WorkloadError
from planner.report.whatif import sweep_finding
from planner.schema import Accelerator
from planner.search.change import Change, Question, apply, parse_change
from planner.search.plan import plan
from planner.search.scenarios import read_scenario, write_scenario
from planner.search.spread import Workers
from planner.search.whatif import compare, sweep, whatif
from planner.workloads import load_workload

SMALL = {"limits.accelerators": ["h200"], "limits.engines": ["vllm"], "limits.max_gpus_per_replica": 8}


@pytest.fixture
def question(catalog: Catalog) -> Question:
    return Question(load_workload("default", SMALL), catalog)


def h200(question: Question) -> Accelerator:
    return question.catalog.accelerators["h200-sxm-141gb"]


def changed(question: Question, *texts: str) -> Question:
    return apply(question, [parse_change(text) for text in texts])[0]


def test_a_price_reaches_the_answer(question: Question) -> None:
    answer = whatif(question, [Change("prices.h200", "1.0")])
    assert answer.after is not None
    assert answer.after.usd_per_month == pytest.approx(answer.after.gpus_total * 730.5)
    (saved,) = (d for d in answer.differences if d.figure == "usd_per_month")
    assert saved.change == pytest.approx(answer.after.usd_per_month - answer.before.usd_per_month)


def test_a_presets_weights_yield_to_another_llm(question: Question) -> None:
    assert changed(question, "llm=gpt-oss-120b").workload.limits.weights == ()
    assert changed(question, "layout.weights=fp8", "llm=gpt-oss-120b").workload.limits.weights == ("fp8",)
    assert changed(question, "llm=qwen3-32b").workload.limits.weights == ("fp8",)


def test_before_is_what_plan_answers(question: Question) -> None:
    best = plan(question.workload, question.catalog).plans[0]
    answer = whatif(question, [Change("traffic.rate_per_s", "x4")])
    assert answer.before.usd_per_month == best.cost.usd_per_month and answer.before.title == best.title
    four = plan(load_workload("default", {**SMALL, "traffic.rate_per_s": 20}), question.catalog).plans[0]
    assert answer.after is not None and answer.after.usd_per_month == four.cost.usd_per_month


def test_both_decompositions_add_up(question: Question) -> None:
    answer = whatif(
        question, [Change("traffic.rate_per_s", "x4"), Change("cloud.all", "-30%"), Change("slo.tpot_p99_s", "0.03")]
    )
    assert answer.after is not None
    whole = answer.after.usd_per_month - answer.before.usd_per_month
    assert abs(whole) > 100
    for parts in (answer.drivers, answer.by_change):
        assert math.fsum(p.usd_per_month for p in parts) == pytest.approx(whole, rel=1e-9)
    load = answer.drivers[0]
    assert load.name == "load" and load.usd_per_month > 0


def test_keeping_the_plan_changes_its_size_alone(question: Question) -> None:
    wide = Question(load_workload("default", {"limits.engines": ["vllm"]}), question.catalog)
    answer = whatif(wide, [Change("traffic.rate_per_s", "x20")], keep=True)
    assert answer.after is not None
    assert (answer.after.accelerator, answer.after.layout) == (answer.before.accelerator, answer.before.layout)
    assert answer.after.option == answer.before.option and answer.after.replicas > answer.before.replicas


@pytest.mark.parametrize(
    ("text", "read", "expected"),
    [
        ("accelerators.h200.tdp_w=600", lambda q: h200(q).tdp_w, 600),
        ("accelerators.h200.peak_flops_per_s.fp8=1e15", lambda q: h200(q).peak_flops_per_s["fp8"], 1e15),
        ("llms.llama-3.1-70b.layers=40", lambda q: q.catalog.llms["llama-3.1-70b"].layers, 40),
        ("site.electricity_usd_per_kwh=0.2", lambda q: q.catalog.site("us-average").electricity_usd_per_kwh, 0.2),
        ("sites.us-new-york.pue=1.1", lambda q: q.catalog.site("us-new-york").pue, 1.1),
        ("calibration.headroom=0.5", lambda q: q.catalog.parameter("headroom").value, 0.5),
        ("calibration.repair_hours/own=100", lambda q: q.catalog.parameter("repair_hours", "own").value, 100),
        ("layout.tp=4", lambda q: q.workload.limits.tp, (4,)),
        ("layout.engine=sglang", lambda q: q.workload.limits.engines, ("sglang",)),
        ("discount_rate=+50%", lambda q: q.workload.discount_rate, pytest.approx(0.12)),
        ("site=us-new-york", lambda q: q.workload.site, "us-new-york"),
    ],
)  # fmt: skip
def test_any_field_can_change(question: Question, text: str, read: object, expected: object) -> None:
    after = changed(question, text)
    assert read(after) == expected  # type: ignore[operator]
    assert read(question) != expected  # type: ignore[operator]


def test_a_whole_table_can_be_given(question: Question) -> None:
    assert changed(question, 'prices={"h200": 2.0}').workload.prices == {"h200": 2.0}


def test_a_changed_fact_does_not_borrow_its_source(question: Question) -> None:
    row = h200(changed(question, "accelerators.h200.tdp_w=600"))
    assert row.source.startswith("assumed in this what-if; before: 700")
    assert changed(question, "accelerators.h200.tdp_w=600").catalog.sha256 != question.catalog.sha256


def test_market_prices_move_by_shares(question: Question) -> None:
    before, after = question.catalog.prices, changed(question, "cloud.spot=-50%").catalog.prices
    for old, new in zip(before, after, strict=True):
        assert new.price_usd_per_hour == pytest.approx(old.price_usd_per_hour * (0.5 if old.term == "spot" else 1))
    some = changed(question, "cloud.h200=x2").catalog
    touched = {p.instance_type for o, p in zip(before, some.prices, strict=True) if p != o}
    shapes = {i.instance_type for i in some.instances if i.accelerator == "h200-sxm-141gb"}
    assert touched and touched <= shapes


def test_dearer_purchases_raise_what_is_owned_alone(question: Question) -> None:
    own = Question(load_workload("default", {**SMALL, "supply.options": ["own"]}), question.catalog)
    answer = whatif(own, [Change("purchases.h200", "+20%")], keep=True)
    assert answer.after is not None and answer.after.usd_per_month > answer.before.usd_per_month
    rented = Question(load_workload("default", {**SMALL, "supply.options": ["on_demand"]}), question.catalog)
    same = whatif(rented, [Change("purchases.h200", "+20%")])
    assert same.after is not None and same.after.usd_per_month == same.before.usd_per_month


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("traffic.rate_per_s", "FIELD=VALUE"),
        ("trafic.rate_per_s=3", "no such field"),
        ("traffic.rate_per_s=-3", "greater than 0"),
        ("prices.h200=-2", "greater than 0"),
        ("prices.h200=0", "greater than 0"),
        ("prices.h200=+20%", "no number to change"),
        ("prices.h201=2", "h201"),
        ("purchases.h200=-100%", "greater than 0"),
        ("purchases.nonsense=+5%", "nonsense"),
        ("cloud.h200=2.1", "prices.h200=2.1"),
        ("cloud.all=-100%", "greater than 0"),
        ("cloud.nonsense=+5%", "nonsense"),
        ("site.pue=0.5", "greater than or equal to 1"),
        ("site.puee=1.2", "puee"),
        ("sites.atlantis.pue=1.2", "atlantis"),
        ("accelerators.h200.name=+5%", "no number"),
        ("layout.size=3", "size"),
        ("layout.tp=3", "no layout has tp 3"),
        ("calibration.luck=1", "luck"),
        ("calibration.headroom=0", "above 0"),
        ("calibration.headroom=1.5", "up to 1"),
        ("calibration.burst_factor=-1", "above 0"),
        ("calibration.burst_factor=many", "above 0"),
        ("accelerators.=1", "ID.FIELD"),
        ("sites.us-average=3", "ID.FIELD"),
        ("prices=3", "dictionary"),
        ("horizon_years=0", "greater than 0"),
        ("discount_rate=1.0", "less than 1"),
    ],
)
def test_nonsense_is_refused(question: Question, text: str, part: str) -> None:
    with pytest.raises(PlannerError, match=part.replace("(", r"\(")):
        after = changed(question, text)
        plan(after.workload, after.catalog)


def test_no_change_and_no_plan_are_refused(question: Question) -> None:
    with pytest.raises(WorkloadError, match="nothing is changed"):
        whatif(question, [])
    impossible = Question(load_workload("default", {**SMALL, "slo.ttft_p99_s": 0.001}), question.catalog)
    with pytest.raises(NoPlan):
        whatif(impossible, [Change("traffic.rate_per_s", "2")])


def test_a_promise_that_nothing_keeps_any_more_is_an_answer(question: Question) -> None:
    answer = whatif(question, [Change("slo.ttft_p99_s", "0.001")])
    assert answer.after is None and "Nearest" in answer.refusal
    assert not answer.drivers and not answer.by_change


def test_a_sweep_over_two_fields_is_every_combination(question: Question) -> None:
    answer = sweep(question, {"traffic.rate_per_s": ["5", "40"], "slo.ttft_p99_s": ["0.001", "2"]})
    assert [c.name for c in answer.cases] == ["5, 0.001", "5, 2", "40, 0.001", "40, 2"]
    assert [c.outcome is None for c in answer.cases] == [True, False, True, False]
    small, large = answer.cases[1].outcome, answer.cases[3].outcome
    assert small and large and large.usd_per_month > small.usd_per_month


def test_the_title_of_a_sweep_says_how_cost_follows(question: Question) -> None:
    answer = sweep(question, {"traffic.rate_per_s": ["5", "40"]})
    first, last = (case.outcome.usd_per_month for case in answer.cases if case.outcome)
    title = sweep_finding(answer, str)
    assert title.startswith(f"8 times the traffic.rate_per_s costs {last / first:.3g} times as much")
    both = sweep(question, {"traffic.rate_per_s": ["5", "40"], "slo.ttft_p99_s": ["0.001", "2"]})
    assert sweep_finding(both, str).startswith("Least at 5, 2: $")
    same = sweep(question, {"limits.max_gpus_per_replica": ["8", "9"]})
    assert "does not change the cost" in sweep_finding(same, str)


def test_a_sweep_has_bounds(question: Question) -> None:
    with pytest.raises(WorkloadError, match="101 combinations"):
        sweep(question, {"traffic.rate_per_s": [str(n) for n in range(1, 102)]})
    with pytest.raises(WorkloadError, match="one or two"):
        sweep(question, {"a": ["1"], "b": ["1"], "c": ["1"]})


def test_scenarios_come_back_as_saved(question: Question, tmp_path: Path) -> None:
    changes = [Change("traffic.rate_per_s", "x2"), Change("site.electricity_usd_per_kwh", "0.2")]
    write_scenario(tmp_path / "dear.toml", 'Dear "power"', changes)
    name, start, read = read_scenario(tmp_path / "dear.toml", question)
    assert (name, start, list(read)) == ('Dear "power"', question, changes)
    with pytest.raises(OutputError, match="--force"):
        write_scenario(tmp_path / "dear.toml", "x", changes)
    assert [p.name for p in tmp_path.iterdir()] == ["dear.toml"]
    answer = compare({"base": (question, ()), name: apply(start, read)})
    first, second = (c.outcome for c in answer.cases)
    assert first and second and second.usd_per_month >= first.usd_per_month


def test_a_workload_file_is_a_scenario(question: Question, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(Path("catalogs/workloads/rag.toml").read_text(encoding="utf-8"), encoding="utf-8")
    name, start, changes = read_scenario(tmp_path / "w.toml", question)
    assert start.workload == load_workload("rag") and name == start.workload.name and not changes


@pytest.mark.parametrize("text", ["", "name = 3", "[set]", "name='x'\n[set]\n", "nonsense", "name='x'\nsets={a=1}"])
def test_a_broken_scenario_is_refused(question: Question, tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    with pytest.raises(WorkloadError, match=r"s\.toml"):
        read_scenario(tmp_path / "s.toml", question)


def test_an_unknown_row_names_the_nearest(question: Question) -> None:
    with pytest.raises(UnknownName, match="us-new-york"):
        changed(question, "sites.us-new-yorck.pue=1.2")


def test_a_sweep_by_two_workers_is_the_same(question: Question) -> None:
    fields = {"traffic.rate_per_s": ["2", "4", "8"]}
    alone, spread = sweep(question, fields), sweep(question, fields, workers=Workers(2))
    assert alone.cases == spread.cases


def test_a_misspelt_server_quote_is_refused(question: Question) -> None:
    quoted = changed(question, "ownership.unit_prices.server-h201=200000")
    with pytest.raises(UnknownName, match="server-h201"):
        plan(quoted.workload, quoted.catalog)
