"""Files of `planner measure`: read strictly, refused by name, set beside the datasheet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.calibration.measured import accelerator_of, ends, is_measured, reached, read_measured
from planner.catalog import Catalog
from planner.errors import UnknownName, WorkloadError

HEAD: dict[str, Any] = {
    "schema": "planner-measure/1",
    "source": "a test",
    "measured_on": "2026-11-24",
    "device": {"name": "NVIDIA H200", "count": 1},
    "idle": {"power_w": 80.0},
}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Function that writes a file of some content and returns its path."""

    def to_file(content: Any) -> Path:
        path = tmp_path / "m.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return to_file


def test_the_least_file(write: Any, catalog: Catalog) -> None:
    measured = read_measured(write(HEAD))
    assert measured.gemms == ()
    assert accelerator_of(measured, catalog) == "h200-sxm-141gb"


def test_another_version_is_refused_by_name(write: Any) -> None:
    path = write(HEAD | {"schema": "planner-measure/2"})
    with pytest.raises(WorkloadError, match=r"'planner-measure/2'[\s\S]*reads 'planner-measure/1'"):
        read_measured(path)
    assert is_measured(path)
    assert is_measured(write(HEAD))


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '{"schema": 1}', '{"kind": "guidellm"}', "\udcff"])
def test_what_is_no_such_file_is_refused(write: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(WorkloadError, match=r"m\.json"):
        read_measured(path)
    assert not is_measured(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="cannot read"):
        read_measured(tmp_path / "none.json")


GEMM = {"precision": "bf16", "rows": 1, "n": 8, "k": 8, "time_s": 1e-6}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"surprise": 1}, "surprise"),
        ({"gemms": [GEMM | {"time_ms": 1}]}, r"gemms\.0\.time_ms"),
        ({"gemms": [GEMM | {"time_s": 0}]}, r"gemms\.0\.time_s"),
        ({"gemms": [GEMM | {"time_s": float("nan")}]}, r"gemms\.0\.time_s"),
        ({"gemms": [GEMM | {"precision": "fp6"}]}, r"gemms\.0\.precision"),
        ({"all_reduces": [{"ranks": 1, "message_bytes": 8, "time_s": 1}]}, r"all_reduces\.0\.ranks"),
        ({"measured_on": "yesterday"}, "measured_on"),
        ({"device": {"name": "", "count": 1}}, r"device\.name"),
    ],
)
def test_a_bad_key_is_named(write: Any, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(WorkloadError, match=rf"m\.json, {key}"):
        read_measured(write(HEAD | changes))


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-sxm-80gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm-80gb"),
        ("NVIDIA A100 80GB PCIe", "a100-pcie-80gb"),
        ("NVIDIA L40S", "l40s-48gb"),
        ("NVIDIA B200", "b200-sxm-180gb"),
        ("NVIDIA RTX A6000", "a6000-48gb"),
    ],
)
def test_driver_names_resolve(write: Any, catalog: Catalog, name: str, id: str) -> None:
    measured = read_measured(write(HEAD | {"device": {"name": name, "count": 1}}))
    assert accelerator_of(measured, catalog) == id


def test_an_unknown_device_is_named_with_its_nearest(write: Any, catalog: Catalog) -> None:
    measured = read_measured(write(HEAD | {"device": {"name": "NVIDIA H200 XL", "count": 1}}))
    with pytest.raises(UnknownName, match="Nearest: 'nvidia-h200"):
        accelerator_of(measured, catalog)
    given = measured.model_copy(update={"accelerator": "h200"})
    assert accelerator_of(given, catalog) == "h200-sxm-141gb"


def test_shares_by_hand(write: Any, catalog: Catalog) -> None:
    # 4.8 TB/s, 989.4 TFLOP/s, 64 GB/s over PCIe, 450 GB/s over NVLink.
    heads = {"query_heads": 8, "kv_heads": 2, "head_dim": 100}
    sections = {
        "copies": [{"moved_bytes": 2_400_000_000_000, "time_s": 1, "power_w": 600.0}],
        "gemms": [
            {"precision": "bf16", "rows": 1, "n": 1000, "k": 1000, "time_s": 2e6 / 3.6e12},
            {"precision": "bf16", "rows": 5000, "n": 1000, "k": 1000, "time_s": 1e10 / 494.7e12},
        ],
        "grouped_gemms": [
            {"precision": "bf16", "experts": 4, "rows_per_expert": 1, "n": 500, "k": 500, "time_s": 2e6 / 1.2e12}
        ],
        "decode_attention": [{"sequences": 10, "context_tokens": 100, "time_s": 8e5 / 2.4e12, **heads}],
        "prefill_attention": [{"tokens": 1000, "time_s": 1.6e9 / 247.35e12, **heads}],
        "launches": [{"way": "graph", "time_s": 1.5e-6}],
        "transfers": [{"direction": "host-to-device", "moved_bytes": 48_000_000_000, "time_s": 1}],
        "all_reduces": [{"ranks": 4, "message_bytes": 150_000_000_000, "time_s": 1}],
    }
    rows = reached(read_measured(write(HEAD | sections)), catalog.accelerators["h200-sxm-141gb"])
    shares = [(one.share and round(one.share, 4), one.of) for one in rows]
    assert shares == [
        (0.5, "bandwidth"),
        (0.75, "bandwidth"),
        (0.5, "bf16 peak"),
        (0.25, "bandwidth"),
        (0.5, "bandwidth"),
        (0.25, "bf16 peak"),
        (None, ""),
        (0.75, "PCIe"),
        (0.5, "scale-up link"),
        (None, ""),
    ]
    assert rows[0].value == "2.4 TB/s"
    assert (rows[0].power_w, rows[-1].power_w) == (600.0, 80.0)


def test_ends_are_first_last_and_best(write: Any, catalog: Catalog) -> None:
    times = {1: 4e-6, 2: 2e-6, 4: 3e-6, 8: 5e-6}
    gemms = [GEMM | {"rows": rows, "time_s": time_s} for rows, time_s in times.items()]
    rows = reached(read_measured(write(HEAD | {"gemms": gemms})), catalog.accelerators["h200-sxm-141gb"])
    assert [one.size for one in ends(rows) if one.kind.startswith("bf16")] == ["1 rows", "2 rows", "8 rows"]
