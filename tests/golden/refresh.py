"""Writes golden files again: `python tests/golden/refresh.py [KIND ...]`, every cheap kind by default.

A golden file says what came out when somebody last looked: read the difference before you commit it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from planner.bundle.lint import MANIFEST
from planner.bundle.write import documents, write_bundle
from planner.catalog import Catalog, load_catalog
from planner.schema import PlanResult
from planner.search.plan import plan
from planner.workloads import load_workload

FOLDER = Path(__file__).resolve().parent
COMMAND = "python tests/golden/refresh.py bundles"
PRICED = "procurement/"

# Frozen answers: what the planner once chose for these changes to the default workload.
BUNDLE_PLANS: dict[str, dict[str, Any]] = {
    "r1-h200-vllm": {"limits.accelerators": ["h200-sxm-141gb"], "limits.engines": ["vllm"]},
    "r1-h200-sglang": {"limits.accelerators": ["h200-sxm-141gb"], "limits.engines": ["sglang"]},
    "r1-b200-tensorrt-llm": {"limits.accelerators": ["b200-sxm-180gb"], "limits.engines": ["tensorrt-llm"]},
    "r1-a100-int4": {"limits.accelerators": ["a100-sxm-80gb"], "limits.weights": ["int4"]},
    "distill-32b-a100": {
        "llm": "deepseek-r1-distill-qwen-32b",
        "limits.weights": ["bf16"],
        "limits.accelerators": ["a100-sxm-80gb"],
        "traffic.rate_per_s": 0.2,
        "slo.tpot_p99_s": 0.1,
    },
}


def bundle_plans() -> None:
    """Plan anew; only for a change of what a plan holds, as every figure moves."""
    catalog = load_catalog()
    for name, changes in BUNDLE_PLANS.items():
        result = plan(load_workload("default", {**changes, "limits.max_gpus_per_replica": 8}), catalog, most=1)
        frozen = result.model_copy(update={"rejections": (), "curves": (), "wall_s": 0.0})
        plan_file(name).write_text(frozen.model_dump_json(indent=1) + "\n", encoding="utf-8")


def bundles() -> None:
    """Bundles of the frozen plans, with the rows that the catalogs hold now."""
    shutil.rmtree(FOLDER / "bundles", ignore_errors=True)
    for name in BUNDLE_PLANS:
        result = frozen_result(name)
        write_bundle(settled(documents(result, 1, frozen_catalog(result))), FOLDER / "bundles" / name)


def settled(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A bundle less what follows every price: tests/bundle/test_procurement.py holds that to its own figures."""
    kept = {name: body for name, body in files.items() if not name.startswith(PRICED)}
    lines = files[MANIFEST].decode().splitlines(keepends=True)
    return kept | {MANIFEST: "".join(line for line in lines if f"  {PRICED}" not in line).encode()}


def plan_file(name: str) -> Path:
    return FOLDER / f"plan_{name}.json"


def frozen_result(name: str) -> PlanResult:
    return PlanResult.model_validate_json(plan_file(name).read_bytes())


def frozen_catalog(result: PlanResult) -> Catalog:
    """Today's catalogs under the hash of the frozen plan, or every price update would change every bundle."""
    catalog = load_catalog()
    catalog.__dict__["sha256"] = result.catalog_sha256
    return catalog


KINDS: dict[str, Callable[[], None]] = {"bundle-plans": bundle_plans, "bundles": bundles}


if __name__ == "__main__":
    for kind in sys.argv[1:] or ["bundles"]:
        KINDS[kind]()
