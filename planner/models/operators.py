"""Time of one forward step of one replica, operator by operator.

Every function is element-wise over equal-length (or broadcastable) columns. The form and its
evidence: two limits combine as a smooth maximum, efficiencies fall with few rows, experts
are read as often as distinct ones are touched, and the host adds time per layer and step.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.models.collectives import Links, layer_collectives_s, stage_transfer_s
from planner.models.offload import Offload
from planner.models.shape import LlmShape
from planner.models.speculation import Speculation

Array = NDArray[np.float64]

ROUNDING = 1e-9  # rows of sequences and drafts, added up and multiplied, differ by less [-]


@dataclass(frozen=True)
class Efficiency:
    """Fitted scalars that hold for every accelerator and engine (catalogs/calibration.csv)."""

    gemm_extra_rows: float
    moe_extra_rows: float
    moe_imbalance: float
    kv_memory_efficiency: float
    latent_kv_factor: float
    decode_attention_compute_efficiency: float
    prefill_attention_efficiency: float
    prefill_attention_half_tokens: float
    elementwise_passes: float
    host_layer_s: float
    host_moe_layer_s: float
    host_step_s: float
    host_sequence_s: float
    prompt_layer_s: float
    prompt_moe_layer_s: float
    prompt_latent_layer_s: float
    interference_share: float
    ingest_s: float | Array
    prompt_overhead: float | Array
    first_token_steps: float


@dataclass(frozen=True)
class Placement:
    """One LLM on one set of accelerators, as columns. Peaks and widths are per GPU.

    Attributes
    ----------
    tp, dp, pp, ep : tensor, attention-data, pipeline and expert parallel sizes [-]
    attention_*, ffn_* : what runs the attention projections and the FFN matrices
    *_width : stored bytes per parameter or cached value [B]
    prompt_attention_factor : reached share of prompt attention over that of Hopper [-]
    kv_factor : reached share of the decode-attention bandwidth for this cache format [-]
    stream_sequence_s : the API front end's time per streamed token, a floor of the step [s]
    time_factor : measured slowness of the software for this architecture, 1 where it is tuned [-]
    host_factor : host time per layer of this engine and precision over that of 16-bit weights [-]
    speculation, offload : options that `planner.models.step` adds to a step; None: plain serving
    """

    tp: Array
    dp: Array
    pp: Array
    ep: Array
    bandwidth_bytes_per_s: Array
    bf16_flops_per_s: Array
    attention_flops_per_s: Array
    attention_width: Array
    attention_memory_efficiency: Array
    attention_compute_efficiency: Array
    ffn_flops_per_s: Array
    ffn_width: Array
    ffn_memory_efficiency: Array
    ffn_compute_efficiency: Array
    moe_memory_efficiency: Array
    moe_compute_efficiency: Array
    kv_width: Array
    prompt_attention_factor: Array
    kv_factor: Array
    time_factor: Array
    host_factor: Array
    stream_sequence_s: Array
    links: Links
    speculation: Speculation | None = None
    offload: Offload | None = None


COLUMNS = tuple(f.name for f in fields(Placement) if f.name not in ("links", "speculation", "offload"))


def smooth_max(a: Array, b: Array) -> Array:
    """Cubic-norm maximum: never below either limit, 26 % above both where they meet."""
    return np.asarray(np.cbrt(a * a * a + b * b * b))


def matmul_s(
    params: Array,
    rows: Array,
    width: Array,
    place: Placement,
    peak: Array,
    memory: Array,
    compute: Array,
    extra_rows: float,
) -> Array:
    """Time to multiply `rows` tokens with matrices of `params` parameters on one GPU. [s]

    `extra_rows` stands for tile quantisation: hardware works on blocks of rows.
    """
    compute_s = 2 * params * (rows + extra_rows * (rows > 0)) / (peak * compute)
    memory_s = params * width / (place.bandwidth_bytes_per_s * memory)
    return smooth_max(compute_s, memory_s)


def linear_s(shape: LlmShape, place: Placement, eff: Efficiency, rows: Array, head_rows: Array) -> Array:
    """Attention projections, dense FFN, shared experts and output head of one step. [s]"""
    rank_rows = rows / place.dp
    attention = (
        shape.attention_sharded_params / place.tp
        + shape.attention_kv_params / np.minimum(place.tp, shape.kv_heads)
        + shape.attention_replicated_params
    )
    time = matmul_s(
        attention,
        rank_rows,
        place.attention_width,
        place,
        place.attention_flops_per_s,
        place.attention_memory_efficiency,
        place.attention_compute_efficiency,
        eff.gemm_extra_rows,
    )
    dense = (shape.dense_ffn_params + shape.shared_expert_params) / place.tp
    time = time + matmul_s(
        dense,
        rank_rows,
        place.ffn_width,
        place,
        place.ffn_flops_per_s,
        place.ffn_memory_efficiency,
        place.ffn_compute_efficiency,
        eff.gemm_extra_rows,
    )
    wide = np.full_like(place.tp, 2.0)
    return time + matmul_s(
        shape.head_params / place.tp,
        head_rows / place.dp,
        wide,
        place,
        place.bf16_flops_per_s,
        place.attention_memory_efficiency,
        place.attention_compute_efficiency,
        eff.gemm_extra_rows,
    )


def touched_experts(shape: LlmShape, rows: Array) -> Array:
    """Expected distinct routed experts that `rows` tokens visit in one layer. [-]

    Uniform routing; skew was measured not to matter for the mean step time.

    Examples
    --------
    One token of a 256-expert, 8-per-token layer touches 8:

    >>> from types import SimpleNamespace
    >>> round(float(touched_experts(SimpleNamespace(experts=256, experts_per_token=8), np.array(1.0))), 9)
    8.0
    """
    share = shape.experts_per_token / shape.experts
    return np.asarray(shape.experts * -np.expm1(rows * np.log1p(-share)) if share < 1 else shape.experts + 0 * rows)


def experts_s(shape: LlmShape, place: Placement, eff: Efficiency, rows: Array) -> Array:
    """Routed experts of all layers in one step. [s]

    Width-sharded experts are all read by every rank, in slices; expert-parallel ranks read
    whole experts, and the busiest of them decides.
    """
    if not shape.experts:
        return np.zeros_like(rows + place.tp)
    ranks = place.tp * place.dp
    touched = touched_experts(shape, rows)
    visits = rows * shape.experts_per_token
    # Per rank, in units of one whole expert: the same for slices of all as for a share of them.
    touched_rank, visits_rank = touched / ranks, visits / ranks
    per_expert_group = shape.experts / place.ep
    skew = 1 + eff.moe_imbalance * np.sqrt(per_expert_group / np.maximum(visits, per_expert_group))
    busiest = np.where(place.ep > 1, np.minimum(skew, place.ep), 1.0)
    layers = shape.moe_layers * shape.expert_params
    tile_rows = visits_rank * busiest + touched_rank * eff.moe_extra_rows
    compute_s = 2 * layers * tile_rows / (place.ffn_flops_per_s * place.moe_compute_efficiency)
    memory_s = layers * touched_rank * place.ffn_width / (place.bandwidth_bytes_per_s * place.moe_memory_efficiency)
    return smooth_max(compute_s, memory_s)


def decode_attention_s(
    shape: LlmShape,
    place: Placement,
    eff: Efficiency,
    sequences: Array,
    context_tokens: Array,
    queries: float = 1.0,
) -> Array:
    """Attention of `sequences` over their caches, all layers: read once, whatever the tokens that ask. [s]

    `queries` tokens of each sequence take part: one, or more while drafts are verified. Ranks of
    attention data-parallelism wait for the busiest, which holds one sequence at least.
    """
    per_rank = np.maximum(sequences / place.dp, np.minimum(sequences, 1.0))
    read = np.minimum(context_tokens, shape.sparse_topk_tokens) if shape.sparse_topk_tokens else context_tokens
    kept = shape.full_layers * read + shape.sliding_layers * np.minimum(context_tokens, shape.window_tokens)
    by_heads = np.ones_like(place.tp) if shape.latent_attention else np.minimum(place.tp, shape.kv_heads)
    index = shape.full_layers * context_tokens * shape.indexer_elements_per_layer * place.kv_width
    cache_bytes = kept * shape.kv_elements_per_layer * place.kv_width / by_heads + index
    state_bytes = 2 * shape.linear_state_bytes / place.tp
    factor = eff.kv_memory_efficiency * (eff.latent_kv_factor if shape.latent_attention else 1.0)
    memory_s = per_rank * (cache_bytes + state_bytes) / (place.bandwidth_bytes_per_s * factor * place.kv_factor)
    flops = kept * shape.attention_decode_flops / place.tp + shape.full_layers * context_tokens * shape.indexer_flops
    peak = place.bf16_flops_per_s * eff.decode_attention_compute_efficiency
    return smooth_max(memory_s, per_rank * queries * flops / peak)


def prompt_attention_s(
    shape: LlmShape, place: Placement, eff: Efficiency, tokens: Array, cached_tokens: Array
) -> Array:
    """Causal attention of one prompt's `tokens` new tokens behind `cached_tokens`. [s]"""
    span = tokens / 2 + cached_tokens
    full = np.minimum(span, shape.sparse_topk_tokens) if shape.sparse_topk_tokens else span
    pairs = shape.full_layers * full + shape.sliding_layers * np.minimum(span, shape.window_tokens)
    linear = shape.linear_layers * min(shape.hidden_size, 128)
    flops = tokens * ((pairs + linear) * shape.attention_prefill_flops / place.tp)
    flops = flops + tokens * shape.full_layers * span * shape.indexer_flops
    length = tokens + cached_tokens
    ramp = length / (length + eff.prefill_attention_half_tokens)
    reached = place.bf16_flops_per_s * eff.prefill_attention_efficiency * place.prompt_attention_factor * ramp
    return np.asarray(flops / reached * place.time_factor)


