"""A plan's layout over all loads: latency against throughput, and its steps under the roof of the accelerator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.models import roofline, serving
from planner.models.layouts import take
from planner.models.operators import Efficiency, Placement, prompt_attention_s
from planner.models.step import step_s
from planner.schema import Plan, Workload
from planner.search.columns import Array
from planner.search.evaluate import curve
from planner.search.single import Single, single

FINEST = 61  # operating points of a curve
ROUNDED = 1e-6  # a closed loop is iterated
DECODE_BATCHES = np.array([1, 4, 16, 64, 256, 1024], float)


@dataclass(frozen=True)
class Operating:
    """Latency over the load of one replica, as columns that rise with the load.

    Attributes
    ----------
    sequences : mean running sequences [-]
    tokens_per_s_per_gpu : output tokens per second of one accelerator [token/s]
    kept : the promise is kept there, at a mean load whose bursts keep it, too
    held_per_s_per_gpu : output tokens per second of one accelerator at the largest such load [token/s]
    chosen : position nearest to the plan's own mean load
    """

    sequences: Array
    tokens_per_s_per_gpu: Array
    tpot_s: Array
    tpot_p99_s: Array
    ttft_s: Array
    ttft_p99_s: Array
    kept: NDArray[np.bool_]
    held_per_s_per_gpu: float
    chosen: int


@dataclass(frozen=True)
class StepPoint:
    """One step under the roof, per accelerator.

    Attributes
    ----------
    phase : decode or prefill
    size : sequences that decode, or prompt tokens per attention rank
    intensity : arithmetic per byte of memory traffic [FLOP/B]
    achieved : what the step reaches [FLOP/s]
    attainable : the roof there [FLOP/s]
    chosen : the plan's own mean load
    """

    phase: str
    size: float
    intensity: float
    achieved: float
    attainable: float
    chosen: bool


@dataclass(frozen=True)
class Roofline:
    """The roof and the steps below it. [FLOP/s], [B/s], [FLOP/B]"""

    precision: str
    peak_flops_per_s: float
    bandwidth_bytes_per_s: float
    ridge: float
    points: tuple[StepPoint, ...]

    def of(self, phase: str) -> tuple[StepPoint, ...]:
        """Points of one phase, rising in size."""
        return tuple(point for point in self.points if point.phase == phase)


def operating(workload: Workload, catalog: Catalog, plan: Plan) -> Operating:
    """Latency and throughput of a plan's replica from one request to full caches.

    Raises
    ------
    WorkloadError
        If the workload and the catalogs no longer give such a plan.
    """
    one = single(workload, catalog, plan)
    study, rows = one.study, one.rows
    most = max(float(study.fit.max_sequences[one.row]), 1.0)
    batches = np.unique(np.r_[np.geomspace(min(1.0, most), most, FINEST), plan.serving.running_sequences])
    batches = batches[batches <= most]
    asked, eff = study.server(rows), take(study.eff, rows)
    room, closed = study.fit.max_sequences[rows], workload.traffic.concurrency is not None
    point, promise = curve(asked, eff, workload.slo, batches, room, closed)
    crowded = asked.at(batches if closed else serving.crowded(batches))
    per_gpu = study.lengths.output_tokens / plan.gpus_per_replica
    tokens, held = point.rate_per_s * per_gpu, float(one.held_per_s / one.replicas * per_gpu)
    return Operating(
        sequences=batches,
        tokens_per_s_per_gpu=tokens,
        tpot_s=point.tpot_s,
        tpot_p99_s=crowded.tpot_s,
        ttft_s=serving.mean_ttft_s(point, eff, study.lengths),
        ttft_p99_s=promise.ttft_p99_s,
        kept=promise.kept & (tokens <= held * (1 + ROUNDED)),
        held_per_s_per_gpu=held,
        chosen=int(np.abs(np.log(batches / plan.serving.running_sequences)).argmin()),
    )


def steps_under_roof(workload: Workload, catalog: Catalog, plan: Plan) -> Roofline:
    """Decode steps of rising batches and a prefill step of a plan, against peak and bandwidth.

    Raises
    ------
    WorkloadError
        If the workload and the catalogs no longer give such a plan.
    """
    one = single(workload, catalog, plan)
    place, eff = take(one.study.place, one.rows), take(one.study.eff, one.rows)
    peak, bandwidth = float(place.ffn_flops_per_s[0]), float(place.bandwidth_bytes_per_s[0])
    most = max(float(one.study.fit.max_sequences[one.row]), 1.0)
    running = min(max(plan.serving.running_sequences, 1.0), most)
    batches = np.unique(np.r_[DECODE_BATCHES[most >= DECODE_BATCHES], running])
    points = [_decode(one, place, eff, float(batch), bool(batch == running)) for batch in batches]
    budget = float(one.study.fit.budget_tokens[one.row])
    points.append(_prefill(one, place, eff, min(float(one.study.lengths.new_tokens), budget)))
    return Roofline(plan.layout.weights, peak, bandwidth, roofline.ridge_flops_per_byte(peak, bandwidth), tuple(points))


def _decode(one: Single, place: Placement, eff: Efficiency, batch: float, chosen: bool) -> StepPoint:
    sequences, context = np.array([batch]), one.study.lengths.mean_context_tokens
    time_s = step_s(one.study.shape, place, eff, sequences, sequences, context)
    flops, moved = roofline.decode_work(one.study.shape, place, sequences, context)
    return _point("decode", batch, place, flops, moved, time_s, chosen)


def _prefill(one: Single, place: Placement, eff: Efficiency, size: float) -> StepPoint:
    """A step of prompts alone, one on every attention rank."""
    shape, cached, tokens = one.study.shape, one.study.lengths.cached_tokens, np.array([size])
    rows = tokens * place.dp
    time_s = step_s(shape, place, eff, rows, place.dp, cached) + prompt_attention_s(shape, place, eff, tokens, cached)
    flops, moved = roofline.prefill_work(shape, place, tokens, cached)
    return _point("prefill", size, place, flops, moved, time_s, True)


def _point(
    phase: str, size: float, place: Placement, flops: Array, moved: Array, time_s: Array, chosen: bool
) -> StepPoint:
    intensity = flops / moved
    roof = roofline.attainable_flops_per_s(intensity, place.ffn_flops_per_s, place.bandwidth_bytes_per_s)
    return StepPoint(phase, size, float(intensity[0]), float(flops[0] / time_s[0]), float(roof[0]), chosen)
