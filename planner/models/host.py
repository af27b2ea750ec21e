"""From nothing to a replica that serves: a node, an image, the weights, the engine's own start.

Weights of a node pass through stages at the same time: they are read from a drive, a network or an object
store, handled by the loader's processes, staged in host memory and copied over PCIe. The slowest stage
decides. A loader that handles one tensor at a time is itself that stage on any fast drive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from planner.errors import WorkloadError

Source = Literal["nvme", "network", "object"]
Stage = Literal["storage", "loader", "staging", "pcie"]
STAGES: tuple[Stage, ...] = ("storage", "loader", "staging", "pcie")

STAGED_PASSES = 2  # written into host memory, read from it again


@dataclass(frozen=True)
class Path:
    """Rates between storage and the accelerators of one node, all together.

    Attributes
    ----------
    storage_bytes_per_s : drives, network links or object store, of one node [B/s]
    loader_bytes_per_s : one loader process; a node runs one per accelerator [B/s]
    loader_node_bytes_per_s : all loader processes of a node together, at most [B/s]
    memory_bytes_per_s : host memory, reads and writes together; infinity where copies bypass it [B/s]
    pcie_bytes_per_s : one accelerator's link in use [B/s]
    """

    storage_bytes_per_s: float
    loader_bytes_per_s: float
    loader_node_bytes_per_s: float
    memory_bytes_per_s: float
    pcie_bytes_per_s: float

    def __post_init__(self) -> None:
        slowest = min(
            self.storage_bytes_per_s,
            self.loader_bytes_per_s,
            self.loader_node_bytes_per_s,
            self.memory_bytes_per_s,
            self.pcie_bytes_per_s,
        )
        if not slowest > 0:
            raise WorkloadError("loading weights at {slowest:g} B/s: give rates above 0.", slowest=slowest)


@dataclass(frozen=True)
class Loading:
    """How long the weights of one node take.

    Attributes
    ----------
    seconds : through the slowest stage [s]
    bound : that stage
    stages_s : every stage on its own, by name [s]
    """

    seconds: float
    bound: Stage
    stages_s: dict[Stage, float]


def load_time(node_bytes: float, accelerators: int, path: Path) -> Loading:
    """Time for the weights that one node holds, read once and divided over its accelerators.

    Parameters
    ----------
    node_bytes : weights of all accelerators of the node. [B]
    accelerators : of the node that load. [-]

    Examples
    --------
    688 GB over eight accelerators from drives of 28 GB/s; the loader manages 4.3 GB/s:

    >>> plain = Path(28e9, 1.1e9, 4.3e9, 300e9, 53e9)
    >>> found = load_time(688e9, 8, plain)
    >>> found.seconds, found.bound
    (160.0, 'loader')
    """
    if node_bytes < 0 or accelerators < 1:
        raise WorkloadError(
            "loading {node_bytes:g} B over {accelerators} accelerators: give 1 accelerator at least.",
            node_bytes=node_bytes,
            accelerators=accelerators,
        )
    rates: dict[Stage, float] = {
        "storage": path.storage_bytes_per_s,
        "loader": min(accelerators * path.loader_bytes_per_s, path.loader_node_bytes_per_s),
        "staging": path.memory_bytes_per_s / STAGED_PASSES,
        "pcie": accelerators * path.pcie_bytes_per_s,
    }
    stages_s = {name: node_bytes / rate for name, rate in rates.items()}
    bound = max(STAGES, key=lambda name: stages_s[name])
    return Loading(stages_s[bound], bound, stages_s)


@dataclass(frozen=True)
class ColdStart:
    """From the decision to add a replica until it serves, part by part. [s]

    Attributes
    ----------
    node_s : until the cloud's machine has joined; 0 for one that stands ready
    image_s : until the engine's image is there; 0 where it is cached
    load_s : until the weights are on the accelerators
    engine_s : compilation, memory profiling and graphs
    """

    node_s: float
    image_s: float
    load_s: float
    engine_s: float

    @property
    def seconds(self) -> float:
        """All parts, one after the other. [s]"""
        return self.node_s + self.image_s + self.load_s + self.engine_s


def cold_start(
    node_s: float, image_bytes: float, image_bytes_per_s: float, load_s: float, engine_s: float
) -> ColdStart:
    """Parts of a cold start; the image is pulled and unpacked at one rate.

    Examples
    --------
    >>> cold_start(180.0, 10e9, 100e6, 20.0, 100.0).seconds
    400.0
    """
    if min(node_s, image_bytes, load_s, engine_s) < 0 or image_bytes_per_s <= 0:
        raise WorkloadError("cold start: give times and sizes of 0 or more, and a pull rate above 0.")
    return ColdStart(node_s, image_bytes / image_bytes_per_s, load_s, engine_s)


def striped_bytes_per_s(drive_bytes_per_s: float, drives: int, lanes: int, lane_bytes_per_s: float) -> float:
    """Read rate of drives striped together behind their lanes of the host. [B/s]

    Parameters
    ----------
    drive_bytes_per_s : what one drive reads in its own generation. [B/s]
    lanes : lanes per drive. [-]
    lane_bytes_per_s : one lane of the host's PCIe generation. [B/s]

    Examples
    --------
    Four drives of 14 GB/s behind PCIe 4.0 x4 (2 GB/s a lane) are bound by the host:

    >>> striped_bytes_per_s(14e9, 4, 4, 2e9) / 1e9
    32.0
    """
    return drives * min(drive_bytes_per_s, lanes * lane_bytes_per_s)
