"""The fleet over time on the page of traffic."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

TIMEOUT_S = 120


def script() -> None:
    from planner.ui import traffic_page

    traffic_page.page()


@pytest.fixture(scope="module")
def app() -> AppTest:
    """The page with all sections."""
    app = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    narrow = {"traffic.rate_per_s": "2", "limits.accelerators": '["h200-sxm-141gb"]', "limits.engines": '["vllm"]'}
    app.query_params.update(narrow)
    app.session_state["fleet-show"] = ["autoscale", "failures", "spot", "surge"]
    app.run()
    assert not app.exception
    return app


def test_every_section_is_told(app: AppTest) -> None:
    text = "\n".join(str(element.value) for element in app.markdown)
    for words in ("One replica holds", "Failures", "must be firm", "Surge"):
        assert words in text
    tables = [frame.value for frame in app.dataframe]
    rules = next(table for table in tables if "Autoscaler" in table.columns)
    assert list(rules["Autoscaler"]) == ["fixed", "hpa", "keda", "knative", "forecast"]
    assert any("Protection" in table.columns for table in tables)


def test_injected_failures_are_counted(app: AppTest) -> None:
    app.session_state["fleet-show"] = ["autoscale"]
    app.run()
    app.number_input(key="fleet-mtbf").set_value(2.0)
    app.selectbox(key="fleet-storage").set_value("object")
    app.run()
    assert not app.exception
    text = "\n".join(str(element.value) for element in app.markdown)
    assert "One replica holds" in text
    assert "must be firm" not in text
