"""Single operators on one device, as the planner's own functions predict them: for fitting to kernels.

Every function returns another that maps scalars, by (name, scope) of calibration.csv, and rows of
a `planner measure` file to seconds, shape (n,).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.calibration.measured import DTYPE, WEIGHT_BYTES
from planner.models import operators
from planner.models.collectives import Links, all_reduce_s
from planner.models.operators import Efficiency, Placement
from planner.models.precision import BYTES_PER_KV
from planner.models.shape import LlmShape
from planner.schema import Accelerator
from planner.schema.measured import AllReduceTime, DecodeAttentionTime, GemmTime, GroupedGemmTime, PrefillAttentionTime

Array = NDArray[np.float64]
Scalars = Mapping[tuple[str, str], float]

UNUSED = np.array(np.nan)  # shows up in the result if an operator starts to use it


def place(accelerator: Accelerator) -> Placement:
    """One GPU without parallelism; efficiencies are left to the fit."""
    one = np.array(1.0)
    given: dict[str, Any] = {f.name: UNUSED for f in fields(Placement)}
    given |= dict.fromkeys(("tp", "dp", "pp", "ep", "kv_factor", "prompt_attention_factor", "time_factor"), one)
    given |= {
        "bandwidth_bytes_per_s": np.array(accelerator.bandwidth_bytes_per_s, float),
        "bf16_flops_per_s": np.array(accelerator.peak_flops_per_s["bf16"]),
        "kv_width": np.array(BYTES_PER_KV["bf16"]),
        "links": Links(*[UNUSED] * len(fields(Links))),
    }
    return Placement(**given)


def _efficiency(**given: float) -> Efficiency:
    return Efficiency(**{f.name: np.nan for f in fields(Efficiency)} | given)


def _shape(**given: float) -> LlmShape:
    """A shape of one operator: everything else is nought."""
    nought: dict[str, Any] = {f.name: 0 for f in fields(LlmShape)}
    return LlmShape(**nought | given)


def gemms_s(placed: Placement, accelerator: Accelerator) -> Callable[[Scalars, Sequence[GemmTime]], Array]:
    """Matrix products."""

    def predict(scalars: Scalars, rows: Sequence[GemmTime]) -> Array:
        def column(name: str) -> Array:
            return np.array([scalars[name, row.precision] for row in rows])

        return operators.matmul_s(
            np.array([float(row.n * row.k) for row in rows]),
            np.array([float(row.rows) for row in rows]),
            np.array([WEIGHT_BYTES[row.precision] for row in rows]),
            placed,
            np.array([accelerator.peak_flops_per_s[DTYPE[row.precision]] for row in rows]),
            column("gemm_memory_efficiency"),
            column("gemm_compute_efficiency"),
            scalars["gemm_extra_rows", ""],
        )

    return predict


def read_s(placed: Placement, row: GemmTime) -> float:
    """Least time to read a product's matrix: at the datasheet bandwidth. [s]"""
    return float(row.n * row.k * WEIGHT_BYTES[row.precision] / placed.bandwidth_bytes_per_s)


def expert_scope(precision: str) -> str:
    """Scope of an expert product's scalars: 16 bit has the row without one."""
    return "" if precision == "bf16" else precision


def experts_s(placed: Placement, accelerator: Accelerator) -> Callable[[Scalars, Sequence[GroupedGemmTime]], Array]:
    """Routed experts of one layer, every token visiting all of them: each has a row per token."""

    def one(scalars: Scalars, row: GroupedGemmTime) -> float:
        scope = expert_scope(row.precision)
        shape = _shape(
            experts=row.experts, experts_per_token=row.experts, expert_params=float(row.n * row.k), moe_layers=1
        )
        there = replace(
            placed,
            ffn_flops_per_s=np.array(accelerator.peak_flops_per_s[DTYPE[row.precision]]),
            ffn_width=np.array(WEIGHT_BYTES[row.precision]),
            moe_memory_efficiency=np.array(scalars["moe_memory_efficiency", scope]),
            moe_compute_efficiency=np.array(scalars["moe_compute_efficiency", scope]),
        )
        eff = _efficiency(moe_extra_rows=scalars["moe_extra_rows", ""], moe_imbalance=0.0)
        return float(operators.experts_s(shape, there, eff, np.array(float(row.rows_per_expert))))

    return lambda scalars, rows: np.array([one(scalars, row) for row in rows])


def decode_s(placed: Placement) -> Callable[[Scalars, Sequence[DecodeAttentionTime]], Array]:
    """Attention over a cache, one layer. Arithmetic is left free: grouped heads never come near its limit."""

    def one(scalars: Scalars, row: DecodeAttentionTime) -> float:
        shape = _shape(
            full_layers=1,
            kv_heads=row.kv_heads,
            kv_elements_per_layer=2.0 * row.kv_heads * row.head_dim,
            attention_decode_flops=4.0 * row.query_heads * row.head_dim,
        )
        eff = _efficiency(
            kv_memory_efficiency=scalars["kv_memory_efficiency", ""], decode_attention_compute_efficiency=1.0
        )
        sequences, context = np.array(float(row.sequences)), np.array(float(row.context_tokens))
        return float(operators.decode_attention_s(shape, placed, eff, sequences, context))

    return lambda scalars, rows: np.array([one(scalars, row) for row in rows])


def prefill_s(placed: Placement) -> Callable[[Scalars, Sequence[PrefillAttentionTime]], Array]:
    """Causal attention of a prompt, one layer."""

    def one(scalars: Scalars, row: PrefillAttentionTime) -> float:
        shape = _shape(full_layers=1, attention_prefill_flops=4.0 * row.query_heads * row.head_dim)
        eff = _efficiency(
            prefill_attention_efficiency=scalars["prefill_attention_efficiency", ""],
            prefill_attention_half_tokens=scalars["prefill_attention_half_tokens", ""],
        )
        return float(operators.prompt_attention_s(shape, placed, eff, np.array(float(row.tokens)), np.array(0.0)))

    return lambda scalars, rows: np.array([one(scalars, row) for row in rows])


def link_scope(accelerator: Accelerator, ranks: int) -> str:
    """Which link joins so many ranks of one host."""
    inside = accelerator.scaleup_bytes_per_s is not None and ranks <= accelerator.scaleup_domain_gpus
    return "scale-up" if inside else "pcie"


def all_reduces_s(accelerator: Accelerator) -> Callable[[Scalars, Sequence[AllReduceTime]], Array]:
    """All-reduces; in a mesh, fewer ranks have fewer links."""

    def one(scalars: Scalars, row: AllReduceTime) -> float:
        scope = link_scope(accelerator, row.ranks)
        share = (row.ranks - 1) / (accelerator.scaleup_domain_gpus - 1) if accelerator.scaleup_mesh else 1.0
        link = (accelerator.scaleup_bytes_per_s or 0.0) * share if scope == "scale-up" else accelerator.pcie_bytes_per_s
        message, ranks = np.array(float(row.message_bytes)), np.array(float(row.ranks))
        reached = np.array(link * scalars["collective_efficiency", scope])
        return float(all_reduce_s(message, ranks, reached, np.array(scalars["collective_latency_s", scope])))

    return lambda scalars, rows: np.array([one(scalars, row) for row in rows])
