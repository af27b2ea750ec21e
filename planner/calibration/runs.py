"""Measured bursts and open loads, simulated request by request with their ramp and drain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.calibration.points import Point
from planner.calibration.setups import Array, Setups
from planner.catalog import Catalog
from planner.models.engine import Policy, StepTimes
from planner.models.loop import Loop
from planner.models.simulate import Result, simulate_closed, simulate_open
from planner.models.tables import step_times

SEED = 20261123
OPEN_REQUESTS = 2000  # of an open load, whose sources do not say how many there were
MOST_REQUESTS = 20_000

Tokens = NDArray[np.int64]


def simulated(chosen: Setups, driven: Loop, catalog: Catalog) -> Array:
    """Value of each point; NaN for power, which needs a steady state."""
    tables = step_times(chosen.shape, chosen.place, chosen.eff, chosen.lengths, np.minimum(chosen.users, chosen.most))
    runs: dict[object, Result] = {}
    found = np.full(len(chosen.points), np.nan)
    for i, point in enumerate(chosen.points):
        if point.metric == "power" or chosen.fit.max_sequences[i] < 1 or _too_many(chosen, i):
            continue
        load = (point.kind, point.load, point.replicas, point.engine)
        lengths = (point.input_tokens, point.output_tokens, point.length_spread)
        limits = (chosen.most[i], chosen.fit.capacity_tokens[i], int(chosen.candidates.dp[i]))
        key = (tables[i], load, lengths, limits)
        if key not in runs:
            runs[key] = _run(chosen, i, tables[i], catalog.engines[point.engine].schedule == "prompt_first")
        found[i] = _value(point, runs[key], driven, i, chosen)
    return found


def _too_many(chosen: Setups, i: int) -> bool:
    """More requests at once than anybody sends to one attention rank."""
    point = chosen.points[i]
    return point.kind == "burst" and point.load / (point.replicas * int(chosen.candidates.dp[i])) > MOST_REQUESTS


def _run(chosen: Setups, i: int, times: StepTimes, prompts_first: bool) -> Result:
    """One attention rank of one replica with its share of the load."""
    point, dp = chosen.points[i], int(chosen.candidates.dp[i])
    shares = point.replicas * dp
    requests = OPEN_REQUESTS if point.kind == "open" else max(round(point.load / shares), 1)
    random = np.random.default_rng(SEED)
    inputs, outputs = (_lengths(random, mean, point, requests) for mean in (point.input_tokens, point.output_tokens))
    room = max(float(chosen.fit.capacity_tokens[i]) / dp, float((inputs + outputs).max()))
    most, budget = max(int(chosen.most[i] / dp), 1), int(chosen.fit.budget_tokens[i])
    policy: Policy = "prompt_first" if prompts_first else "mixed"
    if point.kind == "open":
        arrivals_s = np.cumsum(random.exponential(shares / point.load, requests))
        return simulate_open(times, arrivals_s, inputs, outputs, most, budget, room, policy)
    return simulate_closed(times, inputs, outputs, requests, most, budget, room, policy)


def _lengths(random: np.random.Generator, mean: float, point: Point, requests: int) -> Tokens:
    """Uniform between 1 - spread and 1 of the nominal length, whose mean is given."""
    nominal = mean / (1 - point.length_spread / 2)
    lengths = random.uniform((1 - point.length_spread) * nominal, nominal, requests)
    return np.asarray(np.maximum(np.round(lengths), 1), np.int64)


def _value(point: Point, run: Result, driven: Loop, i: int, chosen: Setups) -> float:
    if point.metric == "ttft":
        ingest_s, steps = (_at(column, i) for column in (chosen.eff.ingest_s, driven.first_token_steps))
        return _statistic(run.ttft_s, point.statistic) + ingest_s + steps * float(np.nan_to_num(np.nanmean(run.tpot_s)))
    if point.metric == "tpot":
        return _statistic(run.tpot_s, point.statistic)
    copies = point.replicas * int(chosen.candidates.dp[i])
    elapsed_s = run.finish_s.max() - run.start_s.min()
    total = point.output_tokens * len(run.ttft_s) * copies / elapsed_s
    return float(total / point.gpus if point.per_gpu else total)


def _at(column: float | Array, i: int) -> float:
    """A figure that is the same for all, or a column of them."""
    return float(column if np.ndim(column) == 0 else np.asarray(column)[i])


def _statistic(values: Array, name: str) -> float:
    """Mean, median or 99th percentile, as the metric's name asks."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan")
    return float(known.mean() if name == "mean" else np.percentile(known, {"p50": 50, "p99": 99}.get(name, 50)))
