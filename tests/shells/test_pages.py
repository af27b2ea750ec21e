"""Pages of capacity, comparison, catalogs and export as a program sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

TIMEOUT_S = 60


def capacity() -> None:
    from planner.ui import capacity_page

    capacity_page.page()


def catalogs() -> None:
    from planner.ui import catalogs_page

    catalogs_page.page()


def compare() -> None:
    from planner.ui import compare_page

    compare_page.page()


def export() -> None:
    from planner.ui import export_page

    export_page.page()


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Scenarios of a test are its own."""
    monkeypatch.setenv("PLANNER_STATE", str(tmp_path))
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def opened(page: Callable[[], None], **parameters: str) -> AppTest:
    app = AppTest.from_function(page, default_timeout=TIMEOUT_S)
    app.query_params.update(parameters)
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in (*app.markdown, *app.caption, *app.info, *app.success))


@pytest.mark.parametrize(("lang", "said"), [("en", "contexts up to"), ("zh", "上下文")])
def test_capacity_tells_the_longest_context(lang: str, said: str) -> None:
    assert said in words(opened(capacity, lang=lang))


def test_capacity_shows_latency_and_the_roof_with_their_tables() -> None:
    app = opened(capacity)
    said = words(app).replace("\\", "")
    assert "the ridge, so memory limits it" in said and "Each GPU gives" in said
    assert len(app.dataframe) == 4  # one behind each chart
    app.session_state["reproduce"] = True
    app.run()
    assert app.code[0].value.splitlines()[0] == "planner plan" and "planner estimate --llm" in app.code[0].value
    app.button_group(key="capacity-metric").set_value("ttft").run()
    assert not app.exception
    next(box for box in app.selectbox if str(box.key).startswith("plan.")).select_index(1).run()
    assert not app.exception


def test_catalogs_follow_a_figure_to_its_source() -> None:
    app = opened(catalogs)
    app.selectbox(key="catalogs-kind").set_value("accelerators").run()
    app.text_input(key="catalogs-search").set_value("h200 sxm").run()
    assert not app.exception
    assert "h200-sxm-141gb" in app.dataframe[0].value["row"].tolist()
    assert "Source" in words(app)


def plans() -> None:
    from planner.ui import own_view, plan_page
    from planner.ui.session import translate

    own_view.mark(translate())
    plan_page.page()


def replaced(value: str, reason: str) -> AppTest:
    """The catalogs page after somebody replaced the power limit of an H200."""
    app = opened(catalogs)
    app.selectbox(key="catalogs-kind").set_value("accelerators").run()
    app.selectbox(key="catalogs-row-accelerators").set_value("h200-sxm-141gb").run()
    figure = next(box for box in app.selectbox if box.label == "Figure")
    figure.set_value("accelerators.h200-sxm-141gb.tdp_w")
    next(box for box in app.text_input if box.label.startswith("New value")).set_value(value)
    next(box for box in app.text_input if box.label.startswith("Reason")).set_value(reason)
    next(one for one in app.button if one.label == "Replace").click().run()
    assert not app.exception
    return app


def test_a_replaced_figure_marks_every_answer_until_it_is_taken_back() -> None:
    app = replaced("650", "capped in our racks")
    assert not app.error
    table = app.dataframe[1].value
    row = table[table["Figure"] == "tdp_w"].iloc[0]
    assert row["Value"] == "650 W" and "capped in our racks" in row["Source"] and row["Confidence"] == "low"
    planned = AppTest.from_function(plans, default_timeout=TIMEOUT_S)
    planned.session_state["own_facts"] = app.session_state["own_facts"]
    planned.query_params.update({"limits.accelerators": '["h200-sxm-141gb"]'})
    planned.session_state["reproduce"] = planned.session_state["explained"] = True
    planned.run()
    assert not planned.exception
    assert "capped in our racks" in planned.warning[0].value
    assert any(code.value.startswith("planner whatif") and "tdp_w=650" in code.value for code in planned.code)
    assert any("capped in our racks" in one.value for one in planned.markdown)  # in the explanation of the power
    planned.button(key="own-drop").click().run()
    assert not planned.exception and not planned.warning


@pytest.mark.parametrize(("value", "reason"), [("-1", "why"), ("650", ""), ("warm", "why"), ("", "why")])
def test_a_figure_that_cannot_be_is_refused(value: str, reason: str) -> None:
    app = replaced(value, reason)
    assert app.error and "own_facts" not in app.session_state


