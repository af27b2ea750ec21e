"""One forward step of a replica: its operators, what travels between them, and the host.

Element-wise over equal-length (or broadcastable) columns, as `planner.models.operators`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.models import operators
from planner.models.collectives import Links, layer_collectives_s, stage_transfer_s
from planner.models.operators import Efficiency, Experts, Linear, Placement, busiest
from planner.models.shape import LlmShape

Array = NDArray[np.float64]

ROUNDING = 1e-9  # rows of sequences and drafts, added up and multiplied, differ by less [-]


@dataclass(frozen=True)
class Forward:
    """One forward step of many layouts, whatever the batch: what does not depend on it is worked out once.

    Attributes
    ----------
    attention_s : attention of one sequence on its rank [s]
    fixed_s : latencies of links, and time of the host [s]
    row_s : bytes over links, and small kernels, per row of a micro-batch [s]
    sequence_s : time of the host per sequence [s]
    prompt_s : least time of a step that carries prompts [s]
    queries : tokens of each sequence in the step; above one only while drafts are verified [-]
    """

    linear: Linear
    experts: Experts | None
    attention_s: Array
    fixed_s: Array
    row_s: Array
    sequence_s: Array
    prompt_s: float
    queries: float
    dp: Array
    pp: Array
    time_factor: Array
    stream_sequence_s: Array

    def time_s(self, rows: Array, sequences: Array) -> Array:
        """Time from one token to the next of every sequence in the replica. [s]

        Parameters
        ----------
        rows : tokens in the step (decoding sequences plus prompt tokens), whole replica, broadcastable. [token]
        sequences : sequences that decode. [-]

        Notes
        -----
        With pipeline stages, pp micro-batches follow each other: a token passes all stages, each
        working on a pp-th of the sequences, on one at least: with fewer sequences than stages the
        stages without work are the bubble.
        """
        micro_rows, micro_sequences = busiest(rows, self.pp), busiest(sequences, self.pp)
        time = self.linear.time_s(micro_rows, micro_sequences * self.queries)
        if self.experts is not None:
            time = time + self.experts.time_s(micro_rows)
        time = time + busiest(micro_sequences, self.dp) * self.attention_s
        time = time + self.fixed_s + micro_rows * self.row_s + sequences * self.sequence_s
        prompts = rows > sequences * (self.queries * (1 + ROUNDING))
        time = np.where(prompts, np.maximum(time, self.prompt_s), time)
        return np.maximum(time * self.time_factor, sequences * self.stream_sequence_s)


def forward(shape: LlmShape, place: Placement, eff: Efficiency, context_tokens: Array, queries: float = 1.0) -> Forward:
    """The step of sequences that have `context_tokens` cached on average."""
    fixed_s, row_s = _links_s(shape, place)
    small_s = eff.elementwise_passes * 4 * shape.hidden_size * shape.layers / place.dp / place.bandwidth_bytes_per_s
    return Forward(
        linear=operators.linear(shape, place, eff),
        experts=operators.experts(shape, place, eff),
        attention_s=operators.sequence_attention_s(shape, place, eff, context_tokens, queries),
        fixed_s=fixed_s + operators.layers_host_s(shape, place, eff) + eff.host_step_s,
        row_s=row_s + small_s,
        sequence_s=eff.host_sequence_s / place.dp,
        prompt_s=operators.prompt_launch_s(shape, eff),
        queries=queries,
        dp=place.dp,
        pp=place.pp,
        time_factor=place.time_factor,
        stream_sequence_s=place.stream_sequence_s,
    )


def _links_s(shape: LlmShape, place: Placement) -> tuple[Array, Array]:
    """What links take in a step whatever its rows, and for each row of a micro-batch. [s]"""

    def both(rows: float, links: Links) -> Array:
        reduced_s = layer_collectives_s(shape, place.tp, place.dp, np.asarray(rows), links)
        return reduced_s + stage_transfer_s(shape, place.tp, place.pp, rows / place.dp, links)

    return both(0.0, place.links), both(1.0, place.links.without_latency())


def step_s(
    shape: LlmShape,
    place: Placement,
    eff: Efficiency,
    rows: Array,
    sequences: Array,
    context_tokens: Array,
    queries: float = 1.0,
) -> Array:
    """Time of one such step; see `Forward.time_s`. [s]"""
    return forward(shape, place, eff, context_tokens, queries).time_s(rows, sequences)
