"""From steps to latencies: balances that any replica keeps, and a queue that can be worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import serving
from planner.models.layouts import as_columns, take
from planner.models.operators import Efficiency, Placement
from planner.models.serving import Lengths, Point
from planner.models.shape import LlmShape

Placed = Callable[..., Placement]
BUDGET = np.array([8192.0])
EVEN = Lengths(1000, 100, 0.0, 1.0, 0.0)


def queue(utilisation: float, prompt_s: float = 1.0) -> Point:
    """A replica whose prompts take `prompt_s` and keep it busy for a share of the time."""
    one = np.ones(1)
    return Point(one, 0 * one, prompt_s * one, prompt_s * one, one, utilisation / prompt_s * one)


def test_lengths() -> None:
    hit = Lengths(1000, 100, 0.0, 1.0, 0.6)
    assert (hit.new_tokens, hit.cached_tokens) == (400, 600)
    assert (hit.mean_context_tokens, hit.final_context_tokens) == (1050, 1100)
    assert replace(hit, prefix_hit_rate=0.9999).new_tokens == 1  # the last token is always computed


def test_running_sequences_end_at_their_rate(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    point = serving.operate(small, placed(), ideal, EVEN, np.array([8.0]), BUDGET)
    # Little: sequences = rate x 100 tokens x time per token
    assert float(point.rate_per_s[0] * 100 * point.tpot_s[0]) == pytest.approx(8)
    assert float(point.tpot_s[0]) > float(point.decode_s[0])  # prompts get in the way


def test_a_prompt_beside_one_sequence_by_hand(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    point = serving.operate(small, placed(bandwidth_bytes_per_s=1e30), ideal, EVEN, np.ones(1), BUDGET)
    # 1,001 rows x 2 x 10 M, the head (2 x 1 M) and the cache (2 layers x 1,050 x 4,000) for two tokens, and the
    # prompt's own attention: 2 layers x 1,000 tokens x 500 before each x 4,000. All over 1 PFLOP/s.
    flops = 1001 * 20e6 + 2 * 2e6 + 2 * 8.4e6 + 4e9
    assert float(point.prompt_s[0]) == pytest.approx(flops / 1e15, rel=1e-6)


def test_a_step_has_at_least_one_sequence(sparse: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # Running a tenth of the time, it still reads two experts in each layer whenever it runs, not a fifth of one.
    tenth, one = (
        serving.operate(sparse, placed(), ideal, EVEN, np.array([running]), BUDGET).decode_s for running in (0.1, 1.0)
    )
    assert float(tenth[0]) == pytest.approx(float(one[0]))


def test_a_long_prompt_needs_several_steps(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    slow_steps = replace(ideal, host_step_s=1.0)
    lengths = Lengths(10_000, 100, 0.0, 1.0, 0.0)
    point = serving.operate(small, placed(), slow_steps, lengths, np.ones(1), np.array([1001.0]))
    assert float(point.prompt_s[0]) == pytest.approx(10, rel=1e-3)  # ten chunks of 1,000 beside one decoding row


def test_mean_wait_is_pollaczek_khinchine(ideal: Efficiency) -> None:
    # Half busy with 1 s prompts of one length: 0.5 x 1 / (2 x 0.5) = 0.5 s; twice that where lengths scatter (cv 1)
    assert float(serving.mean_ttft_s(queue(0.5), ideal, EVEN)[0]) == pytest.approx(0.5 + 1)
    assert float(serving.mean_ttft_s(queue(0.5), ideal, replace(EVEN, input_cv=1.0))[0]) == pytest.approx(1 + 1)
    assert float(serving.mean_ttft_s(queue(0.0), ideal, EVEN)[0]) == pytest.approx(1)


def test_tail_of_the_wait(ideal: Efficiency) -> None:
    # Exponential with the mean of those who wait (1 s), which half of all do: ln(100 x 0.5) = 3.91 s, and own 1 s
    assert float(serving.p99_ttft_s(queue(0.5), ideal, EVEN)[0]) == pytest.approx(np.log(50) + 1)
    # At 1 % busy only the last percent waits at all.
    assert float(serving.p99_ttft_s(queue(0.01), ideal, EVEN)[0]) == pytest.approx(1, abs=0.01)


def test_a_long_prompt_is_late_even_alone(ideal: Efficiency) -> None:
    # p99 prompt 3.6 times the mean: 1 + 2.6
    assert float(serving.p99_ttft_s(queue(0.0), ideal, replace(EVEN, input_p99_ratio=3.6))[0]) == pytest.approx(3.6)


@given(
    busy=st.floats(0, 1.5),
    cv=st.floats(0, 5),
    ratio=st.floats(1, 50),
    prompt_s=st.floats(1e-4, 100),
)
def test_p99_is_not_below_the_mean(ideal: Efficiency, busy: float, cv: float, ratio: float, prompt_s: float) -> None:
    lengths = replace(EVEN, input_cv=cv, input_p99_ratio=ratio)
    point = queue(busy, prompt_s)
    assert serving.p99_ttft_s(point, ideal, lengths)[0] >= serving.mean_ttft_s(point, ideal, lengths)[0]


def test_a_crowd_of_a_hundred() -> None:
    assert float(serving.crowded(np.array(100.0))) == pytest.approx(123.26, abs=0.01)  # 100 + 2.326 x 10


@given(
    batches=st.lists(st.floats(0, 2000), min_size=2, max_size=6),
    tokens=st.tuples(st.integers(1, 20_000), st.integers(1, 4000)),
    sizes=st.tuples(*[st.sampled_from([1, 2, 8])] * 3),
    imbalance=st.floats(0, 2),
    prompt_s=st.floats(0, 1e-2),
)
def test_tpot_never_falls_with_the_load(
    sparse: LlmShape,
    placed: Placed,
    ideal: Efficiency,
    batches: list[float],
    tokens: tuple[int, int],
    sizes: tuple[int, int, int],
    imbalance: float,
    prompt_s: float,
) -> None:
    """What bounds the running sequences at a rate: B = rate x output x TPOT(B)."""
    tp, dp, pp = sizes
    eff = replace(ideal, moe_imbalance=imbalance, prompt_layer_s=prompt_s, host_sequence_s=1e-6, gemm_extra_rows=16.0)
    place = placed(tp=tp, dp=dp, pp=pp, ep=tp * dp)
    server = serving.server(sparse, place, eff, Lengths(*tokens, 0.0, 1.0, 0.0), BUDGET)
    tpot_s = server.at(np.sort(np.array(batches))).tpot_s
    assert (np.diff(tpot_s) >= -1e-12 * tpot_s[1:]).all()


def test_a_server_of_some_layouts_is_some_of_a_server(sparse: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    lengths = Lengths(np.array([1000.0, 10.0, 3000.0]), 100, 0.0, 1.0, 0.0)
    place = replace(take(placed(), np.zeros(3, np.int64)), tp=np.array([1.0, 2.0, 4.0]))
    server, batches = serving.server(sparse, place, ideal, lengths, np.repeat(BUDGET, 3)), np.array([3.0, 5.0, 7.0])
    rows = np.array([2, 0])
    whole, some = server.at(batches), take(server, rows).at(batches[rows])
    assert some.tpot_s.tolist() == whole.tpot_s[rows].tolist()
    wide = as_columns(server).at(batches[None, :])
    assert np.diagonal(wide.rate_per_s).tolist() == whole.rate_per_s.tolist()
