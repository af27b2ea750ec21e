"""The dashboard as a program sees it: it opens solved, answers changes, and refuses in plain words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest

from planner.assets import app_file
from planner.ui import link
from planner.workloads import load_workload, presets

TIMEOUT_S = 60  # a busy machine with one core


def opened(**parameters: str) -> AppTest:
    """The dashboard as somebody sees it who follows a link."""
    app = AppTest.from_file(str(app_file()), default_timeout=TIMEOUT_S)
    app.query_params.update({name.replace("__", "."): value for name, value in parameters.items()})
    app.run()
    assert not app.exception
    return app


def headline(app: AppTest) -> str:
    return next(m.value for m in app.markdown if m.value.startswith("# "))


def text(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in (*app.markdown, *app.caption))


def set_number(app: AppTest, name: str, value: float) -> AppTest:
    app.number_input(key=f"{name}.0").set_value(value).run()
    assert not app.exception
    return app


def test_opens_solved() -> None:
    app = opened()
    assert "a month" in headline(app) and "$" in headline(app)
    assert [metric.label for metric in app.metric][:2] == ["P99 TTFT", "P99 TPOT"]
    assert len(app.metric) == 5 and all(metric.value not in ("", "–") for metric in app.metric)
    ranking = app.dataframe[-1].value
    assert len(ranking) > 3 and ranking["usd_per_month"].is_monotonic_increasing
    assert "✕" in text(app)
    assert not app.warning and not app.error


def test_the_page_shows_what_the_library_says() -> None:
    from planner import load_catalog, plan

    best = plan(load_workload(), load_catalog()).plans[0]
    row = opened().dataframe[-1].value.iloc[0]
    assert row["usd_per_month"] == pytest.approx(best.cost.usd_per_month)
    assert row["gpus"] == best.gpus_total


def test_a_changed_number_changes_the_answer() -> None:
    app = opened()
    before = app.dataframe[-1].value.iloc[0]["usd_per_month"]
    set_number(app, "rate", 200.0)
    assert app.dataframe[-1].value.iloc[0]["usd_per_month"] > 2 * before
    assert app.query_params["traffic.rate_per_s"] == "200"


def test_an_llm_that_cannot_have_the_presets_weights_is_planned_as_published() -> None:
    app = opened()
    app.selectbox(key="llm.0").set_value("gpt-oss-120b").run()
    assert not app.exception and "a month" in headline(app)
    assert app.selectbox(key="llm.1").value == "gpt-oss-120b" and app.multiselect(key="weights.1").value == []
    app.multiselect(key="weights.1").set_value(["fp8"]).run()
    assert "cannot be served in fp8" in app.warning[0].value


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("rate", 0.0, "Requests/s: 0 is outside 1e-06 to 1000000"),
        ("availability", 100.0, "Available, %: 100 is outside 0.1 to 99.999999"),
        ("tokens_in", 0, "Tokens in: 0 is outside 1 to 10000000"),
        ("tpot", -1.0, "P99 TPOT, ms: -1 is outside 0.01"),
    ],
)
def test_a_number_outside_the_form_is_refused_in_words(name: str, value: float, told: str) -> None:
    app = opened()
    usual, before = app.number_input(key=f"{name}.0").value, headline(app)
    assert app.number_input(key=f"{name}.0").min is None or app.number_input(key=f"{name}.0").min < value
    set_number(app, name, value)
    assert headline(app) == "# This question cannot be answered." and told in app.warning[0].value.replace("\\", "")
    assert not app.metric and not app.query_params
    assert headline(set_number(app, name, usual)) == before


def test_an_impossible_promise_says_why() -> None:
    app = set_number(opened(), "ttft", 0.01)
    (box,) = app.warning
    assert headline(app) == "# Nothing keeps this promise."
    assert "P99 TTFT" in box.value
    assert not app.metric
    assert len(set_number(app, "ttft", 2.0).metric) == 5


def test_a_promise_that_could_be_kept_is_asked_by_one_click() -> None:
    """Under a refusal; the load stays, and Undo leads back."""
    app = set_number(opened(traffic__rate_per_s="7"), "tpot", 1.0)
    (first, *_others) = (button for button in app.button if str(button.key).startswith("eased."))
    assert first.label.startswith("Ask for P99 TPOT") and "a month" in text(app)
    first.click().run()
    assert not app.exception and not app.warning and len(app.metric) == 5
    assert app.query_params["traffic.rate_per_s"] == "7" and 0.001 < float(app.query_params["slo.tpot_p99_s"]) < 0.02
    assert first.label.endswith(f"{1000 * float(app.query_params['slo.tpot_p99_s']):g} ms")


def test_a_question_without_supply_is_refused() -> None:
    app = opened()
    app.button_group(key="supply.0").set_value([]).run()
    assert not app.exception
    assert "supply.options" in app.warning[0].value


def test_speaks_chinese() -> None:
    app = opened()
    app.button_group(key="lang").set_value("zh").run()
    assert not app.exception
    assert "每月" in headline(app) and "每月" not in headline(opened())
    assert app.query_params["lang"] == "zh"
    assert "每月" in headline(opened(lang="zh-CN"))


@pytest.mark.parametrize("name", list(presets()))
def test_every_preset_opens(name: str) -> None:
    app = opened(preset=name)
    assert len(app.metric) == 5
    assert app.radio(key="preset.0").value == name


def test_a_preset_replaces_the_form_and_undo_brings_it_back() -> None:
    app = set_number(opened(), "tokens_in", 777)
    app.radio(key="preset.0").set_value("rag").run()
    assert app.number_input(key="tokens_in.1").value == 8000
    app.number_input(key="tokens_in.1").set_value(4000).run()
    app.run()
    next(button for button in app.button if button.label == "Undo my changes").click().run()
    assert app.number_input(key="tokens_in.2").value == 8000
    assert not app.exception


def test_many_presets_leave_nothing_behind() -> None:
    app = opened()
    held = set[int]()
    for name in ("rag", "default", "rag", "default", "rag"):
        app.sidebar.radio[0].set_value(name).run()
        held.add(len(app.session_state._state.filtered_state))
    assert not app.exception and max(held) - min(held) <= 1  # there is a step back from the second on


def test_users_can_stand_in_for_a_rate() -> None:
    app = opened()
    app.button_group(key="load.0").set_value("users").run()
    app.number_input(key="users.0").set_value(300).run()
    assert not app.exception
    assert app.query_params["traffic.concurrency"] == "300"
    assert len(app.metric) == 5


def test_alternatives_are_different_plans_and_can_be_shown() -> None:
    app = opened()
    offered = [button for button in app.button if str(button.key).startswith("alternative-")]
    assert len({button.key for button in offered}) == 3
    before = headline(app)
    next(button for button in offered if not button.disabled).click().run()
    assert not app.exception
    assert headline(app) != before
    set_number(app, "rate", 6.0)
    assert app.session_state["rank"] == 1  # a new question starts from its best plan


@pytest.mark.parametrize(
    "parameters",
    [
        {"traffic__rate_per_s": "9" * 5000},
        {"llm": "deepsek-r1"},
        {"preset": "nonsense"},
        {"slo__ttft_p99": "1"},
        {"traffic__rate_per_s": "-3"},
    ],
)
def test_a_broken_link_falls_back_to_the_default(parameters: dict[str, str]) -> None:
    app = opened(**parameters)
    assert "cannot be read" in app.error[0].value
    assert len(app.metric) == 5
    assert not app.query_params


def test_a_link_carries_what_differs_from_the_preset() -> None:
    preset, table = link.question_of({"preset": "rag", "traffic.rate_per_s": "4", "limits.weights": '["fp8"]'})
    parameters = link.parameters_of(preset, table, "zh")
    assert parameters == {
        "preset": "rag",
        "traffic.rate_per_s": "4",
        "limits.weights": '["fp8"]',
        "lang": "zh",
    }
    assert link.question_of(parameters) == (preset, table)
    assert link.parameters_of("default", load_workload().model_dump(mode="json"), "en") == {}


def test_a_change_of_language_keeps_the_question() -> None:
    app = set_number(opened(preset="rag"), "rate", 3.0)
    app.session_state["lang"] = "zh"
    app.run()
    assert app.radio(key="preset.1").value == "rag"
    assert app.number_input(key="rate.1").value == 3.0
    app.number_input(key="rate.1").set_value(4.0).run()
    assert not app.exception
    next(button for button in app.button if button.label == "撤销我的修改").click().run()
    assert not app.exception and app.number_input(key="rate.2").value == load_workload("rag").traffic.rate_per_s


@pytest.mark.parametrize(
    "link", [{"slo.availability": "0.999999999"}, {"slo.ttft_p99_s": "1e-9"}, {"horizon_years": "0.1"}]
)
def test_a_link_beyond_the_form_is_told(link: dict[str, str]) -> None:
    app = opened(**link)
    assert any("cannot be read" in error.value for error in app.error)
    assert "which the form can hold" in app.code[0].value


def test_a_changed_question_says_what_simulations_made_of_it() -> None:
    """The page opens confirmed; a change is answered by closed forms, then checked, and the page says so."""
    app = opened()
    assert "Checked on recorded traffic" not in text(app) and "Closed forms answer so far" not in text(app)
    set_number(app, "rate", 6.0)
    assert "Checked on recorded traffic" in text(app) and "Closed forms answer so far" not in text(app)


def test_the_question_turned_round_by_one_click() -> None:
    app = opened(limits__accelerators='["h200-sxm-141gb"]')
    pills = next(group for group in app.button_group if str(group.key).startswith("inverse-ask."))
    assert len(pills.options) == 4
    pills.set_value("context").run()
    assert not app.exception
    assert "keep the promise with prompts of up to" in text(app)
    assert any("planner plan" in code.value and "traffic.input_tokens" in code.value for code in app.code)
    next(button for button in app.button if button.label == "Open this question").click().run()
    assert not app.exception and not app.error
    assert app.query_params["traffic.input_tokens"]


def test_the_command_of_the_page_is_there_to_copy() -> None:
    app = opened(preset="rag", **{"traffic.rate_per_s": "4"})
    assert not any(code.value.startswith("planner") for code in app.code)  # made once somebody opens its box
    app.session_state["reproduce"] = True
    app.run()
    assert any(code.value == "planner plan rag --set traffic.rate_per_s=4" for code in app.code)


def test_the_third_alternative_weighs_regret() -> None:
    app = opened(preset="chat")
    assert "least regret" in text(app).lower() and "regret $" in text(app).replace("\\", "")


def test_a_server_starts_quietly() -> None:
    """What is computed before the first visitor prints nothing: no warning that a newcomer would stop at."""
    code = "from planner.ui.launch import warm_up; warm_up()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_each_number_opens_its_formula_and_its_command() -> None:
    app = opened()
    assert not any("Facility power" in tab.label for tab in app.tabs)
    for n in range(5):
        app.session_state[f"how-{n}"] = True
    app.session_state["explained"] = app.session_state["behind"] = True
    app.run()
    assert not app.exception
    assert sum(code.value == "planner plan --explain" for code in app.code) == 5
    assert len(app.tabs) >= 5 and len(app.dataframe) == 3


def test_an_llm_is_chosen_beside_a_refused_number() -> None:
    app = set_number(opened(), "ttft", 0.0)
    app.selectbox(key="llm.0").set_value("gpt-oss-120b").run()
    assert not app.exception and "0 is outside 0.001 to 3600" in app.warning[0].value
    app.number_input(key="ttft.1").set_value(2.0).run()
    assert not app.exception and "a month" in headline(app)


def test_a_load_is_the_same_given_as_users_and_back() -> None:
    app = opened(traffic__rate_per_s="20")
    app.button_group(key="load.0").set_value("users").run()
    users = app.number_input(key="users.0").value
    assert 200 < users < 2000 and app.query_params["traffic.concurrency"] == str(users)
    app.button_group(key="load.0").set_value("rate").run()
    assert not app.exception and app.number_input(key="rate.0").value == 20
    app.button_group(key="load.0").set_value("users").run()
    app.number_input(key="users.0").set_value(2 * users).run()
    app.button_group(key="load.0").set_value("rate").run()
    assert not app.exception and 25 < app.number_input(key="rate.0").value < 60


def test_what_a_closed_popover_holds_is_sent_with_every_answer() -> None:
    """A browser that opens it later would else start from the widgets' lowest values, and send those."""
    app = set_number(opened(), "rate", 20.0)
    most, weights = app.number_input(key="max_gpus.0").proto, app.multiselect(key="weights.0").proto
    assert most.set_value and most.value == 32
    assert weights.set_value and list(weights.raw_values) == ["FP8"]
    assert list(app.query_params) == ["traffic.rate_per_s"]


def test_a_load_is_turned_back_after_the_rate_was_changed() -> None:
    app = set_number(opened(), "rate", 20.0)
    for way in ("users", "rate", "users", "rate"):
        app.button_group(key="load.0").set_value(way).run()
        assert not app.exception
    assert app.number_input(key="rate.0").value == 20
