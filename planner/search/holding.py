"""What the replicas of a plan hold: requests at once by the length of their context."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.models.memory import kv_bytes_per_sequence, kv_shards, max_sequences
from planner.models.precision import BYTES_PER_KV
from planner.schema import Plan
from planner.shapes import llm_shape

Array = NDArray[np.float64]


def held(plan: Plan, catalog: Catalog, context_tokens: Sequence[float]) -> Array:
    """Requests at once that all serving replicas hold, at each context length. [-]

    Memory alone: what each of them then gets is another question. Shape (contexts,).
    """
    shape, layout = llm_shape(plan.llm, catalog.llms[plan.llm]), plan.layout
    width = np.full(len(context_tokens), BYTES_PER_KV[layout.kv])
    sequence = kv_bytes_per_sequence(shape, width, np.asarray(context_tokens, float))
    per_replica = max_sequences(
        plan.memory.kv_room_bytes_per_gpu, sequence, kv_shards(shape, layout.tp, layout.pp), layout.dp
    )
    return np.asarray(per_replica * plan.replicas, float)


def longest_context(plan: Plan, catalog: Catalog, users: float) -> float:
    """Longest context at which the plan holds so many requests at once, up to what the LLM reads. [token]

    0 where not even one token fits for each.
    """
    low, high = 0.0, float(catalog.llms[plan.llm].max_context_tokens or 1_000_000)
    if held(plan, catalog, [high])[0] >= users:
        return high
    while high - low > 1:
        middle = float(np.floor((low + high) / 2))
        low, high = (middle, high) if middle and held(plan, catalog, [middle])[0] >= users else (low, middle)
    return low
