"""Step times of many layouts as tables that the simulation reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.models.engine import StepTimes
from planner.models.layouts import as_columns
from planner.models.operators import Efficiency, Placement, decode_attention_s, prompt_attention_s, prompt_launch_s
from planner.models.serving import Lengths
from planner.models.shape import LlmShape
from planner.models.step import step_s

Array = NDArray[np.float64]

ROWS = np.array(
    [1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192, 16384]
)


def step_times(
    shape: LlmShape, place: Placement, eff: Efficiency, lengths: Lengths, sequences: Array
) -> list[StepTimes]:
    """One table per layout: the step of an attention rank over its rows, beside its usual sequences.

    Parameters
    ----------
    sequences : running sequences of the replica around which the table is exact, shape (n,) [-]

    Notes
    -----
    All ranks of a replica are taken to do the same in each step, since they wait for one another. Attention is
    linear in the context around its mean; sliding windows make the rest a constant per sequence. Of pipeline stages
    each works on its part of the sequences, so that one of them lengthens a step by that part. The least time of a
    step that carries prompts stands apart: a table by rows alone cannot tell prompts from sequences.
    """
    wide = as_columns(place)
    context = np.broadcast_to(lengths.mean_context_tokens, sequences.shape)
    rows = np.broadcast_to(ROWS.astype(float), (len(sequences), len(ROWS))) * wide.dp
    running = np.minimum(rows, np.maximum(sequences, 1.0)[:, None])
    graphs = replace(eff, prompt_layer_s=0.0, prompt_moe_layer_s=0.0, prompt_latent_layer_s=0.0)
    total_s = step_s(shape, wide, graphs, rows, running, context[:, None])
    least_s = np.broadcast_to(prompt_launch_s(shape, eff) * place.time_factor, sequences.shape)
    one_s, longer_s = (
        decode_attention_s(shape, place, eff, place.dp, tokens) / place.pp * place.time_factor
        for tokens in (context, 1.01 * context)
    )
    context_s = np.maximum(longer_s - one_s, 0.0) / (0.01 * context)
    base_s = total_s - running / wide.dp * one_s[:, None]
    pair_s = prompt_attention_s(shape, place, eff, lengths.new_tokens, lengths.cached_tokens) / (
        lengths.new_tokens * (lengths.cached_tokens + lengths.new_tokens / 2)
    )
    grid = tuple(ROWS.tolist())
    columns = (base_s, one_s - context_s * context, context_s, pair_s, least_s)
    return [
        StepTimes(grid, tuple(base), each, per_token, per_pair, least)
        for base, each, per_token, per_pair, least in zip(*(c.tolist() for c in columns), strict=True)
    ]
