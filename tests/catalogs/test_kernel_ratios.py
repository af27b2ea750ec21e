"""Kernel ratios: which accelerators they reach, and that a share stays a share."""

from __future__ import annotations

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.search.columns import KV, WEIGHTS, Candidates, place
from planner.shapes import llm_shape


def compute_share(catalog: Catalog, accelerator: str, weights: str, llm: str = "deepseek-r1") -> float:
    one = np.ones(1, np.int64)
    candidates = Candidates(
        (accelerator,), ("vllm",), one - 1, one - 1, one * WEIGHTS.index(weights), one * KV.index("bf16"),
        one, one, one, one,
    )  # fmt: skip
    row = catalog.llms[llm]
    return float(place(catalog, llm_shape(llm, row), row, candidates).moe_compute_efficiency[0])


def test_hopper_is_the_reference(catalog: Catalog) -> None:
    for id in ("h100-sxm-80gb", "h200-sxm-141gb", "gh200-96gb"):
        assert catalog.kernel_ratio("moe_compute_efficiency", "fp8-block", id) == 1.0


@pytest.mark.parametrize("id", ["b200-sxm-180gb", "b300-sxm-288gb", "gb200-192gb", "gb300-288gb"])
def test_one_ratio_for_a_generation(catalog: Catalog, id: str) -> None:
    """A generation's members differ in their datasheets; kernels that were tuned for one run on all."""
    expected = catalog.kernel_ratios["moe_compute_efficiency", "fp8-block", "Blackwell"].value
    assert catalog.kernel_ratio("moe_compute_efficiency", "fp8-block", id) == expected


def test_nobody_timed_it(catalog: Catalog) -> None:
    assert catalog.kernel_ratio("gemm_compute_efficiency", "fp8", "mi300x-192gb") == 1.0


def test_ratios_reach_the_placement(catalog: Catalog) -> None:
    hopper, blackwell = (compute_share(catalog, id, "fp8") for id in ("h200-sxm-141gb", "b200-sxm-180gb"))
    ratio = catalog.kernel_ratios["moe_compute_efficiency", "fp8-block", "Blackwell"].value
    assert blackwell == pytest.approx(hopper * ratio)
    # Mixtral is published in 16 bit: its fp8 weights have one scale a matrix, and no ratio.
    own = catalog.parameter("moe_compute_efficiency", "fp8").value
    assert compute_share(catalog, "b200-sxm-180gb", "fp8", "mixtral-8x7b") == pytest.approx(own)


def test_a_share_of_the_peak_stays_below_one(catalog: Catalog) -> None:
    for (name, scope, _), row in catalog.kernel_ratios.items():
        assert 0.3 < row.value < 2.5
        assert (name, scope) in catalog.calibration or (name, "") in catalog.calibration
