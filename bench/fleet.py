"""Speed of fleets over time: `python bench/fleet.py`.

A day in steps of five seconds under an HPA: the fluid, and the same fleet simulated request by request for an
hour; and a surge of a hundred thousand requests with retries. Best of several runs, on one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from planner.models.autoscale import Hpa
from planner.models.engine import Limits, StepTimes
from planner.models.fleet import Fluid, Scaling, Service, run
from planner.models.fleet_exact import Exact
from planner.models.protection import Clients, Pool, Protection
from planner.models.replica import Replica
from planner.models.surge import surge
from planner.models.traffic import Trace

STEP_S = 5.0
TIMES = StepTimes.linear(base_s=8e-3, prompt_s=25e-6, sequence_s=60e-6, context_s=60e-9)
LIMITS = Limits(max_sequences=128, budget_tokens=2048, kv_tokens=300_000)
RATES = np.array([0.0, 8.0, 16.0, 30.0])
ONES = np.ones(4)
SERVICE = Service(RATES, 0.1 * ONES, 0.3 * ONES, np.array([1.0, 1.3, 1.8, 4.4]), ONES, 16.0)


def best_s(work: Callable[[], object], repeats: int = 3) -> float:
    """Shortest wall time: the others were disturbed."""
    walls = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        walls.append(time.perf_counter() - begin)
    return min(walls)


def a_trace(rate: np.ndarray) -> Trace:
    random = np.random.default_rng(1)
    counts = random.poisson(rate * STEP_S)
    times = np.concatenate([i * STEP_S + np.sort(random.uniform(0, STEP_S, n)) for i, n in enumerate(counts)])
    tokens = [np.maximum(random.exponential(mean, len(times)).astype(np.int64), 1) for mean in (600, 120)]
    return Trace("drawn", times, *tokens, span_s=len(rate) * STEP_S)


def main() -> None:
    day = 30 - 20 * np.cos(2 * np.pi * np.arange(17_280) / 17_280)
    scaling = Scaling(Hpa(20.0), 1, 12, start_s=300.0, first=2)
    wall_s = best_s(lambda: run(Fluid(SERVICE, day, STEP_S), day, STEP_S, scaling))
    print(f"a day, fluid                 {wall_s:8.2f} s  {len(day) / wall_s:12,.0f} steps/s")
    hour = day[6_000:6_720]
    trace = a_trace(hour)
    wall_s = best_s(
        lambda: run(Exact(lambda at: Replica(TIMES, LIMITS, start_s=at), trace), hour, STEP_S, scaling), repeats=2
    )
    print(f"an hour, request by request  {wall_s:8.2f} s  {len(trace) / wall_s:12,.0f} requests/s")
    arrivals = np.sort(np.random.default_rng(2).uniform(0, 10_000, 100_000))
    pool, clients = Pool.plain(9, 1.0, 0.1), Clients(timeout_s=3.0, retries=2)
    wall_s = best_s(lambda: surge(arrivals, pool, clients, Protection(line_limit=20, cancels=True)))
    print(f"a surge with retries         {wall_s:8.2f} s  {len(arrivals) / wall_s:12,.0f} requests/s")


if __name__ == "__main__":
    main()
