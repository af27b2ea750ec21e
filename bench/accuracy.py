"""How fast all measured points are validated: `python bench/accuracy.py`."""

from __future__ import annotations

import time

from planner.calibration.held_out import points_file
from planner.calibration.score import validate
from planner.catalog import load_catalog


def main() -> None:
    """Validate every shipped point once, and print."""
    catalog = load_catalog()
    start = time.perf_counter()
    found = validate(points_file(catalog), catalog)
    taken_s = time.perf_counter() - start
    answered = sum(point.predicted is not None for point in found.points)
    print(f"planner validate, {len(found.points):,} points    {taken_s:6.2f} s    < 10")
    print(f"points answered                    {answered / len(found.points):6.1%}    > 95 %")


if __name__ == "__main__":
    main()
