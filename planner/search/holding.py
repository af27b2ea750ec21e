"""What the replicas of a plan hold: requests at once by the length of their context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.models.layouts import take
from planner.models.memory import kv_bytes_per_sequence, kv_shards, max_sequences
from planner.models.precision import BYTES_PER_KV
from planner.models.serving import server
from planner.schema import Plan, Workload
from planner.search.evaluate import find_capacity
from planner.search.single import single
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


def kept(workload: Workload, catalog: Catalog, plan: Plan, context_tokens: Sequence[float]) -> Array:
    """Requests at once that the plan serves within its promise, at each context length, by closed forms. [-]

    A context is a prompt with the answer of the question behind it; 0 where it is too short for one, or where even a
    single request breaks the promise. Shape (contexts,).

    Raises
    ------
    WorkloadError
        If the workload and the catalogs no longer give such a plan.
    """
    one = single(workload, catalog, plan)
    contexts = np.asarray(context_tokens, float)
    prompts = contexts - workload.traffic.output_tokens
    rows = np.full(len(contexts), one.row)
    study, lengths = one.study, replace(one.study.lengths, input_tokens=np.maximum(prompts, 1.0))
    place, eff, budget = take(study.place, rows), take(study.eff, rows), study.fit.budget_tokens[rows]
    room = held(plan, catalog, contexts.tolist()) / plan.replicas
    closed = workload.traffic.concurrency is not None
    found = find_capacity(server(study.shape, place, eff, lengths, budget), eff, workload.slo, room, closed)
    return np.asarray(np.where(prompts >= 1, found.sequences * plan.replicas, 0.0))
