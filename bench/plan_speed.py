"""Speed and memory of planning, printed beside the goals: `python bench/plan_speed.py`."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from planner.catalog import load_catalog
from planner.search.estimate import Question, estimate
from planner.search.plan import plan
from planner.search.study import evaluate
from planner.workloads import load_workload

EVERY_PRECISION = {"limits.weights": ["bf16", "fp8", "int8", "int4", "nvfp4"]}


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time. [s]"""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def command(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def points_per_s() -> float:
    """Layouts enumerated and operating points evaluated per second, one core. [1/s]"""
    catalog, workload = load_catalog(), load_workload("default", EVERY_PRECISION)
    study = evaluate(workload, catalog)
    points = len(study.space.candidates) + study.capacity.points
    return points / seconds(lambda: evaluate(workload, catalog), 5)


def main() -> None:
    """Measure and print."""
    catalog, workload = load_catalog(), load_workload()
    question = Question("deepseek-r1", "h200-sxm-141gb")
    start_up = seconds(command("-c", "pass"), 7)
    imports = seconds(command("-c", "import planner.cli, planner.search.plan"), 7) - start_up
    figures = [
        ("planner plan, cold, with Python", seconds(command("-m", "planner", "plan"), 7), "s", "< 1.5"),
        ("imports, without Streamlit", imports, "s", "< 0.4"),
        ("plan, warm", seconds(lambda: plan(workload, catalog), 7), "s", ""),
        ("candidate points evaluated", points_per_s(), "1/s", "> 300,000"),
        ("estimate, warm", seconds(lambda: estimate(catalog, question), 300) * 1e3, "ms", "< 2"),
        ("peak memory of planner plan", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3, "MB", "< 500"),
    ]
    for name, value, unit, goal in figures:
        sys.stdout.write(f"{name:<34} {value:>12,.3f} {unit:<4} {goal}\n")


if __name__ == "__main__":
    main()
