"""The page of traffic as a program sees it: it opens simulated, takes a trace, and refuses in plain words."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from planner.ui import question

TIMEOUT_S = 60


def script() -> None:
    from planner.ui import traffic_page

    traffic_page.page()


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    narrow = {"traffic.rate_per_s": "2", "limits.accelerators": '["h200-sxm-141gb"]', "limits.engines": '["vllm"]'}
    app.query_params.update({**narrow, **{name.replace("__", "."): value for name, value in parameters.items()}})
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def headline(app: AppTest) -> str:
    return next(m.value for m in app.markdown if m.value.startswith("# "))


def texts(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in (*app.markdown, *app.caption))


def test_opens_simulated() -> None:
    app = opened()
    assert "azure-conv" in headline(app) and "promise" in headline(app)
    assert [metric.label for metric in app.metric][:3] == ["P99 TTFT", "P99 TPOT", "P99 whole answer"]
    assert len(app.metric) == 5
    table = app.dataframe[-1].value
    assert table["requests"].sum() == 19366 and {"ttft_p99_s", "attainment"} <= set(table.columns)
    assert "is worst at" in texts(app) and "Busiest at" in texts(app)
    assert not app.warning and not app.error


def test_another_trace_and_drawn_times() -> None:
    app = opened()
    app.selectbox(key="traffic-arrivals").set_value("poisson")
    run(app)
    assert "Do not size with them" in app.warning[0].value
    app.selectbox(key="traffic-arrivals").set_value("mmpp")
    run(app)
    app.selectbox(key="traffic-profile").set_value("servegen-r1-day")
    run(app)
    assert "servegen-r1-day" in headline(app)
    assert app.dataframe[-1].value["end_s"].max() == 3600  # its busiest hour


def test_lengths_of_statistics_behind_another_router() -> None:
    app = opened()
    app.selectbox(key="traffic-lengths-False").set_value("statistics")
    run(app)
    app.number_input(key="traffic-rank_correlation").set_value(0.5)
    app.selectbox(key="traffic-router").set_value("least-load")
    run(app)
    assert "least load" in texts(app)
    assert "rank correlation 0.50" in texts(app)


def test_fewer_replicas_serve_worse() -> None:
    app = opened(traffic__rate_per_s="12")
    before = app.dataframe[-1].value["ttft_p99_s"].max()
    app.number_input(key="traffic-replicas").set_value(1)
    assert run(app).dataframe[-1].value["ttft_p99_s"].max() > before


def test_a_file_is_read_or_refused() -> None:
    app = opened()
    app.selectbox(key="traffic-trace").set_value("")
    run(app)
    assert not app.metric
    head = "arrival_s,input_tokens,output_tokens\n"
    rows = "".join(f"{i * 0.4},{300 + i % 7},{20 + i % 3}\n" for i in range(400))
    app.file_uploader(key="traffic-file-sent").upload("mine.csv", (head + rows).encode(), "text/csv")
    run(app)
    assert "mine" in headline(app) and app.dataframe[-1].value["requests"].sum() == 400
    app.file_uploader(key="traffic-file-sent").upload("bad.csv", (head + "1,5,5\n0,5,5\n").encode(), "text/csv")
    run(app)
    assert "comes after" in app.warning[0].value and not app.metric


def test_a_link_names_no_file_of_the_server() -> None:
    app = opened(traffic__trace="/etc/passwd")
    assert "is not in the catalogs" in app.warning[0].value and not app.metric
    app = opened(traffic__trace="azure-code")
    assert app.selectbox(key="traffic-trace").value == "azure-code"


def test_users_who_wait_are_refused() -> None:
    assert "leave no times to replay" in opened(traffic__concurrency="50").warning[0].value


def test_speaks_chinese() -> None:
    assert opened(lang="zh").selectbox(key="traffic-trace").label == "请求"


def test_the_page_is_in_the_menu() -> None:
    from planner.assets import app_file

    assert "traffic_page.page" in app_file().read_text(encoding="utf-8")
    assert question.FIELDS


@pytest.mark.parametrize("metric", ["ttft", "tpot", "e2e"])
def test_each_metric_has_its_chart(metric: str) -> None:
    app = opened()
    app.button_group(key="traffic-metric").set_value(metric)
    assert "is worst at" in texts(run(app))


@pytest.mark.parametrize("lengths", ["scaled", "recorded"])
@pytest.mark.parametrize("trace", ["azure-conv", "azure-code"])
def test_the_plan_that_is_chosen_is_the_one_simulated(trace: str, lengths: str) -> None:
    app = opened()
    app.selectbox(key="traffic-trace").set_value(trace)
    app.selectbox(key="traffic-lengths-False").set_value(lengths)
    run(app)
    (plans,) = [box for box in app.selectbox if box.label == "Plan"]
    layout = plans.options[0].partition(" FP8 ")[2]
    assert layout and f"FP8, {layout})" in headline(app).replace("TP1 DP", "DP")
