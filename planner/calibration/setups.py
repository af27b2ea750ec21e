"""Measured points as layouts: one set of columns per LLM, before anything is timed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.calibration.points import Point
from planner.catalog import Catalog
from planner.models.operators import Efficiency, Placement
from planner.models.serving import Lengths
from planner.models.shape import LlmShape
from planner.search.columns import KV, WEIGHTS, Candidates, place
from planner.search.fit import Fit, engine_limits, fit_memory
from planner.search.learned import tune
from planner.shapes import llm_shape

Array = NDArray[np.float64]

OLD_VLLM, EARLIER_VLLM, STABLE_TRT = (0, 13), (0, 17), (1, 2)  # first versions that are not


@dataclass(frozen=True)
class Setups:
    """Points of one LLM with their layouts as columns of the same length.

    Attributes
    ----------
    users : users of one replica, or requests of a burst; infinite when saturated [-]
    most : sequences that a replica runs at once [-]
    """

    points: list[Point]
    shape: LlmShape
    candidates: Candidates
    lengths: Lengths
    place: Placement
    eff: Efficiency
    fit: Fit
    users: Array
    most: Array


def setups(llm_id: str, points: list[Point], catalog: Catalog, eff: Efficiency) -> Setups:
    """Layouts, memory and limits of points of one LLM."""
    llm = catalog.llms[llm_id]
    shape = llm_shape(llm_id, llm)
    candidates, lengths = _columns(points)
    placed = place(catalog, shape, llm, candidates, [profile(p) for p in points])
    placed, eff = tune(catalog, llm_id, candidates, placed, eff)
    fit = fit_memory(catalog, llm, shape, candidates, placed.kv_width, lengths.final_context_tokens)
    set_tokens = np.array([p.budget_tokens for p in points])
    fit = replace(fit, budget_tokens=np.where(set_tokens > 0, set_tokens, fit.budget_tokens))
    users = np.array([p.load / p.replicas if p.kind != "open" else 1.0 for p in points])
    most = np.maximum(_room(catalog, fit, candidates, users, lengths), 1.0)
    return Setups(points, shape, candidates, lengths, placed, eff, fit, users, most)


def profile(point: Point) -> str:
    """Software generation with figures of its own, by engine and version, else what the harness says.

    `old` is vLLM before 0.13, `earlier` one before 0.17; `preview` is a release candidate of TensorRT-LLM before 1.2.

    Examples
    --------
    >>> from types import SimpleNamespace as Run
    >>> runs = [("vllm", "0.11.1"), ("vllm", "0.15.1"), ("vllm", "0.19.0"), ("tensorrt-llm", "1.0.0rc3")]
    >>> [profile(Run(engine=engine, version=version, profile="")) for engine, version in runs]
    ['old', 'earlier', '', 'preview']
    """
    number = re.match(r"v?(\d+)\.(\d+)(.*)", point.version)
    if number is None:
        return point.profile
    version = int(number[1]), int(number[2])
    if point.engine == "tensorrt-llm" and version < STABLE_TRT and "rc" in number[3]:
        return "preview"
    if point.engine != "vllm" or version >= EARLIER_VLLM:
        return point.profile if point.profile != "earlier" else ""
    return "old" if version < OLD_VLLM else point.profile or "earlier"


def _columns(points: list[Point]) -> tuple[Candidates, Lengths]:
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


def _room(catalog: Catalog, fit: Fit, candidates: Candidates, users: Array, lengths: Lengths) -> Array:
    """Sequences that run at once under each engine's admission.

    A run with more users than the engine's default limit is taken to have raised the limit.
    """
    engines = [catalog.engines[id] for id in candidates.engine_ids]
    limit = engine_limits(catalog, candidates)[1] * candidates.dp
    reserve = np.array([e.admission == "reserve" for e in engines])[candidates.engine]
    context = np.where(reserve, lengths.final_context_tokens, lengths.mean_context_tokens)
    raised = np.where((users > limit) & (users < 1e5), users, limit)
    return np.minimum(np.floor(fit.capacity_tokens / context), raised)
