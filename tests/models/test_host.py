"""Load time and cold start by hand: a node of four accelerators, drives of 10 GB/s."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.errors import MissingFact, UnknownName, WorkloadError
from planner.models.host import STAGES, Path, cold_start, load_time, striped_bytes_per_s
from planner.search.loading import Storage, start_of

PATH = Path(10e9, 3e9, 100e9, 60e9, 25e9)


@pytest.mark.parametrize(
    ("path", "seconds", "bound"),
    [
        (PATH, 10.0, "storage"),  # 100 GB at 10 GB/s
        (replace(PATH, storage_bytes_per_s=20e9), 100 / 12, "loader"),  # four processes of 3 GB/s
        (replace(PATH, loader_node_bytes_per_s=5e9), 20.0, "loader"),
        (replace(PATH, memory_bytes_per_s=10e9), 20.0, "staging"),  # written and read again
        (replace(PATH, storage_bytes_per_s=1e12, loader_bytes_per_s=1e12, pcie_bytes_per_s=1e9), 25.0, "pcie"),
    ],
)
def test_slowest_stage_decides(path: Path, seconds: float, bound: str) -> None:
    found = load_time(100e9, 4, path)
    assert found.seconds == pytest.approx(seconds)
    assert found.bound == bound
    assert found.seconds == max(found.stages_s.values())
    assert set(found.stages_s) == set(STAGES)


@given(rates=st.lists(st.floats(1e8, 1e12), min_size=5, max_size=5), at=st.integers(0, 4), more=st.floats(1, 10))
@settings(max_examples=40)
def test_a_faster_stage_is_never_slower(rates: list[float], at: int, more: float) -> None:
    faster = [rate * more if i == at else rate for i, rate in enumerate(rates)]
    assert load_time(1e11, 4, Path(*faster)).seconds <= load_time(1e11, 4, Path(*rates)).seconds * (1 + 1e-12)
    assert load_time(2e11, 4, Path(*rates)).seconds == pytest.approx(2 * load_time(1e11, 4, Path(*rates)).seconds)


def test_striped_drives_behind_their_lanes(catalog: Catalog) -> None:
    assert striped_bytes_per_s(14e9, 4, 4, 4e9) == pytest.approx(56e9)
    assert striped_bytes_per_s(14e9, 4, 4, 2e9) == pytest.approx(32e9)
    old = start_of(catalog, "a100-sxm-80gb", 688e9, 8, Storage(drive="pm1743-7.68tb")).loading
    assert old.seconds == pytest.approx(688e9 / 8e9)  # PCIe 4.0 x4


def test_cold_start_by_hand() -> None:
    assert cold_start(300, 10e9, 1e8, 48.0, 100.0).seconds == 300 + 100 + 48 + 100


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(WorkloadError, match="above 0"):
        Path(0.0, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(WorkloadError, match="give 1 accelerator"):
        load_time(1e9, 0, PATH)
    with pytest.raises(WorkloadError, match="pull rate"):
        cold_start(0, 1e9, 0, 0, 0)


def test_published_loads(catalog: Catalog) -> None:
    # PyPI instanttensor 0.1.4: DeepSeek-R1, 688.6 GB, on eight H200; Qwen3-30B-A3B, 61.1 GB, on one.
    fast = Storage(drive="raid0-4x-pm1743-gen5")
    plain = replace(fast, loader="safetensors")
    for node_bytes, accelerators, storage, seconds in [
        (688.6e9, 8, plain, 160),
        (688.6e9, 8, fast, 15.3),
        (61.1e9, 1, plain, 57.4),
        (61.1e9, 1, fast, 1.77),
    ]:
        loading = start_of(catalog, "h200-sxm-141gb", node_bytes, accelerators, storage).loading
        assert loading.bound == "loader"
        assert loading.seconds == pytest.approx(seconds, rel=0.05)  # rates are given with two digits


def test_every_figure_is_told(catalog: Catalog) -> None:
    found = start_of(catalog, "h200-sxm-141gb", 688e9, 8, Storage(drive="pm1743-7.68tb", cpu="xeon-platinum-8480"))
    names = {a.name.partition(" ")[0].rstrip(",") for a in found.assumptions}
    assert names == {
        "read_bytes_per_s",
        "loader_bytes_per_s",
        "loader_node_bytes_per_s",
        "memory_bytes_per_s",
        "pcie_bytes_per_s",
        "pcie_copy_efficiency",
        "engine_start_s",
        "node_start_s",
        "image_bytes",
        "image_pull_bytes_per_s",
    }
    assert all(a.source for a in found.assumptions)
    assert found.loading.bound == "storage"
    assert found.loading.seconds == pytest.approx(688e9 / 14e9)


def test_object_store_is_slower_than_the_nodes_network(catalog: Catalog) -> None:
    far = start_of(catalog, "h200-sxm-141gb", 688e9, 8, Storage("object")).start
    near = start_of(catalog, "h200-sxm-141gb", 688e9, 8, Storage("network")).start
    assert (far.node_s, far.image_s, far.engine_s) == (near.node_s, near.image_s, near.engine_s)
    assert far.load_s > near.load_s


def test_a_warm_node_saves_machine_and_image(catalog: Catalog) -> None:
    cold = start_of(catalog, "h100-sxm-80gb", 1e11, 8, Storage()).start
    warm = start_of(catalog, "h100-sxm-80gb", 1e11, 8, Storage(), warm_node=True).start
    assert warm.seconds == cold.load_s + cold.engine_s < cold.seconds


def test_unknown_and_unsourced_drives_are_refused(catalog: Catalog) -> None:
    with pytest.raises(UnknownName, match="pm1743"):
        start_of(catalog, "h100-sxm-80gb", 1e11, 8, Storage(drive="pm1743"))
    with pytest.raises(MissingFact, match="d7-ps1010"):
        start_of(catalog, "h100-sxm-80gb", 1e11, 8, Storage(drive="d7-ps1010"))
    with pytest.raises(WorkloadError, match="nvme, network or object"):
        start_of(catalog, "h100-sxm-80gb", 1e11, 8, Storage(drives=0))
    assert start_of(catalog, "h100-sxm-80gb", 1e11, 8, Storage()).loading.stages_s["staging"] == 1e11 / inf
