"""What a simulated run says: percentiles, by window of time, against the promise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from planner.models.simulate import Result
from planner.schema import LengthSpread, Percentiles, SimulatedWindow, Slo, Spread
from planner.search.columns import Array
from planner.search.replay import percentile

WINDOW_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
MOST_WINDOWS = 30
PARTS, ENOUGH_FOR_P99 = 5, 100  # parts of the time; requests below which a part has no 99th percentile


@dataclass(frozen=True)
class Tail:
    """The 99th percentile that stands worst against its promise.

    Attributes
    ----------
    metric : ttft, tpot or e2e
    p99_s : its value [s]
    ratio : over the promise; above 1 it is broken [-]
    """

    metric: str
    p99_s: float
    ratio: float


def worst_tail(run: Result, slo: Slo) -> Tail:
    """Which 99th percentile breaks the promise, or comes nearest to it."""
    limits = {"ttft": slo.ttft_p99_s, "tpot": slo.tpot_p99_s, "e2e": slo.e2e_p99_s}
    tails = []
    for metric, limit in limits.items():
        p99_s = percentile(getattr(run, f"{metric}_s"), 99)
        if limit is not None and not math.isnan(p99_s):
            tails.append(Tail(metric, p99_s, p99_s / limit))
    return max(tails, key=lambda tail: tail.ratio)


def within(run: Result, slo: Slo) -> NDArray[np.bool_]:
    """Which requests came within the promise; an answer of one token has no time per token to break."""
    kept = (run.ttft_s <= slo.ttft_p99_s) & ~(run.tpot_s > slo.tpot_p99_s)
    return kept & (run.e2e_s <= slo.e2e_p99_s) if slo.e2e_p99_s is not None else kept


def percentiles(values: Array) -> Percentiles | None:
    """Median, 90th and 99th percentile; None where nothing is known."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    p50, p90, p99 = np.percentile(known, [50, 90, 99]).tolist()
    return Percentiles(p50=p50, p90=p90, p99=p99)


def lengths(tokens: NDArray[np.int64]) -> LengthSpread:
    """Mean, median, tail and longest."""
    p50, p99 = np.percentile(tokens, [50, 99]).tolist()
    return LengthSpread(mean=float(tokens.mean()), p50=p50, p99=p99, longest=int(tokens.max()))


def windows(run: Result, slo: Slo, duration_s: float, share: float = 1.0) -> tuple[SimulatedWindow, ...]:
    """Percentiles by when a request was sent, in whole windows of a round length.

    Parameters
    ----------
    share : of all requests that were simulated; rates are of all [-]
    """
    step_s = next((s for s in WINDOW_STEPS_S if duration_s <= s * MOST_WINDOWS), WINDOW_STEPS_S[-1])
    count = max(math.ceil(duration_s / step_s), 1)
    edges = np.arange(count + 1) * float(step_s)
    at = np.searchsorted(run.start_s, edges)
    at[-1] = len(run.start_s)
    kept = within(run, slo)
    return tuple(
        _window(run, kept, slice(first, last), float(begin), min(float(end), max(duration_s, step_s / 1e3)), share)
        for first, last, begin, end in zip(at[:-1], at[1:], edges[:-1], edges[1:], strict=True)
    )


def _window(
    run: Result, kept: NDArray[np.bool_], part: slice, begin_s: float, end_s: float, share: float
) -> SimulatedWindow:
    requests = part.stop - part.start
    return SimulatedWindow(
        begin_s=begin_s,
        end_s=end_s,
        requests=int(requests),
        rate_per_s=float(requests / (end_s - begin_s) / share),
        ttft_s=percentiles(run.ttft_s[part]),
        tpot_s=percentiles(run.tpot_s[part]),
        e2e_s=percentiles(run.e2e_s[part]),
        slo_attainment=float(kept[part].mean()) if requests else None,
    )


def spread_over_blocks(run: Result, duration_s: float) -> Spread:
    """99th percentiles of equal parts of the time, least and largest; of all where parts are too few requests."""
    at = np.searchsorted(run.start_s, np.linspace(0, duration_s, PARTS + 1))
    at[-1] = len(run.start_s)
    parts = [slice(a, b) for a, b in pairwise(at) if b - a >= ENOUGH_FOR_P99]
    parts = parts or [slice(0, None)]
    return Spread(
        parts=len(parts),
        kind="blocks",
        ttft_p99_s=_range([percentile(run.ttft_s[part], 99) for part in parts]),
        tpot_p99_s=None if np.isnan(run.tpot_s).all() else _range([percentile(run.tpot_s[p], 99) for p in parts]),
        e2e_p99_s=_range([percentile(run.e2e_s[part], 99) for part in parts]),
    )


def spread_over_runs(runs: list[Result]) -> Spread:
    """99th percentiles of runs from different seeds, least and largest."""
    return Spread(
        parts=len(runs),
        kind="seeds",
        ttft_p99_s=_range([percentile(run.ttft_s, 99) for run in runs]),
        tpot_p99_s=None if np.isnan(runs[0].tpot_s).all() else _range([percentile(run.tpot_s, 99) for run in runs]),
        e2e_p99_s=_range([percentile(run.e2e_s, 99) for run in runs]),
    )


def _range(values: list[float]) -> tuple[float, float]:
    known = [value for value in values if not math.isnan(value)]
    return min(known), max(known)
