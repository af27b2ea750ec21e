"""Speed-up of a capacity search by local workers: `python bench/workers.py`.

Goal: 1.8 on two quiet cores. Planning is not spread, and workers begin with an import each; both are printed, since a
longer search pays for them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from planner.catalog import load_catalog
from planner.search.capacity import capacity
from planner.search.plan import plan
from planner.search.spread import Workers, spread
from planner.workloads import load_workload

GOAL, SEEDS = 1.8, 96


def main() -> None:
    """Measure with one and with two workers, and compare what they found."""
    catalog, workload = load_catalog(), load_workload("default", {"limits.accelerators": ["b200-sxm-180gb"]})
    plan(workload, catalog)  # loads scipy and the catalogs
    alone = timed(lambda: plan(workload, catalog))
    begun = timed(lambda: spread(len, [""] * 4, Workers(2))), timed(lambda: spread(capacity_of, [""] * 4, Workers(2)))
    print(f"not spread: planning {alone:.2f} s; two workers start in {begun[0]:.2f} s, with imports {begun[1]:.2f} s")
    walls, found = {}, {}
    for count in (1, 2):
        start = time.perf_counter()
        found[count] = capacity(workload, catalog, seeds=SEEDS, top=1, workers=Workers(count))
        walls[count] = time.perf_counter() - start
        print(f"{count} workers: {found[count].simulations} searches in {walls[count]:.1f} s")
    gain = walls[1] / walls[2]
    print(f"speed-up {gain:.2f} on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; goal {GOAL}", end=": ")
    print("reached" if gain >= GOAL else "MISSED")
    print("same result" if found[1].plans == found[2].plans else "DIFFERENT RESULTS")


def capacity_of(nothing: str) -> int:
    """Imports what a search needs, and searches nothing."""
    return len(capacity.__module__ + nothing)


def timed(run: Callable[[], object]) -> float:
    """Wall time. [s]"""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
