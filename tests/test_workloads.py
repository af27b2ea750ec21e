"""Workloads from presets, files and changes; what is wrong with one is said by file, field and value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.errors import UnknownName, WorkloadError
from planner.workloads import load_workload, parse_workload, presets, set_field

SMALLEST = {
    "llm": "deepseek-r1",
    "traffic": {"rate_per_s": 1, "input_tokens": 10, "output_tokens": 10},
    "slo": {"ttft_p99_s": 1, "tpot_p99_s": 0.1},
}
TEXT = """llm = "qwen3-32b"
[traffic]
concurrency = 8
input_tokens = 100
output_tokens = 50
[slo]
ttft_p99_s = 1
tpot_p99_s = 0.05
"""


def test_presets_of_the_design() -> None:
    assert list(presets()) == ["default", "2000-concurrent", "article", "chat", "code", "rag", "reasoning"]


@pytest.mark.parametrize("name", presets())
def test_presets_are_workloads_about_rows_that_exist(catalog: Catalog, name: str) -> None:
    workload = load_workload(name)
    assert workload.name
    assert catalog.llm_id(workload.llm) in catalog.llms
    assert catalog.site(workload.site)
    for accelerator in workload.limits.accelerators:
        assert catalog.accelerator_id(accelerator) == accelerator


def test_default_asks_the_question_of_the_readme() -> None:
    found = load_workload()
    assert (found.llm, found.limits.weights) == ("deepseek-r1", ("fp8",))
    assert (found.traffic.rate_per_s, found.traffic.input_tokens, found.traffic.output_tokens) == (5, 2000, 1000)
    assert (found.slo.ttft_p99_s, found.slo.tpot_p99_s, found.slo.availability) == (2.0, 0.05, 0.999)
    assert found.horizon_years == 3


def test_the_article_is_about_its_hardware() -> None:
    found = load_workload("article")
    assert (found.traffic.input_tokens, found.traffic.output_tokens) == (16_384, 512)
    assert {id.split("-")[0] for id in found.limits.accelerators} == {"a100", "a6000"}


def test_a_file_with_changes(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(TEXT)
    found = load_workload(str(file), {"traffic.input_tokens": 7, "limits.kv": ["fp8"], "prices.h200": 2.1})
    assert (found.llm, found.traffic.concurrency, found.traffic.input_tokens) == ("qwen3-32b", 8, 7)
    assert (found.limits.kv, found.prices) == (("fp8",), {"h200": 2.1})


def test_a_rate_replaces_a_concurrency_and_the_other_way_round() -> None:
    assert load_workload("2000-concurrent", {"traffic.rate_per_s": 3}).traffic.concurrency is None
    assert load_workload("default", {"traffic.concurrency": 3}).traffic.rate_per_s is None


@pytest.mark.parametrize("llm", ["gpt-oss-120b", "gpt-oss-20b", "kimi-k2.5"])
def test_a_presets_weights_yield_to_an_llm_that_cannot_have_them(catalog: Catalog, llm: str) -> None:
    assert load_workload("default", {"llm": llm}).limits.weights == ()
    assert load_workload("default", {"llm": llm, "limits.weights": ["fp8"]}).limits.weights == ("fp8",)
    assert load_workload("default", {"llm": "llama-3.1-8b"}).limits.weights == ("fp8",)


def test_the_weights_of_an_own_file_stand(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(TEXT + '[limits]\nweights = ["fp8"]\n')
    assert load_workload(str(file), {"llm": "gpt-oss-120b"}).limits.weights == ("fp8",)


def test_parsing_leaves_the_table_alone() -> None:
    before = repr(SMALLEST)
    first, second = parse_workload(SMALLEST, "here"), parse_workload(SMALLEST, "here")
    assert first == second
    assert repr(SMALLEST) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"traffic.rate_per_s": -1}, "traffic.rate_per_s = '-1': Input should be greater than 0"),
        ({"traffic.rate_per_s": None}, "give either rate_per_s or concurrency, and not both"),
        ({"traffic.input_tokens": 0}, "traffic.input_tokens = '0'"),
        ({"traffic.input_tokens": 1.5}, "traffic.input_tokens = '1.5'"),
        ({"traffic.input_tokens": 10**8}, "less than or equal to 10000000"),
        ({"traffic.burst_factor": 0.5}, "traffic.burst_factor = '0.5'"),
        ({"traffic.prefix_hit_rate": 1}, "less than 1"),
        ({"slo.e2e_p99_s": 0.5}, "cannot end before it begins"),
        ({"slo.availability": 0}, "slo.availability = '0'"),
        ({"slo.ttft_p50_s": 1}, "slo.ttft_p50_s = '1': no such field"),
        ({"supply.options": []}, "supply.options"),
        ({"supply.options": ["lease"]}, "'lease'"),
        ({"limits.weights": ["fp4"]}, "'fp4'"),
        ({"limits.max_gpus_per_replica": 0}, "limits.max_gpus_per_replica = '0'"),
        ({"limits.max_gpus_per_replica": 1000}, "less than or equal to 512"),
        ({"discount_rate": 1}, "discount_rate = '1'"),
        ({"discount_rate": float("nan")}, "discount_rate = 'nan'"),
        ({"horizon_years": float("inf")}, "horizon_years = 'inf'"),
        ({"prices.h200": -2}, "prices.h200 = '-2'"),
        ({"llm": "  "}, "llm"),
        ({"llm": "x" * 81}, "at most 80 characters"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        load_workload("default", changes)
    assert "default.toml" in str(caught.value)
    assert message in str(caught.value)


def test_several_mistakes_at_once() -> None:
    with pytest.raises(WorkloadError) as caught:
        load_workload("default", {"traffic.rate_per_s": -1, "slo.tpot_p99_s": 0, "colour": "red"})
    for field in ("traffic.rate_per_s", "slo.tpot_p99_s", "colour"):
        assert field in str(caught.value)


def test_one_wrong_value_is_one_complaint() -> None:
    """A list whose only item is wrong is not blamed for being empty as well."""
    table = {"llm": "x", "supply": {"options": ["foo"]}, "traffic": {"input_tokens": -1}}
    with pytest.raises(WorkloadError) as caught:
        parse_workload(table, "x.toml")
    said = str(caught.value)
    assert "supply.options.0 = 'foo': Input should be" in said and "traffic.input_tokens = '-1'" in said
    assert "at least 1 item" not in said and said.count("supply") == 1


def test_a_missing_field_is_named() -> None:
    with pytest.raises(WorkloadError, match=r"mine\.toml: slo: Field required"):
        parse_workload({key: value for key, value in SMALLEST.items() if key != "slo"}, "mine.toml")


def test_unknown_presets_and_files() -> None:
    with pytest.raises(UnknownName, match="Nearest: 'reasoning'"):
        load_workload("reasonning")
    with pytest.raises(WorkloadError, match="no workload file"):
        load_workload("no/such.toml")


def test_fields_of_values_do_not_exist() -> None:
    with pytest.raises(WorkloadError, match="llm is a value"):
        set_field({"llm": "x"}, "llm.name", 1)


@given(
    st.dictionaries(
        st.sampled_from(["llm", "traffic", "slo", "limits", "supply", "prices", "site", "name"]) | st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
            max_leaves=8,
        ),
    )
)
def test_any_table_is_a_workload_or_refused(table: dict[str, Any]) -> None:
    with pytest.raises(WorkloadError, match=r"^any: "):
        parse_workload(table, "any")


def test_a_misspelt_section_gets_its_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('llm = "deepseek-r1"\n[trafic]\nrate_per_s = 5\n', encoding="utf-8")
    with pytest.raises(WorkloadError, match=r"trafic: no such field\. Nearest: 'traffic'"):
        load_workload(str(file))


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = next(path for name, path in presets().items() if name == "rag").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8-sig")
    assert load_workload(str(file)) == load_workload("rag")
