"""A point and a row of a file to change, and files of such rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from planner.calibration.points import COLUMNS, Point

ROW = {
    "id": "a", "source": "own bench", "model": "llama-3.1-8b", "precision_weights": "fp8", "precision_kv": "fp8",
    "framework": "vllm", "framework_version": "0.18.0", "accelerator": "H100-SXM-80GB", "n_accelerators": "1",
    "tp": "1", "isl": "1024", "osl": "256", "concurrency_or_qps": "16", "metric": "tpot_ms_p50", "value": "9.5",
}  # fmt: skip


@pytest.fixture
def points_csv(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes rows, each given by what differs from a good one."""

    def write(*changes: Mapping[str, str]) -> Path:
        file = tmp_path / "points.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows({**ROW, **change} for change in changes)
        return file

    return write


@pytest.fixture
def point() -> Point:
    """A point of 10 ms per token."""
    return Point(
        id="a", source="own bench", llm="llama-3.1-8b", weights="fp8", kv="fp8", engine="vllm", version="0.18.0",
        accelerator="h100-sxm-80gb", gpus=1, tp=1, dp=1, pp=1, ep=1, replicas=1, input_tokens=1024.0,
        output_tokens=256.0, kind="closed", load=16.0, metric="tpot", per_gpu=False, statistic="p50", value=0.01,
        unit_scale=1e-3, curve="h100|llama|vllm",
        requests_per_user=10.0, length_spread=0.0, held_steps=0.0, profile="", budget_tokens=0.0,
    )  # fmt: skip
