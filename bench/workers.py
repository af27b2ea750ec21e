"""Speed-up of a capacity search by local workers: `python bench/workers.py`.

Goal: 1.8 on two quiet cores. Workers begin with an import each, which a longer search pays for.
"""

from __future__ import annotations

import os
import time

from planner.catalog import load_catalog
from planner.search.capacity import capacity
from planner.search.spread import Workers
from planner.workloads import load_workload

GOAL, SEEDS = 1.8, 24


def main() -> None:
    """Measure with one and with two workers, and compare what they found."""
    catalog, workload = load_catalog(), load_workload("default", {"limits.accelerators": ["b200-sxm-180gb"]})
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


if __name__ == "__main__":
    main()
