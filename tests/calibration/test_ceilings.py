"""Scalars from kernel times: those that made synthetic times come back; what no time tells is not returned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.calibration.ceilings import Ceiling, ceilings, known_values
from planner.calibration.measured import accelerator_of, read_measured
from planner.catalog import Catalog
from planner.errors import MissingFact
from planner.schema import Accelerator, Measured

BANDWIDTH, BF16, FP8, LINK = 2e12, 4e14, 8e14, 1e11
SHIPPED = sorted((Path(__file__).parents[2] / "catalogs" / "measured" / "ceilings").glob("*.json"))
FP8_BYTES = 1 + 4 / 128**2  # a weight with its share of a 128 x 128 block's scale


@pytest.fixture(scope="module")
def round_figures(catalog: Catalog) -> Accelerator:
    """2 TB/s, 400 and 800 TFLOP/s, links of 100 GB/s among eight."""
    return catalog.accelerators["h200-sxm-141gb"].model_copy(
        update={
            "bandwidth_bytes_per_s": BANDWIDTH,
            "peak_flops_per_s": {"bf16": BF16, "fp8": FP8},
            "scaleup_bytes_per_s": LINK,
        }
    )


def file(**sections: Any) -> Measured:
    head = {"schema": "planner-measure/1", "source": "a test", "measured_on": "2026-11-24", "idle": {}}
    return Measured.model_validate(head | {"device": {"name": "NVIDIA H200", "count": 1}} | sections)


def norm(a: float, b: float) -> float:
    return float((a**3 + b**3) ** (1 / 3))


def gemm(precision: str, rows: int, memory: float, compute: float, extra: float, n: int = 8192) -> dict[str, Any]:
    width, peak = (2.0, BF16) if precision == "bf16" else (FP8_BYTES, FP8)
    params = n * 8192
    time_s = norm(params * width / (BANDWIDTH * memory), 2 * params * (rows + extra) / (peak * compute))
    return {"precision": precision, "rows": rows, "n": n, "k": 8192, "time_s": time_s}


def found(measured: Measured, accelerator: Accelerator) -> dict[tuple[str, str], Ceiling]:
    return {(one.name, one.scope): one for one in ceilings(measured, accelerator)}


ROWS = [2**i for i in range(14)]


def test_products_give_back_what_made_them(round_figures: Accelerator) -> None:
    gemms = [gemm("bf16", rows, 0.9, 0.7, 64, n) for rows in ROWS for n in (8192, 16384)]
    gemms += [gemm("fp8", rows, 0.8, 0.5, 64) for rows in ROWS]
    got = found(file(gemms=gemms), round_figures)
    expected = {
        ("gemm_memory_efficiency", "bf16"): 0.9,
        ("gemm_compute_efficiency", "bf16"): 0.7,
        ("gemm_memory_efficiency", "fp8"): 0.8,
        ("gemm_compute_efficiency", "fp8"): 0.5,
        ("gemm_extra_rows", ""): 64,
    }
    assert {key: one.value for key, one in got.items()} == pytest.approx(expected, rel=0.01)
    spread = got["gemm_memory_efficiency", "bf16"]
    assert (spread.low, spread.high) == pytest.approx((0.9, 0.9), rel=0.01)
    assert got["gemm_memory_efficiency", "fp8"].low is None  # one matrix alone shows no spread


def test_the_spread_is_that_of_the_matrices(round_figures: Accelerator) -> None:
    gemms = [gemm("bf16", rows, share, 0.7, 64, n) for rows in ROWS for n, share in ((8192, 0.8), (16384, 0.9))]
    one = found(file(gemms=gemms), round_figures)["gemm_memory_efficiency", "bf16"]
    assert (one.low, one.high) == pytest.approx((0.8, 0.9), rel=0.01)
    assert 0.8 < one.value < 0.9


def test_what_nothing_tells_is_not_returned(round_figures: Accelerator) -> None:
    few = file(gemms=[gemm("bf16", rows, 0.9, 0.7, 2) for rows in (1, 2, 4, 8)])  # arithmetic hides behind reading
    assert found(few, round_figures).keys() == {("gemm_memory_efficiency", "bf16")}
    assert ceilings(file(gemms=[gemm("bf16", 1, 0.9, 0.7, 64)]), round_figures) == ()
    assert ceilings(file(), round_figures) == ()


def test_matrices_as_short_as_a_launch_do_not_count(round_figures: Accelerator) -> None:
    launch = {"way": "graph", "time_s": 5e-6}
    gemms = [gemm("bf16", rows, 0.9, 0.7, 64) for rows in ROWS]  # 134 MB, 67 us: less than 20 launches
    assert found(file(gemms=gemms), round_figures)
    assert ceilings(file(gemms=gemms, launches=[launch]), round_figures) == ()


def test_a_precision_that_the_datasheet_lacks_is_passed_over(round_figures: Accelerator) -> None:
    gemms = [gemm("bf16", rows, 0.9, 0.7, 64) for rows in ROWS]
    gemms += [{**gemm("bf16", rows, 0.5, 0.5, 64), "precision": "int8"} for rows in ROWS]
    assert {scope for name, scope in found(file(gemms=gemms), round_figures) if "memory" in name} == {"bf16"}


def test_experts(round_figures: Accelerator) -> None:
    def group(precision: str, rows: int, memory: float, compute: float) -> dict[str, Any]:
        width, peak = (2.0, BF16) if precision == "bf16" else (FP8_BYTES, FP8)
        params = 8 * 4096 * 4096
        time_s = norm(params * width / (BANDWIDTH * memory), 2 * params * (rows + 64) / (peak * compute))
        size = {"experts": 8, "rows_per_expert": rows, "n": 4096, "k": 4096}
        return {"precision": precision, "time_s": time_s, **size}

    rows = [group("bf16", r, 0.6, 0.5) for r in ROWS[:11]] + [group("fp8", r, 0.7, 0.4) for r in ROWS[:11]]
    got = found(file(grouped_gemms=rows), round_figures)
    assert {key: one.value for key, one in got.items()} == pytest.approx(
        {
            ("moe_memory_efficiency", ""): 0.6,
            ("moe_compute_efficiency", ""): 0.5,
            ("moe_memory_efficiency", "fp8"): 0.7,
            ("moe_compute_efficiency", "fp8"): 0.4,
            ("moe_extra_rows", ""): 64,
        },
        rel=0.01,
    )


HEADS = {"query_heads": 32, "kv_heads": 8, "head_dim": 128}


def test_decode_attention(round_figures: Accelerator) -> None:
    # 4 kB a token: 8 heads of 128 keys and 128 values, 2 bytes each; arithmetic is 4 FLOP per byte.
    rows = []
    for sequences, context in ((1, 32768), (8, 8192), (64, 4096)):
        moved = sequences * context * 4096
        time_s = norm(moved / (BANDWIDTH * 0.75), 4 * moved / BF16)
        rows.append({"sequences": sequences, "context_tokens": context, "time_s": time_s, **HEADS})
    got = found(file(decode_attention=rows), round_figures)
    assert got.keys() == {("kv_memory_efficiency", "")}
    assert got["kv_memory_efficiency", ""].value == pytest.approx(0.75, rel=0.01)
    assert got["kv_memory_efficiency", ""].n == 3


def test_prompt_attention(round_figures: Accelerator) -> None:
    # Half of all pairs, 4 FLOP per pair and value: 2 x 32 x 128 x L^2, at 60 % ramping up over 800 tokens.
    rows = [
        {"tokens": n, "time_s": 2 * 32 * 128 * n**2 / (BF16 * 0.6 * n / (n + 800)), **HEADS}
        for n in (512, 1024, 2048, 4096, 8192, 16384)
    ]
    got = found(file(prefill_attention=rows), round_figures)
    assert got["prefill_attention_efficiency", ""].value == pytest.approx(0.6, rel=0.01)
    assert got["prefill_attention_half_tokens", ""].value == pytest.approx(800, rel=0.01)


@pytest.mark.parametrize(("mesh", "share"), [(False, 1.0), (True, 3 / 7)])
def test_all_reduce(round_figures: Accelerator, mesh: bool, share: float) -> None:
    rows = [
        {"ranks": 4, "message_bytes": 2**i, "time_s": 8e-6 + 1.5 * 2**i / (LINK * share * 0.7)} for i in range(13, 29)
    ]
    got = found(file(all_reduces=rows), round_figures.model_copy(update={"scaleup_mesh": mesh}))
    assert got["collective_latency_s", "scale-up"].value == pytest.approx(8e-6, rel=0.01)
    assert got["collective_efficiency", "scale-up"].value == pytest.approx(0.7, rel=0.01)


def test_all_reduce_over_pcie(round_figures: Accelerator) -> None:
    alone = round_figures.model_copy(update={"scaleup_bytes_per_s": None, "pcie_bytes_per_s": 5e10})
    rows = [{"ranks": 2, "message_bytes": 2**i, "time_s": 2e-5 + 2**i / (5e10 * 0.4)} for i in range(13, 29)]
    got = found(file(all_reduces=rows), alone)
    assert got["collective_efficiency", "pcie"].value == pytest.approx(0.4, rel=0.01)


def test_noise_does_not_move_the_scalars_far(round_figures: Accelerator) -> None:
    noise = np.random.default_rng(1).lognormal(0, 0.03, len(ROWS))
    gemms = [gemm("bf16", rows, 0.9, 0.7, 64) for rows in ROWS]
    for one, factor in zip(gemms, noise, strict=True):
        one["time_s"] *= factor
    gemms[3]["time_s"] *= 5  # an outlier
    got = found(file(gemms=gemms), round_figures)
    assert got["gemm_memory_efficiency", "bf16"].value == pytest.approx(0.9, rel=0.05)
    assert got["gemm_compute_efficiency", "bf16"].value == pytest.approx(0.7, rel=0.05)


def test_shares_of_a_blank_figure_are_refused(round_figures: Accelerator) -> None:
    with pytest.raises(MissingFact, match="bandwidth"):
        ceilings(file(), round_figures.model_copy(update={"bandwidth_bytes_per_s": None}))
    with pytest.raises(MissingFact, match="bf16"):
        ceilings(file(), round_figures.model_copy(update={"peak_flops_per_s": {"fp8": FP8}}))


def test_only_scalars_with_a_row_are_set(catalog: Catalog) -> None:
    some = [Ceiling("kv_memory_efficiency", "", 0.8, None, None, 3), Ceiling("no_such", "", 1.0, None, None, 3)]
    values = known_values(some, catalog, "h200-sxm-141gb")
    assert values == {("kv_memory_efficiency", ""): 0.8}
    assert catalog.calibrated(values).parameter("kv_memory_efficiency").value == 0.8


def test_there_are_shipped_files() -> None:
    assert {"h100-sxm-80gb.json", "h200-sxm-141gb.json"} <= {path.name for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_give_shares_below_the_datasheet(path: Path, catalog: Catalog) -> None:
    measured = read_measured(path)
    id = accelerator_of(measured, catalog)
    assert path.name.startswith(id)
    got = found(measured, catalog.accelerators[id])
    assert {("gemm_memory_efficiency", "bf16"), ("gemm_compute_efficiency", "fp8")} <= got.keys()
    for (name, _), one in got.items():
        if name.endswith("_efficiency"):
            assert 0.3 < one.value < 1
        assert one.low is None or one.high is None or one.low <= one.value <= one.high
    assert known_values(list(got.values()), catalog, id).keys() == got.keys()
