"""Communication between the ranks of a replica: latency plus bytes over the link that carries them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from planner.models.shape import LlmShape

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Links:
    """Links of a replica, as columns; bandwidths one way per GPU, efficiency already applied.

    Attributes
    ----------
    tensor_* : among the ranks of one tensor-parallel group
    group_* : among all ranks that share routed experts (tp x dp)
    stage_* : between pipeline stages
    """

    tensor_bytes_per_s: Array
    tensor_latency_s: Array
    group_bytes_per_s: Array
    group_latency_s: Array
    stage_bytes_per_s: Array
    stage_latency_s: Array

    def without_latency(self) -> Links:
        """The same links for what is sent beside something else: bytes alone take time."""
        latencies = [f.name for f in fields(self) if f.name.endswith("_latency_s")]
        return replace(self, **{name: 0 * getattr(self, name) for name in latencies})


def all_reduce_s(message_bytes: Array, ranks: Array, bytes_per_s: Array, latency_s: Array) -> Array:
    """Ring or switch all-reduce: each rank sends 2 (n-1)/n of the message. [s]

    Examples
    --------
    >>> import numpy as np
    >>> float(all_reduce_s(np.array(8e6), np.array(8.0), np.array(450e9), np.array(0.0)))
    3.111111111111111e-05
    """
    travelled = 2 * (ranks - 1) / ranks * message_bytes
    return np.asarray(np.where(ranks > 1, latency_s + travelled / bytes_per_s, 0.0))


def all_to_all_s(message_bytes: Array, ranks: Array, copies: float, bytes_per_s: Array, latency_s: Array) -> Array:
    """Each rank sends its rows to the ranks of the experts they visit, never twice to one rank. [s]"""
    travelled = message_bytes * np.minimum(copies * (ranks - 1) / ranks, ranks - 1)
    return np.asarray(np.where(ranks > 1, latency_s + travelled / bytes_per_s, 0.0))


def layer_collectives_s(shape: LlmShape, tp: Array, dp: Array, rows: Array, links: Links) -> Array:
    """Communication of all layers of one step. [s]

    Without attention data-parallelism two all-reduces per layer; with it, dense layers keep
    theirs and each expert layer trades one for a dispatch and a combine.
    """
    message = 2.0 * shape.hidden_size * rows / dp
    reduce_s = all_reduce_s(message, tp, links.tensor_bytes_per_s, links.tensor_latency_s)
    exchange_s = all_to_all_s(
        message, tp * dp, float(shape.experts_per_token), links.group_bytes_per_s, links.group_latency_s
    )
    plain = 2 * shape.layers * reduce_s
    spread = (2 * shape.layers - shape.moe_layers) * reduce_s + 2 * shape.moe_layers * exchange_s
    return np.asarray(np.where(dp > 1, spread, plain))


def stage_transfer_s(shape: LlmShape, tp: Array, pp: Array, rows: Array, links: Links) -> Array:
    """Hand-over of activations between pipeline stages. [s]"""
    message = 2.0 * shape.hidden_size * rows / tp
    return np.asarray((pp - 1) * (links.stage_latency_s + message / links.stage_bytes_per_s))
