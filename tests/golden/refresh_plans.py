"""Writes the golden plans again: `python tests/golden/refresh_plans.py`. Read the difference before you commit it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planner.catalog import load_catalog
from planner.schema import Plan
from planner.search.plan import plan
from planner.workloads import load_workload, presets

FOLDER = Path(__file__).resolve().parent / "plans"
COMMAND = "python tests/golden/refresh_plans.py"


def headlines(preset: str) -> list[dict[str, Any]]:
    """What a person reads first of each plan, in order."""
    return [_headline(found) for found in plan(load_workload(preset), load_catalog()).plans]


def _headline(found: Plan) -> dict[str, Any]:
    layout, unit = found.layout, found.supply[0]
    sizes = {"tp": layout.tp, "pp": layout.pp, "dp": layout.dp, "ep": layout.ep}
    figures = {
        "usd_per_month": found.cost.usd_per_month,
        "usd_per_million_output_tokens": found.cost.usd_per_million_output_tokens,
        "ttft_p99_s": found.slo.ttft_p99_s,
        "tpot_p99_s": found.slo.tpot_p99_s,
        "output_tokens_per_s": found.serving.output_tokens_per_s,
    }
    return {
        "rank": found.rank,
        "accelerator": found.accelerator,
        "engine": found.engine,
        "weights": layout.weights,
        "kv": layout.kv,
        **sizes,
        "replicas": found.replicas,
        "spares": found.spares,
        "gpus_total": found.gpus_total,
        "option": unit.option,
        "provider": unit.provider,
        "units": unit.units,
        **{name: float(f"{value:.9g}") for name, value in figures.items()},
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for preset in presets():
        rows = ",\n".join(f" {json.dumps(row)}" for row in headlines(preset))
        (FOLDER / f"{preset}.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
