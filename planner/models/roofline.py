"""Arithmetic and memory traffic of a step against what the chip can do at most: the roofline.

Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009. Everything is per accelerator.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.models.operators import Placement, attention_params, touched_experts
from planner.models.shape import LlmShape

Array = NDArray[np.float64]


def attainable_flops_per_s(intensity: Array, peak_flops_per_s: Array, bandwidth_bytes_per_s: Array) -> Array:
    """The roof over an arithmetic intensity in FLOP/B. [FLOP/s]

    Examples
    --------
    >>> attainable_flops_per_s(np.array([2.0, 1000.0]), np.array(1e15), np.array(4e12)).tolist()
    [8000000000000.0, 1000000000000000.0]
    """
    return np.asarray(np.minimum(peak_flops_per_s, intensity * bandwidth_bytes_per_s))


def ridge_flops_per_byte(peak_flops_per_s: float, bandwidth_bytes_per_s: float) -> float:
    """Intensity from which arithmetic, and no longer memory, is the limit. [FLOP/B]

    Examples
    --------
    >>> round(ridge_flops_per_byte(1979e12, 4.8e12))  # H200, FP8
    412
    """
    return peak_flops_per_s / bandwidth_bytes_per_s


def decode_bytes_per_gpu(
    shape: LlmShape, place: Placement, sequences: Array, context_tokens: Array, queries: float = 1.0
) -> Array:
    """Bytes that one decode step must read on one GPU at least: the roofline's numerator. [B]"""
    micro = sequences / place.pp
    weights = attention_params(shape, place) * place.attention_width
    weights = weights + (shape.dense_ffn_params + shape.shared_expert_params) / place.tp * place.ffn_width
    weights = weights + 2.0 * shape.head_params / place.tp
    if shape.experts:
        touched = touched_experts(shape, micro * queries) / (place.tp * place.dp)
        weights = weights + shape.moe_layers * touched * shape.expert_params * place.ffn_width
    read = np.minimum(context_tokens, shape.sparse_topk_tokens) if shape.sparse_topk_tokens else context_tokens
    kept = shape.full_layers * read + shape.sliding_layers * np.minimum(context_tokens, shape.window_tokens)
    by_heads = np.ones_like(place.tp) if shape.latent_attention else np.minimum(place.tp, shape.kv_heads)
    cache = kept * shape.kv_elements_per_layer * place.kv_width / by_heads
    return np.asarray(weights + micro / place.dp * cache)


def token_flops_per_gpu(shape: LlmShape, place: Placement, context_tokens: Array) -> Array:
    """Arithmetic that one generated token costs, per GPU of the replica. [FLOP]"""
    matmul = 2 * (shape.active_params - shape.embedding_params * (not shape.tied_embeddings))
    attention = shape.full_layers * context_tokens * shape.attention_decode_flops
    return np.asarray((matmul + attention) / (place.tp * place.dp * place.pp))


def decode_work(
    shape: LlmShape, place: Placement, sequences: Array, context_tokens: Array | float
) -> tuple[Array, Array]:
    """Arithmetic and least traffic of one decode step, a token for every sequence. [FLOP], [B]"""
    context = np.asarray(context_tokens, float)
    flops = token_flops_per_gpu(shape, place, context) * sequences
    return np.asarray(flops), decode_bytes_per_gpu(shape, place, sequences, context)


def prefill_work(shape: LlmShape, place: Placement, tokens: Array, cached_tokens: Array | float) -> tuple[Array, Array]:
    """Arithmetic and least traffic of a step that computes `tokens` prompt tokens on every attention rank. [FLOP], [B]

    One prompt per rank, behind `cached_tokens` of its own. Weights are read once, experts as far as tokens touch
    them; the output head works for no prompt token but the last. Activations stay in caches of the chip.
    """
    rows, span = tokens * place.dp, tokens / 2 + np.asarray(cached_tokens, float)
    idle = shape.head_params + (0.0 if shape.tied_embeddings else shape.embedding_params)
    kept = np.minimum(span, shape.sparse_topk_tokens) if shape.sparse_topk_tokens else span
    pairs = shape.full_layers * kept + shape.sliding_layers * np.minimum(span, shape.window_tokens)
    each = 2 * (shape.active_params - idle) + pairs * shape.attention_prefill_flops
    flops = each * rows / (place.tp * place.dp * place.pp)
    weights = decode_bytes_per_gpu(shape, place, rows, np.zeros_like(rows))
    one = place.dp + 0 * rows
    cache = decode_bytes_per_gpu(shape, place, one, span) - decode_bytes_per_gpu(shape, place, one, 0 * span)
    return np.asarray(flops), np.asarray(weights + cache)
