"""What computes a stored format."""

from __future__ import annotations

import pytest

from planner.models.precision import compute_dtype

AMPERE = frozenset({"fp32", "tf32", "bf16", "int8"})
HOPPER = AMPERE | {"fp8"}
BLACKWELL = HOPPER | {"fp4"}


@pytest.mark.parametrize(
    ("weights", "accelerator", "expected"),
    [
        ("bf16", AMPERE, "bf16"),
        ("fp8", AMPERE, "bf16"),  # weight-only
        ("fp8", HOPPER, "fp8"),
        ("int8", HOPPER, "int8"),
        ("int8", frozenset({"bf16"}), None),
        ("int4", BLACKWELL, "bf16"),  # always widened
        ("nvfp4", BLACKWELL, "fp4"),
        ("nvfp4", HOPPER, "bf16"),
        ("mxfp4", BLACKWELL, "fp4"),
        ("mxfp4", AMPERE, "bf16"),
        ("bf16", frozenset(), None),
    ],
)
def test_compute_dtype(weights: str, accelerator: frozenset[str], expected: str | None) -> None:
    assert compute_dtype(weights, accelerator) == expected
