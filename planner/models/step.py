"""One step of a replica with its options: drafts to verify, weights in host memory.

Plain serving is `planner.models.forward` and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.models import forward, offload
from planner.models.forward import Forward
from planner.models.operators import Efficiency, Placement, smooth_max, touched_experts
from planner.models.shape import LlmShape

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One step of many layouts, whatever the batch: every decoding sequence gains `tokens_per_step` tokens.

    Attributes
    ----------
    resident : what the accelerators compute, drafts to verify included
    drafts : what proposes them; None without speculation
    host : what lies in host memory; None where nothing does
    """

    resident: Forward
    drafts: Drafts | None = None
    host: Host | None = None

    def time_s(self, rows: Array, sequences: Array) -> Array:
        """Time of one step. [s]

        Parameters
        ----------
        rows : tokens in the step without drafts: decoding sequences plus prompt tokens, whole replica. [token]
        sequences : sequences that decode. [-]

        Notes
        -----
        A verified draft is one more row of every matrix product and one more query over the same
        cache; the tokens that a step yields for one sequence travel to its user in one message.
        """
        queries = self.resident.queries
        verified = rows + (queries - 1) * sequences if queries > 1 else rows
        time = self.resident.time_s(verified, sequences)
        if self.host is not None:
            time = self.host.beside_s(time, verified)
        return time if self.drafts is None else time + self.drafts.time_s(sequences)


@dataclass(frozen=True)
class Drafts:
    """What proposes the drafts of one step: a pass of the drafter for each, no scheduler between.

    The first pass also takes in what the last step accepted, `queries` tokens per sequence.
    """

    first: Forward
    further: Forward
    draft_tokens: int
    passes_s: Array

    def time_s(self, sequences: Array) -> Array:
        """Time to propose the drafts of one step. [s]"""
        first_s = self.first.time_s(sequences * self.first.queries, sequences)
        return np.asarray(first_s + (self.draft_tokens - 1) * self.further.time_s(sequences, sequences) + self.passes_s)


@dataclass(frozen=True)
class Host:
    """Weights in host memory, read there or copied in every step."""

    shape: LlmShape
    place: Placement

    def time_s(self, rows: Array) -> Array:
        """Time that they take in one step. [s]"""
        return host_s(self.shape, self.place, rows)

    def beside_s(self, resident_s: Array, rows: Array) -> Array:
        """Time of a step with them. [s]

        Experts in host memory follow the attention of their layer and precede that of the next, and
        routing is known no earlier: their time adds. Layers in host memory are known ahead: their
        copies overlap with the step.
        """
        assert self.place.offload is not None
        time = self.time_s(rows)
        return np.maximum(resident_s, time) if self.place.offload.part == "layers" else resident_s + time


def step(shape: LlmShape, place: Placement, eff: Efficiency, context_tokens: Array) -> Step:
    """The step of sequences that have `context_tokens` cached on average."""
    away = place.offload
    queries = 1.0 if place.speculation is None else place.speculation.queries
    computed = shape if away is None or away.by == "pcie" else offload.resident_shape(shape, away)
    resident = forward.forward(computed, place, eff, context_tokens, queries)
    host = None if away is None else Host(shape, place)
    return Step(resident, _drafts(place, eff, context_tokens), host)


def step_s(
    shape: LlmShape, place: Placement, eff: Efficiency, rows: Array, sequences: Array, context_tokens: Array
) -> Array:
    """Time of one `step`; see `Step.time_s`. [s]"""
    return step(shape, place, eff, context_tokens).time_s(rows, sequences)


def draft_s(place: Placement, eff: Efficiency, sequences: Array, context_tokens: Array) -> Array:
    """Time to propose the drafts of one step, none where they are looked up. [s]"""
    drafts = _drafts(place, eff, context_tokens)
    return np.zeros_like(sequences + place.tp) if drafts is None else drafts.time_s(sequences)


def _drafts(place: Placement, eff: Efficiency, context_tokens: Array) -> Drafts | None:
    speculation = place.speculation
    if speculation is None or speculation.drafter is None:
        return None
    alone = replace(place, speculation=None, offload=None, stream_sequence_s=0 * place.stream_sequence_s)
    what = speculation.drafter, alone, replace(eff, host_step_s=0.0, host_sequence_s=0.0), context_tokens
    passes_s = speculation.draft_tokens * speculation.pass_s * place.time_factor
    first, further = forward.forward(*what, speculation.queries), forward.forward(*what)
    return Drafts(first, further, speculation.draft_tokens, passes_s)


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
