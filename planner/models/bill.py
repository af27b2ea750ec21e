"""How many drives, modules, switches and racks: counts that a bill of materials is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.errors import WorkloadError

# PCI Express base specifications: transfer rate less the line code (128b/130b; FLIT mode from 6.0 on). [B/s per lane]
PCIE_LANE_BYTES_PER_S = {3: 0.985e9, 4: 1.969e9, 5: 3.938e9, 6: 7.563e9, 7: 15.125e9}
MODULE_BYTES = tuple(size * 2**30 for size in (16, 32, 64, 96, 128, 256))
SMALLEST_ARRAY = {"raid0": 1, "raid1": 2, "raid5": 3, "raid10": 4}


@dataclass(frozen=True)
class Fabric:
    """Switches and links that join servers.

    Attributes
    ----------
    leaves, spines : switches [-]
    server_links, switch_links : cables from servers to leaves, and from leaves to spines [-]
    """

    leaves: int
    spines: int
    server_links: int
    switch_links: int

    @property
    def switches(self) -> int:
        """Both tiers. [-]"""
        return self.leaves + self.spines

    @property
    def transceivers(self) -> int:
        """Two for each link. [-]"""
        return 2 * (self.server_links + self.switch_links)


def drives_needed(stored_bytes: float, capacity_bytes: float, raid: str) -> int:
    """Fewest drives whose array holds the bytes.

    Examples
    --------
    >>> drives_needed(700e9, 7.68e12, "raid1"), drives_needed(20e12, 7.68e12, "raid5")
    (2, 4)
    """
    data = max(math.ceil(stored_bytes / capacity_bytes), 1)
    drives = {"raid0": data, "raid1": 2 * data, "raid5": data + 1, "raid10": 2 * data}[raid]
    return max(drives, SMALLEST_ARRAY[raid])


def array_bytes(drives: int, capacity_bytes: float, raid: str) -> float:
    """Usable capacity of an array. [B]"""
    return capacity_bytes * _data_drives(drives, raid)


def array_read_bytes_per_s(
    drives: int, read_bytes_per_s: float, gen: int, lanes: int, host_gen: int, raid: str
) -> float:
    """Sequential read of an array behind its host. [B/s]

    Each drive reads at its own rate or at that of its lanes, at the lower PCIe generation of drive and host.
    A mirror counts once: one sequential stream is served by one side.

    Examples
    --------
    Two PCIe 5.0 drives of 14 GB/s as a mirror behind a PCIe 4.0 host: four lanes of 1.969 GB/s

    >>> array_read_bytes_per_s(2, 14e9, 5, 4, 4, "raid1") / 1e9
    7.876
    """
    each = min(read_bytes_per_s, lanes * PCIE_LANE_BYTES_PER_S[min(gen, host_gen)])
    return each * _data_drives(drives, raid)


def _data_drives(drives: int, raid: str) -> int:
    return {"raid0": drives, "raid1": drives // 2, "raid5": drives - 1, "raid10": drives // 2}[raid]


def memory_modules(needed_bytes: float, channels: int) -> tuple[int, int]:
    """Modules and bytes of each: every channel filled alike, one module a channel before two.

    Examples
    --------
    800 GB on 16 channels: sixteen modules of 64 GiB

    >>> modules, size = memory_modules(800e9, 16)
    >>> modules, size // 2**30
    (16, 64)
    """
    for per_channel in (1, 2):
        for size in MODULE_BYTES:
            if per_channel * channels * size >= needed_bytes:
                return per_channel * channels, size
    most = 2 * channels * MODULE_BYTES[-1]
    raise WorkloadError(
        "a server needs {needed:,.0f} GB of memory, and {channels} channels hold {most:,.0f} GB.\n"
        "  Choose ownership.host with more channels, or narrower limits.weights.",
        needed=needed_bytes / 1000000000.0,
        channels=channels,
        most=most / 1000000000.0,
    )


def rail_fabric(servers: int, rails: int, ports: int) -> Fabric | None:
    """Rail-optimised, non-blocking leaf and spine: each rail of a pod has its own leaf.

    Parameters
    ----------
    servers, rails : servers, and links from each; one server needs no fabric. [-]
    ports : of one switch, half of them towards the servers. [-]

    Returns
    -------
    Fabric | None
        None where two tiers do not reach that far.

    Examples
    --------
    The published 8-rail reference, 32 servers with 64-port switches: 8 leaves, 4 spines

    >>> rail_fabric(32, 8, 64)
    Fabric(leaves=8, spines=4, server_links=256, switch_links=256)
    """
    if servers <= 1:
        return Fabric(0, 0, 0, 0)
    links = servers * rails
    if links <= ports:
        return Fabric(1, 0, links, 0)
    down = ports // 2
    leaves, spines = rails * math.ceil(servers / down), math.ceil(links / ports)
    return Fabric(leaves, spines, links, links) if leaves <= ports else None


def front_end(servers: int, ports: int, links_each: int = 2) -> Fabric:
    """A pair of switches, or more pairs, to which every server has a link each; none for a lone server."""
    if servers <= 1:
        return Fabric(0, 0, servers * links_each, 0)
    return Fabric(links_each * math.ceil(servers / ports), 0, servers * links_each, 0)


def racks_needed(servers: int, server_w: float, rack_w: float) -> int:
    """Racks by power.

    Raises
    ------
    WorkloadError
        If one server draws more than a rack may.
    """
    each = math.floor(rack_w / server_w)
    if each < 1:
        raise WorkloadError(
            "one server draws {server:,.1f} kW, and a rack may draw {rack:,.1f} kW.\n"
            "  Raise ownership.rack_kw, or set ownership.cooling = liquid.",
            server=server_w / 1000.0,
            rack=rack_w / 1000.0,
        )
    return math.ceil(servers / each)
