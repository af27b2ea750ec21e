"""What candidates do at the load that they get: columns, and one row of them as answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.models import power
from planner.models.collectives import layer_collectives_s
from planner.models.memory import kv_bytes_per_token
from planner.models.operators import (
    Efficiency,
    Placement,
    decode_bytes_per_gpu,
    token_flops_per_gpu,
)
from planner.models.serving import Lengths, Point
from planner.models.shape import LlmShape
from planner.schema import Accelerator, Assumption, Band, Basis, Memory, Power, Serving, Site
from planner.search.columns import KV, Array, Candidates
from planner.search.fit import Fit
from planner.search.learned import was_measured

ENOUGH_POINTS = 10  # fewer measurements than this do not show that a prediction holds
BOUNDS = ("memory", "compute", "communication", "host")


@dataclass(frozen=True)
class Load:
    """Candidates at work, as columns; per replica unless the name says otherwise."""

    point: Point
    ttft_s: Array
    gpu_w: Array
    idle_w: Array
    bound: Array


def observe(
    catalog: Catalog,
    shape: LlmShape,
    candidates: Candidates,
    place: Placement,
    eff: Efficiency,
    lengths: Lengths,
    point: Point,
    ttft_s: Array,
) -> Load:
    """Power and limits of candidates at an operating point."""
    gpu_w, idle_w = _gpu_power(catalog, shape, candidates, place, lengths, point)
    return Load(point, ttft_s, gpu_w, idle_w, _bound(shape, place, eff, lengths, point))


def _gpu_power(
    catalog: Catalog,
    shape: LlmShape,
    candidates: Candidates,
    place: Placement,
    lengths: Lengths,
    point: Point,
) -> tuple[Array, Array]:
    rows = [catalog.accelerators[id] for id in candidates.accelerator_ids]
    at = candidates.accelerator
    tdp = np.array([r.tdp_w or np.nan for r in rows])[at]
    share = catalog.parameter("idle_share").value
    idle = np.array([r.idle_low_w or share * (r.tdp_w or np.nan) for r in rows])[at]
    fitted = [
        np.array([catalog.parameter(name, r.architecture.split()[0]).value for r in rows])[at]
        for name in ("power_base", "power_memory_share", "power_compute_share")
    ]
    context = np.asarray(lengths.mean_context_tokens)
    running = np.maximum(point.sequences, 1.0)
    step_bytes = decode_bytes_per_gpu(shape, place, running, context)
    tokens = lengths.output_tokens + lengths.new_tokens
    flops = token_flops_per_gpu(shape, place, context) * point.rate_per_s * tokens
    busy = np.minimum(point.sequences, 1.0)
    working = power.gpu_power_w(
        idle,
        tdp,
        step_bytes / (point.tpot_s * place.bandwidth_bytes_per_s),
        flops / busy / place.ffn_flops_per_s,
        *fitted,
    )
    return idle + busy * (working - idle), idle


def _bound(shape: LlmShape, place: Placement, eff: Efficiency, lengths: Lengths, point: Point) -> Array:
    """Position in BOUNDS of what takes most of a decode step."""
    context = np.asarray(lengths.mean_context_tokens)
    rows = point.sequences / place.pp
    talk = layer_collectives_s(shape, place.tp, place.dp, rows, place.links)
    host = eff.host_layer_s * shape.layers + eff.host_moe_layer_s * shape.moe_layers + eff.host_step_s + 0 * talk
    work = np.maximum(point.decode_s - talk - host, 0)
    memory_s = decode_bytes_per_gpu(shape, place, point.sequences, context) / place.bandwidth_bytes_per_s
    compute_s = token_flops_per_gpu(shape, place, context) * point.sequences / place.ffn_flops_per_s
    reading = memory_s >= compute_s
    shares = np.stack([np.where(reading, work, 0), np.where(reading, 0, work), talk, host])
    return np.asarray(np.argmax(shares, axis=0))


def memory_answer(shape: LlmShape, candidates: Candidates, fit: Fit, i: int) -> Memory:
    """Memory of one candidate."""
    per_token = kv_bytes_per_token(shape, KV[candidates.kv[i]])
    return Memory(
        fits=bool(fit.max_sequences[i] >= 1),
        memory_bytes_per_gpu=float(fit.memory_bytes[i]),
        usable_bytes_per_gpu=float(fit.usable_bytes[i]),
        weights_bytes_per_gpu=float(fit.weights_bytes[i]),
        kv_bytes_per_token=per_token,
        kv_bytes_per_token_per_gpu=per_token / float(fit.shards[i]),
        kv_bytes_per_sequence=float(fit.sequence_bytes[i]),
        activation_bytes_per_gpu=float(fit.activation_bytes[i]),
        reserve_bytes_per_gpu=float(fit.reserve_bytes[i]),
        kv_room_bytes_per_gpu=float(max(fit.room_bytes[i], 0.0)),
        kv_capacity_tokens=math.floor(fit.capacity_tokens[i]),
        max_sequences=float(fit.max_sequences[i]),
    )


def serving_answer(lengths: Lengths, load: Load, gpus: int, i: int, utilisation: float) -> Serving:
    """Serving of one candidate at its load."""
    ttft, tpot = float(load.ttft_s[i]), float(load.point.tpot_s[i])
    rate = float(load.point.rate_per_s[i])
    return Serving(
        ttft_s=ttft,
        tpot_s=tpot,
        e2e_s=ttft + max(lengths.output_tokens - 1, 0) * tpot,
        output_tokens_per_s=rate * lengths.output_tokens,
        output_tokens_per_s_per_gpu=rate * lengths.output_tokens / gpus,
        requests_per_s=rate,
        running_sequences=float(load.point.sequences[i]),
        utilisation=utilisation,
        bound=BOUNDS[int(load.bound[i])],
    )


def power_answer(catalog: Catalog, site: Site, lengths: Lengths, load: Load, gpus: int, i: int) -> Power:
    """Power of one replica at its load; null where a figure is not sourced."""
    watts = float(load.gpu_w[i])
    if math.isnan(watts):
        return Power(gpu_w=None, node_w=None, facility_w=None, energy_j_per_output_token=None)
    node = float(power.node_power_w(watts, gpus, catalog.parameter("host_power_w_per_gpu").value))
    facility = float(power.facility_power_w(node, site.pue)) if site.pue else None
    tokens = float(load.point.rate_per_s[i]) * lengths.output_tokens
    return Power(
        gpu_w=watts,
        node_w=node,
        facility_w=facility,
        energy_j_per_output_token=None if facility is None else facility / tokens,
    )


def basis_of(catalog: Catalog, accelerator_id: str, weights: str, llm_id: str, engine_id: str) -> Basis:
    """`calibrated` where this accelerator was measured in this precision, by others or the user; else `roofline`."""
    if was_measured(catalog, accelerator_id, weights, llm_id, engine_id):
        return "calibrated"
    row = catalog.calibration.get(("measured_points", f"{accelerator_id}|{weights}"))
    return "calibrated" if row and row.value >= ENOUGH_POINTS else "roofline"


def band_answer(catalog: Catalog, basis: Basis, serving_: Serving) -> Band:
    """80 % intervals around the predictions."""
    spans = {}
    for metric in ("ttft", "tpot", "output_tokens_per_s"):
        row = catalog.parameter(f"band_{metric}", basis)
        assert row.low is not None and row.high is not None
        name = metric if metric == "output_tokens_per_s" else f"{metric}_s"
        value = getattr(serving_, name)
        spans[name] = (value * row.low, value * row.high)
    return Band(**spans)


def lengths_of(
    catalog: Catalog,
    input_tokens: float,
    output_tokens: float,
    cv: float | None,
    p99_ratio: float | None,
    hit: float,
) -> Lengths:
    """Token lengths, their spread as measured in chat traffic unless given."""
    cv = catalog.parameter("input_cv").value if cv is None else cv
    if p99_ratio is None:
        p99_ratio = catalog.parameter("input_p99_ratio").value if cv else 1.0
    return Lengths(float(input_tokens), float(output_tokens), cv, p99_ratio, hit)


def assumptions(catalog: Catalog, names: tuple[tuple[str, str], ...]) -> tuple[Assumption, ...]:
    """Named parameters with their sources."""
    found = []
    for name, scope in names:
        row = catalog.parameter(name, scope)
        label = f"{name} ({scope})" if scope else name
        source = f"{row.kind}: {row.meaning}. {row.source} ({row.source_date}, {row.confidence} confidence)"
        found.append(Assumption(name=label, value=row.value, unit=_unit(name), source=source))
    return tuple(found)


def _unit(name: str) -> str:
    for suffix, unit in (
        ("_bytes_per_s", "B/s"),
        ("_hours", "h"),
        ("_s", "s"),
        ("_bytes", "B"),
        ("_per_year", "1/a"),
    ):
        if name.endswith(suffix):
            return unit
    return "W" if name.startswith("host_power") else "-"


def describe(accelerator: Accelerator, gpus: int, weights: str, tp: int, dp: int, pp: int, ep: int) -> str:
    """One candidate in words.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> describe(SimpleNamespace(name="H200 SXM 141GB"), 8, "fp8", 8, 1, 1, 8)
    '8 × H200 SXM 141GB, FP8, TP8 EP8'
    """
    sizes = [f"TP{tp}"] + [f"{name}{n}" for name, n in (("DP", dp), ("PP", pp), ("EP", ep)) if n > 1]
    return f"{gpus} × {accelerator.name}, {weights.upper()}, {' '.join(sizes)}"
