"""Catalog rows to the plain numbers that the models take."""

from __future__ import annotations

from planner.errors import Message, MissingFact
from planner.models import shape
from planner.models.shape import LlmShape
from planner.schema import Llm


def llm_shape(id: str, llm: Llm) -> LlmShape:
    """Count parameters, caches and work of a catalog LLM.

    Raises
    ------
    MissingFact
        For attention that the models do not describe.
    """
    if llm.attention == "compressed":
        raise MissingFact(
            id,
            Message("attention geometry"),
            Message("the memory and step-time model"),
            Message("Its compressed sparse attention is not modelled yet; plan a relative such as deepseek-v3.2."),
        )
    sharded, key_value, replicated = _attention_params(llm)
    moe = llm.moe
    matrices = 3 if llm.ffn_gated else 2
    moe_layers = llm.layers - moe.dense_layers if moe else 0
    dense_layers = llm.layers - moe_layers
    embedding = float(llm.vocab_size * llm.hidden_size)
    index_elements = float(llm.indexer.head_dim) if llm.indexer else 0.0
    linear = llm.linear
    return LlmShape(
        layers=llm.layers,
        hidden_size=llm.hidden_size,
        heads=llm.heads,
        kv_heads=llm.kv_heads,
        vocab_size=llm.vocab_size,
        attention_sharded_params=sharded,
        attention_kv_params=key_value,
        attention_replicated_params=replicated,
        dense_ffn_params=float(matrices * dense_layers * llm.hidden_size * (llm.ffn_size or 0)),
        shared_expert_params=float(matrices * moe_layers * llm.hidden_size * _shared_width(llm)),
        router_params=float(moe_layers * llm.hidden_size * moe.experts) if moe else 0.0,
        embedding_params=embedding,
        head_params=embedding,
        extra_params=llm.extra_params,
        tied_embeddings=llm.tied_embeddings,
        experts=moe.experts if moe else 0,
        experts_per_token=moe.experts_per_token if moe else 0,
        expert_params=float(matrices * llm.hidden_size * moe.expert_ffn_size) if moe else 0.0,
        expert_ffn_size=moe.expert_ffn_size if moe else 0,
        moe_layers=moe_layers,
        ffn_size=llm.ffn_size or 0,
        full_layers=_full_layers(llm),
        sliding_layers=llm.sliding.layers if llm.sliding else 0,
        window_tokens=llm.sliding.window_tokens if llm.sliding else 0,
        linear_layers=linear.layers if linear else 0,
        linear_state_bytes=shape.linear_state_bytes(
            linear.layers,
            linear.key_heads,
            linear.value_heads,
            linear.key_head_dim,
            linear.value_head_dim,
            linear.conv_kernel,
        )
        if linear
        else 0.0,
        latent_attention=llm.mla is not None,
        expanded_kv_elements=float(llm.heads * (llm.mla.qk_nope_head_dim + llm.mla.v_head_dim)) if llm.mla else 0.0,
        kv_elements_per_layer=_kv_elements(llm),
        indexer_elements_per_layer=index_elements,
        indexer_flops=2.0 * llm.indexer.heads * llm.indexer.head_dim if llm.indexer else 0.0,
        sparse_topk_tokens=float(llm.indexer.topk_tokens) if llm.indexer else 0.0,
        attention_decode_flops=_decode_flops(llm),
        attention_prefill_flops=_prefill_flops(llm),
    )


def _full_layers(llm: Llm) -> int:
    special = (llm.sliding.layers if llm.sliding else 0) + (llm.linear.layers if llm.linear else 0)
    return llm.layers - special


def _attention_params(llm: Llm) -> tuple[float, float, float]:
    linear_layers = llm.linear.layers if llm.linear else 0
    softmax_layers = llm.layers - linear_layers
    indexer = _indexer_params(llm)
    if llm.mla:
        sharded, replicated = shape.mla_attention_params(
            llm.layers,
            llm.hidden_size,
            llm.heads,
            llm.mla.q_lora_rank,
            llm.mla.kv_lora_rank,
            llm.mla.qk_nope_head_dim,
            llm.mla.qk_rope_head_dim,
            llm.mla.v_head_dim,
        )
        return sharded, 0.0, replicated + indexer
    assert llm.head_dim is not None
    sharded, key_value = shape.gqa_attention_params(
        softmax_layers, llm.hidden_size, llm.heads, llm.kv_heads, llm.head_dim, llm.attention_output_gate
    )
    if llm.linear:
        sharded += shape.linear_attention_params(
            linear_layers,
            llm.hidden_size,
            llm.linear.key_heads,
            llm.linear.value_heads,
            llm.linear.key_head_dim,
            llm.linear.value_head_dim,
        )
    return sharded, key_value, indexer


def _indexer_params(llm: Llm) -> float:
    """Query (from the compressed query), key and head-weight projections of the indexer."""
    if not llm.indexer:
        return 0.0
    query_in = llm.mla.q_lora_rank if llm.mla and llm.mla.q_lora_rank else llm.hidden_size
    width = llm.indexer.heads * llm.indexer.head_dim
    return float(llm.layers * (query_in * width + llm.hidden_size * (llm.indexer.head_dim + llm.indexer.heads)))


def _shared_width(llm: Llm) -> int:
    if not llm.moe:
        return 0
    return llm.moe.shared_expert_ffn_size or llm.moe.shared_experts * llm.moe.expert_ffn_size


def _kv_elements(llm: Llm) -> float:
    if llm.mla:
        return float(llm.mla.kv_lora_rank + llm.mla.qk_rope_head_dim)
    return float(2 * llm.kv_heads * (llm.head_dim or 0))


def _decode_flops(llm: Llm) -> float:
    """Absorbed MLA scores against the latent (latent + rope) and gathers it (latent)."""
    if llm.mla:
        return 2.0 * llm.heads * (2 * llm.mla.kv_lora_rank + llm.mla.qk_rope_head_dim)
    return 4.0 * llm.heads * (llm.head_dim or 0)


def _prefill_flops(llm: Llm) -> float:
    if llm.mla:
        head = llm.mla.qk_nope_head_dim + llm.mla.qk_rope_head_dim + llm.mla.v_head_dim
        return 2.0 * llm.heads * head
    return 4.0 * llm.heads * (llm.head_dim or 0)
