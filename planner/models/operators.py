"""Operators of one forward step of one replica: how long each takes.

Every function is element-wise over equal-length (or broadcastable) columns. The form and its
evidence: two limits combine as a smooth maximum, efficiencies fall with few rows, and experts
are read as often as distinct ones are touched.

Searches ask for the same layouts at many batches: an operator is made of a layout once (`linear`,
`experts`), and its `time_s` then takes a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.models.collectives import Links
from planner.models.offload import Offload
from planner.models.shape import LlmShape
from planner.models.speculation import Speculation

Array = NDArray[np.float64]

HEAD_WIDTH = np.asarray(2.0)  # output heads stay in 16 bit [B]


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


def smooth_max(a: Array, b: Array) -> Array:
    """Cubic-norm maximum: never below either limit, 26 % above both where they meet."""
    return _above(a, b * b * b)


def _above(a: Array, limit_cubed: Array) -> Array:
    return np.asarray(np.cbrt(a * a * a + limit_cubed))


@dataclass(frozen=True)
class Matmul:
    """Matrices of one GPU, whatever the rows that they are multiplied with.

    Attributes
    ----------
    row_s : arithmetic of one row [s]
    read_s_cubed : the cube of the time to read them [s³]
    """

    row_s: Array
    read_s_cubed: Array

    def time_s(self, rows: Array) -> Array:
        """Time of one product, rows that tiles add included. [s]"""
        return _above(self.row_s * rows, self.read_s_cubed)


def matmul(params: Array, width: Array, place: Placement, peak: Array, memory: Array, compute: Array) -> Matmul:
    """Matrices of `params` parameters that reach such shares of the bandwidth and of the peak."""
    read_s = params * width / (place.bandwidth_bytes_per_s * memory)
    return Matmul(2 * params / (peak * compute), read_s * read_s * read_s)


def tiled(rows: Array, extra_rows: float) -> Array:
    """Rows that hardware computes: `extra_rows` stand for tile quantisation, as it works on blocks of rows. [-]"""
    return np.asarray(rows + extra_rows * (rows > 0))


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
    """Time to multiply `rows` tokens with matrices of `params` parameters on one GPU. [s]"""
    return matmul(params, width, place, peak, memory, compute).time_s(tiled(rows, extra_rows))


@dataclass(frozen=True)
class Linear:
    """Attention projections, dense FFN with shared experts, and output head of one step."""

    attention: Matmul
    ffn: Matmul
    head: Matmul
    dp: Array
    extra_rows: float

    def time_s(self, rows: Array, head_rows: Array) -> Array:
        """Time of all three. [s]"""
        each = tiled(rows / self.dp, self.extra_rows)
        head_s = self.head.time_s(tiled(head_rows / self.dp, self.extra_rows))
        return self.attention.time_s(each) + self.ffn.time_s(each) + head_s


def linear(shape: LlmShape, place: Placement, eff: Efficiency) -> Linear:
    """Matrices that every row meets, divided by the ranks of tensor parallelism."""
    reached = place.attention_memory_efficiency, place.attention_compute_efficiency
    dense = (shape.dense_ffn_params + shape.shared_expert_params) / place.tp
    return Linear(
        matmul(attention_params(shape, place), place.attention_width, place, place.attention_flops_per_s, *reached),
        matmul(
            dense, place.ffn_width, place, place.ffn_flops_per_s, place.ffn_memory_efficiency,
            place.ffn_compute_efficiency,
        ),
        matmul(shape.head_params / place.tp, HEAD_WIDTH, place, place.bf16_flops_per_s, *reached),
        place.dp,
        eff.gemm_extra_rows,
    )  # fmt: skip


def attention_params(shape: LlmShape, place: Placement) -> Array:
    """Attention projections on one rank. [-]"""
    return (
        shape.attention_sharded_params / place.tp
        + shape.attention_kv_params / np.minimum(place.tp, shape.kv_heads)
        + shape.attention_replicated_params
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


@dataclass(frozen=True)
class Experts:
    """Routed experts of all layers. Width-sharded experts are all read by every rank, in slices; expert-parallel
    ranks read whole experts, and the busiest of them decides.

    Attributes
    ----------
    row_s : arithmetic of one visit, in all layers, divided by the ranks [s]
    read_s : time to read one expert of each layer, divided by the ranks [s]
    group : experts of a rank [-]
    """

    shape: LlmShape
    row_s: Array
    read_s: Array
    ep: Array
    group: Array
    imbalance: float
    extra_rows: float

    def time_s(self, rows: Array) -> Array:
        """Time of one step of `rows` tokens. [s]"""
        touched, visits = touched_experts(self.shape, rows), rows * self.shape.experts_per_token
        skew = 1 + self.imbalance * np.sqrt(self.group / np.maximum(visits, self.group))
        tile_rows = visits * np.minimum(skew, self.ep) + touched * self.extra_rows
        return smooth_max(self.row_s * tile_rows, self.read_s * touched)


def experts(shape: LlmShape, place: Placement, eff: Efficiency) -> Experts | None:
    """Routed experts of an LLM; None of a dense one."""
    if not shape.experts:
        return None
    # Per rank, in units of one whole expert: the same for slices of all as for a share of them.
    params = shape.moe_layers * shape.expert_params / (place.tp * place.dp)
    return Experts(
        shape,
        2 * params / (place.ffn_flops_per_s * place.moe_compute_efficiency),
        params * place.ffn_width / (place.bandwidth_bytes_per_s * place.moe_memory_efficiency),
        place.ep,
        shape.experts / place.ep,
        eff.moe_imbalance,
        eff.moe_extra_rows,
    )


def linear_s(shape: LlmShape, place: Placement, eff: Efficiency, rows: Array, head_rows: Array) -> Array:
    """Attention projections, dense FFN, shared experts and output head of one step. [s]"""
    return linear(shape, place, eff).time_s(rows, head_rows)


def experts_s(shape: LlmShape, place: Placement, eff: Efficiency, rows: Array) -> Array:
    """Routed experts of all layers in one step. [s]"""
    found = experts(shape, place, eff)
    return np.zeros_like(rows + place.tp) if found is None else found.time_s(rows)


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
    return busiest(sequences, place.dp) * sequence_attention_s(shape, place, eff, context_tokens, queries)


def busiest(sequences: Array, ranks: Array) -> Array:
    """Share of the busiest of some ranks or stages: one sequence at least. [-]"""
    return np.asarray(np.maximum(sequences / ranks, np.minimum(sequences, 1.0)))


def sequence_attention_s(
    shape: LlmShape, place: Placement, eff: Efficiency, context_tokens: Array, queries: float = 1.0
) -> Array:
    """Attention of one sequence over its cache on its rank, all layers. [s]"""
    read = np.minimum(context_tokens, shape.sparse_topk_tokens) if shape.sparse_topk_tokens else context_tokens
    kept = shape.full_layers * read + shape.sliding_layers * np.minimum(context_tokens, shape.window_tokens)
    by_heads = np.ones_like(place.tp) if shape.latent_attention else np.minimum(place.tp, shape.kv_heads)
    index = shape.full_layers * context_tokens * shape.indexer_elements_per_layer * place.kv_width
    cache_bytes = kept * shape.kv_elements_per_layer * place.kv_width / by_heads + index
    state_bytes = 2 * shape.linear_state_bytes / place.tp
    factor = eff.kv_memory_efficiency * (eff.latent_kv_factor if shape.latent_attention else 1.0)
    memory_s = (cache_bytes + state_bytes) / (place.bandwidth_bytes_per_s * factor * place.kv_factor)
    flops = kept * shape.attention_decode_flops / place.tp + shape.full_layers * context_tokens * shape.indexer_flops
    peak = place.bf16_flops_per_s * eff.decode_attention_compute_efficiency
    return smooth_max(memory_s, queries * flops / peak)


def prompt_attention_s(
    shape: LlmShape, place: Placement, eff: Efficiency, tokens: Array, cached_tokens: Array
) -> Array:
    """Causal attention of one prompt's `tokens` new tokens behind `cached_tokens`. [s]"""
    span = tokens / 2 + cached_tokens
    full = np.minimum(span, shape.sparse_topk_tokens) if shape.sparse_topk_tokens else span
    pairs = shape.full_layers * full + shape.sliding_layers * np.minimum(span, shape.window_tokens)
    states = shape.linear_layers * min(shape.hidden_size, 128)
    flops = tokens * ((pairs + states) * shape.attention_prefill_flops / place.tp)
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
