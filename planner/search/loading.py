"""Load time and cold start of a replica from the catalogs' rows, each figure with its source."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

from planner.catalog import Catalog
from planner.errors import Message, MissingFact, WorkloadError
from planner.models import host
from planner.models.host import ColdStart, Loading, Source
from planner.schema import Assumption

Loader = Literal["safetensors", "streamed"]


@dataclass(frozen=True)
class Storage:
    """Where weights come from.

    Attributes
    ----------
    source : drives in the node, a shared file system over the node's network, or an object store
    drive : id in drives.csv, for `nvme`; empty: the catalogs' reference drive
    drives : striped together [-]
    array_bytes_per_s : read rate of a whole array, where it is known; 0: by `drive` and `drives` [B/s]
    loader : the engine's own one, a tensor at a time, or one that streams
    cpu : host processor, whose memory stages the weights; empty: staging is not a limit
    """

    source: Source = "nvme"
    drive: str = ""
    drives: int = 1
    array_bytes_per_s: float = 0.0
    loader: Loader = "streamed"
    cpu: str = ""


@dataclass(frozen=True)
class Started:
    """A cold start with what it rests on."""

    start: ColdStart
    loading: Loading
    assumptions: tuple[Assumption, ...]


def start_of(
    catalog: Catalog, accelerator: str, node_bytes: float, accelerators: int, storage: Storage, warm_node: bool = False
) -> Started:
    """Cold start of a replica, of one node or of several that start side by side.

    Parameters
    ----------
    node_bytes : weights of one node. [B]
    accelerators : of the replica in that node. [-]
    warm_node : the machine stands ready and has the image.

    Raises
    ------
    UnknownName, MissingFact, WorkloadError
        For an unknown drive or processor, or one whose rate nobody sourced.
    """
    told: list[Assumption] = []
    path = host.Path(
        _storage_rate(catalog, storage, accelerator, accelerators, told),
        _told(catalog, told, "loader_bytes_per_s", storage.loader, "B/s"),
        _told(catalog, told, "loader_node_bytes_per_s", storage.loader, "B/s"),
        _memory_rate(catalog, storage, told),
        _pcie_rate(catalog, accelerator, told),
    )
    loading = host.load_time(node_bytes, accelerators, path)
    engine_s = _told(catalog, told, "engine_start_s", "", "s")
    if warm_node:
        return Started(ColdStart(0.0, 0.0, loading.seconds, engine_s), loading, tuple(told))
    node_s = _told(catalog, told, "node_start_s", "", "s")
    image = _told(catalog, told, "image_bytes", "", "B"), _told(catalog, told, "image_pull_bytes_per_s", "", "B/s")
    return Started(host.cold_start(node_s, *image, loading.seconds, engine_s), loading, tuple(told))


def _told(catalog: Catalog, told: list[Assumption], name: str, scope: str, unit: str) -> float:
    """Value of a parameter, which is told."""
    row = catalog.parameter(name, scope)
    source = f"{row.source} ({row.source_date}, {row.confidence} confidence)"
    told.append(Assumption(name=f"{name}, {scope}" if scope else name, value=row.value, unit=unit, source=source))
    return row.value


def _storage_rate(
    catalog: Catalog, storage: Storage, accelerator: str, accelerators: int, told: list[Assumption]
) -> float:
    if storage.source not in get_args(Source) or storage.drives < 1:
        raise WorkloadError(
            "storage {source}, {drives} drives: give nvme, network or object, and 1 drive at least.",
            source=storage.source,
            drives=storage.drives,
        )
    if storage.source == "object":
        return _told(catalog, told, "object_read_bytes_per_s", "", "B/s")
    if storage.source == "network":
        return accelerators * _told(catalog, told, "internode_bytes_per_s", "", "B/s")
    if storage.array_bytes_per_s:
        return storage.array_bytes_per_s
    if not storage.drive:
        return storage.drives * _told(catalog, told, "drive_read_bytes_per_s", "", "B/s")
    return _drives_rate(catalog, storage, accelerator, told)


def _drives_rate(catalog: Catalog, storage: Storage, accelerator: str, told: list[Assumption]) -> float:
    """Drives behind the host's PCIe, which is of the accelerator's generation."""
    id = catalog.drive_id(storage.drive, "--drive")
    row = catalog.drives[id]
    if row.read_bytes_per_s is None:
        raise MissingFact(
            id, "read_bytes_per_s", Message("load time"), Message("Add it with its source to catalogs/drives.csv.")
        )
    source = f"{row.source} ({row.source_date}, {row.confidence} confidence)"
    told.append(Assumption(name=f"read_bytes_per_s of {id}", value=row.read_bytes_per_s, unit="B/s", source=source))
    card = catalog.accelerators[catalog.accelerator_id(accelerator, "accelerator")]
    lane = card.pcie_bytes_per_s / card.pcie_lanes
    return host.striped_bytes_per_s(row.read_bytes_per_s, storage.drives, row.pcie_lanes, lane)


def _memory_rate(catalog: Catalog, storage: Storage, told: list[Assumption]) -> float:
    if not storage.cpu:
        return inf
    id = catalog.cpu_id(storage.cpu, "--host")
    row = catalog.cpus[id]
    if row.memory_bytes_per_s is None:
        raise MissingFact(
            id, "memory_bytes_per_s", Message("load time"), Message("Add it with its source to catalogs/cpus.csv.")
        )
    source = f"{row.source} ({row.source_date}, {row.confidence} confidence)"
    told.append(Assumption(name=f"memory_bytes_per_s of {id}", value=row.memory_bytes_per_s, unit="B/s", source=source))
    return row.memory_bytes_per_s


def _pcie_rate(catalog: Catalog, accelerator: str, told: list[Assumption]) -> float:
    id = catalog.accelerator_id(accelerator, "accelerator")
    row = catalog.accelerators[id]
    source = f"{row.source} ({row.source_date}, {row.confidence} confidence)"
    told.append(Assumption(name=f"pcie_bytes_per_s of {id}", value=row.pcie_bytes_per_s, unit="B/s", source=source))
    return row.pcie_bytes_per_s * _told(catalog, told, "pcie_copy_efficiency", "", "-")
