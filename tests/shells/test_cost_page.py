"""The page of costs as a program sees it."""

from __future__ import annotations

import altair
import pytest
from streamlit.testing.v1 import AppTest

from planner.catalog import Catalog
from planner.i18n import translator
from planner.report import charts, cost_charts, cost_frames, costs
from planner.schema.costs import CostAnswer
from planner.search.cost import cost
from planner.search.plan import plan
from planner.workloads import load_workload

TIMEOUT_S = 90
NARROW = {"limits.accelerators": '["h200-sxm-141gb"]', "limits.max_gpus_per_replica": "8", "limits.engines": '["vllm"]'}


def script() -> None:
    from planner.ui import cost_page

    cost_page.page()


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    app.query_params.update({**NARROW, **parameters})
    app.run()
    assert not app.exception
    return app


@pytest.fixture(scope="module")
def answer(catalog: Catalog) -> CostAnswer:
    narrow = {"limits.accelerators": ["h200"], "limits.max_gpus_per_replica": 8, "limits.engines": ["vllm"]}
    return cost(plan(load_workload("default", narrow), catalog), 1, catalog)


def test_shows_what_the_library_says(answer: CostAnswer) -> None:
    app = opened()
    own = next(w for w in answer.ways if w.option == "own")
    shown = [metric.value.replace("\\", "") for metric in app.metric]
    assert shown[0] == f"${answer.ways[0].usd_per_month:,.0f}" and shown[1] == f"${own.usd_per_month:,.0f}"
    assert shown[2] == f"${own.npv_usd:,.0f}" and len(shown) == 5
    assert f"{len(answer.unpriced)} items have no sourced price" in app.warning[0].value
    bill = next(frame.value for frame in app.dataframe if "Pieces" in frame.value)
    assert len(bill) == len(answer.bill.items) + 1


def test_tornado_probability_and_a_table_behind_each_chart() -> None:
    app = opened()
    said = "\n".join(one.value for one in app.markdown).replace("\\", "")
    assert "matters most" in said or "No input alone" in said
    assert "Sized to the draw, plan 1 costs up to" in said and "of draws it cannot keep the promise" in said
    behind = [one for one in app.expander if one.label == "The table behind this chart"]
    assert len(behind) == 5 and all(len(one.dataframe) == 1 for one in behind)
    cash = behind[1].dataframe[0].value
    assert cash["Month"].is_monotonic_increasing and len(cash.columns) > 2


def test_how_each_number_comes_about_and_the_command() -> None:
    app = opened()
    app.session_state["reproduce"] = app.session_state["explained"] = True
    app.run()
    (line,) = (code.value for code in app.code)
    assert line.startswith("planner cost --set 'limits.accelerators=") and line.endswith("--plan 1")
    assert [tab.label for tab in app.tabs][-1] == "Cost per million output tokens"


def test_a_stated_figure_changes_the_cost() -> None:
    app = opened()
    before = app.metric[1].value
    app.number_input(key="staff_usd_per_year.0").set_value(240_000.0).run()
    assert not app.exception and app.metric[1].value != before
    assert app.metric[0].value.startswith("\\$")


def test_speaks_chinese() -> None:
    assert any("物料清单" in box.label for box in opened(lang="zh").expander)


def test_an_impossible_promise_says_why() -> None:
    app = opened(**{"slo.ttft_p99_s": "0.001"})
    assert app.warning and not app.metric


def test_charts_are_vega_lite_and_tell_the_figures(answer: CostAnswer) -> None:
    _ = translator("en")
    months, paid, load = (f(answer, _) for f in (cost_frames.months, cost_frames.cash_so_far, cost_frames.by_load))
    totals = {row["way"]: row["total"] for row in months}
    for way, total in totals.items():
        assert sum(row["usd"] for row in months if row["way"] == way) == pytest.approx(total)
    crossed = cost_frames.crossings(answer, _)
    specs = (
        cost_charts.months_chart(months, charts.DARK, _),
        cost_charts.cash_chart(paid, crossed, charts.LIGHT, _),
        cost_charts.load_chart(load, 0.4, charts.DARK, _),
    )
    for spec in specs:
        altair.Chart.from_dict(spec)
    own = [row["usd"] for row in paid if row["way"].startswith("own")]
    assert own[0] == pytest.approx(answer.bill.capital_usd) and own == sorted(own)
    for point in crossed:  # both have paid the same there
        cloud = {r["month"]: r["usd"] for r in paid if r["way"] == point["way"]}
        before, after = int(point["month"]), int(point["month"]) + 1
        assert own[before] >= cloud[before] - 1 and own[min(after, 36)] <= cloud[min(after, 36)] + 1


def test_a_tenth_of_the_load_costs_ten_times_as_much(answer: CostAnswer) -> None:
    rows = {r["load"]: r["usd"] for r in cost_frames.by_load(answer, translator("en")) if r["way"].startswith("own")}
    assert rows[0.1] == pytest.approx(10 * rows[1.0])


def test_the_supply_mix_opens_below() -> None:
    """Made when its box is opened; what it says is what `planner mix` says."""

    def opened_box() -> None:
        from planner.i18n import translator
        from planner.ui import mix_view
        from planner.workloads import load_workload

        narrow = {"limits.accelerators": ["h200"], "limits.max_gpus_per_replica": 8, "limits.engines": ["vllm"]}
        workload = load_workload("default", {**narrow, "ownership.staff_usd_per_year": 60_000})
        mix_view.show(workload, 1, translator("en"))

    app = AppTest.from_function(opened_box, default_timeout=TIMEOUT_S).run()
    assert not app.exception
    ways, policies = (frame.value for frame in app.dataframe)
    assert "GPUs" in ways and len(policies) == 4
    before = app.markdown[0].value
    app.selectbox(key="mix-load").set_value("constant").run()
    assert not app.exception and app.markdown[0].value != before
    assert "constant" in app.markdown[0].value
    app.number_input(key="mix-firm").set_value(0.0).run()
    assert not app.exception
    assert not [one for one in opened().selectbox if one.key == "mix-load"]  # the page itself waits for none of it


def test_the_headline_names_the_fleet_that_its_price_is_of(answer: CostAnswer) -> None:
    """Two replicas cost what two replicas cost; their title alone names the accelerators of one."""
    best = answer.ways[0].model_copy(update={"replicas": 2, "spares": 0})
    said = costs.cheapest_sentence(answer.model_copy(update={"ways": (best, *answer.ways[1:])}), str)
    assert said.startswith("2 × 8 NVIDIA H200 SXM 141GB, FP8")
    alone = best.model_copy(update={"replicas": 1})
    said = costs.cheapest_sentence(answer.model_copy(update={"ways": (alone, *answer.ways[1:])}), str)
    assert said.startswith("8 × NVIDIA H200 SXM 141GB, FP8")


def test_the_page_names_no_option_of_a_command() -> None:
    app = opened()
    assert len(app.expander) > 3 and not [one.label for one in app.expander if "--json" in one.label]


def test_chinese_has_chinese_commas(answer: CostAnswer) -> None:
    committed = answer.ways[0].model_copy(update={"option": "commitment", "term": "rental_3y", "provider": "lambda"})
    said = costs.cheapest_sentence(answer.model_copy(update={"ways": (committed, *answer.ways[1:])}), translator("zh"))
    assert "方式是承诺期（" in said and "），lambda，每月" in said
