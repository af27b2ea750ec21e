"""Tables of step times against the operators they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from planner.models.operators import Efficiency, Placement
from planner.models.serving import Lengths
from planner.models.shape import LlmShape
from planner.models.simulate import simulate_open
from planner.models.step import step_s
from planner.models.tables import ROWS, step_times

Placed = Callable[..., Placement]
LENGTHS = Lengths(1000, 100, 0.0, 1.0, 0.0)


@pytest.mark.parametrize("rows", ROWS[ROWS >= 16].tolist())
def test_a_table_is_exact_at_its_rows(small: LlmShape, placed: Placed, ideal: Efficiency, rows: int) -> None:
    real = replace(ideal, host_step_s=1e-3, host_sequence_s=1e-6, gemm_extra_rows=64.0)
    times = step_times(small, placed(), real, LENGTHS, np.array([16.0]))[0]
    read = times.step_s(16, 16 * 1050, rows - 16, 0.0, 0)
    assert read == pytest.approx(
        float(step_s(small, placed(), real, np.array([float(rows)]), np.array([16.0]), 1050)[0])
    )


def test_more_context_costs_its_bytes(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    times = step_times(small, placed(bf16_flops_per_s=1e30), ideal, LENGTHS, np.array([4.0]))[0]
    longer = times.step_s(4, 8000, 0, 0.0, 0) - times.step_s(4, 4000, 0, 0.0, 0)
    assert longer == pytest.approx(4000 * 2 * 500 * 2 / 1e12, rel=1e-6)  # two layers, 500 values of 2 bytes, 1 TB/s


def test_ranks_share_the_rows(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # Eight sequences over two attention ranks: each rank sees four.
    real = replace(ideal, host_step_s=1e-3)
    times = step_times(small, placed(dp=2), real, LENGTHS, np.array([8.0]))[0]
    whole = step_s(small, placed(dp=2), real, np.array([8.0]), np.array([8.0]), np.array([1050.0]))
    assert times.step_s(4, 4 * 1050, 0, 0.0, 0) == pytest.approx(float(whole[0]))


def test_prompts_cost_their_launch_and_decoding_does_not(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    """A table by rows alone would take sequences beyond the usual ones for prompts."""
    real = replace(ideal, host_step_s=1e-3, prompt_layer_s=1.0)
    times = step_times(small, placed(), real, LENGTHS, np.array([4.0]))[0]
    assert times.step_s(64, 64 * 1050, 0, 0.0, 0) < 0.5
    assert times.step_s(64, 64 * 1050, 1, 0.0, 1) == pytest.approx(1.0 * small.layers)
    run = simulate_open(times, [0.0], [10], [3], 8, 64, 1e6)
    assert run.ttft_s[0] == pytest.approx(1.0 * small.layers)
    assert run.tpot_s[0] < 0.5


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_stages_share_the_sequences(small: LlmShape, placed: Placed, ideal: Efficiency, stages: int) -> None:
    """A step has one micro-batch's attention in it: exact at any context, not at the mean one alone."""
    real, place = replace(ideal, host_step_s=1e-3), placed(pp=stages)
    times = step_times(small, place, real, LENGTHS, np.array([64.0]))[0]
    for sequences in (8, 64):
        for context in (100.0, 1050.0, 5000.0):
            whole = step_s(small, place, real, np.array([float(sequences)]), np.array([float(sequences)]), context)
            assert times.step_s(sequences, sequences * context, 0, 0.0, 0) == pytest.approx(float(whole[0]))
