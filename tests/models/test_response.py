"""Curves read off against a layout whose curves are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.models.response import Blend, Curves, Limits, capacity, crossing, percentiles_at

SEQUENCES = np.geomspace(0.01, 1024, 96)
ONE = np.ones(1)


def curves(most: float = 1e4) -> Curves:
    """TPOT of 10 ms and a hundredth more per sequence; TTFT ten times that; a request has a hundred tokens."""
    tpot = 0.010 * (1 + 0.01 * SEQUENCES)
    logs = [np.log(column)[None, :] for column in (SEQUENCES / (100 * tpot), 10 * tpot, tpot)]
    prefill = np.full((1, len(SEQUENCES)), np.log(0.1))
    return Curves(np.log(SEQUENCES), np.log(SEQUENCES), *logs, prefill, np.log(np.array([most])))


def blend(count: int = 1) -> Blend:
    return Blend(np.zeros((1, count), np.int64), np.ones((1, count)))


def test_capacity_is_where_the_promise_breaks() -> None:
    """20 ms a token: at 100 sequences, 100 / (100 x 0.02 s) = 50 requests a second."""
    rate, running = capacity(curves(), blend(), Limits(10, 0.020, None, 0.0), ONE, ONE, 100 * ONE, closed=True)
    assert running[0] == pytest.approx(100, rel=0.01) and rate[0] == pytest.approx(50, rel=0.01)


def test_the_first_token_may_bind_first() -> None:
    """0.15 s, of which 0.03 s is the front end's: tpot 12 ms, at 20 sequences."""
    _, running = capacity(curves(), blend(), Limits(0.15, 0.020, None, 0.03), ONE, ONE, 100 * ONE, closed=True)
    assert running[0] == pytest.approx(20, rel=0.02)


def test_the_whole_answer_and_the_caches_bind_too() -> None:
    whole = Limits(10, 1.0, 110 * 0.015, 0.0)  # ten and a hundred times the tpot of 50 sequences
    _, running = capacity(curves(), blend(), whole, ONE, ONE, 100 * ONE, closed=True)
    assert running[0] == pytest.approx(50, rel=0.02)
    _, held = capacity(curves(most=7.0), blend(), whole, ONE, ONE, 100 * ONE, closed=True)
    assert held[0] == pytest.approx(7, rel=0.01)


def test_a_slower_step_is_a_tighter_promise() -> None:
    """Twice the step time within 20 ms is once within 10: never; 1.25 times is once within 16: 60 sequences."""
    slower = np.array([2.0, 1.25])
    rate, running = capacity(
        curves(), blend(2), Limits(10, 0.020, None, 0.0), slower, np.ones(2), 100 * np.ones(2), True
    )
    assert running[1] == pytest.approx(60, rel=0.01) and rate[1] == pytest.approx(60 / 2.0, rel=0.01)
    assert running[0] < 0.05


def test_percentiles_at_a_load() -> None:
    """50 requests a second keep 100 sequences running, at 20 ms a token."""
    ttft, tpot, held = percentiles_at(curves(), blend(), Limits(1, 1, None, 0.05), ONE, ONE, 50 * ONE, closed=False)
    assert tpot[0] == pytest.approx(0.020, rel=0.01) and ttft[0] == pytest.approx(0.25, rel=0.01) and held[0]
    ttft, tpot, held = percentiles_at(curves(), blend(), Limits(1, 1, None, 0.0), ONE, ONE, 100 * ONE, closed=True)
    assert tpot[0] == pytest.approx(0.020, rel=0.01) and held[0]


def test_a_load_beyond_reach_is_not_held() -> None:
    ttft, tpot, held = percentiles_at(curves(), blend(), Limits(1, 1, None, 0.0), ONE, ONE, 1e4 * ONE, closed=False)
    assert np.isinf([ttft[0], tpot[0]]).all() and not held[0]


def test_lengths_are_blended() -> None:
    """Halfway in logarithms between a layout and one four times as slow: twice as slow."""
    one = curves()
    two = Curves(
        one.sequences, one.crowd,
        np.vstack([one.rate, one.rate - np.log(4)]), np.vstack([one.ttft, one.ttft + np.log(4)]),
        np.vstack([one.tpot, one.tpot + np.log(4)]), np.vstack([one.prefill] * 2), np.repeat(one.most, 2),
    )  # fmt: skip
    half = Blend(np.array([[0], [1]]), np.array([[0.5], [0.5]]))
    blended = percentiles_at(two, half, Limits(1, 1, None, 0.0), ONE, ONE, 20 * ONE, closed=True)
    slow = percentiles_at(one, blend(), Limits(1, 1, None, 0.0), 2 * ONE, ONE, 20 * ONE, closed=True)
    assert blended[1] == pytest.approx(slow[1])


@settings(max_examples=50)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40), st.floats(-6, 6))
def test_crossing_finds_the_last_position_within(steps: list[float], limit: float) -> None:
    table = np.sort(np.array(steps))
    place = crossing(lambda at: table[at], len(table), np.array([limit]))[0]
    if place < 0:
        assert table[0] > limit
    else:
        assert np.interp(place, np.arange(len(table)), table) <= limit + 1e-9
        assert place == len(table) - 1 or table[int(np.floor(place)) + 1] > limit - 1e-9
