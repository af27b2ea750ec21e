"""Weights in host memory: computed there by the processor, or copied over PCIe in every step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.models.shape import LlmShape

Array = NDArray[np.float64]
Part = Literal["experts", "layers"]
By = Literal["cpu", "pcie"]


@dataclass(frozen=True)
class Offload:
    """What lies in host memory, and what reads it.

    Attributes
    ----------
    part : `experts` (routed ones) or `layers` (everything in them)
    by : `cpu`: the processor computes; `pcie`: the accelerators fetch what they compute with
    share : share of the part that lies in host memory [-]
    width : bytes per parameter there [B]
    host_bytes_per_s : what all sockets read, efficiency applied [B/s]
    host_flops_per_s : what all cores reach; used by `cpu` only [FLOP/s]
    pcie_bytes_per_s : all links from the host to the replica's accelerators, efficiency applied [B/s]
    """

    part: Part
    by: By
    share: float
    width: float
    host_bytes_per_s: float
    host_flops_per_s: float
    pcie_bytes_per_s: float


def layered_params(shape: LlmShape) -> float:
    """Parameters inside layers: all but embeddings, head and what lies outside the language model. [-]"""
    own = shape.attention_params + shape.dense_ffn_params + shape.shared_expert_params + shape.router_params
    return own + shape.routed_expert_params


def host_weight_bytes(shape: LlmShape, offload: Offload) -> float:
    """Weights that lie in host memory. [B]

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> host_weight_bytes(SimpleNamespace(routed_expert_params=1e9), Offload("experts", "cpu", 0.5, 2.0, 1, 1, 1))
    1000000000.0
    """
    params = shape.routed_expert_params if offload.part == "experts" else layered_params(shape)
    return params * offload.share * offload.width


def resident_shape(shape: LlmShape, offload: Offload) -> LlmShape:
    """What stays on the accelerators, as an LLM of fewer parameters."""
    kept = 1 - offload.share
    if offload.part == "experts":
        return replace(shape, expert_params=shape.expert_params * kept)
    return replace(
        shape,
        attention_sharded_params=shape.attention_sharded_params * kept,
        attention_kv_params=shape.attention_kv_params * kept,
        attention_replicated_params=shape.attention_replicated_params * kept,
        dense_ffn_params=shape.dense_ffn_params * kept,
        shared_expert_params=shape.shared_expert_params * kept,
        router_params=shape.router_params * kept,
        expert_params=shape.expert_params * kept,
    )


def touched_bytes(shape: LlmShape, offload: Offload, touched: ArrayLike) -> Array:
    """Bytes in host memory that a step needs, `touched` experts per layer. [B]"""
    experts = shape.moe_layers * np.asarray(touched, float) * shape.expert_params
    params = experts if offload.part == "experts" else layered_params(shape) - shape.routed_expert_params + experts
    return np.asarray(params * offload.share * offload.width)


def cpu_flops(shape: LlmShape, offload: Offload, rows: ArrayLike) -> Array:
    """Arithmetic of `rows` tokens with the experts in host memory. [FLOP]"""
    visits = np.asarray(rows, float) * shape.experts_per_token
    return np.asarray(2.0 * shape.moe_layers * visits * shape.expert_params * offload.share)


def stream_s(bytes_: ArrayLike, offload: Offload) -> Array:
    """Time to copy bytes from host memory to the accelerators: the slower of memory and links. [s]"""
    return np.asarray(np.asarray(bytes_, float) / min(offload.host_bytes_per_s, offload.pcie_bytes_per_s))
