"""Facts of a session as its pages use them: measured figures are marked, a bad file changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from planner.catalog import Catalog
from planner.errors import PlannerError
from planner.overlay import write_overlay
from planner.report.frames import ranking
from planner.report.numbers import numbers
from planner.search.plan import plan
from planner.ui.own_facts import OwnFacts, under
from planner.workloads import load_workload

SCOPE = "h200-sxm-141gb|{}deepseek-r1|vllm"


@pytest.fixture
def measured(tmp_path: Path, catalog: Catalog) -> bytes:
    """Steps 1.3 times as long as estimated, from nine points of one set-up."""
    row = catalog.parameter("time_factor").model_copy(update={"source": "own measurement: mine.json"})
    figures = {"time_factor": (SCOPE.format(""), 1.3), "measured_points": (SCOPE.format("fp8|"), 9.0)}
    rows = [row.model_copy(update={"name": n, "scope": s, "value": v}) for n, (s, v) in figures.items()]
    write_overlay(tmp_path / "own.csv", rows)
    return (tmp_path / "own.csv").read_bytes()


def test_measured_figures_are_marked(measured: bytes, catalog: Catalog) -> None:
    narrow = {"limits.accelerators": ["h200"], "limits.engines": ["vllm"], "limits.max_gpus_per_replica": 8}
    workload, own = load_workload(changes=narrow), under(OwnFacts(figures=(measured,)))
    for facts, basis in ((catalog, "calibrated"), (own, "measured")):
        result = plan(workload, facts, 1, 0)
        told = numbers(result, result.plans[0], facts, str)
        assert [one.basis for one in told[:2]] == [basis, basis]
        assert ranking(result, str, facts)["basis"].iloc[0] == basis
    assert own.sha256 != catalog.sha256


def test_a_page_names_them_and_the_command_takes_them(measured: bytes) -> None:
    def script() -> None:
        from planner.ui import own_view, plan_page
        from planner.ui.session import translate

        own_view.mark(translate())
        plan_page.page()

    app = AppTest.from_function(script, default_timeout=60)
    app.session_state["own_facts"] = OwnFacts(figures=(measured,))
    app.session_state["reproduce"] = True
    app.query_params["limits.accelerators"] = '["h200-sxm-141gb"]'
    app.run()
    assert not app.exception
    assert "figures measured on your own set-up" in app.warning[0].value
    assert any(code.value.endswith("--calibration own.csv") for code in app.code)


@pytest.mark.parametrize("content", [b"", b"\xff", b"name,scope\n", b"a" * 2_000_000])
def test_what_is_no_file_of_figures_is_refused(content: bytes) -> None:
    with pytest.raises(PlannerError):
        under(OwnFacts(figures=(content,)))
