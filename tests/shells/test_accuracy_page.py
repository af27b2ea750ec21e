"""The page of accuracy as a program sees it: scores, the worst first, filters, and a reader's own file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from planner.calibration.accuracy import accuracy
from planner.calibration.held_out import HeldOut, held_out_file, points_file, write_held_out
from planner.calibration.points import read_points
from planner.catalog import Catalog, load_catalog
from planner.report.accuracy import share
from planner.ui import accuracy_page, own_facts

TIMEOUT_S = 60
RATIOS = (1.1, 0.7, 1.0, 3.0)


@pytest.fixture
def catalogs(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """Catalogs of the page: those that ship, with predictions of known errors."""
    shutil.copytree(catalog.folder, tmp_path / "all")
    found = load_catalog(tmp_path / "all")
    points = read_points(points_file(found), found)[0]
    repeated = RATIOS * (len(points) // 4 + 1)
    guesses = {p.id: HeldOut(p.value * r, p.value / 2, p.value * 2) for p, r in zip(points, repeated, strict=False)}
    write_held_out(held_out_file(found), guesses)
    monkeypatch.setattr(own_facts, "load_catalog", lambda: found)
    st.cache_resource.clear()
    yield found
    st.cache_resource.clear()


def script() -> None:
    from planner.ui import accuracy_page

    accuracy_page.page()


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    app.query_params.update(parameters)
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in (*app.markdown, *app.caption))


def test_scores_stand_first_and_the_worst_groups_follow(catalogs: Catalog) -> None:
    app = opened()
    assert app.markdown[0].value.startswith("# Half of 1,2")
    scores = [one for one in accuracy(catalogs).headlines if one.key != "tpot_core"]
    assert [metric.value for metric in app.metric] == [
        *(f"± {share(one.score.median_ape)}" for one in scores[:-1]),
        share(scores[-1].score.predicted_share),
    ]
    assert len(app.metric) == 6
    worst = next(frame.value for frame in app.dataframe if "llm" in frame.value and "mape" in frame.value)
    assert len(worst) == 10 and worst["mape"].is_monotonic_decreasing
    assert "Worst of" in texts(app) and "AIConfigurator" in texts(app)
    assert not app.warning


def test_filters_narrow_every_part(catalogs: Catalog) -> None:
    app = opened()
    app.button_group(key="accuracy-metric").set_value("ttft")
    app.multiselect(key="accuracy-engine").set_value(["sglang"])
    app.multiselect(key="accuracy-accelerator").set_value(["h200-sxm-141gb"])
    run(app)
    assert "Time to first token" in texts(app)
    worst = next(frame.value for frame in app.dataframe if "llm" in frame.value and "mape" in frame.value)
    assert set(worst["metric"]) == {"ttft"} and set(worst["accelerator"]) == {"h200-sxm-141gb"}
    points = next(frame.value for frame in app.dataframe if "setup" in frame.value)
    assert set(points["engine"]) == {"sglang"} and len(points) > 20
    app.multiselect(key="accuracy-llm").set_value(["gemma-3-27b"])
    assert "No measured point" in run(app).info[0].value


def test_speaks_chinese(catalogs: Catalog) -> None:
    app = opened(lang="zh")
    assert app.multiselect(key="accuracy-accelerator").label == "加速卡"
    assert len(app.metric) == 6


def test_without_predictions_it_says_what_to_do(catalogs: Catalog) -> None:
    held_out_file(catalogs).unlink()
    app = opened()
    assert "make calibrate" in app.warning[0].value and not app.metric
    assert app.file_uploader(key="accuracy-points-sent") is not None


def test_a_readers_file_is_scored_and_refused_by_row(catalogs: Catalog) -> None:
    app = opened()
    head = "id,model,precision_weights,framework,accelerator,tp,isl,osl,concurrency_or_qps,metric,value\n"
    row = "{},llama-3.1-8b,fp8,vllm,{},1,512,128,16,tpot_ms_p50,{}\n"
    rows = [row.format("a", "h100", 9), row.format("b", "h999", 9), row.format("c", "h100", 0.02)]
    app.file_uploader(key="accuracy-points-sent").upload("mine.csv", (head + "".join(rows)).encode(), "text/csv")
    run(app)
    assert "1 of 3 rows are scored, 2 are refused" in texts(app)
    refused = app.dataframe[-1].value
    assert list(refused["row"]) == [3, 4]
    assert "unknown accelerator 'h999'" in refused["reason"][0] and "check its unit" in refused["reason"][1]
    app.file_uploader(key="accuracy-points-sent").upload("other.csv", b"nothing of the kind", "text/csv")
    assert "lacks the columns" in run(app).warning[0].value


def test_new_predictions_are_seen(catalogs: Catalog) -> None:
    before = accuracy_page._stamp()
    held_out_file(catalogs).unlink()
    assert accuracy_page._stamp() != before
