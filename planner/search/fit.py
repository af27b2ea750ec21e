"""Memory of every candidate: what fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.catalog import Catalog
from planner.models import memory
from planner.models.serving import Lengths
from planner.models.shape import LlmShape
from planner.schema import Llm
from planner.search.columns import WEIGHTS, Array, Candidates, part_widths


@dataclass(frozen=True)
class Fit:
    """Memory columns; bytes are per GPU unless the name says otherwise."""

    memory_bytes: Array
    usable_bytes: Array
    weights_bytes: Array
    activation_bytes: Array
    reserve_bytes: Array
    room_bytes: Array
    shards: Array
    sequence_bytes: Array
    capacity_tokens: Array
    max_sequences: Array
    budget_tokens: Array


@dataclass(frozen=True)
class Change:
    """What options do to memory.

    Attributes
    ----------
    dense_factor : bytes of attention and dense matrices over the stored precision's own [-]
    weights_bytes : further weights on every GPU, such as a drafter's [B]
    sequence_bytes : further cache of one sequence, before sharding [B]
    """

    dense_factor: float = 1.0
    weights_bytes: float = 0.0
    sequence_bytes: float = 0.0


PLAIN = Change()


def engine_limits(catalog: Catalog, candidates: Candidates) -> tuple[Array, Array]:
    """Token budget of a step and limit of running sequences, each per attention rank, that servers start with."""
    engines = [catalog.engines[id] for id in candidates.engine_ids]
    rows = [catalog.accelerators[id] for id in candidates.accelerator_ids]
    pairs = np.array([[engine.defaults_on(row) for row in rows] for engine in engines], float)
    budget, limit = np.moveaxis(pairs[candidates.engine, candidates.accelerator], -1, 0)
    return budget, limit


def whole_prompts(catalog: Catalog, llm: Llm, candidates: Candidates) -> NDArray[np.bool_]:
    """Which serve a prompt in one step only, computed anew from its first token."""
    engines = [catalog.engines[id] for id in candidates.engine_ids]
    table = np.array([[engine.serves_whole(w, llm.attention) for w in WEIGHTS] for engine in engines])
    return np.asarray(table[candidates.engine, candidates.weights])


def started_for_tokens(lengths: Lengths, llm: Llm) -> float:
    """Context that servers start with: the longest prompt that the promise assumes, twice the answer. [token]"""
    longest = lengths.input_tokens * lengths.input_p99_ratio + 2 * lengths.output_tokens
    return float(min(2 ** math.ceil(math.log2(longest)), llm.max_context_tokens or math.inf))


def take_fit(fit: Fit, rows: NDArray[Any]) -> Fit:
    """The memory of some candidates."""
    return Fit(**{f.name: getattr(fit, f.name)[rows] for f in fields(Fit)})


def fit_memory(
    catalog: Catalog,
    llm: Llm,
    shape: LlmShape,
    candidates: Candidates,
    kv_width: Array,
    context_tokens: Array,
    utilisation: float | None = None,
    engine_version: str = "",
    change: Change = PLAIN,
    longest_tokens: float = 0.0,
) -> Fit:
    """Weights, reserve and caches of every candidate for sequences of one length.

    Parameters
    ----------
    context_tokens : full length of a sequence, prompt and answer. [token]
    utilisation : share of memory that the engine takes; None: each engine's default. [-]
    engine_version : scope of engine generations that profile memory otherwise than the pinned one
    change : what options add or take away
    longest_tokens : longest prompt and answer that a server is started for, a step's budget where prompts are served
        whole; 0: the engine's own budget stays. [token]
    """
    engines = [catalog.engines[id] for id in candidates.engine_ids]
    rows = [catalog.accelerators[id] for id in candidates.accelerator_ids]
    share = np.array([utilisation or e.memory_utilisation for e in engines])[candidates.engine]
    budget, limit = engine_limits(catalog, candidates)
    budget = np.where(whole_prompts(catalog, llm, candidates), np.maximum(budget, longest_tokens), budget)
    visible = np.array([r.memory_visible_bytes or np.nan for r in rows])[candidates.accelerator]
    hidden = catalog.parameter("driver_reserve_bytes").value
    width: dict[str, ArrayLike] = dict(part_widths(shape, llm, candidates.weights))
    width |= {part: np.asarray(width[part]) * change.dense_factor for part in ("attention", "dense")}
    weights = memory.weight_bytes_per_gpu(shape, width, candidates.tp, candidates.dp, candidates.pp)
    weights = weights + change.weights_bytes
    profiled = catalog.parameter("sampler_sequences", engine_version).value
    activation = memory.activation_bytes_per_gpu(
        shape,
        budget,
        np.full(len(candidates), profiled),
        candidates.tp,
        candidates.dp,
        catalog.parameter("activation_hidden_copies").value,
        catalog.parameter("activation_logit_copies").value,
        catalog.parameter("latent_workspace_tokens").value,
    )
    alone, joined = (
        catalog.parameter("runtime_reserve_bytes").value,
        catalog.parameter("group_reserve_bytes").value,
    )
    reserve = np.where(candidates.gpus > 1, alone + joined, alone)
    rule = np.array([e.memory_rule for e in engines])[candidates.engine]
    room = memory.kv_room_bytes(visible - hidden, share, rule, weights, activation, reserve)
    shards = memory.kv_shards(shape, candidates.tp, candidates.pp)
    sequence = memory.kv_bytes_per_sequence(shape, kv_width, context_tokens) + change.sequence_bytes
    sequences = memory.max_sequences(room, sequence, shards, candidates.dp)
    return Fit(
        memory_bytes=visible,
        usable_bytes=room + weights + activation + reserve,
        weights_bytes=weights,
        activation_bytes=activation,
        reserve_bytes=reserve,
        room_bytes=room,
        shards=shards,
        sequence_bytes=sequence,
        capacity_tokens=np.maximum(room, 0) * shards * candidates.dp / (sequence / context_tokens),
        max_sequences=np.minimum(sequences, limit * candidates.dp),
        budget_tokens=budget,
    )
