"""Counts of a bill of materials by hand, against a published reference fabric, and as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import WorkloadError
from planner.models import bill

TB = 1e12


def test_drives_hold_the_weights() -> None:
    # 20 TB on drives of 7.68 TB: three of data; mirrors double, parity adds one.
    assert [bill.drives_needed(20 * TB, 7.68 * TB, raid) for raid in ("raid0", "raid1", "raid5", "raid10")] == [
        3,
        6,
        4,
        6,
    ]
    assert [bill.drives_needed(1, 7.68 * TB, raid) for raid in ("raid0", "raid1", "raid5", "raid10")] == [1, 2, 3, 4]


@given(stored=st.floats(1e9, 1e15), capacity=st.floats(1e11, 1e14), raid=st.sampled_from(list(bill.SMALLEST_ARRAY)))
def test_an_array_holds_what_it_was_sized_for(stored: float, capacity: float, raid: str) -> None:
    drives = bill.drives_needed(stored, capacity, raid)
    assert bill.array_bytes(drives, capacity, raid) >= stored * (1 - 1e-12)


def test_a_drive_reads_no_faster_than_the_hosts_generation() -> None:
    # Four lanes of PCIe 4.0 carry 7.876 GB/s, of PCIe 5.0 15.75 GB/s; a 14 GB/s drive reads the lower.
    read = [bill.array_read_bytes_per_s(4, 14e9, 5, 4, gen, "raid0") / 4e9 for gen in (4, 5, 6)]
    assert read == pytest.approx([7.876, 14.0, 14.0])


def test_every_memory_channel_is_filled() -> None:
    # 721 GB on 16 channels: 16 modules of 64 GiB are 1,100 GB, 16 of 32 GiB only 550 GB.
    assert bill.memory_modules(721e9, 16) == (16, 64 * 2**30)
    assert bill.memory_modules(6e12, 16) == (32, 256 * 2**30)  # two modules a channel
    with pytest.raises(WorkloadError, match="16 channels hold"):
        bill.memory_modules(1e13, 16)


def test_the_published_rail_fabric() -> None:
    # InferenceX gpu-specs: 32 servers of 8, 8 leaves, 4 spines. The 2024 price sheet: 128 servers, 48 switches.
    assert bill.rail_fabric(32, 8, 64) == bill.Fabric(8, 4, 256, 256)
    large = bill.rail_fabric(128, 8, 64)
    assert large is not None and large.switches == 48 and large.transceivers == 2 * 2048
    assert bill.rail_fabric(1, 8, 64) == bill.Fabric(0, 0, 0, 0)
    assert bill.rail_fabric(8, 8, 64) == bill.Fabric(1, 0, 64, 0)  # one switch holds all
    assert bill.rail_fabric(300, 8, 64) is None  # beyond 64 leaves: a third tier


@given(servers=st.integers(2, 256), rails=st.sampled_from([1, 2, 4, 8]))
def test_no_switch_has_more_links_than_ports(servers: int, rails: int) -> None:
    fabric = bill.rail_fabric(servers, rails, 64)
    if fabric is None or not fabric.spines:
        return
    assert fabric.server_links <= fabric.leaves * 32
    assert fabric.switch_links <= fabric.spines * 64
    assert fabric.switch_links >= fabric.server_links  # nothing is oversubscribed


def test_racks_by_power() -> None:
    assert bill.racks_needed(5, 14_300, 35_000) == 3  # two a rack
    assert bill.racks_needed(4, 8_160, 35_000) == 1
    with pytest.raises(WorkloadError, match="rack_kw"):
        bill.racks_needed(1, 14_300, 10_000)
