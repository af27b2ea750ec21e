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
    narrow = {"traffic.trace": "azure-code", "limits.accelerators": '["h200-sxm-141gb"]', "limits.engines": '["vllm"]'}
    app.query_params.update(narrow)
    app.session_state["fleet-show"] = ["autoscale", "failures", "spot", "surge"]
    app.session_state["fleet-mtbf"], app.session_state["fleet-storage"] = 2.0, "object"
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
    fixed = rules[rules["Autoscaler"] == "fixed"]["Replicas"].item()
    assert fixed.split("–")[0] != fixed.split("–")[1]  # some had failed at times
    assert any("Anyscale" in str(element.value) for element in app.markdown)


def test_without_a_spot_price_only_the_spot_panel_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from planner.search import spot

    for name in ("_priced", "family_of"):
        monkeypatch.setattr(spot, name, lambda *_: None)
    app = AppTest.from_function(script, default_timeout=TIMEOUT_S)
    app.query_params.update({"limits.accelerators": '["b200-sxm-180gb"]', "limits.engines": '["vllm"]'})
    app.session_state["fleet-show"] = ["spot", "surge"]
    app.run()
    assert not app.exception
    assert any("Spot price over on demand" in box.value for box in app.warning)
    text = "\n".join(str(element.value) for element in app.markdown)
    assert "Surge" in text and "must be firm" not in text
