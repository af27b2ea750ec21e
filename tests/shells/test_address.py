"""What the reader set is in the address: it comes back from there, and what cannot be is refused in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from planner.assets import app_file
from planner.catalog import Catalog
from planner.errors import UnknownName
from planner.ui import link
from planner.ui.fields import BOUNDS, FIELDS, OWN, check_bounds, profiles, table_of, values_of
from planner.workloads import dotted, load_workload, parse_workload, presets

TIMEOUT_S = 90
NARROW = {"limits.accelerators": '["h200-sxm-141gb"]', "limits.max_gpus_per_replica": "8", "limits.engines": '["vllm"]'}


def cost() -> None:
    from planner.ui import cost_page, question
    from planner.ui.session import catalog

    cost_page.page()
    question.write_link(catalog())  # as app.py does


def capacity() -> None:
    from planner.ui import capacity_page, question
    from planner.ui.session import catalog

    capacity_page.page()
    question.write_link(catalog())


def export() -> None:
    from planner.ui import export_page

    export_page.page()


def catalogs() -> None:
    from planner.ui import catalogs_page

    catalogs_page.page()


def opened(page: Callable[[], None] | None, parameters: Mapping[str, str] | None = None) -> AppTest:
    """A page, or the whole dashboard, with this address."""
    app = AppTest.from_function(page) if page else AppTest.from_file(str(app_file()))
    app.default_timeout = TIMEOUT_S
    app.query_params.update({**NARROW, **(parameters or {})})
    app.run()
    assert not app.exception
    return app


def address(app: AppTest) -> dict[str, str]:
    return dict(app.query_params)


# ---- the form's fields


@pytest.mark.parametrize("preset", presets())
def test_every_preset_goes_through_the_form_unchanged(preset: str, catalog: Catalog) -> None:
    before = load_workload(preset)
    values = values_of(before.model_dump(mode="json"), catalog)
    check_bounds(values)
    after = parse_workload(table_of(before.model_dump(mode="json"), values), "the form")
    assert after.ownership == before.ownership and after.slo == before.slo
    assert {field.name for field in FIELDS} >= set(BOUNDS) - {"load"}


@given(st.dictionaries(st.sampled_from([field.name for field in OWN[:-1]]), st.floats(0.1, 98.0)))
@settings(max_examples=25)
def test_own_figures_come_back_from_the_address(figures: dict[str, float]) -> None:
    from planner.ui.own_facts import shipped

    figures = {name: round(value, 3) for name, value in figures.items()}
    table = load_workload("rag").model_dump(mode="json")
    stated = table_of(table, {**values_of(table, shipped()), **figures})
    preset, again = link.question_of(link.parameters_of("rag", stated, "en"))
    shown = values_of(again, shipped())
    assert preset == "rag" and {name: shown[name] for name in figures} == pytest.approx(figures)
    blank = table_of(again, {**shown, **dict.fromkeys(figures)})
    assert dotted(blank) == dotted(table_of(table, values_of(table, shipped())))


def test_a_load_that_follows_nothing_we_know_is_refused(catalog: Catalog) -> None:
    table = load_workload("default", {"ownership.load_profile": "../../etc/passwd"}).model_dump(mode="json")
    with pytest.raises(UnknownName, match="rate profile"):
        values_of(table, catalog)


# ---- pages


def test_own_figures_are_part_of_the_question() -> None:
    app = opened(cost)
    app.number_input(key="staff_usd_per_year.0").set_value(240_000.0).run()
    app.number_input(key="discount_3y.0").set_value(35.0).run()
    profile = profiles(cost_catalog())[0]
    app.selectbox(key="load_profile.0").set_value(profile).run()
    assert not app.exception
    said, at = app.metric[1].value, address(app)
    assert at["ownership.staff_usd_per_year"] == "240000" and at["ownership.load_profile"] == profile
    assert at["ownership.commitment_discounts"] == '{"3y":0.35}'
    again = opened(cost, at)
    assert again.metric[1].value == said and again.number_input(key="discount_3y.0").value == 35.0
    again.number_input(key="staff_usd_per_year.0").set_value(None).run()
    assert "ownership.staff_usd_per_year" not in address(again)


def cost_catalog() -> Catalog:
    from planner.ui.own_facts import shipped

    return shipped()


@pytest.mark.parametrize(
    ("field", "text"),
    [("staff_usd_per_year", "-5"), ("tax_rate", "1"), ("residual_share", '"<img src=x>"'), ("load_profile", "/etc/x")],
)
def test_own_figures_that_cannot_be_are_told(field: str, text: str) -> None:
    app = opened(None, {f"ownership.{field}": text})
    assert "cannot be read" in app.error[0].value and len(app.metric) == 5


def test_one_plan_is_chosen_for_all_pages() -> None:
    app = opened(capacity)
    app.selectbox(key="plan.0").select_index(1).run()
    assert not app.exception and address(app)["rank"] == "2"
    bundle = opened(export, address(app))
    assert bundle.selectbox(key="plan.0").value == 2
    app.selectbox(key="plan.0").select_index(0).run()
    assert "rank" not in address(app)


def test_settings_of_capacity_export_and_catalogs_are_kept() -> None:
    """A browser writes what its widgets hold into the address, as the tests in a browser show."""
    assert opened(capacity, {"capacity-metric": "TTFT"}).button_group(key="capacity-metric").value == "ttft"
    app = opened(export, {"export-file": "engine/vllm.args", "export-parts": "engine"})
    assert app.selectbox(key="export-file").value == "engine/vllm.args"
    assert app.button_group(key="export-parts").value == ["engine"]
    kept = {"catalogs-kind": "accelerators", "catalogs-row-accelerators": "h200-sxm-141gb", "catalogs-search": "h200"}
    app = opened(catalogs, kept)
    assert app.selectbox(key="catalogs-row-accelerators").value == "h200-sxm-141gb"
    assert app.text_input(key="catalogs-search").value == "h200"


def test_every_own_figure_of_the_page_is_a_field_of_the_question() -> None:
    from planner.ui import cost_page

    labels = (cost_page._share_labels(str), cost_page._amount_labels(str), cost_page._discount_labels(str))
    assert {name for some in labels for name in some} | {"load_profile"} == {field.name for field in OWN}


@pytest.mark.parametrize(
    ("page", "name", "text"),
    [
        (export, "export-file", "../../../etc/passwd"),
        (export, "export-parts", "<script>alert(1)</script>"),
        (capacity, "capacity-metric", "__import__('os')"),
        (catalogs, "catalogs-kind", "secrets"),
        (catalogs, "catalogs-row-llms", "'; drop table"),
    ],
)
def test_settings_that_cannot_be_are_not_taken(page: Callable[[], None], name: str, text: str) -> None:
    app = opened(page, {name: text})
    assert not app.error and text not in str(app.main)


def test_the_question_turned_round_is_kept_for_that_question_alone() -> None:
    pills = next(group for group in opened(None).button_group if str(group.key).startswith("inverse-ask."))
    app = opened(None, {str(pills.key): pills.options[0]})
    assert any("keep the promise with prompts" in one.value for one in app.markdown)
    app.number_input(key="rate.0").set_value(6.0).run()
    assert not any("keep the promise with prompts" in one.value for one in app.markdown)
    assert not any(name.startswith("inverse-") for name in address(app))
