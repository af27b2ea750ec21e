"""What one replica of a plan does at steady rates: the simulated replica under a trace, as columns for a fleet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.errors import WorkloadError
from planner.models.fleet import Service
from planner.models.traffic import Trace
from planner.schema import Slo
from planner.search import observed
from planner.search.margins import margin
from planner.search.replay import Server, percentile, replay
from planner.units import si

RATIOS = (0.02, 0.3, 0.5, 0.7, 0.85, 1.0, 1.1, 1.25)  # of the largest rate within the promise
FLOOD = 4.0  # times that rate: nothing but the replica limits what it takes
STEADY = 0.97  # of what it takes: rates above it are no steady state
LEAST_ROOM = 1.02  # what it takes is more than what it holds
ENOUGH = 10_000  # requests that a percentile of one replica is taken from


def service_of(server: Server, trace: Trace, slo: Slo) -> Service:
    """Columns of one replica, from its simulation under a trace at several rates.

    Raises
    ------
    WorkloadError
        If even a replica alone breaks the promise.
    """
    trace = trace.window(0.0, trace.arrivals_s[min(ENOUGH, len(trace)) - 1] + 1e-6)
    room = margin(server, trace, 1, slo)
    if not room.rate_per_s:
        raise WorkloadError(
            "even alone a request breaks the promise: P99 {limit} is {got}.\n"
            "  Choose a faster layout (--plan), a longer promise, or shorter requests.",
            limit=room.limit,
            got=si(room.at_rest_s, "s"),
        )
    holds = room.rate_per_s
    flood = _flood(server, trace, holds, slo)
    takes = max(flood.takes_per_s, holds * LEAST_ROOM)
    rates = [ratio * holds for ratio in RATIOS if ratio * holds < STEADY * takes]
    runs = [replay(server, trace.at_rate(rate), 1) for rate in rates]
    kept = [float(observed.within(run, slo).mean()) for run in runs]
    columns = {
        "ttft_p50_s": [percentile(run.ttft_s, 50) for run in runs],
        "ttft_p99_s": [percentile(run.ttft_s, 99) for run in runs],
        "e2e_s": [float(run.e2e_s.mean()) for run in runs],
    }
    full_s = max(columns["ttft_p50_s"][-1] + flood.decode_s, columns["e2e_s"][-1])
    return Service(
        np.array([*rates, takes]),
        np.array([*columns["ttft_p50_s"], columns["ttft_p50_s"][-1]]),
        np.array([*columns["ttft_p99_s"], columns["ttft_p99_s"][-1]]),
        np.array([*columns["e2e_s"], full_s]),
        np.array([*kept, min(flood.kept, kept[-1])]),
        holds,
    )


@dataclass(frozen=True)
class _Flood:
    """A replica with more requests than it can take.

    Attributes
    ----------
    takes_per_s : requests per second that it ends [1/s]
    decode_s : mean time from the first to the last token [s]
    kept : share of requests whose tokens after the first keep the promise [-]
    """

    takes_per_s: float
    decode_s: float
    kept: float


def _flood(server: Server, trace: Trace, holds: float, slo: Slo) -> _Flood:
    """What a replica takes, between a fifth and four fifths of its answers: neither filling nor emptying."""
    run = replay(server, trace.at_rate(FLOOD * holds), 1)
    ends = np.sort(run.finish_s)
    low, high = len(ends) // 5, max(4 * len(ends) // 5, len(ends) // 5 + 1)
    high = min(high, len(ends) - 1)
    span = float(ends[high] - ends[low])
    takes = (high - low) / span if span > 0 else FLOOD * holds
    kept = float(1 - (run.tpot_s > slo.tpot_p99_s).mean())
    return _Flood(min(takes, FLOOD * holds), float((run.e2e_s - run.ttft_s).mean()), kept)
