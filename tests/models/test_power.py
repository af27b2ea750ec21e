"""Watts by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import power
from planner.models.operators import Efficiency, Placement
from planner.models.power import Activity, Draw
from planner.models.serving import Lengths, Point
from planner.models.shape import LlmShape

ROUND = Draw(limit=1, awake=0.2, busy=0.1, joules_per_byte=3e-11, compute=1, experts=0.5, rank_loss=0.5, most_ranks=5)
SHARE = st.floats(0, 1)


def does(busy: float = 0, bytes_per_s: float = 0, compute: float = 0, experts: float = 0, ranks: float = 1) -> Activity:
    return Activity(*(np.array(float(x)) for x in (1, busy, bytes_per_s, compute, experts, ranks)))


@pytest.mark.parametrize(
    ("activity", "watts"),
    [
        (does(), 200),  # 100 + 500 x 0.2: clocks up, nothing runs
        (does(busy=0.5), 225),  # + 500 x 0.1 x 0.5
        (does(bytes_per_s=2e12), 260),  # + 2 TB/s x 30 pJ/B
        (does(compute=0.25), 325),  # + 500 x 0.25
        (does(experts=0.4), 300),  # + 500 x 0.5 x 0.4
        (does(compute=0.25, ranks=3), 200 + 125 / np.e),  # two further ranks lose one e-fold of the work
        (does(compute=0.25, ranks=5), 200 + 125 / np.e**2),
        (does(compute=0.25, ranks=64), 200 + 125 / np.e**2),  # beyond what was measured: no more
    ],
)
def test_each_kind_of_work_adds_its_own(activity: Activity, watts: float) -> None:
    # The cap takes less than 0.1 W at half of the limit.
    assert float(power.gpu_power_w(100, 600, activity, ROUND)) == pytest.approx(watts, abs=0.1)


def test_the_board_limit_caps() -> None:
    # A demand of the whole span, 0.2 + 0.8: 2^(1/12) below the limit. Three times that: at it.
    assert float(power.gpu_power_w(100, 600, does(compute=0.8), ROUND)) == pytest.approx(100 + 500 / 2 ** (1 / 12))
    hard = Draw(limit=0.9, awake=1, busy=1, joules_per_byte=0, compute=1, experts=0, rank_loss=0, most_ranks=8)
    found = float(power.gpu_power_w(100, 600, does(1, 0, 1), hard))
    assert 539.99 < found <= 540  # 90 % of 600 W


@given(low=st.tuples(SHARE, SHARE, SHARE, SHARE), more=st.tuples(SHARE, SHARE, SHARE, SHARE), ranks=st.integers(1, 64))
def test_more_work_never_draws_less_and_stays_between_idle_and_limit(
    low: tuple[float, ...], more: tuple[float, ...], ranks: int
) -> None:
    scale = (1, 8e12, 1, 1)
    less, much = ([(a + k * b) * s for a, b, s in zip(low, more, scale, strict=True)] for k in (0, 1))
    before, after = (float(power.gpu_power_w(73, 700, does(*x, ranks), ROUND)) for x in (less, much))
    assert 73 < before <= after <= 700


@given(work=st.tuples(SHARE, SHARE), ranks=st.integers(1, 32))
def test_waiting_for_more_ranks_never_draws_more(work: tuple[float, float], ranks: int) -> None:
    one, more = (power.gpu_power_w(73, 700, does(work[0], 0, work[1], 0, n), ROUND) for n in (ranks, ranks + 1))
    assert one >= more


def test_activity_of_a_perfect_step(small: LlmShape, ideal: Efficiency, placed: Callable[..., Placement]) -> None:
    """Ten sequences that step every millisecond: weights of 22 MB and no cache read 22 GB/s."""
    one = np.ones(1)
    point = Point(10 * one, 1e-3 * one, 0 * one, 0 * one, 1e-3 * one, 100 * one)
    found = power.activity(small, placed(), ideal, Lengths(1.0, 100.0, 0.0, 1.0, 0.0), point)
    # 10 M parameters and a head of 1 M, in 16 bit: 22 MB; 10 sequences hold 51 tokens of 2 x 500 x 2 bytes each.
    assert found.bytes_per_s[0] == pytest.approx((22e6 + 10 * 51 * 2 * 500 * 2) / 1e-3)
    # 22 µs for the weights and 1 µs for the caches at 1 TB/s; the arithmetic of so few rows hides behind them.
    assert found.busy[0] == pytest.approx(0.023, rel=0.05)
    assert found.experts[0] == 0
    # 100 requests/s of 101 tokens, 2 x 11 MFLOP and little attention each, of 1 PFLOP/s.
    assert found.compute[0] == pytest.approx(100 * 101 * 22e6 / 1e15, rel=0.05)


def test_a_slower_step_of_the_same_work_leaves_the_chip_idler(
    sparse: LlmShape, ideal: Efficiency, placed: Callable[..., Placement]
) -> None:
    one, lengths = np.ones(1), Lengths(100.0, 100.0, 0.0, 1.0, 0.0)
    fast, slow = (
        power.activity(sparse, placed(), ideal, lengths, Point(8 * one, s, 0 * one, 0 * one, s, 8 / (100 * s)))
        for s in (1e-3 * one, 2e-3 * one)
    )
    assert slow.busy[0] == pytest.approx(fast.busy[0] / 2)
    assert 0 < slow.experts[0] == pytest.approx(fast.experts[0] / 2)
    assert slow.bytes_per_s[0] == pytest.approx(fast.bytes_per_s[0] / 2)


def test_a_lone_user_takes_turns_between_prompt_answer_and_nothing(
    small: LlmShape, ideal: Efficiency, placed: Callable[..., Placement]
) -> None:
    """One request in two seconds: half a second of prompt, half a second of decoding, one second of nothing."""
    one, lengths = np.ones(1), Lengths(100.0, 100.0, 0.0, 1.0, 0.0)
    point = Point(0.25 * one, 5e-3 * one, 0.5 * one, 0.5 * one, 5e-3 * one, 0.5 * one)
    found = power.activity(small, placed(), ideal, lengths, point)
    assert found.serving[0] == 0.5
    # While it serves, one request a second: 100 steps that each read 22 MB and a cache of 150 tokens.
    assert found.bytes_per_s[0] == pytest.approx(100 * (22e6 + 150 * 2 * 500 * 2))
    asleep = Activity(0 * one, *(one for _ in range(5)))
    assert float(power.gpu_power_w(100, 600, asleep, ROUND)[0]) == 100


def test_server_and_meter() -> None:
    # 8 x (700 + 320) W, times a PUE of 1.25
    node = power.node_power_w(700, 8, 320)
    assert float(node) == 8160
    assert float(power.facility_power_w(node, 1.25)) == 10_200


def test_unknown_board_limit_stays_unknown() -> None:
    found = power.gpu_power_w([73, np.nan], [700, np.nan], does(0.5), ROUND)
    assert np.isnan(found).tolist() == [False, True]
