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
from planner.search.apart import two_pools
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
    "distill-32b-one-a100": {
        "llm": "deepseek-r1-distill-qwen-32b",
        "limits.weights": ["bf16"],
        "limits.accelerators": ["a100-sxm-80gb"],
        "limits.max_gpus_per_replica": 1,
        "traffic.rate_per_s": 0.1,
        "slo.ttft_p99_s": 5,
        "slo.tpot_p99_s": 0.1,
    },
    "r1-h100-two-servers": {
        "limits.accelerators": ["h100-sxm-80gb"],
        "limits.engines": ["vllm"],
        "limits.weights": ["fp8"],
        "limits.max_gpus_per_replica": 16,
    },
    "r1-b200-fp4": {"limits.accelerators": ["b200-sxm-180gb"], "limits.weights": ["nvfp4"]},
}
TWO_POOLS = "r1-h200-two-pools"  # one engine computes prompts, one answers
NAMES = (*BUNDLE_PLANS, TWO_POOLS)


def bundle_plans() -> None:
    """Plan anew; only for a change of what a plan holds, as every figure moves."""
    catalog = load_catalog()
    for name, changes in BUNDLE_PLANS.items():
        result = plan(load_workload("default", {"limits.max_gpus_per_replica": 8, **changes}), catalog, most=1)
        _freeze(name, result.model_copy(update={"rejections": (), "curves": (), "wall_s": 0.0}))
    apart()


def apart() -> None:
    """`planner export --pools 1:1` of one engine's worth of requests, with no spare."""
    catalog = load_catalog()
    changes = BUNDLE_PLANS["r1-h200-vllm"] | {"traffic.rate_per_s": 2.0, "slo.availability": 0.9}
    result = plan(load_workload("default", {"limits.max_gpus_per_replica": 8, **changes}), catalog, most=1)
    found = two_pools(result, 1, catalog, (1, 1))
    _freeze(TWO_POOLS, found.model_copy(update={"rejections": (), "curves": (), "wall_s": 0.0}))


def _freeze(name: str, result: PlanResult) -> None:
    plan_file(name).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")


def bundles() -> None:
    """Bundles of the frozen plans, with the rows that the catalogs hold now."""
    shutil.rmtree(FOLDER / "bundles", ignore_errors=True)
    for name in NAMES:
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


KINDS: dict[str, Callable[[], None]] = {"bundle-plans": bundle_plans, "two-pools": apart, "bundles": bundles}


if __name__ == "__main__":
    for kind in sys.argv[1:] or ["bundles"]:
        KINDS[kind]()
