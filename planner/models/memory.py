"""What fills a GPU: weights, caches, activations, reserve; and how much context fits beside.

All functions broadcast over their array arguments. Sharding words: `tp` divides attention
heads and dense matrices, `dp` repeats attention for different requests, `pp` divides
layers; routed experts are divided over tp x dp whether by experts or by width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.models.precision import ATTENTION_STAYS_16_BIT, BYTES_PER_KV, BYTES_PER_WEIGHT
from planner.models.shape import LlmShape

Array = NDArray[np.float64]

PARTS = ("attention", "dense", "shared_experts", "routed_experts", "router", "embeddings", "other")


def bytes_per_part(shape: LlmShape, weights: str, attention_16_bit: bool | None = None) -> dict[str, float]:
    """Stored width of each part of the model in one weight precision. [B/parameter]

    Router, embeddings and output head stay in 16 bit in every published quantisation.
    """
    wide, narrow = BYTES_PER_WEIGHT["bf16"], BYTES_PER_WEIGHT[weights]
    # Microscaling kernels pad the expert width to a multiple of 256: measured on gpt-oss, +6.7 %.
    padded = -(-shape.expert_ffn_size // 256) * 256 / (shape.expert_ffn_size or 1) if weights == "mxfp4" else 1.0
    if attention_16_bit is None:
        attention_16_bit = weights in ATTENTION_STAYS_16_BIT and shape.experts > 0
    return {
        "attention": wide if attention_16_bit else narrow,
        "dense": narrow,
        "shared_experts": narrow,
        "routed_experts": narrow * (padded or 1.0),
        "router": wide,
        "embeddings": wide,
        "other": wide,
    }


def weight_bytes(shape: LlmShape, weights: str, attention_16_bit: bool | None = None) -> float:
    """Size of the whole checkpoint, multi-token prediction excluded. [B]"""
    width = bytes_per_part(shape, weights, attention_16_bit)
    counts = {
        "attention": shape.attention_params,
        "dense": shape.dense_ffn_params,
        "shared_experts": shape.shared_expert_params,
        "routed_experts": shape.routed_expert_params,
        "router": shape.router_params,
        "embeddings": shape.embedding_params + (0 if shape.tied_embeddings else shape.head_params),
        "other": shape.extra_params,
    }
    return sum(width[part] * counts[part] for part in PARTS)


def weight_bytes_per_gpu(
    shape: LlmShape, width: dict[str, ArrayLike], tp: ArrayLike, dp: ArrayLike, pp: ArrayLike
) -> Array:
    """Weights on the fullest GPU of a replica.

    Parameters
    ----------
    width : bytes per parameter by part, each scalar or shape (n,). [B]
    tp, dp, pp : array_like, shape (n,). [-]

    Returns
    -------
    ndarray, shape (n,). [B]
    """
    tp, dp, pp = np.asarray(tp, float), np.asarray(dp, float), np.asarray(pp, float)
    stage = np.ceil(shape.layers / pp) / shape.layers
    attention = (
        shape.attention_sharded_params / tp
        + shape.attention_kv_params / np.minimum(tp, shape.kv_heads)
        + shape.attention_replicated_params
    )
    layered = (
        np.asarray(width["attention"]) * attention
        + np.asarray(width["dense"]) * shape.dense_ffn_params / tp
        + np.asarray(width["shared_experts"]) * shape.shared_expert_params / tp
        + np.asarray(width["routed_experts"]) * shape.routed_expert_params / (tp * dp)
        + np.asarray(width["router"]) * shape.router_params
    )
    # With stages, the embedding lives on the first and the head on the last one.
    tables = np.where((pp > 1) | shape.tied_embeddings, 1.0, 2.0) * shape.embedding_params / tp
    other = np.asarray(width["other"]) * shape.extra_params / tp
    return np.asarray(layered * stage + np.asarray(width["embeddings"]) * tables + other, float)


def kv_bytes_per_token(shape: LlmShape, kv: str) -> float:
    """Cache that one more token of a long sequence takes, all layers, before sharding. [B/token]

    Sliding and linear layers are charged per sequence instead, for what they keep
    (`kv_bytes_per_sequence`).
    """
    elements = shape.kv_elements_per_layer + shape.indexer_elements_per_layer
    return shape.full_layers * elements * BYTES_PER_KV[kv]


def kv_bytes_per_sequence(shape: LlmShape, kv_width: ArrayLike, context_tokens: ArrayLike) -> Array:
    """Cache of one sequence at a context length, all layers, before sharding.

    Parameters
    ----------
    kv_width : array_like, shape (n,), bytes per cached value. [B]
    context_tokens : array_like, shape (n,). [token]

    Returns
    -------
    ndarray, shape (n,). [B]

    Examples
    --------
    A 16,900-token sequence of DeepSeek-R1 in bf16 (61 layers x 576 values):

    >>> from types import SimpleNamespace
    >>> r1 = SimpleNamespace(full_layers=61, sliding_layers=0, window_tokens=0, linear_state_bytes=0.0,
    ...                      kv_elements_per_layer=576.0, indexer_elements_per_layer=0.0)
    >>> float(kv_bytes_per_sequence(r1, 2.0, 16_900))
    1187596800.0
    """
    context, width = np.asarray(context_tokens, float), np.asarray(kv_width, float)
    elements = shape.kv_elements_per_layer + shape.indexer_elements_per_layer
    kept = shape.full_layers * context + shape.sliding_layers * np.minimum(context, shape.window_tokens)
    return np.asarray(elements * width * kept + shape.linear_state_bytes, float)


def kv_shards(shape: LlmShape, tp: ArrayLike, pp: ArrayLike) -> Array:
    """Into how many parts one sequence's cache is divided over the ranks that hold it.

    A latent (MLA) cannot be divided by heads: every tensor-parallel rank keeps all of it.
    Grouped heads divide until each rank has one. Stages divide by layers.
    """
    tp, pp = np.asarray(tp, float), np.asarray(pp, float)
    by_heads = np.ones_like(tp) if shape.latent_attention else np.minimum(tp, shape.kv_heads)
    return np.asarray(by_heads * shape.layers / np.ceil(shape.layers / pp), float)


def activation_bytes_per_gpu(
    shape: LlmShape,
    tokens: ArrayLike,
    sequences: ArrayLike,
    tp: ArrayLike,
    dp: ArrayLike,
    hidden_copies: float,
    logit_copies: float,
    latent_workspace_tokens: float,
) -> Array:
    """Peak of temporary tensors: the widest layer of a full step, or the sampler's logits.

    The forward pass holds `hidden_copies` residual-wide tensors and the gate, up and product
    tensors of the widest FFN; the sampler holds `logit_copies` fp32 copies of the logits of
    every sequence. They never live at the same time, so the larger one counts.
    """
    tokens, tp, dp = np.asarray(tokens, float), np.asarray(tp, float), np.asarray(dp, float)
    dense_width = shape.ffn_size / tp if shape.dense_ffn_params else np.zeros_like(tp)
    routed_width = shape.experts_per_token * shape.expert_ffn_size / (tp * dp)
    gathered = shape.experts_per_token * shape.hidden_size * (shape.experts > 0)
    width = 3 * np.maximum(dense_width, routed_width) + hidden_copies * shape.hidden_size + 2 * gathered
    expanded = latent_workspace_tokens * shape.expanded_kv_elements / tp
    forward = 2.0 * (tokens * width + expanded)
    sampler = 4.0 * logit_copies * np.asarray(sequences, float) * shape.vocab_size
    return np.asarray(np.maximum(forward, sampler), float)


def kv_room_bytes(
    memory_bytes: ArrayLike,
    share: ArrayLike,
    rule: ArrayLike,
    weights_bytes: ArrayLike,
    activation_bytes: ArrayLike,
    reserve_bytes: ArrayLike,
) -> Array:
    """Bytes per GPU left for caches; negative where the weights do not fit. [B]

    Parameters
    ----------
    share : the engine's memory setting. [-]
    rule : what it is a share of: "total" (vLLM: everything lives inside), "static" (SGLang: weights
        and caches, the rest must still fit the card) or "free" (TensorRT-LLM: what the others leave).
    """
    memory, share, rule = np.asarray(memory_bytes), np.asarray(share), np.asarray(rule)
    weights = np.asarray(weights_bytes)
    other = np.asarray(activation_bytes) + np.asarray(reserve_bytes)
    total = memory * share - weights - other
    static = np.minimum(memory * share - weights, memory - weights - other)
    left = memory - weights - other
    free = np.where(left > 0, left * share, left)
    return np.asarray(np.select([rule == "total", rule == "static"], [total, static], free), float)


def max_sequences(room_bytes: ArrayLike, sequence_bytes: ArrayLike, shards: ArrayLike, dp: ArrayLike) -> Array:
    """Whole sequences that a replica's caches hold at once. [-]"""
    per_rank = np.floor(np.maximum(np.asarray(room_bytes), 0) * np.asarray(shards) / np.asarray(sequence_bytes))
    return np.asarray(per_rank * np.asarray(dp), float)
