"""Predict measured points: one vectorised pass per LLM."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from planner.calibration.points import Point
from planner.catalog import Catalog
from planner.models.loop import Loop, closed_loop
from planner.models.operators import Efficiency
from planner.models.serving import Lengths
from planner.search import metrics
from planner.search.columns import KV, WEIGHTS, Candidates, efficiency, place
from planner.search.fit import Fit, fit_memory
from planner.search.learned import tune
from planner.search.loops import loop
from planner.shapes import llm_shape

Array = NDArray[np.float64]


def predict(points: list[Point], catalog: Catalog, eff: Efficiency | None = None) -> Array:
    """Predicted value of each point in SI; NaN where the layout does not fit. Shape (n,)."""
    eff = eff or efficiency(catalog)
    found = np.full(len(points), np.nan)
    by_llm: dict[str, list[int]] = {}
    for i, point in enumerate(points):
        by_llm.setdefault(point.llm, []).append(i)
    for llm, rows in by_llm.items():
        found[rows] = _predict_llm(llm, [points[i] for i in rows], catalog, eff)
    return found


def profile(point: Point) -> str:
    """Software generation with figures of its own: `old` for vLLM before 0.13, else what the harness says.

    Examples
    --------
    >>> from types import SimpleNamespace as Run
    >>> profile(Run(engine="vllm", version="0.11.1", profile="")), profile(Run(engine="vllm", version="", profile=""))
    ('old', '')
    """
    number = re.match(r"v?(\d+)\.(\d+)", point.version)
    old = point.engine == "vllm" and number is not None and (int(number[1]), int(number[2])) < (0, 13)
    return "old" if old else point.profile


def columns(points: list[Point], catalog: Catalog) -> tuple[Candidates, Lengths]:
    """Points of one LLM as candidate columns with their lengths."""
    accelerators = tuple(dict.fromkeys(p.accelerator for p in points))
    engines = tuple(dict.fromkeys(p.engine for p in points))

    def column(values: list[int]) -> NDArray[np.int64]:
        return np.array(values, np.int64)

    candidates = Candidates(
        accelerators,
        engines,
        column([accelerators.index(p.accelerator) for p in points]),
        column([engines.index(p.engine) for p in points]),
        column([WEIGHTS.index(p.weights) for p in points]),
        column([KV.index(p.kv) for p in points]),
        column([p.tp for p in points]),
        column([p.dp for p in points]),
        column([p.pp for p in points]),
        column([p.ep for p in points]),
    )
    inputs = np.array([p.input_tokens for p in points])
    outputs = np.array([p.output_tokens for p in points])
    return candidates, Lengths(inputs, outputs, 0.0, 1.0, 0.0)


def _predict_llm(llm_id: str, points: list[Point], catalog: Catalog, eff: Efficiency) -> Array:
    llm = catalog.llms[llm_id]
    shape = llm_shape(llm_id, llm)
    candidates, lengths = columns(points, catalog)
    placed = place(catalog, shape, llm, candidates, [profile(p) for p in points])
    placed, eff = tune(catalog, llm_id, candidates, placed, eff)
    fit = fit_memory(catalog, llm, shape, candidates, placed.kv_width, lengths.final_context_tokens)
    users = np.array([p.load / p.replicas if p.kind != "open" else 1.0 for p in points])
    most = np.maximum(_room(catalog, fit, candidates, users, lengths), 1.0)
    users = np.minimum(users, 1e9)
    driven = _driven(points, catalog)
    point, ttft = closed_loop(shape, placed, eff, lengths, users, most, fit.budget_tokens, driven)
    load = metrics.observe(catalog, shape, candidates, placed, eff, lengths, point, ttft)
    totals = point.rate_per_s * lengths.output_tokens
    found = np.full(len(points), np.nan)
    for i, p in enumerate(points):
        if p.metric == "output":
            found[i] = totals[i] * p.replicas / (p.gpus if p.per_gpu else 1)
        else:
            found[i] = {"ttft": ttft, "tpot": point.tpot_s, "power": load.gpu_w}[p.metric][i]
    return np.where(_answerable(points, fit), found, np.nan)


def _driven(points: list[Point], catalog: Catalog) -> Loop:
    """How each run was driven."""
    per_user, spread, held = (
        np.array([getattr(p, name) for p in points]) for name in ("requests_per_user", "length_spread", "held_steps")
    )
    return loop(catalog, [p.engine for p in points], per_user, spread, held)


def _room(catalog: Catalog, fit: Fit, candidates: Candidates, users: Array, lengths: Lengths) -> Array:
    """Sequences that run at once under each engine's admission.

    A run with more users than the engine's default limit is taken to have raised the limit.
    """
    engines = [catalog.engines[id] for id in candidates.engine_ids]
    limit = np.array([float(e.max_sequences) for e in engines])[candidates.engine] * candidates.dp
    reserve = np.array([e.admission == "reserve" for e in engines])[candidates.engine]
    context = np.where(reserve, lengths.final_context_tokens, lengths.mean_context_tokens)
    raised = np.where((users > limit) & (users < 1e5), users, limit)
    return np.minimum(np.floor(fit.capacity_tokens / context), raised)


def _answerable(points: list[Point], fit: Fit) -> NDArray[np.bool_]:
    """Layouts that fit, under loads that the closed form describes."""
    kinds = np.array([p.kind in ("closed", "saturated") for p in points])
    return np.asarray((fit.max_sequences >= 1) & kinds)
