"""The page What if as a program sees it: changes, ranges, years; the library's figures; refusals as boxes."""

from __future__ import annotations

import altair as alt
import pytest
from streamlit.testing.v1 import AppTest

from planner.catalog import Catalog
from planner.i18n import translator
from planner.report import charts
from planner.report.charts_whatif import chance_chart, fleet_chart, parts_chart, tornado_chart
from planner.search.change import Change, Question
from planner.search.whatif import whatif
from planner.workloads import load_workload

TIMEOUT_S = 90
SMALL = {"limits.accelerators": '["h200"]', "limits.engines": '["vllm"]'}


def script() -> None:
    from planner.ui import whatif_page

    whatif_page.page()


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    app.query_params.update({**SMALL, **parameters})
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def headline(app: AppTest) -> str:
    return next(m.value for m in app.markdown if m.value.startswith("# "))


def view(app: AppTest, name: str) -> AppTest:
    app.button_group(key="whatif-view").set_value(name)
    return run(app)


def test_opens_with_twice_the_load(catalog: Catalog) -> None:
    app = opened()
    changes = {"limits.accelerators": ["h200-sxm-141gb"], "limits.engines": ["vllm"]}
    answer = whatif(Question(load_workload("default", changes), catalog), [Change("traffic.rate_per_s", "x2")])
    assert answer.after is not None
    assert f"{answer.after.usd_per_month:,.0f}" in headline(app)
    assert len(app.get("vega_lite_chart")) == 1


def test_more_changes_and_keeping_the_plan() -> None:
    app = opened()
    app.text_input(key="whatif-own").set_value("cloud.all=-50% site.pue=1.1")
    app.checkbox(key="whatif-keep").set_value(True)
    run(app)
    assert "cloud.all = -50%" in headline(app).replace("\\", "")
    assert len(app.get("vega_lite_chart")) == 2


@pytest.mark.parametrize("text", ["nonsense=1", "traffic.rate_per_s", "prices.h200=-1"])
def test_nonsense_is_a_box(text: str) -> None:
    app = opened()
    app.text_input(key="whatif-own").set_value(text)
    run(app)
    assert app.warning and "cannot be answered" in app.warning[0].value


def test_nothing_chosen_asks() -> None:
    app = opened()
    app.button_group(key="whatif-ready").set_value([])
    run(app)
    assert app.info


def test_how_sure_shows_chances_and_the_tornado() -> None:
    app = view(opened(), "risk")
    assert headline(app).startswith("# Plan 1")
    assert len(app.metric) == 3 and len(app.get("vega_lite_chart")) == 2
    app.number_input(key="risk-budget").set_value(30_000.0)
    run(app)
    assert len(app.metric) == 4
    app.text_input(key="risk-own").set_value("luck=1,2")
    run(app)
    assert "luck" in app.warning[0].value


def test_years_ahead() -> None:
    app = view(opened(), "years")
    assert headline(app).startswith("# Over 3 years")
    app.number_input(key="years-growth").set_value(0.0)
    app.selectbox(key="years-later").set_value("b200-sxm-180gb")
    run(app)
    assert any("b200" in str(frame.value) for frame in app.dataframe)


def test_speaks_chinese() -> None:
    assert "每月" in headline(opened(lang="zh"))


def test_charts_are_valid() -> None:
    _ = translator("en")
    bar = {"name": "load", "low": 1.0, "high": 2.0, "at_low": 5.0, "at_high": None}
    specs = (
        parts_chart([{"name": "load", "usd": 5.0}, {"name": "price", "usd": -2.0}], charts.LIGHT, _),
        tornado_chart([bar], 6.0, "cost", "$,.0f", charts.DARK, _),
        chance_chart([{"plan": "1", "chance": 0.5, "usd": 10.0}], 12.0, charts.LIGHT, _),
        fleet_chart([{"year": 1, "what": "owned", "servers": 3}], charts.LIGHT, _),
    )
    for spec in specs:
        alt.Chart.from_dict(spec)
