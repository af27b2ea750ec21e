"""The LLM catalog counted by hand: its dimensions give the totals that others computed and publishers state.

published/llm_parameters.csv holds totals computed from the same configs by code that is not the planner's.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from planner.schema.facts import Llm
from planner.tabular import read_toml

TESTS = Path(__file__).resolve().parent.parent
LLMS = read_toml(TESTS.parent / "catalogs" / "llms.toml", Llm)
with (TESTS / "published" / "llm_parameters.csv").open(encoding="utf-8") as file:
    PUBLISHED = [row for row in csv.DictReader(file) if row["total"]]


def attention_params(llm: Llm) -> int:
    if llm.mla:
        nope, rope, value = llm.mla.qk_nope_head_dim, llm.mla.qk_rope_head_dim, llm.mla.v_head_dim
        latent, q_rank = llm.mla.kv_lora_rank, llm.mla.q_lora_rank
        q_width = llm.heads * (nope + rope)
        q = llm.hidden_size * q_rank + q_rank * q_width if q_rank else llm.hidden_size * q_width
        kv = llm.hidden_size * (latent + rope) + latent * llm.heads * (nope + value)
        return q + kv + llm.heads * value * llm.hidden_size
    assert llm.head_dim
    q_heads = llm.heads * (2 if llm.attention_output_gate else 1)
    return llm.hidden_size * llm.head_dim * (q_heads + 2 * llm.kv_heads + llm.heads)


def linear_params(llm: Llm) -> int:
    """Gated delta net: q, k, v and gate projections, two scalars per value head, convolution, output."""
    assert llm.linear
    keys = llm.linear.key_heads * llm.linear.key_head_dim
    values = llm.linear.value_heads * llm.linear.value_head_dim
    projections = llm.hidden_size * (2 * keys + 2 * values + 2 * llm.linear.value_heads)
    return projections + llm.linear.conv_kernel * (2 * keys + values) + values * llm.hidden_size


def ffn_params(llm: Llm, active: bool) -> int:
    matrix = llm.hidden_size * (3 if llm.ffn_gated else 2)
    if llm.moe is None:
        return llm.layers * matrix * (llm.ffn_size or 0)
    moe = llm.moe
    shared = moe.shared_expert_ffn_size or moe.shared_experts * moe.expert_ffn_size
    routed = (moe.experts_per_token if active else moe.experts) * moe.expert_ffn_size
    per_layer = matrix * (routed + shared) + llm.hidden_size * moe.experts
    return (llm.layers - moe.dense_layers) * per_layer + moe.dense_layers * matrix * (llm.ffn_size or 0)


def params(llm: Llm, active: bool = False) -> int:
    """Parameters without norms, biases, indexer, prediction modules and towers."""
    linear_layers = llm.linear.layers if llm.linear else 0
    mixing = (llm.layers - linear_layers) * attention_params(llm)
    mixing += linear_layers * linear_params(llm) if linear_layers else 0
    embeddings = llm.vocab_size * llm.hidden_size * (1 if llm.tied_embeddings else 2)
    return mixing + ffn_params(llm, active) + embeddings


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: str(row["id"]))
def test_catalog_counts_as_published(row: dict[str, str]) -> None:
    llm = LLMS[row["id"]]
    # 0.1 %: both sides leave norms and biases out, so only a wrong dimension could differ.
    assert params(llm) == pytest.approx(float(row["total"]), rel=1e-3)
    assert params(llm, active=True) == pytest.approx(float(row["active"]), rel=1e-3)


@pytest.mark.parametrize("id", [id for id, llm in LLMS.items() if llm.params_total])
def test_catalog_counts_what_publishers_say(id: str) -> None:
    if LLMS[id].attention == "compressed":
        pytest.skip("compressed attention is not counted")
    # 5 %: publishers round, 7.25 to 7 thousand million at the coarsest.
    total = params(LLMS[id]) + LLMS[id].extra_params
    assert total == pytest.approx(float(LLMS[id].params_total or 0), rel=0.05)


def test_hybrid_row_matches_counted_tensors() -> None:
    # https://huggingface.co/Qwen/Qwen3-Coder-Next, sum over its tensors, norms included
    assert params(LLMS["qwen3-next-80b-a3b"]) == pytest.approx(79_674_391_296, rel=1e-5)


def test_names_are_unique() -> None:
    names = [name for id, llm in LLMS.items() for name in (id, *llm.aliases)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("written", "id"),
    [
        ("r1", "deepseek-r1"),
        ("deepseek-r1-0528", "deepseek-r1"),
        ("llama3.3-70b", "llama-3.1-70b"),
        ("llama-3.3-70b-instruct", "llama-3.1-70b"),
        ("llama3.1-8b", "llama-3.1-8b"),
        ("llama4-scout", "llama-4-scout"),
        ("minimax-m2", "minimax-m2.5"),
        ("minimax-m2.7", "minimax-m2.5"),
        ("kimi-k2.6", "kimi-k2.5"),
        ("qwen3-coder-30b-a3b", "qwen3-30b-a3b"),
        ("glm-5.1", "glm-5"),
    ],
)
def test_loose_names_resolve(written: str, id: str) -> None:
    assert written in LLMS[id].aliases
