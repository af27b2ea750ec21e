"""Importing a Hugging Face config.json: what becomes of each key, and what refuses.

data/hf holds configs in the shape that their publishers give them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from planner.errors import CatalogError
from planner.huggingface import llm_from_config, read_config
from planner.schema.facts import Llm
from planner.tabular import read_toml

HERE = Path(__file__).resolve().parent
CONFIGS = sorted((HERE / "data" / "hf").glob("*.json"))
LLMS = read_toml(HERE.parent / "catalogs" / "llms.toml", Llm)
TODAY = date(2026, 11, 23)

# What a config does not say: who publishes the model, under which names, and how large it is called.
NOT_IN_CONFIG = {
    "name", "hf_id", "aliases", "license", "params_total", "params_active",
    "source", "source_date", "confidence", "unverified", "notes",
}  # fmt: skip


def config_of(id: str) -> dict[str, Any]:
    found: dict[str, Any] = read_config(HERE / "data" / "hf" / f"{id}.json")
    return found


def imported(config: dict[str, Any], name: str = "somebody/model") -> Llm:
    return llm_from_config(config, name, TODAY)


def dense(**changes: object) -> dict[str, Any]:
    """A small dense config of the llama kind; None takes a key out."""
    base = {
        "model_type": "llama", "num_hidden_layers": 8, "hidden_size": 512, "num_attention_heads": 8,
        "num_key_value_heads": 2, "intermediate_size": 1024, "vocab_size": 1000, "torch_dtype": "bfloat16",
    }  # fmt: skip
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def sparse(**changes: object) -> dict[str, Any]:
    """The same with eight experts, of which two are visited."""
    experts = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 256}
    return dense(model_type="qwen3_moe", **{**experts, **changes})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_import_agrees_with_the_catalog(path: Path) -> None:
    row = LLMS[path.stem]
    columns = set(Llm.model_fields) - NOT_IN_CONFIG
    if path.stem == "qwen3-next-80b-a3b":
        columns -= {"mtp_layers"}  # in its checkpoint, not in its config
    found = imported(config_of(path.stem), row.hf_id)
    assert {c: getattr(found, c) for c in columns} == {c: getattr(row, c) for c in columns}


def test_imported_row_says_where_it_is_from() -> None:
    row = imported(config_of("deepseek-r1"), "deepseek-ai/DeepSeek-R1")
    assert (row.name, row.hf_id) == ("DeepSeek-R1", "deepseek-ai/DeepSeek-R1")
    assert row.source == "config.json of deepseek-ai/DeepSeek-R1, imported"
    assert (row.source_date, row.confidence) == ("2026-11-23", "medium")


def test_unstated_day_is_today() -> None:
    assert llm_from_config(dense(), "a/b").source_date == date.today().isoformat()


@pytest.mark.parametrize(
    ("changes", "heads", "kv_heads", "head_dim"),
    [
        ({}, 8, 2, 64),
        ({"num_key_value_heads": 1}, 8, 1, 64),
        ({"num_key_value_heads": None}, 8, 8, 64),
        ({"head_dim": 128}, 8, 2, 128),
        ({"model_type": "qwen3"}, 8, 2, 128),
    ],
)
def test_attention_heads(changes: dict[str, Any], heads: int, kv_heads: int, head_dim: int) -> None:
    row = imported(dense(**changes))
    assert (row.heads, row.kv_heads, row.head_dim) == (heads, kv_heads, head_dim)


@pytest.mark.parametrize(
    ("kind", "stated", "tied"),
    [
        ("llama", None, False),
        ("llama", True, True),
        ("gemma", None, True),
        ("gemma", False, False),
        ("qwen2", None, False),
        ("cohere", None, True),
    ],
)
def test_tied_embeddings(kind: str, stated: bool | None, tied: bool) -> None:
    assert imported(dense(model_type=kind, tie_word_embeddings=stated)).tied_embeddings is tied


def test_wrapper_lends_what_its_text_part_leaves_out() -> None:
    wrapper = {
        "model_type": "mistral3",
        "tie_word_embeddings": True,
        "quantization_config": {"quant_method": "fp8"},
        "text_config": dense(model_type="mistral"),
    }
    row = imported(wrapper)
    assert (row.tied_embeddings, row.weights) == (True, "fp8")


def test_two_matrices_where_the_family_has_no_gate() -> None:
    assert not imported(dense(model_type="starcoder2")).ffn_gated


@pytest.mark.parametrize(
    ("changes", "sliding"),
    [
        ({"model_type": "mistral", "sliding_window": 64}, (64, 8)),
        ({"model_type": "mistral", "sliding_window": None}, None),
        ({"model_type": "qwen2", "sliding_window": 64, "use_sliding_window": False}, None),
        (
            {"model_type": "qwen2", "sliding_window": 64, "use_sliding_window": True, "max_window_layers": 6},
            (64, 2),
        ),
        ({"model_type": "gemma2", "sliding_window": 64}, (64, 4)),
        ({"model_type": "gemma3", "sliding_window": 64}, (64, 7)),
        ({"model_type": "gemma3", "sliding_window": 64, "sliding_window_pattern": 4}, (64, 6)),
        ({"model_type": "cohere2", "sliding_window": 64}, (64, 6)),
        (
            {"sliding_window": 64, "layer_types": ["full_attention", "sliding_attention"] * 4},
            (64, 4),
        ),
        ({"model_type": "llama4", "attention_chunk_size": 64, "no_rope_layers": [1, 1, 1, 0] * 2}, (64, 6)),
        ({"model_type": "llama4", "attention_chunk_size": 64, "no_rope_layer_interval": 2}, (64, 4)),
    ],
)
def test_sliding_layers(changes: dict[str, Any], sliding: tuple[int, int] | None) -> None:
    found = imported(dense(**changes)).sliding
    assert (found and (found.window_tokens, found.layers)) == sliding


@pytest.mark.parametrize(
    ("changes", "dense_layers"),
    [
        ({}, 0),
        ({"decoder_sparse_step": 2}, 4),
        ({"mlp_only_layers": [0, 5]}, 2),
        ({"decoder_sparse_step": 2, "mlp_only_layers": [1]}, 5),
        ({"first_k_dense_replace": 3}, 3),
        ({"first_k_dense_replace": 1, "moe_layer_freq": 2}, 5),
        ({"moe_layer_freq": [0, 0, 1, 1, 1, 1, 1, 1]}, 2),
        ({"mlp_layer_types": ["dense"] + ["sparse"] * 7}, 1),
        ({"moe_layers": [1, 3, 5, 7]}, 4),
        ({"interleave_moe_layer_step": 4}, 6),
    ],
)
def test_dense_layers_of_a_mixture(changes: dict[str, Any], dense_layers: int) -> None:
    moe = imported(sparse(**changes)).moe
    assert moe is not None
    assert moe.dense_layers == dense_layers


@pytest.mark.parametrize("changes", [{"num_experts": 0}, {"mlp_only_layers": list(range(8))}])
def test_mixture_without_experts_is_dense(changes: dict[str, Any]) -> None:
    row = imported(sparse(**changes))
    assert (row.moe, row.ffn_size) == (None, 1024)


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({}, (0, None)),
        ({"n_shared_experts": 2}, (2, None)),
        ({"shared_expert_intermediate_size": 256}, (1, None)),
        ({"shared_expert_intermediate_size": 1024}, (1, 1024)),
        ({"shared_intermediate_size": 0}, (0, None)),
    ],
)
def test_shared_experts(changes: dict[str, Any], shared: tuple[int, int | None]) -> None:
    moe = imported(sparse(**changes)).moe
    assert moe is not None
    assert (moe.shared_experts, moe.shared_expert_ffn_size) == shared


def groups(**weights: object) -> dict[str, Any]:
    return {"group_0": {"weights": weights, "targets": ["Linear"]}}


@pytest.mark.parametrize(
    ("quantised", "weights"),
    [
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "fbgemm_fp8"}, "fp8"),
        ({"quant_method": "awq", "bits": 4}, "int4"),
        ({"quant_method": "awq", "w_bit": 4}, "int4"),
        ({"quant_method": "gptq", "bits": 8}, "int8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_algo": "FP8"}, "fp8"),
        ({"quant_method": "compressed-tensors", "config_groups": groups(type="int", num_bits=4)}, "int4"),
        ({"quant_method": "compressed-tensors", "config_groups": groups(type="float", num_bits=8)}, "fp8"),
        (
            {"quant_method": "modelopt", "config_groups": groups(type="float", num_bits=4, group_size=16)},
            "nvfp4",
        ),
        (
            {"quant_method": "modelopt", "config_groups": groups(type="float", num_bits=4, group_size=32)},
            "mxfp4",
        ),
    ],
)
def test_weight_precision(quantised: dict[str, Any], weights: str) -> None:
    assert imported(dense(quantization_config=quantised)).weights == weights


@pytest.mark.parametrize(
    ("ignored", "spared"),
    [
        (["re:.*self_attn.*"], True),
        (["model.layers.*.self_attn", "lm_head"], True),
        ([f"model.layers.{i}.self_attn*" for i in range(8)], True),
        ([f"model.layers.{i}*" for i in range(8)], True),
        ([f"model.layers.{i}.self_attn*" for i in range(7)], False),
        (["model.layers.*.self_attn.kv_b_proj"], False),
        (["lm_head"], False),
    ],
)
def test_attention_left_in_16_bit(ignored: list[str], spared: bool) -> None:
    row = imported(dense(quantization_config={"quant_method": "fp8", "ignore": ignored}))
    assert row.unquantised == (("attention",) if spared else ())


@pytest.mark.parametrize(
    ("tower", "count", "note"),
    [
        (None, 0, ""),
        ({"depth": 2, "hidden_size": 8, "intermediate_size": 16}, 2 * (4 * 64 + 2 * 128), "extra_params"),
        (
            {"model_type": "pixtral", "num_hidden_layers": 2, "hidden_size": 8, "intermediate_size": 16},
            2 * (4 * 64 + 3 * 128),
            "extra_params",
        ),
        ({"embed_dim": 8}, 0, "not counted"),
    ],
)
def test_vision_tower(tower: dict[str, Any] | None, count: int, note: str) -> None:
    row = imported(dense(vision_config=tower))
    assert row.extra_params == count
    assert note in row.notes


# Refusals, each by the name of its key

BAD: list[tuple[Callable[..., dict[str, Any]], dict[str, Any], str]] = [
    (dense, {"num_hidden_layers": -3}, "num_hidden_layers is -3; allowed: a whole number from 1"),
    (dense, {"num_hidden_layers": "61"}, "num_hidden_layers is '61'"),
    (dense, {"num_hidden_layers": 20_000}, "num_hidden_layers"),
    (dense, {"num_hidden_layers": None}, "num_hidden_layers is missing"),
    (dense, {"hidden_size": 0}, "hidden_size is 0"),
    (dense, {"hidden_size": 512.5}, "hidden_size"),
    (dense, {"hidden_size": True}, "hidden_size is True"),
    (dense, {"hidden_size": 500}, "head_dim is missing"),
    (dense, {"vocab_size": 10**12}, "vocab_size"),
    (dense, {"num_key_value_heads": 3}, "num_key_value_heads is 3; allowed: a divisor"),
    (dense, {"model_type": "qwen2", "num_key_value_heads": None}, "num_key_value_heads is missing"),
    (dense, {"tie_word_embeddings": "no"}, "tie_word_embeddings"),
    (dense, {"model_type": None}, "model_type is missing"),
    (dense, {"model_type": "rwkv7"}, "model_type is 'rwkv7'; allowed: arcee, cohere"),
    (dense, {"text_config": [1]}, "text_config"),
    (dense, {"sliding_window": 64}, "sliding_window is 64"),
    (dense, {"layer_types": ["full_attention"]}, "layer_types"),
    (dense, {"layer_types": ["mamba"] * 8}, "layer_types is 'mamba'"),
    (dense, {"layer_types": ["linear_attention"] * 8}, "linear_num_key_heads is missing"),
    (dense, {"linear_num_value_heads": 8}, "layer_types is missing"),
    (dense, {"v_head_dim": 32}, "v_head_dim"),
    (dense, {"kv_lora_rank": 64}, "qk_nope_head_dim is missing"),
    (dense, {"index_topk": 64}, "index_n_heads is missing"),
    (dense, {"indexer_types": ["full", "shared"] * 4, "index_topk": 64}, "indexer_types is 'shared'"),
    (dense, {"index_topk_freq": 4}, "index_topk_freq"),
    (dense, {"o_lora_rank": 1024}, "o_lora_rank"),
    (dense, {"compress_ratios": [0, 4, 128]}, "compress_ratios"),
    (dense, {"ssm_state_size": 128}, "ssm_state_size"),
    (dense, {"mamba_num_heads": 64}, "mamba_num_heads"),
    (dense, {"num_kv_shared_layers": 10}, "num_kv_shared_layers"),
    (dense, {"kv_sharing_map": {"1": 0}}, "kv_sharing_map"),
    (dense, {"attn_layer_period": 8}, "attn_layer_period"),
    (dense, {"hybrid_override_pattern": "M-M*"}, "hybrid_override_pattern"),
    (dense, {"block_configs": [{}]}, "block_configs"),
    (dense, {"is_encoder_decoder": True}, "is_encoder_decoder"),
    (dense, {"attn_type_list": [1, 0] * 4}, "attn_type_list"),
    (dense, {"torch_dtype": "float8_e4m3fn"}, "dtype is 'float8_e4m3fn'"),
    (dense, {"quantization_config": {"quant_method": "bitsandbytes"}}, "quant_method is 'bitsandbytes'"),
    (dense, {"quantization_config": {"quant_method": "awq", "bits": 3}}, "quantization_config.bits is 3"),
    (
        dense,
        {"quantization_config": {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}},
        "quantization_config.quant_algo",
    ),
    (
        dense,
        {"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {}}},
        "quantization_config.config_groups",
    ),
    (dense, {"quantization_config": {"quant_method": "fp8", "ignore": [1]}}, "ignore is"),
    (sparse, {"num_experts_per_tok": 9}, "num_experts_per_tok is 9; allowed: 1 to the number of experts, 8"),
    (sparse, {"num_experts_per_tok": None}, "num_experts_per_tok is missing"),
    (sparse, {"moe_intermediate_size": None}, "moe_intermediate_size is missing"),
    (sparse, {"mlp_only_layers": [8]}, "mlp_only_layers is 8"),
    (sparse, {"decoder_sparse_step": 0}, "decoder_sparse_step is 0"),
    (sparse, {"mlp_layer_types": ["dense"] * 7}, "mlp_layer_types"),
    (sparse, {"mlp_only_layers": [0], "intermediate_size": None}, "intermediate_size is missing"),
]


@pytest.mark.parametrize(("make", "changes", "message"), BAD, ids=[message for _, _, message in BAD])
def test_refusal_names_the_key(make: Callable[..., dict[str, Any]], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError, match=re.escape("config.json of somebody/model: ")) as caught:
        imported(make(**changes))
    assert message in str(caught.value)
    assert "allowed: " in str(caught.value)


def test_neutral_values_of_unmodelled_keys_pass() -> None:
    neutral: dict[str, Any] = {
        "num_kv_shared_layers": 0,
        "ssm_state_size": None,
        "block_configs": [],
        "is_encoder_decoder": False,
    }
    assert imported({**dense(), **neutral}) == imported(dense())


def test_harmless_keys_pass() -> None:
    harmless = {
        "rope_theta": 1e6, "rope_scaling": {"type": "yarn"}, "rms_norm_eps": 1e-6, "attention_dropout": 0.1,
        "bos_token_id": 1, "initializer_range": 0.02, "hidden_act": "silu", "attention_bias": True,
        "unsloth_version": "2026.1", "transformers_version": "5.23.0",
    }  # fmt: skip
    assert imported(dense(**harmless)) == imported(dense())


@pytest.mark.parametrize("name", ["nvidia/Some-Model-NVFP4", "x/y-FP8", "x/y-w4a16", "x/y-AWQ"])
def test_name_of_a_quantised_checkpoint_needs_its_quantisation(name: str) -> None:
    with pytest.raises(CatalogError, match="quantization_config is missing"):
        imported(dense(), name)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\ud800"])
def test_unusable_name(name: str) -> None:
    with pytest.raises(CatalogError, match="does not name a model"):
        imported(dense(), name)
