"""Two pools by hand, and the balances that they keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import disaggregation
from planner.models.disaggregation import Pool, State
from planner.models.operators import Efficiency, Placement
from planner.models.serving import Lengths
from planner.models.shape import LlmShape

Placed = Callable[..., Placement]
ONE = np.ones(1)
BUDGET = np.array([8192.0])
EVEN = Lengths(1000, 100, 0.0, 1.0, 0.0)


def run(
    shape: LlmShape,
    eff: Efficiency,
    place: Placement,
    users: float,
    most: float = 64.0,
    pools: tuple[float, float] = (1.0, 1.0),
    lengths: Lengths = EVEN,
    sent_s: float = 0.0,
) -> State:
    prefill, decode = Pool(place, pools[0] * ONE), Pool(place, pools[1] * ONE)
    return disaggregation.closed_loop(
        shape, prefill, decode, eff, lengths, users * ONE, most * ONE, BUDGET, sent_s * ONE
    )


def test_a_cache_is_sent_in_as_many_parts_as_both_sides_hold() -> None:
    assert float(disaggregation.transfer_s(1e9, 4, 8, 50e9, 1e-5)) == pytest.approx(0.00501)
    assert float(disaggregation.transfer_s(1e9, 8, 1, 50e9, 0.0)) == pytest.approx(0.02)


def test_a_prompt_by_hand(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # 1,000 rows x 20 MFLOP and the head for one, at 1 PFLOP/s; attention 1,000 x 500 x 2 layers x 4,000 FLOP.
    prompt = disaggregation.prompt_times(small, placed(bandwidth_bytes_per_s=1e30), ideal, EVEN, BUDGET)
    assert float(prompt.alone_s[0]) == pytest.approx((1000 * 20e6 + 2e6 + 4e9) / 1e15, rel=1e-6)
    assert float(prompt.load_s[0]) == pytest.approx(float(prompt.alone_s[0]), rel=1e-6)  # nothing to share


def test_prompts_share_what_a_step_reads(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # Weights dominate: a step of 8,192 tokens takes hardly longer than one of 1,000.
    prompt = disaggregation.prompt_times(small, placed(bandwidth_bytes_per_s=1e9), ideal, EVEN, BUDGET)
    assert float(prompt.load_s[0]) == pytest.approx(float(prompt.alone_s[0]) * 1000 / 8192, rel=0.01)


def test_a_lone_user_waits_for_nobody(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    state = run(small, ideal, placed(), 1, sent_s=0.25)
    assert float(state.queue_s[0]) == pytest.approx(0, abs=1e-12)
    assert float(state.admission_s[0]) == pytest.approx(0, abs=1e-9)
    ttft_s = float(state.ttft_s(ideal)[0])
    assert ttft_s == pytest.approx(float(state.prefill_s[0]) + 0.25 + float(state.decode_s[0]))
    assert float(state.tpot_s[0]) == float(state.decode_s[0])  # no prompt in its way


def test_an_engine_may_work_ahead_of_what_it_sends(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    pool = Pool(placed(), ONE)
    arguments = (small, pool, pool, ideal, EVEN, ONE, 64 * ONE, BUDGET, 0 * ONE)
    at_once, later = (disaggregation.closed_loop(*arguments, steps) for steps in (1.0, 4.0))
    step_s = float(later.decode_s[0])
    assert float((later.ttft_s(ideal) - at_once.ttft_s(ideal))[0]) == pytest.approx(3 * step_s, rel=1e-3)
    assert float(1 / later.rate_per_s[0] - 1 / at_once.rate_per_s[0]) == pytest.approx(3 * step_s, rel=0.01)


def test_the_slower_pool_sets_the_rate(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # Answers of one token: prefill decides; of 10,000: decode.
    short = run(small, ideal, placed(), 5000, most=1e4, lengths=Lengths(1000, 1, 0.0, 1.0, 0.0))
    assert float(short.rate_per_s[0]) == pytest.approx(float(short.prefill_limit_per_s[0]), rel=0.01)
    long = run(small, ideal, placed(), 5000, most=16, lengths=Lengths(1000, 10_000, 0.0, 1.0, 0.0))
    assert float(long.rate_per_s[0]) == pytest.approx(float(long.decode_limit_per_s[0]), rel=0.01)
    assert float(long.admission_s[0]) > 0


@given(
    users=st.floats(1, 5000),
    most=st.floats(1, 500),
    prefill=st.integers(1, 8),
    decode=st.integers(1, 8),
    output=st.integers(1, 5000),
    prompt=st.integers(1, 50_000),
    sent_s=st.floats(0, 1),
)
def test_every_user_is_somewhere(
    small: LlmShape,
    placed: Placed,
    ideal: Efficiency,
    users: float,
    most: float,
    prefill: int,
    decode: int,
    output: int,
    prompt: int,
    sent_s: float,
) -> None:
    lengths = Lengths(prompt, output, 0.0, 1.0, 0.0)
    state = run(small, ideal, placed(), users, most, (prefill, decode), lengths, sent_s)
    waits = state.admission_s + state.queue_s + state.prefill_s + state.transfer_s
    present = float((state.rate_per_s * (waits + output * state.tpot_s))[0])
    assert present == pytest.approx(users, rel=0.01)
    limits = min(float(state.prefill_limit_per_s[0]), float(state.decode_limit_per_s[0]))
    assert float(state.rate_per_s[0]) <= limits * (1 + 1e-6)
    assert float(state.sequences[0]) <= most * (1 + 1e-9)
    wider = run(small, ideal, placed(), users, most, (prefill + 1, decode + 1), lengths, sent_s)
    assert float(wider.rate_per_s[0]) >= float(state.rate_per_s[0]) * (1 - 1e-3)
    slower = run(small, ideal, placed(), users, most, (prefill, decode), lengths, sent_s + 1)
    assert float(slower.rate_per_s[0]) <= float(state.rate_per_s[0]) * (1 + 1e-3)
