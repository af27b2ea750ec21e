"""Round figures to work by hand with: a small LLM, perfect software, and accelerators of 1 TB/s and 1 PFLOP/s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.models.collectives import Links
from planner.models.operators import Efficiency, Placement
from planner.models.shape import LlmShape
from planner.shapes import llm_shape

COLUMNS = tuple(f.name for f in fields(Placement) if f.name not in ("links", "speculation", "offload"))
IDEAL = {
    "prefill_attention_efficiency": 1.0,
    "decode_attention_compute_efficiency": 1.0,
    "kv_memory_efficiency": 1.0,
    "latent_kv_factor": 1.0,
    "interference_share": 1.0,
    "prompt_overhead": 1.0,
}


@pytest.fixture(scope="session")
def shape_of(catalog: Catalog) -> Callable[[str], LlmShape]:
    """Function from a catalog id to its numbers."""
    return lambda id: llm_shape(id, catalog.llms[id])


@pytest.fixture(scope="session")
def small() -> LlmShape:
    """Two dense layers of width 1,000: 8 query heads, 2 key-value heads, 10 M parameters beside the vocabulary."""
    zeros: dict[str, Any] = {f.name: 0 for f in fields(LlmShape)}
    zeros |= {"tied_embeddings": False, "latent_attention": False}
    return LlmShape(
        **zeros
        | {
            "layers": 2,
            "full_layers": 2,
            "hidden_size": 1000,
            "heads": 8,
            "kv_heads": 2,
            "vocab_size": 1000,
            "ffn_size": 2000,
            "attention_sharded_params": 3e6,
            "attention_kv_params": 1e6,
            "dense_ffn_params": 6e6,
            "embedding_params": 1e6,
            "head_params": 1e6,
            "kv_elements_per_layer": 500.0,
            "attention_decode_flops": 4000.0,
            "attention_prefill_flops": 4000.0,
        }
    )


@pytest.fixture(scope="session")
def sparse(small: LlmShape) -> LlmShape:
    """The same with 8 routed experts in each layer in place of the dense FFN, 2 per token, 1 M parameters each."""
    return replace(
        small,
        dense_ffn_params=0.0,
        ffn_size=0,
        experts=8,
        experts_per_token=2,
        expert_params=1e6,
        expert_ffn_size=1000,
        moe_layers=2,
    )


@pytest.fixture(scope="session")
def ideal() -> Efficiency:
    """Software that reaches every peak and adds no time of its own."""
    return Efficiency(**{f.name: IDEAL.get(f.name, 0.0) for f in fields(Efficiency)})


@pytest.fixture(scope="session")
def placed() -> Callable[..., Placement]:
    """Function that places an LLM in 16 bit: `placed(tp=2)`; any column can be replaced by its name.

    Fixtures here live as long as the session: hypothesis refuses shorter ones.
    """
    return _placed


def _placed(**changes: float | list[float]) -> Placement:
    columns = {name: np.ones(1) for name in COLUMNS}
    links = Links(**{f.name: np.array([_link(f.name)]) for f in fields(Links)})
    for name in columns:
        if name.endswith("flops_per_s"):
            columns[name] = np.array([1e15])
        if name.endswith("_width"):
            columns[name] = np.array([2.0])
    columns["bandwidth_bytes_per_s"] = np.array([1e12])
    columns["stream_sequence_s"] = np.zeros(1)
    columns |= {name: np.atleast_1d(np.array(value, float)) for name, value in changes.items()}
    return Placement(links=links, **columns)


def _link(name: str) -> float:
    """100 GB/s and 10 µs."""
    return 1e11 if name.endswith("bytes_per_s") else 1e-5
