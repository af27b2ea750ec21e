"""Speed and memory of the simulated replica: `python bench/simulate.py`.

Requests per second on one core, best of several runs, with the linear step time of an LLM of 8 billion
parameters on one H100, roughly: 7.5 ms per step, 27 us per prompt token, 30 us per sequence, 60 ns per
cached token. An hour of Azure conversations; catalogs/traces.toml has its credits.
"""

from __future__ import annotations

import gzip
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from planner.models.engine import Limits, StepTimes
from planner.models.replica import Replica
from planner.models.routing import ROUTERS, Router, result_of, serve
from planner.models.simulate import Result, simulate_closed, simulate_open
from planner.models.traffic import Trace

TRACE = Path(__file__).parent.parent / "catalogs" / "traces" / "azure-conv.csv.gz"
PLAIN = StepTimes.linear(base_s=7.5e-3, prompt_s=27e-6, sequence_s=30e-6, context_s=60e-9, pair_s=1e-10)
ROWS = np.geomspace(1, 16_384, 22)
TABLE = StepTimes(tuple(ROWS), tuple(7.5e-3 + 27e-6 * ROWS), sequence_s=3e-6, context_s=60e-9, pair_s=1e-10)
LIMITS = {"max_sequences": 256, "budget_tokens": 2048, "kv_tokens": 450_000}
GOAL_PER_S, GOAL_BYTES = 300_000, 1e9


class Walked:
    """A step function of any form: the loop cannot jump."""

    step_s = staticmethod(
        lambda sequences, context, prompt, pairs, held: 7.5e-3 + 27e-6 * prompt + 30e-6 * sequences + 60e-9 * context
    )


def best_s(run: Callable[[], Result], repeats: int = 9) -> float:
    """Shortest wall time: the others were disturbed."""
    walls = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        walls.append(time.perf_counter() - begin)
    return min(walls)


def show(what: str, requests: int, wall_s: float) -> None:
    print(f"{what:<46}{wall_s * 1e3:10.1f} ms{requests / wall_s:12,.0f} requests/s")


def peak_bytes() -> int:
    """Largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    with gzip.open(TRACE, "rt") as file:
        arrivals_s, inputs, outputs = np.loadtxt(file, delimiter=",", skiprows=1).T
    count = len(inputs)

    for speed in (1.0, 1.6, 2.0):
        wall_s = best_s(lambda speed=speed: simulate_open(PLAIN, arrivals_s / speed, inputs, outputs, **LIMITS))
        show(f"Azure conversations x{speed}", count, wall_s)
        if speed == 1.0:
            print(f"  goal {GOAL_PER_S:,}: {'reached' if count / wall_s >= GOAL_PER_S else 'MISSED'}")
    show("  table of 22 rows", count, best_s(lambda: simulate_open(TABLE, arrivals_s, inputs, outputs, **LIMITS)))
    show(
        "  prompts first",
        count,
        best_s(lambda: simulate_open(PLAIN, arrivals_s, inputs, outputs, **LIMITS, policy="prompt_first")),
    )
    show("  walked", count, best_s(lambda: simulate_open(Walked(), arrivals_s, inputs, outputs, **LIMITS), repeats=3))
    show("64 users, the same requests", count, best_s(lambda: simulate_closed(PLAIN, inputs, outputs, 64, **LIMITS)))

    lengths = np.random.default_rng(1).integers(820, 1024, (2, 160))
    show(
        "16 users, 160 requests of 0.8-1.0 x 1k/1k", 160, best_s(lambda: simulate_closed(TABLE, *lengths, 16, **LIMITS))
    )

    trace = Trace("conversations", arrivals_s / 8, inputs.astype(np.int64), outputs.astype(np.int64))
    for name, router in ROUTERS.items():

        def fleet(router: Callable[[], Router] = router) -> Result:
            return result_of(serve([Replica(PLAIN, Limits(**LIMITS)) for _ in range(8)], router(), trace))

        show(f"8 replicas at 8 times the rate, {name}", count, best_s(fleet, repeats=3))

    hours = 10**6 // count + 1
    times_s = np.concatenate([arrivals_s + hour * 3600 for hour in range(hours)])[: 10**6]
    tokens = [np.tile(column, hours)[: 10**6] for column in (inputs, outputs)]
    before = peak_bytes()
    show("A million requests", 10**6, best_s(lambda: simulate_open(PLAIN, times_s, *tokens, **LIMITS), repeats=1))
    peak = peak_bytes()
    print(f"  memory: {peak / 1e6:,.0f} MB at most, {(peak - before) / 1e6:,.0f} MB for the simulation", end="; ")
    print(f"goal {GOAL_BYTES / 1e9:g} GB: {'reached' if peak < GOAL_BYTES else 'MISSED'}")


if __name__ == "__main__":
    main()