def layers_host_s(shape: LlmShape, place: Placement, eff: Efficiency) -> Array:
    """Time of all layers that no operator explains: launches, norms, small kernels. [s]"""
    return place.host_factor * (eff.host_layer_s * shape.layers + eff.host_moe_layer_s * shape.moe_layers)


def prompt_launch_s(shape: LlmShape, eff: Efficiency) -> float:
    """Least time of a step that carries prompts: their kernels are launched one by one, outside CUDA graphs. [s]"""
    latent_s = eff.prompt_latent_layer_s if shape.latent_attention else 0.0
    return shape.layers * (eff.prompt_layer_s + latent_s) + shape.moe_layers * eff.prompt_moe_layer_s


def step_s(
    shape: LlmShape,
    place: Placement,
    eff: Efficiency,
    rows: Array,
    sequences: Array,
    context_tokens: Array,
    queries: float = 1.0,
) -> Array:
    """Time from one token to the next of every sequence in the replica. [s]

    Parameters
    ----------
    rows : tokens in the step (decoding sequences plus prompt tokens), whole replica, broadcastable.
    sequences : sequences that decode. [-]
    context_tokens : mean tokens that each has cached. [token]
    queries : tokens of each such sequence in the step; above one only while drafts are verified. [-]

    Notes
    -----
    With pipeline stages, pp micro-batches follow each other: a token passes all stages, each
    working on a pp-th of the sequences, on one at least: with fewer sequences than stages the
    stages without work are the bubble.
    """
    micro_rows = np.maximum(rows / place.pp, np.minimum(rows, 1.0))
    micro_sequences = np.maximum(sequences / place.pp, np.minimum(sequences, 1.0))
    time = linear_s(shape, place, eff, micro_rows, micro_sequences * queries)
    time = time + experts_s(shape, place, eff, micro_rows)
    time = time + decode_attention_s(shape, place, eff, micro_sequences, context_tokens, queries)
    time = time + layer_collectives_s(shape, place.tp, place.dp, micro_rows, place.links)
    time = time + stage_transfer_s(shape, place.tp, place.pp, micro_rows / place.dp, place.links)
    traffic = eff.elementwise_passes * 4 * shape.hidden_size * shape.layers * micro_rows / place.dp
    busy = layers_host_s(shape, place, eff) + eff.host_step_s + eff.host_sequence_s * sequences / place.dp
    time = time + traffic / place.bandwidth_bytes_per_s + busy
    prompts = rows > sequences * queries * (1 + ROUNDING)
    time = np.where(prompts, np.maximum(time, prompt_launch_s(shape, eff)), time)
    return np.maximum(time * place.time_factor, sequences * place.stream_sequence_s)


def decode_bytes_per_gpu(
    shape: LlmShape, place: Placement, sequences: Array, context_tokens: Array, queries: float = 1.0
) -> Array:
    """Bytes that one decode step must read on one GPU at least: the roofline's numerator. [B]"""
    micro = sequences / place.pp
    attention = (
        shape.attention_sharded_params / place.tp
        + shape.attention_kv_params / np.minimum(place.tp, shape.kv_heads)
        + shape.attention_replicated_params
    )
    weights = attention * place.attention_width
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
