"""Facts of a session as its pages use them: measured figures are marked, a bad file changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from streamlit.testing.v1 import AppTest

from planner.catalog import Catalog, load_catalog
from planner.errors import PlannerError
from planner.overlay import write_overlay
from planner.report.frames import plans, ranking
from planner.report.numbers import numbers
from planner.search.overrides import Override
from planner.search.plan import plan
from planner.ui.own_facts import OwnFacts, under
from planner.ui.own_view import TEMPLATE
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
        assert ranking(result, str)["basis"].iloc[0] == plans(result)["basis"].iloc[0] == basis
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


# ---- kept by the address


def page() -> None:
    from planner.ui import own_facts, own_view
    from planner.ui.session import translate

    own_facts.follow()
    own_view.mark(translate())


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_function(page, default_timeout=60)
    for name, value in parameters.items():
        app.query_params[name.replace("_", "-")] = value
    app.run()
    assert not app.exception
    return app


def kept(facts: OwnFacts) -> str:
    """The mark that the address has once facts are laid over the catalogs."""

    def script() -> None:
        import streamlit as st

        from planner.ui import own_facts

        own_facts.keep(st.session_state["given"])

    app = AppTest.from_function(script, default_timeout=60)
    app.session_state["given"] = facts
    app.run()
    assert not app.exception
    return "".join(app.query_params["own-facts"])


def test_a_reload_and_a_link_have_them_too(measured: bytes) -> None:
    override = Override("accelerators.h200-sxm-141gb.tdp_w", "650", "capped in our racks")
    entry = ("mine", load_catalog().llms["deepseek-r1"].model_dump_json())
    facts = OwnFacts((override,), (TEMPLATE.encode(),), (entry,), (measured,))
    app = opened(own_facts=kept(facts))
    assert app.session_state["own_facts"] == facts
    (said,) = app.warning
    assert "capped in our racks" in said.value and "mine" in said.value
    app.button(key="own-drop").click().run()
    assert not app.warning and "own-facts" not in app.query_params


@pytest.mark.parametrize("mark", ["0" * 32, "../../etc/passwd", "", "é" * 32, "x" * 5000])
def test_a_mark_that_names_nothing_here_leaves_the_catalogs(mark: str) -> None:
    app = opened(own_facts=mark)
    (said,) = app.warning
    assert "are not here" in said.value and "own-facts" not in app.query_params
    app.run()
    assert not app.warning and not own_of(app)


def test_a_file_that_holds_no_facts_is_refused() -> None:
    def script() -> None:
        from planner.ui import shelf

        shelf.put("own-facts", shelf.File("trace.csv", b"arrival_s,input_tokens\n"))

    app = AppTest.from_function(script).run()
    (said,) = opened(own_facts="".join(app.query_params["own-facts"])).warning
    assert "no facts" in said.value


def test_a_database_that_does_not_answer_leaves_the_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OperationalError("SELECT", {}, Exception("at secret.example"))

    monkeypatch.setattr("planner.ui.shelf.engine", gone)
    app = opened(own_facts="0" * 32)
    (said,) = app.warning
    assert "cannot be reached" in said.value and "secret" not in said.value
    assert "".join(app.query_params["own-facts"]) == "0" * 32 and not own_of(app)


def own_of(app: AppTest) -> OwnFacts:
    found: OwnFacts = app.session_state["own_facts"] if "own_facts" in app.session_state else OwnFacts()
    return found


# ---- kept by saved questions


def compare() -> None:
    from planner.ui import compare_page, own_facts, own_view
    from planner.ui.session import translate

    own_facts.follow()
    own_view.mark(translate())
    compare_page.page()


def comparing(**parameters: str) -> AppTest:
    app = AppTest.from_function(compare, default_timeout=90)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.query_params["limits.accelerators"] = '["h200-sxm-141gb"]'
    app.run()
    assert not app.exception
    return app


def pressed(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_saved_questions_answer_and_open_with_their_facts() -> None:
    mark = kept(OwnFacts((Override("calibration.headroom", "0.3", "our load swings"),)))
    for name, facts in (("careful", {"own-facts": mark}), ("plain", {})):
        app = comparing(**facts)
        app.text_input(key="save_as").set_value(name)
        pressed(app, "Save")
    app = comparing()
    table = app.dataframe[0].value.set_index("Figure")
    careful, plain = (float(table[name]["$/month"].strip("$").replace(",", "")) for name in ("careful", "plain"))
    assert careful > 1.5 * plain
    assert any("saved with them" in one.value and "careful" in one.value for one in app.caption)
    app.selectbox(key="managed").set_value("careful").run()
    pressed(app, "Open")
    assert "".join(app.query_params["own-facts"]) == mark and "our load swings" in app.warning[0].value
    app.selectbox(key="managed").set_value("plain").run()
    pressed(app, "Open")
    assert "own-facts" not in app.query_params and not app.warning


def test_facts_that_are_gone_are_told_and_nothing_stands_in_for_them() -> None:
    def save() -> None:
        from planner.ui.store import store
        from planner.workloads import load_workload

        store().save("lost", load_workload(), facts="0" * 32)

    assert not AppTest.from_function(save).run().exception
    app = comparing()
    assert any("lost" in one.value and "are not here" in one.value for one in app.warning)
    app.selectbox(key="managed").set_value("lost").run()
    pressed(app, "Open")
    assert any("are not here" in one.value for one in app.warning) and not own_of(app)
