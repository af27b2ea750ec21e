"""Speed of the supply mix over a year of hours, printed: `python bench/supply_mix.py`."""

from __future__ import annotations

import sys
import time

import numpy as np

from planner.models.supply import Options, cheapest, levels

HOURS = 8760


def year(peak: float) -> np.ndarray:
    """Load of every hour of a year in replicas: days, weeks, a season and noise, no two hours alike."""
    hour, rng = np.arange(HOURS), np.random.default_rng(1)
    day = 1 + 0.5 * np.sin(2 * np.pi * hour / 24)
    week = np.where(hour // 24 % 7 < 5, 1.0, 0.6)
    season = 1 + 0.2 * np.sin(2 * np.pi * hour / HOURS)
    load = day * week * season * rng.lognormal(0, 0.1, HOURS)
    return load * peak / load.max()


def main() -> None:
    """Measure and print."""
    options = Options(
        fixed_usd_per_year=np.array([110e3, 120e3, 150e3, 0, 0, 0]),
        variable_usd_per_hour=np.array([0.5, 0, 0, 25.0, 27.0, 18.0]),
        availability=np.ones(6),
        size=np.ones(6),
        quota=np.array([60, np.inf, np.inf, 40, np.inf, 20]),
        firm=np.array([True] * 5 + [False]),
    )
    cheapest(options, levels(np.ones(24), np.ones(24), 365.0))  # loads the solver
    for peak in (10, 100, 1000):
        for whole in (False, True):
            start = time.perf_counter()
            demand = np.ceil(year(peak))
            load = levels(demand, np.ceil(0.8 * demand), 1.0)
            found = cheapest(options, load, whole)
            taken = time.perf_counter() - start
            name = f"{HOURS} hours, peak {peak}, {'whole units' if whole else 'shares'}"
            sys.stdout.write(f"{name:<44} {taken:>7.3f} s  < 1   {found.usd_per_year / 1e6:,.3f} MUSD/a\n")


if __name__ == "__main__":
    main()