CONFIG = b'{"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896, "num_attention_heads": 14, "num_key_value_heads": 2, "num_hidden_layers": 24, "intermediate_size": 4864, "vocab_size": 151936, "tie_word_embeddings": true, "max_position_embeddings": 32768, "torch_dtype": "bfloat16"}'  # noqa: E501


def uploaded(content: bytes) -> AppTest:
    """The catalogs page after somebody uploaded a config.json, and named nothing."""
    app = opened(catalogs)
    app.file_uploader(key="catalog_config").set_value(("config.json", content, "application/json")).run()
    assert not app.exception
    return app


def test_a_config_becomes_an_entry_under_its_own_name_or_is_asked_for_one() -> None:
    app = uploaded(CONFIG.replace(b"{", b'{"_name_or_path": "me/Tiny-Qwen", ', 1))
    assert any('id = "tiny-qwen"' in code.value or "tiny-qwen" in code.value for code in app.code)
    app = uploaded(CONFIG)
    assert "write one above" in app.info[0].value and not app.error
    app.text_input(key="catalog_name").set_value("tiny").run()
    assert not app.info and any("layers = 24" in code.value for code in app.code)


@pytest.mark.parametrize("bad", [b"[]", b"{}", b"\xff", b"1" * 1_500_000])
def test_what_is_no_config_says_so_at_once(bad: bytes) -> None:
    app = uploaded(bad)
    assert len(app.error) == 1 and not app.code


def test_figures_to_replace_have_units() -> None:
    app = opened(catalogs)
    app.selectbox(key="catalogs-kind").set_value("accelerators").run()
    app.selectbox(key="catalogs-row-accelerators").set_value("l40s-48gb").run()
    offered = next(box for box in app.selectbox if box.label == "Figure").options
    for told in ("memory_marketed_bytes = 48 GB (4.8e+10 B)", "tdp_w = 350 W"):
        assert told in offered


def test_saved_questions_stand_side_by_side() -> None:
    app = opened(compare)
    assert "Nothing is saved yet" in words(app)
    for name, rate in (("base", None), ("more", 20.0)):
        if rate:
            next(one for one in app.number_input if one.key.startswith("rate")).set_value(rate).run()
        app.text_input(key="save_as").set_value(name)
        app.button[0].click().run()
        assert not app.exception
    app = opened(compare)
    table = app.dataframe[0].value
    assert list(table.columns) == ["Figure", "base", "more"]
    assert "costs least" in words(app)
    load = table[table["Figure"] == "Load"].iloc[0]
    assert (load["base"], load["more"]) == ("5/s", "20/s")


def test_export_shows_files_and_verdicts() -> None:
    app = opened(export)
    assert "rules hold" in words(app)
    names = app.selectbox(key="export-file").options
    assert {"README.md", "engine/vllm.args", "MANIFEST.sha256"} <= set(names)
    app.selectbox(key="export-file").set_value("engine/vllm.args").run()
    assert "--tensor-parallel-size" in app.code[0].value


def test_export_of_chosen_parts_is_of_these() -> None:
    app = opened(export)
    parts = app.button_group(key="export-parts")
    parts.set_value([name for name in parts.options if name != "engine"]).run()
    names = set(app.selectbox(key="export-file").options)
    assert "rules hold" in words(app) and not any(name.startswith("engine/") for name in names)
    app.selectbox(key="export-file").set_value("MANIFEST.sha256").run()
    assert {line.partition("  ")[2] for line in app.code[0].value.splitlines()} == names - {"MANIFEST.sha256"}


def saved_at(app: AppTest, rate: float, name: str) -> None:
    """Save the question at a rate under a name."""
    next(one for one in app.number_input if one.key.startswith("rate")).set_value(rate).run()
    app.text_input(key="save_as").set_value(name)
    app.button[0].click().run()
    assert not app.exception


def loads(app: AppTest) -> list[str]:
    table = app.dataframe[0].value
    return list(table[table["Figure"] == "Load"].iloc[0][1:])


def test_a_name_that_is_taken_gives_the_former_question_back() -> None:
    app = opened(compare)
    saved_at(app, 5.0, "base")
    saved_at(app, 5.0, "base")
    assert "replaced" not in words(app)  # by the same question
    saved_at(app, 20.0, "base")
    assert "base held another question; this one replaced it" in words(app) and loads(app) == ["20/s"]
    app.button(key="put-back").click().run()
    assert "replaced" not in words(app) and loads(app) == ["5/s"]
