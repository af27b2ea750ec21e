"""Speed of 8,192 draws, printed beside the goal: `python bench/risk.py`."""

from __future__ import annotations

import sys

from planner.catalog import load_catalog
from planner.search.change import Question
from planner.search.risk import Setting, risk
from planner.search.uncertain import parse
from planner.workloads import load_workload

RANGES = (
    "traffic.rate_per_s=-20%,+50%",
    "traffic.input_tokens=1500,2000,4000",
    "traffic.output_tokens=800,1000,1500",
    "cloud.all=-10%,+30%",
    "purchases.all=-10%,+25%",
    "site.electricity_usd_per_kwh=-20%,+60%",
    "discount_rate=0.05,0.08,0.12",
)


def main() -> None:
    """Measure and print."""
    question = Question(load_workload(), load_catalog())
    stated = [parse(question, text) for text in RANGES]
    risk(question, stated, Setting(plans=1))  # loads scipy and the catalogs
    for plans in (1, 3, 6):
        best = min((risk(question, stated, Setting(plans=plans)) for _ in range(3)), key=lambda answer: answer.draw_s)
        sys.stdout.write(
            f"8,192 draws of {len(best.inputs)} inputs, {plans} plans {best.draw_s:>8.3f} s  < 1"
            f"     with planning, tornado and indices {best.wall_s:>7.3f} s\n"
        )


if __name__ == "__main__":
    main()
