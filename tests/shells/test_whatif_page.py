"""The page What if as a program sees it: changes, ranges, years; the library's figures; refusals as boxes."""

from __future__ import annotations

import altair as alt
import pytest
from streamlit.testing.v1 import AppTest

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.i18n import translator
from planner.report import charts
from planner.report.charts_whatif import chance_chart, fleet_chart, parts_chart, sweep_chart, tornado_chart
from planner.report.whatif import sentence
from planner.search.change import Change, Question
from planner.search.scenarios import scenario_text, uploaded_scenario
from planner.search.whatif import whatif
from planner.ui import cases_view
from planner.ui.shelf import File
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
    assert app.warning and "cannot be answered" in headline(app)


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


def test_values_of_two_fields_side_by_side() -> None:
    app = view(opened(), "cases")
    app.text_input(key="cases-first").set_value("traffic.rate_per_s=5,10")
    app.text_input(key="cases-second").set_value("cloud.all=-20%,x1")
    run(app)
    assert headline(app).startswith("# 4 cases")
    assert len(app.dataframe[0].value) == 4 and len(app.get("vega_lite_chart")) == 1
    for text in ("traffic.rate_per_s", "nonsense=1,2", "traffic.rate_per_s=" + ",".join(map(str, range(1, 31)))):
        app.text_input(key="cases-first").set_value(text)
        run(app)
        assert app.warning and "cannot be answered" in headline(app)


def test_sent_scenarios_stand_beside_the_question(catalog: Catalog) -> None:
    base = load_workload("default", {"limits.accelerators": ["h200"], "limits.engines": ["vllm"]})
    twice = scenario_text("twice", [Change("traffic.rate_per_s", "x2")]).encode()
    answer = cases_view._compared(base, [File("a.toml", twice)])
    assert [case.name for case in answer.cases] == [base.name, "twice"]
    one, two = (case.outcome for case in answer.cases)
    assert one is not None and two is not None and two.usd_per_month > one.usd_per_month
    with pytest.raises(WorkloadError, match="another name"):
        cases_view._compared(base, [File("a.toml", twice), File("b.toml", twice)])
    for content in (b"\xff", b"x", b"name = 'n'", b"name = 'n'\nworkload = '/etc/passwd'\n[set]\na = 1"):
        with pytest.raises(WorkloadError, match=r"c\.toml"):
            uploaded_scenario(content, "c.toml", Question(base, catalog))


def test_sent_scenarios_come_back_by_the_address() -> None:
    def keep() -> None:
        from types import SimpleNamespace

        from planner.search.change import Change
        from planner.search.scenarios import scenario_text
        from planner.ui import shelf, uploads

        texts = {f"{name}.toml": scenario_text(name, [Change("traffic.rate_per_s", name)]) for name in ("x2", "x3")}
        sent = [SimpleNamespace(name=n, getvalue=lambda text=text: text.encode()) for n, text in texts.items()]
        shelf.put("cases-files", uploads._packed(sent))

    mark = "".join(AppTest.from_function(keep).run().query_params["cases-files"])
    app = view(opened(**{"cases-files": mark}), "cases")
    assert headline(app).startswith("# 3 cases") and list(app.dataframe[0].value.iloc[:, 0])[1:] == ["x2", "x3"]
    app.button(key="cases-files-back").click()
    run(app)
    assert "cases-files" not in app.query_params and not headline(app).startswith("# 3 cases")


def test_another_file_of_the_reader_is_no_scenario() -> None:
    def keep() -> None:
        from planner.ui import shelf

        shelf.put("cases-files", shelf.File("trace.csv", b"arrival_s,input_tokens"))

    mark = "".join(AppTest.from_function(keep).run().query_params["cases-files"])
    app = view(opened(**{"cases-files": mark}), "cases")
    assert headline(app).startswith("# 4 cases") and "cases-files" not in app.query_params


def test_speaks_chinese() -> None:
    assert "每月" in headline(opened(lang="zh"))


def test_charts_are_valid() -> None:
    _ = translator("en")
    bar = {"name": "load", "low": 1.0, "high": 2.0, "at_low": 5.0, "at_high": None}
    specs = (
        parts_chart([{"name": "load", "usd": 5.0}, {"name": "price", "usd": -2.0}], charts.LIGHT, _),
        tornado_chart([bar], 6.0, "cost", "$,.0f", charts.DARK, _),
        chance_chart([{"plan": "1", "chance": 0.5, "usd": 10.0}], 12.0, charts.LIGHT, _),
        sweep_chart([{"x": "a", "series": "", "plan": "p", "usd": 5.0}], "f", "", charts.LIGHT, _),
        sweep_chart([{"x": 1.0, "series": "2", "plan": "p", "usd": 5.0}], "f", "g", charts.DARK, _),
        fleet_chart([{"year": 1, "what": "owned", "servers": 3}], charts.LIGHT, _),
    )
    for spec in specs:
        alt.Chart.from_dict(spec)


def test_a_typed_change_stands_alone_until_a_ready_one_is_added() -> None:
    app = opened()
    app.text_input(key="whatif-own").set_value("site.pue=1.1")
    run(app)
    assert headline(app).replace("\\", "").startswith("# With site.pue = 1.1:")
    app.button_group(key="whatif-ready").set_value(["load"])
    run(app)
    assert "# With twice the load, site.pue = 1.1" in headline(app).replace("\\", "")
    app.text_input(key="whatif-own").set_value("site.pue=1.2")
    run(app)
    assert "# With twice the load, site.pue = 1.2" in headline(app).replace("\\", "")


def test_large_figures_have_sensible_digits(catalog: Catalog) -> None:
    changes = {"limits.accelerators": ["h200-sxm-141gb"], "limits.engines": ["vllm"]}
    answer = whatif(Question(load_workload("default", changes), catalog), [Change("traffic.rate_per_s", "x2")])
    assert answer.after is not None
    cost = answer.before.usd_per_month * 128_436
    after = answer.after.model_copy(update={"gpus_total": 1_027_488, "usd_per_month": cost})
    said = sentence(answer.model_copy(update={"after": after}), str)
    assert "1,027,488 × H200" in said and "(+12,843,500 %)" in said
