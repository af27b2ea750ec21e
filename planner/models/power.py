"""Electric power from what the chips do."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def gpu_power_w(
    idle_w: ArrayLike,
    tdp_w: ArrayLike,
    memory_utilisation: ArrayLike,
    compute_utilisation: ArrayLike,
    base: ArrayLike,
    memory_share: ArrayLike,
    compute_share: ArrayLike,
) -> Array:
    """Power of one accelerator while it serves. [W]

    Shares are of the span from idle to the board limit; utilisations are achieved bytes/s
    and FLOP/s over their peaks. The board limit caps the sum.

    Examples
    --------
    >>> float(gpu_power_w(73, 700, 0, 0, 0.35, 0.32, 0.93))
    292.45
    """
    span = np.asarray(tdp_w, float) - np.asarray(idle_w, float)
    memory = np.asarray(memory_share) * np.clip(memory_utilisation, 0, 1) ** 0.18
    compute = np.asarray(compute_share) * np.clip(compute_utilisation, 0, 1) ** 0.69
    dynamic = np.asarray(base) + memory + compute
    return np.asarray(np.minimum(np.asarray(idle_w) + span * dynamic, 0.98 * np.asarray(tdp_w, float)))


def node_power_w(gpu_w: ArrayLike, gpus: ArrayLike, host_w_per_gpu: ArrayLike) -> Array:
    """Accelerators plus their share of processors, memory, fans, drives and NICs. [W]"""
    return np.asarray((np.asarray(gpu_w) + np.asarray(host_w_per_gpu)) * np.asarray(gpus), float)


def facility_power_w(it_w: ArrayLike, pue: float) -> Array:
    """Power at the meter: IT power times power usage effectiveness. [W]"""
    return np.asarray(np.asarray(it_w) * pue, float)
