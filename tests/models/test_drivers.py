"""Differences split without a remainder."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.models.drivers import orders, product_parts, shared_parts

POSITIVE = st.floats(1e-3, 1e6)


@settings(max_examples=60)
@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=5))
def test_factors_add_up_to_the_difference(pairs: list[tuple[float, float]]) -> None:
    before, after = np.array(pairs).T
    whole = np.prod(after) - np.prod(before)
    assert product_parts(before, after).sum() == pytest.approx(whole, rel=1e-7, abs=1e-9 * np.prod(before))


def test_a_factor_that_stays_has_no_part() -> None:
    assert product_parts([2, 3, 5], [2, 6, 5]).tolist() == pytest.approx([0, 30, 0])
    assert product_parts([2, 3], [2, 3]).tolist() == [0, 0]


def test_shares_by_hand() -> None:
    """v() = 10, a alone 20, b alone 30, both 60: a adds 10 first and 30 last, b 20 and 40."""
    values = {frozenset(): 10.0, frozenset({0}): 20.0, frozenset({1}): 30.0, frozenset({0, 1}): 60.0}
    assert shared_parts(2, values.__getitem__) == [20.0, 30.0]


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_shares_add_up_whatever_the_outcome(changes: int, seed: int) -> None:
    def value(done: frozenset[int]) -> float:
        return float(np.random.default_rng([seed, *sorted(done)]).uniform(0, 1e5))

    parts = shared_parts(changes, value)
    assert parts is not None
    assert math.fsum(parts) == pytest.approx(value(frozenset(range(changes))) - value(frozenset()), abs=1e-6)


def test_orders_through_a_missing_outcome_are_left_out() -> None:
    """Only the order 1, 0 has an outcome at every step."""
    values = {frozenset(): 1.0, frozenset({0}): None, frozenset({1}): 4.0, frozenset({0, 1}): 9.0}
    assert shared_parts(2, values.__getitem__) == [5.0, 3.0]
    values[frozenset({1})] = None
    assert shared_parts(2, values.__getitem__) is None


def test_many_changes_take_two_orders() -> None:
    assert len(orders(3)) == 6 and len(orders(9)) == 2
