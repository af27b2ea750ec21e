"""Times of a step by hand: perfect software on 1 TB/s, 1 PFLOP/s and links of 100 GB/s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import forward, operators, roofline
from planner.models.operators import Efficiency, Placement
from planner.models.shape import LlmShape

Placed = Callable[..., Placement]
ONE = np.ones(1)


def test_smooth_maximum() -> None:
    # Far apart the larger one; where they meet the cube root of 2.
    assert float(operators.smooth_max(np.array(2.0), np.array(0.0))) == 2
    assert float(operators.smooth_max(np.array(1.0), np.array(1.0))) == pytest.approx(2 ** (1 / 3))


@given(a=st.floats(1e-12, 1e3), b=st.floats(1e-12, 1e3))
def test_smooth_maximum_is_never_below_either(a: float, b: float) -> None:
    assert float(operators.smooth_max(np.array(a), np.array(b))) >= max(a, b) * (1 - 1e-12)


def test_one_row_reads_a_matrix_and_many_compute(placed: Placed) -> None:
    # 1e9 parameters x 2 B / 1 TB/s = 2 ms; 2 x 1e9 FLOP a row / 1 PFLOP/s = 2 us: equal at 1,000 rows.
    place, peak = placed(), np.array([1e15])
    rows = np.array([1.0, 1e3, 1e6])
    times = operators.matmul_s(np.array(1e9), rows, 2 * ONE, place, peak, ONE, ONE, 0.0)
    assert times == pytest.approx([2e-3, 2e-3 * 2 ** (1 / 3), 2.0], rel=1e-6)


def test_tiles_cost_rows_only_where_there_is_work(placed: Placed) -> None:
    place, peak = placed(bandwidth_bytes_per_s=1e30), np.array([1e15])
    times = operators.matmul_s(np.array(1e9), np.array([0.0, 50.0]), 2 * ONE, place, peak, ONE, ONE, 50.0)
    assert times == pytest.approx([0.0, 2e-4])  # (50 + 50) x 2 us


@pytest.mark.parametrize(
    ("experts", "per_token", "rows", "expected"),
    [
        (8, 2, 1, 2.0),
        (8, 2, 2, 8 * (1 - 0.75**2)),  # 3.5: the second token meets 1.5 new ones
        (256, 8, 64, 256 * (1 - (31 / 32) ** 64)),  # 222.4
        (256, 8, 1e9, 256.0),
        (8, 8, 3, 8.0),  # every expert for every token
        (8, 2, 0, 0.0),
    ],
)
def test_expected_experts(sparse: LlmShape, experts: int, per_token: int, rows: float, expected: float) -> None:
    shape = replace(sparse, experts=experts, experts_per_token=per_token)
    assert float(operators.touched_experts(shape, np.array(rows))) == pytest.approx(expected)


def test_experts_are_read_as_often_as_touched(sparse: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # 2 tokens touch 3.5 experts in each of 2 layers: 7 M x 2 B / 1 TB/s = 14 us; half of that on two ranks.
    found = operators.experts_s(sparse, placed(tp=[1, 2]), ideal, np.array([2.0]))
    assert found.ravel() == pytest.approx([14e-6, 7e-6], rel=1e-3)


def test_the_busiest_expert_rank_decides(sparse: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # 8 experts on 4 ranks, 16 visits: the busiest computes 1 + sqrt(2 / 16) times the mean of 4 rows.
    uneven = replace(ideal, moe_imbalance=1.0)
    place = placed(tp=4, ep=4, bandwidth_bytes_per_s=1e30)
    found = operators.experts_s(sparse, place, uneven, np.array([8.0]))
    assert float(found[0]) == pytest.approx(2 * 2e6 * 4 * (1 + 0.125**0.5) / 1e15)


def test_a_dense_llm_has_no_experts(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    assert float(operators.experts_s(small, placed(), ideal, ONE)[0]) == 0


def test_decode_attention_reads_the_cache(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # 10 sequences x 1,000 tokens x 2 layers x 500 values x 2 B = 20 MB: 20 us; the arithmetic is 80 ns.
    # tp 4 cannot split 2 key-value heads further than tp 2.
    found = operators.decode_attention_s(small, placed(tp=[1, 2, 4]), ideal, np.array([10.0]), np.array([1000.0]))
    assert found.ravel() == pytest.approx([20e-6, 10e-6, 10e-6], rel=1e-3)


def test_a_sliding_layer_reads_its_window(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # One of two layers stops at 100 of 1,000 tokens: 1,100 instead of 2,000.
    windowed = replace(small, full_layers=1, sliding_layers=1, window_tokens=100)
    found = operators.decode_attention_s(windowed, placed(), ideal, np.array([10.0]), np.array([1000.0]))
    assert float(found[0]) == pytest.approx(11e-6, rel=1e-3)


def test_sparse_attention_reads_the_best_tokens(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    chosen = replace(small, sparse_topk_tokens=100.0)
    found = operators.decode_attention_s(chosen, placed(), ideal, np.array([10.0]), np.array([1000.0]))
    assert float(found[0]) == pytest.approx(2e-6, rel=1e-3)


def test_prompt_attention_is_half_a_square(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # 1,000 tokens see 500 earlier ones on average: 2 layers x 1,000 x 500 x 4,000 FLOP = 4 GFLOP: 4 us.
    alone = operators.prompt_attention_s(small, placed(), ideal, np.array([1000.0]), np.array([0.0]))
    # Behind 500 cached ones they see 1,000: twice that. Two ranks share the heads.
    behind = operators.prompt_attention_s(small, placed(tp=2), ideal, np.array([1000.0]), np.array([500.0]))
    assert float(alone[0]) == pytest.approx(4e-6)
    assert float(behind[0]) == pytest.approx(4e-6)


def test_step_of_one_sequence_is_its_bytes(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # (4 M attention + 6 M FFN + 1 M head) x 2 B = 22 MB, and 1,000 cached tokens x 2,000 B = 2 MB: 24 us.
    place, context = placed(), np.array([1000.0])
    assert float(roofline.decode_bytes_per_gpu(small, place, ONE, context)[0]) == 24e6
    assert float(forward.step_s(small, place, ideal, ONE, ONE, context)[0]) == pytest.approx(24e-6, rel=1e-6)


def test_host_time_comes_on_top(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    slow = replace(ideal, host_layer_s=1e-3, host_step_s=5e-4, host_sequence_s=1e-4)
    found = forward.step_s(small, placed(), slow, ONE, 3 * ONE, np.array([0.0]))
    assert float(found[0]) == pytest.approx(2e-3 + 5e-4 + 3e-4 + 22e-6, rel=1e-3)


def test_streaming_is_a_floor(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    found = forward.step_s(small, placed(stream_sequence_s=1e-3), ideal, ONE, 7 * ONE, np.array([0.0]))
    assert float(found[0]) == pytest.approx(7e-3)


def test_prompts_are_launched_layer_by_layer(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    eager = replace(ideal, prompt_layer_s=1e-3, prompt_latent_layer_s=4e-3)
    sequences, context = 4 * ONE, np.array([0.0])
    decode, mixed = (forward.step_s(small, placed(), eager, rows, sequences, context) for rows in (4 * ONE, 5 * ONE))
    assert float(mixed[0]) == pytest.approx(1e-3 * small.layers)  # a floor, far above the work itself
    assert float(decode[0]) < 1e-3
    latent = forward.step_s(replace(small, latent_attention=True), placed(), eager, 5 * ONE, sequences, context)
    assert float(latent[0]) == pytest.approx(5e-3 * small.layers)


def test_host_time_by_engine_and_precision(sparse: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # 2 layers x 10 us and 2 expert layers x 5 us, half of both with a factor of 0.5
    busy = replace(ideal, host_layer_s=10e-6, host_moe_layer_s=5e-6)
    assert operators.layers_host_s(sparse, placed(), busy) == pytest.approx([30e-6])
    assert operators.layers_host_s(sparse, placed(host_factor=0.5), busy) == pytest.approx([15e-6])


def test_slow_software_takes_longer_everywhere(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    tokens, context = np.array([500.0]), np.array([100.0])
    plain, slow = placed(), placed(time_factor=1.8)
    asked = ((forward.step_s, (tokens, ONE, context)), (operators.prompt_attention_s, (tokens, context)))
    for function, arguments in asked:
        ratio = function(small, slow, ideal, *arguments) / function(small, plain, ideal, *arguments)
        assert float(ratio[0]) == pytest.approx(1.8)


@given(
    sequences=st.floats(1, 4096),
    context=st.floats(1, 1e5),
    tp=st.sampled_from([1, 2, 4, 8]),
    dp=st.sampled_from([1, 2, 4]),
    pp=st.sampled_from([1, 2]),
)
def test_no_step_beats_the_memory_or_the_arithmetic(
    sparse: LlmShape,
    placed: Placed,
    ideal: Efficiency,
    sequences: float,
    context: float,
    tp: int,
    dp: int,
    pp: int,
) -> None:
    place, batch, tokens = placed(tp=tp, dp=dp, pp=pp), np.array([sequences]), np.array([context])
    step_s = float(forward.step_s(sparse, place, ideal, batch, batch, tokens)[0])
    read_s = float(roofline.decode_bytes_per_gpu(sparse, place, batch, tokens)[0]) / 1e12
    compute_s = float(roofline.token_flops_per_gpu(sparse, place, tokens)[0]) * sequences / 1e15
    assert step_s >= read_s * (1 - 1e-9)
    assert step_s >= compute_s * (1 - 1e-9)


def test_flops_of_a_token(sparse: LlmShape, placed: Placed) -> None:
    # 2 x (4 M attention + 2 x 2 M experts + 1 M head) + 100 tokens x 2 layers x 4,000, over 4 accelerators
    place = placed(tp=2, dp=2)
    assert float(roofline.token_flops_per_gpu(sparse, place, np.array([100.0]))[0]) == (18e6 + 0.8e6) / 4


def test_columns_give_what_rows_give(sparse: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    batches, context = np.array([1.0, 7.0, 300.0]), np.array([500.0])
    together = forward.step_s(sparse, placed(), ideal, batches, batches, context)
    apart = [float(forward.step_s(sparse, placed(), ideal, b * ONE, b * ONE, context)[0]) for b in batches]
    assert together.tolist() == apart


def test_a_pipeline_needs_work_for_every_stage(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    """With one sequence the other stages stand still: the bubble is all that they could have done."""
    free = {"stage_latency_s": np.zeros(1), "stage_bytes_per_s": np.full(1, 1e30)}
    place = placed(pp=2)
    staged = replace(place, links=replace(place.links, **free))
    context = np.array([100.0])
    alone = float(forward.step_s(small, placed(), ideal, ONE, ONE, context)[0])
    assert float(forward.step_s(small, staged, ideal, ONE, ONE, context)[0]) == pytest.approx(alone)
    # Two sequences keep both stages busy, each step as long as that of one.
    two = 2 * ONE
    assert float(forward.step_s(small, staged, ideal, two, two, context)[0]) == pytest.approx(alone)


@given(sequences=st.floats(0.5, 500), context=st.floats(0, 1e5), stages=st.sampled_from([2, 4, 8]))
def test_the_bubble_is_never_negative(
    sparse: LlmShape, placed: Placed, ideal: Efficiency, sequences: float, context: float, stages: int
) -> None:
    batch, tokens = np.array([sequences]), np.array([context])
    share = np.maximum(batch / stages, np.minimum(batch, 1.0))
    busy = float(forward.step_s(sparse, placed(), ideal, share, share, tokens)[0])
    found = float(forward.step_s(sparse, placed(pp=stages), ideal, batch, batch, tokens)[0])
    assert found >= busy * (1 - 1e-12)


def test_attention_ranks_wait_for_the_busiest(sparse: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    """One sequence on one of four ranks takes that rank as long as it would take alone; four take no longer."""
    context = np.array([1000.0])
    alone = float(operators.decode_attention_s(sparse, placed(), ideal, ONE, context)[0])
    for sequences in (1.0, 4.0):
        found = operators.decode_attention_s(sparse, placed(dp=4), ideal, np.array([sequences]), context)
        assert float(found[0]) == pytest.approx(alone)
    eight = operators.decode_attention_s(sparse, placed(dp=4), ideal, np.array([8.0]), context)
    assert float(eight[0]) == pytest.approx(2 * alone)


def test_drafts_are_verified_inside_graphs(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    """More rows than sequences are prompts only where they are more than the drafts of these."""
    real = replace(ideal, prompt_layer_s=1.0)
    rows, sequences, context = np.array([32.0]), np.array([8.0]), np.array([1000.0])
    assert forward.step_s(small, placed(), real, rows, sequences, context, queries=4.0)[0] < 0.5
    assert forward.step_s(small, placed(), real, rows + 1, sequences, context, queries=4.0)[0] >= 1.0
