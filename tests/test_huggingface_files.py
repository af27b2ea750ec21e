"""Reading config.json files, spelling rows as TOML, and whatever else may stand in a config."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import CatalogError, PlannerError
from planner.huggingface import MAX_CONFIG_BYTES, llm_from_config, llm_to_toml, read_config
from planner.schema.facts import Llm
from planner.tabular import read_toml

HERE = Path(__file__).resolve().parent
LLMS = read_toml(HERE.parent / "catalogs" / "llms.toml", Llm)
CONFIGS: dict[str, dict[str, Any]] = {
    path.stem: read_config(path) for path in sorted((HERE / "data" / "hf").glob("*.json"))
}
TODAY = date(2026, 11, 23)
PLAIN = CONFIGS["llama-3.1-70b"]


def imported(config: dict[str, Any], name: str = "somebody/model") -> Llm:
    return llm_from_config(config, name, TODAY)


@pytest.mark.parametrize("id", LLMS)
def test_catalog_rows_survive_toml(id: str) -> None:
    text = llm_to_toml(id, LLMS[id])
    assert {id: LLMS[id]} == {key: Llm(**row) for key, row in tomllib.loads(text).items()}


@pytest.mark.parametrize("id", CONFIGS)
def test_imported_rows_survive_toml(id: str) -> None:
    row = imported(CONFIGS[id], 'odd "name" \\ é')
    assert Llm(**tomllib.loads(llm_to_toml("a.b", row))["a.b"]) == row


def test_toml_reads_like_the_catalog() -> None:
    lines = llm_to_toml("my-model", imported(PLAIN)).splitlines()
    assert lines[0] == "[my-model]"
    assert lines[1:4] == ['name = "model"', 'hf_id = "somebody/model"', "layers = 80"]
    assert lines[-1] == 'confidence = "medium"'


@pytest.mark.parametrize("id", ["", "Upper", "a b", "a]", "-x", "x" * 65])
def test_toml_refuses_what_is_no_id(id: str) -> None:
    with pytest.raises(CatalogError, match="is not an id; allowed: "):
        llm_to_toml(id, imported(PLAIN))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe{}", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[1]", "holds a JSON list; allowed: an object"),
        (b" " * (MAX_CONFIG_BYTES + 1), "is larger than 5 MB"),
    ],
    ids=["empty", "cut", "encoding", "nesting", "number", "list", "size"],
)
def test_files_that_are_no_config(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=message) as caught:
        read_config(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["missing.json", ".", "a\0b"])
def test_paths_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogError, match="cannot read"):
        read_config(tmp_path / name)


def test_config_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PLAIN), encoding="utf-8-sig")
    assert read_config(str(path)) == PLAIN


# Whatever stands in the file, the answer is a row or a refusal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted({key for config in CONFIGS.values() for key in [*config, *config.get("text_config", {})]})
VALUES = JSON | st.integers(-1, 9) | st.sampled_from(["full_attention", "sliding_attention", "fp8", "awq"])


def row_or_refusal(config: dict[str, Any]) -> None:
    try:
        row = llm_from_config(config, "some/model", TODAY)
    except PlannerError as error:
        assert str(error).startswith("config.json of some/model: ")
    else:
        assert Llm(**tomllib.loads(llm_to_toml("x", row))["x"]) == row


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=20) | st.sampled_from(KEYS), JSON, max_size=12))
def test_any_object(config: dict[str, Any]) -> None:
    row_or_refusal(config)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(CONFIGS)),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
)
def test_any_damage_to_a_config(id: str, damage: dict[str, Any]) -> None:
    config = CONFIGS[id]
    row_or_refusal({**config, **damage})
    if "text_config" in config:
        row_or_refusal({**config, "text_config": {**config["text_config"], **damage}})


@settings(max_examples=150, deadline=None)
@given(
    JSON,
    st.dictionaries(st.sampled_from(["quant_method", "bits", "config_groups", "ignore", "quant_algo"]), VALUES),
)
def test_any_quantisation_and_tower(tower: Any, quantised: dict[str, Any]) -> None:
    row_or_refusal({**PLAIN, "vision_config": tower, "quantization_config": {"quant_method": "modelopt", **quantised}})
