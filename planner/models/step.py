"""One step of a replica with its options: drafts to verify, weights in host memory.

Plain serving is `planner.models.operators.step_s` and nothing more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.models import offload, operators
from planner.models.operators import Efficiency, Placement, smooth_max, touched_experts
from planner.models.shape import LlmShape

Array = NDArray[np.float64]


def step_s(
    shape: LlmShape, place: Placement, eff: Efficiency, rows: Array, sequences: Array, context_tokens: Array
) -> Array:
    """Time of one step: every decoding sequence gains `tokens_per_step` tokens, one without speculation. [s]

    Parameters
    ----------
    rows : tokens in the step without drafts: decoding sequences plus prompt tokens, whole replica. [token]
    sequences : sequences that decode. [-]
    context_tokens : mean tokens that each has cached. [token]

    Notes
    -----
    A verified draft is one more row of every matrix product and one more query over the same
    cache; the tokens that a step yields for one sequence travel to its user in one message.
    Experts in host memory follow the attention of their layer and precede that of the next, and
    routing is known no earlier: their time adds. Layers in host memory are known ahead: their
    copies overlap with the step.
    """
    if place.speculation is None and place.offload is None:
        return operators.step_s(shape, place, eff, rows, sequences, context_tokens)
    queries = 1.0 if place.speculation is None else place.speculation.queries
    verified = rows + (queries - 1) * sequences
    time = _resident_s(shape, place, eff, verified, sequences, context_tokens, queries)
    if place.speculation is None:
        return time
    return time + draft_s(place, eff, sequences, context_tokens)


def draft_s(place: Placement, eff: Efficiency, sequences: Array, context_tokens: Array) -> Array:
    """Time to propose the drafts of one step: a pass of the drafter for each, no scheduler between. [s]

    The first pass also takes in what the last step accepted, `queries` tokens per sequence.
    """
    speculation = place.speculation
    if speculation is None or speculation.drafter is None:
        return np.zeros_like(sequences + place.tp)
    drafter = speculation.drafter
    alone = replace(place, speculation=None, offload=None, stream_sequence_s=0 * place.stream_sequence_s)
    quiet = replace(eff, host_step_s=0.0, host_sequence_s=0.0)
    queries = speculation.queries
    first = operators.step_s(drafter, alone, quiet, sequences * queries, sequences, context_tokens, queries)
    further = operators.step_s(drafter, alone, quiet, sequences, sequences, context_tokens)
    passes_s = speculation.draft_tokens * speculation.pass_s * place.time_factor
    return np.asarray(first + (speculation.draft_tokens - 1) * further + passes_s)


def host_s(shape: LlmShape, place: Placement, rows: Array) -> Array:
    """Time that weights in host memory take in one step, by whichever means. [s]"""
    away = place.offload
    if away is None:
        return np.zeros_like(rows + place.tp)
    touched = touched_experts(shape, rows) if shape.experts else np.zeros_like(rows)
    read = offload.touched_bytes(shape, away, touched)
    if away.by == "pcie":
        return offload.stream_s(read, away)
    return smooth_max(read / away.host_bytes_per_s, offload.cpu_flops(shape, away, rows) / away.host_flops_per_s)


def _resident_s(
    shape: LlmShape,
    place: Placement,
    eff: Efficiency,
    rows: Array,
    sequences: Array,
    context_tokens: Array,
    queries: float,
) -> Array:
    away = place.offload
    if away is None or away.by == "pcie":  # what was copied is computed like the rest
        computed = operators.step_s(shape, place, eff, rows, sequences, context_tokens, queries)
    else:
        computed = operators.step_s(
            offload.resident_shape(shape, away), place, eff, rows, sequences, context_tokens, queries
        )
    if away is None:
        return computed
    host = host_s(shape, place, rows)
    return np.maximum(computed, host) if away.part == "layers" else computed + host
