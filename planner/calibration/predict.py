"""Predict measured points: closed loops in one vectorised pass per LLM, bursts and open loads one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.calibration.points import Point
from planner.calibration.runs import simulated
from planner.calibration.setups import Array, Setups, setups
from planner.catalog import Catalog
from planner.models.loop import Loop, closed_loop
from planner.models.operators import Efficiency
from planner.search import metrics
from planner.search.columns import efficiency
from planner.search.loops import loop


def predict(points: Sequence[Point], catalog: Catalog, eff: Efficiency | None = None) -> Array:
    """Predicted value of each point in SI; NaN where the layout does not fit. Shape (n,)."""
    eff = eff or efficiency(catalog)
    found = np.full(len(points), np.nan)
    by_llm: dict[tuple[str, bool], list[int]] = {}
    for i, point in enumerate(points):
        by_llm.setdefault((point.llm, point.kind in ("closed", "saturated")), []).append(i)
    for (llm, closed), rows in by_llm.items():
        chosen = setups(llm, [points[i] for i in rows], catalog, eff)
        how = driven(chosen, catalog)
        value = _values(chosen, at_work(chosen, how, catalog)) if closed else simulated(chosen, how, catalog)
        found[rows] = np.where(chosen.fit.max_sequences >= 1, value, np.nan)
    return found


def at_work(chosen: Setups, how: Loop, catalog: Catalog) -> metrics.Load:
    """What layouts do in their closed loops and saturated runs."""
    c, users = chosen, np.minimum(chosen.users, 1e9)
    point, ttft_s = closed_loop(c.shape, c.place, c.eff, c.lengths, users, c.most, c.fit.budget_tokens, how)
    return metrics.observe(catalog, c.shape, c.candidates, c.place, c.eff, c.lengths, point, ttft_s)


def _values(chosen: Setups, load: metrics.Load) -> Array:
    """The measured quantity of each point."""
    columns = {
        "ttft": load.ttft_s,
        "tpot": load.point.tpot_s,
        "power": load.gpu_w,
        "output": load.point.rate_per_s * chosen.lengths.output_tokens * np.array([_counted(p) for p in chosen.points]),
    }
    return np.array([columns[p.metric][i] for i, p in enumerate(chosen.points)])


def _counted(point: Point) -> float:
    """Replicas in a measured total, or the share of one that each GPU stands for."""
    return point.replicas / point.gpus if point.per_gpu else float(point.replicas)


def driven(chosen: Setups, catalog: Catalog) -> Loop:
    """How each run was driven."""
    per_user, spread, held = (
        np.array([getattr(p, name) for p in chosen.points])
        for name in ("requests_per_user", "length_spread", "held_steps")
    )
    # A saturated run is long: its start does not count.
    per_user = np.where([p.kind == "saturated" for p in chosen.points], np.inf, per_user)
    return loop(catalog, [p.engine for p in chosen.points], per_user, spread, held)
