"""What candidates do at the load that they get: columns, and one row of them as answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.models import power
from planner.models.collectives import layer_collectives_s
from planner.models.memory import kv_bytes_per_token
from planner.models.operators import Efficiency, Placement, layers_host_s
from planner.models.roofline import decode_bytes_per_gpu, token_flops_per_gpu
from planner.models.serving import Lengths, Point
from planner.models.shape import LlmShape
from planner.schema import Accelerator, Assumption, Band, Basis, Memory, Parameter, Power, Serving, Site
from planner.search.columns import KV, WEIGHTS, Array, Candidates
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
    does: power.Activity
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
    does = power.activity(shape, place, eff, lengths, point)
    idle_w, board_w = boards(catalog, candidates)
    gpu_w = power.gpu_power_w(idle_w, board_w, does, draw(catalog, candidates))
    return Load(point, ttft_s, gpu_w, idle_w, does, _bound(shape, place, eff, lengths, point))


def boards(catalog: Catalog, candidates: Candidates) -> tuple[Array, Array]:
    """Idle power and board limit of each candidate's accelerator; NaN where they are not sourced. [W]"""
    rows = [catalog.accelerators[id] for id in candidates.accelerator_ids]
    limit = np.array([r.tdp_w or np.nan for r in rows])
    share = catalog.parameter("idle_share").value
    idle = np.array([r.idle_low_w or share * w for r, w in zip(rows, limit, strict=True)])
    return idle[candidates.accelerator], limit[candidates.accelerator]


def draw(catalog: Catalog, candidates: Candidates) -> power.Draw:
    """Fitted power of each candidate's kinds of work."""
    families = [catalog.accelerators[id].architecture.split()[0] for id in candidates.accelerator_ids]

    def by_family(name: str) -> Array:
        return np.array([catalog.parameter(name, f).value for f in families])[candidates.accelerator]

    experts = np.array([catalog.parameter("power_expert_share", w).value for w in WEIGHTS])
    return power.Draw(
        limit=by_family("power_limit_share"),
        awake=by_family("power_awake_share"),
        busy=by_family("power_busy_share"),
        joules_per_byte=by_family("power_memory_j_per_byte"),
        compute=by_family("power_compute_share"),
        experts=experts[candidates.weights],
        rank_loss=by_family("power_rank_loss"),
        most_ranks=by_family("power_most_ranks"),
    )


def _bound(shape: LlmShape, place: Placement, eff: Efficiency, lengths: Lengths, point: Point) -> Array:
    """Position in BOUNDS of what takes most of a decode step."""
    context = np.asarray(lengths.mean_context_tokens)
    rows = point.sequences / place.pp
    talk = layer_collectives_s(shape, place.tp, place.dp, rows, place.links)
    host = layers_host_s(shape, place, eff) + eff.host_step_s + 0 * talk
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
    """`measured` where the user measured this set-up, `calibrated` where others measured this accelerator in this
    precision, else `roofline`."""
    if was_measured(catalog, accelerator_id, weights, llm_id, engine_id):
        return "measured"
    row = catalog.calibration.get(("measured_points", f"{accelerator_id}|{weights}"))
    return "calibrated" if row and row.value >= ENOUGH_POINTS else "roofline"


def band_row(catalog: Catalog, metric: str, basis: str, engine: str = "") -> Parameter:
    """Interval of measured over predicted: of this engine if it has its own, else of all. Basis as `basis_of` says."""
    name, known = f"band_{metric}", "calibrated" if basis == "measured" else basis
    return catalog.calibration.get((name, f"{known}|{engine}")) or catalog.parameter(name, known)


def power_basis_of(catalog: Catalog, accelerator_id: str) -> Basis:
    """`calibrated` where watts of this accelerator were measured, else `roofline`."""
    row = catalog.calibration.get(("power_points", accelerator_id))
    return "calibrated" if row and row.value >= ENOUGH_POINTS else "roofline"


def band_answer(
    catalog: Catalog, accelerator_id: str, engine: str, basis: Basis, serving_: Serving, gpu_w: float | None
) -> Band:
    """80 % intervals around the predictions; None around an unknown power."""
    watts = None
    if gpu_w is not None:
        low, high = _span(band_row(catalog, "power", power_basis_of(catalog, accelerator_id)), gpu_w)
        watts = (low, min(high, catalog.accelerators[accelerator_id].tdp_w or high))
    values = {"ttft": serving_.ttft_s, "tpot": serving_.tpot_s, "output_tokens_per_s": serving_.output_tokens_per_s}
    spans = {name: _span(band_row(catalog, name, basis, engine), value) for name, value in values.items()}
    return Band(
        ttft_s=spans["ttft"], tpot_s=spans["tpot"], output_tokens_per_s=spans["output_tokens_per_s"], gpu_w=watts
    )


def _span(row: Parameter, value: float) -> tuple[float, float]:
    assert row.low is not None and row.high is not None
    return value * row.low, value * row.high


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
        label = f"{name} ({row.scope})" if row.scope else name
        source = f"{row.kind}: {row.meaning}. {row.source} ({row.source_date}, {row.confidence} confidence)"
        found.append(Assumption(name=label, value=row.value, unit=_unit(name), source=source))
    return tuple(found)


def _unit(name: str) -> str:
    for suffix, unit in (
        ("_bytes_per_s", "B/s"),
        ("_hours", "h"),
        ("_s", "s"),
        ("_j_per_byte", "J/B"),
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
    return f"{gpus} × {accelerator.name}, {weights.upper()}, {layout_words(tp, dp, pp, ep)}"


def layout_words(tp: int, dp: int, pp: int, ep: int) -> str:
    """Sizes of a layout: `TP8 EP8`."""
    return " ".join([f"TP{tp}"] + [f"{name}{n}" for name, n in (("DP", dp), ("PP", pp), ("EP", ep)) if n > 1])
