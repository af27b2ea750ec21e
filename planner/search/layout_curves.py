"""Curves of a plan's layout for the draws: the models once on a small grid, then interpolation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.catalog import Catalog
from planner.models import serving
from planner.models.layouts import as_columns, take
from planner.models.operators import Efficiency
from planner.models.response import Blend, Curves, Limits, rising
from planner.models.serving import Lengths
from planner.schema import Plan, Workload
from planner.search.columns import Array, Index
from planner.search.fit import engine_limits
from planner.search.study import Layouts, lay_out

BATCHES = np.geomspace(0.01, 2048, 96)
STEPS = 5  # of each uncertain length


@dataclass(frozen=True)
class LayoutCurves:
    """Curves of one layout on a grid of prompt and answer lengths.

    Attributes
    ----------
    inputs, outputs : lengths of the grid, shapes (g,) and (h,) [token]
    grid : curves of every pair, rows in the order of `inputs` then `outputs`
    limits : the promise
    closed : users stand in for a rate
    """

    inputs: Array
    outputs: Array
    grid: Curves
    limits: Limits
    closed: bool

    def blend(self, input_tokens: Array, output_tokens: Array) -> Blend:
        """Pairs of lengths around each draw, in logarithms of the lengths."""
        if len(self.inputs) == len(self.outputs) == 1:
            return Blend(np.zeros((1, len(input_tokens)), np.int64), np.ones((1, len(input_tokens))))
        i, u = _between(self.inputs, input_tokens)
        j, v = _between(self.outputs, output_tokens)
        pairs = [(i, 1 - u), (np.minimum(i + 1, len(self.inputs) - 1), u)]
        sides = [(j, 1 - v), (np.minimum(j + 1, len(self.outputs) - 1), v)]
        corners = [(a * len(self.outputs) + b, p * q) for a, p in pairs for b, q in sides]
        return Blend(np.array([rows for rows, _ in corners]), np.array([weights for _, weights in corners]))


def _between(grid: Array, x: Array) -> tuple[Index, Array]:
    """Index below and share of the way to the next, in logarithms."""
    if len(grid) == 1:
        return np.zeros(len(x), np.int64), np.zeros(len(x))
    at = np.clip(np.searchsorted(grid, x, side="right") - 1, 0, len(grid) - 2)
    share = (np.log(x) - np.log(grid[at])) / (np.log(grid[at + 1]) - np.log(grid[at]))
    return at, np.clip(share, 0.0, 1.0)


def grid_of(low: float, mid: float, high: float) -> Array:
    """Lengths at which curves are computed: one where nothing varies."""
    return np.array([mid]) if low == high else np.geomspace(low, high, STEPS)


def layout_curves(workload: Workload, catalog: Catalog, plan: Plan, inputs: Array, outputs: Array) -> LayoutCurves:
    """Curves of a plan's layout at every pair of prompt and answer lengths, by the closed forms."""
    layouts, closed = lay_out(pinned(workload, plan), catalog), workload.traffic.concurrency is not None
    assert len(layouts.candidates) == 1, plan.title
    raw = _computed(layouts, catalog, plan, inputs, outputs, closed)
    slo = workload.slo
    limits = Limits(slo.ttft_p99_s, slo.tpot_p99_s, slo.e2e_p99_s, float(np.max(layouts.eff.ingest_s)))
    return LayoutCurves(inputs, outputs, raw, limits, closed)


def pinned(workload: Workload, plan: Plan) -> Workload:
    """The workload with the plan's accelerator, engine and layout as its only candidate."""
    layout = plan.layout
    limits = {
        "accelerators": (plan.accelerator,),
        "engines": (plan.engine,),
        "weights": (layout.weights,),
        "kv": (layout.kv,),
        **{size: (getattr(layout, size),) for size in ("tp", "dp", "pp", "ep")},
    }
    return workload.model_copy(update={"limits": workload.limits.model_copy(update=limits)})


def _computed(layouts: Layouts, catalog: Catalog, plan: Plan, inputs: Array, outputs: Array, closed: bool) -> Curves:
    pairs = [(i, o) for i in inputs for o in outputs]
    rows = np.zeros(len(pairs), np.int64)
    place, eff = as_columns(take(layouts.place, rows)), as_columns(take(layouts.eff, rows))
    first, second = np.array(pairs).T[:, :, None]
    lengths = replace(layouts.lengths, input_tokens=first, output_tokens=second)
    budget = layouts.fit.budget_tokens[rows][:, None]
    batches = np.broadcast_to(BATCHES, (len(pairs), len(BATCHES)))
    point = serving.operate(layouts.shape, place, eff, lengths, batches, budget)
    crowd = BATCHES if closed else serving.crowded(BATCHES)
    crowded = serving.operate(layouts.shape, place, eff, lengths, np.broadcast_to(crowd, batches.shape), budget)
    return Curves(
        sequences=np.log(BATCHES),
        crowd=np.log(crowd),
        rate=rising(np.log(point.rate_per_s)),
        ttft=rising(np.log(_stretched(point, eff, lengths))),
        tpot=rising(np.log(crowded.tpot_s)),
        prefill=rising(np.log(np.maximum(point.prefill_utilisation, 1e-300))),
        most=np.log(np.maximum(_most(layouts, catalog, plan, lengths), 1e-300)),
    )


def _stretched(point: serving.Point, eff: Efficiency, lengths: Lengths) -> Array:
    """P99 TTFT less what no slower step stretches."""
    return np.asarray(serving.p99_ttft_s(point, eff, lengths) - eff.ingest_s)


def _most(layouts: Layouts, catalog: Catalog, plan: Plan, lengths: Lengths) -> Array:
    """Sequences that the caches hold at each pair of lengths, within the engine's own limit. [-]"""
    limit = engine_limits(catalog, layouts.candidates)[1][0] * plan.layout.dp
    held = float(layouts.fit.capacity_tokens[0]) / lengths.final_context_tokens[:, 0]
    return np.asarray(np.minimum(np.floor(held), limit))
