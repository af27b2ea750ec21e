"""Unit costs by hand: the parts are the whole, and the break-even is where both ways cost the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import unit_cost
from planner.models.unit_cost import Tokens
from planner.units import SECONDS_PER_MONTH

POSITIVE = st.floats(1e-3, 1e6)


@given(month=POSITIVE, rate=POSITIVE, share=st.floats(0, 1), tokens_in=st.floats(1, 1e5), tokens_out=st.floats(1, 1e5))
def test_input_and_output_share_the_request(
    month: float, rate: float, share: float, tokens_in: float, tokens_out: float
) -> None:
    tokens = Tokens(tokens_in, tokens_out, share)
    request, output, of_input, of_output = unit_cost.unit_costs_usd(month, rate, tokens)
    assert (of_input * tokens_in + of_output * tokens_out) / 1e6 == pytest.approx(request)
    assert output * tokens_out / 1e6 == pytest.approx(request)


def test_a_tenth_of_the_load_costs_ten_times_as_much() -> None:
    tokens = Tokens(2000, 1000, 0.3)
    full, tenth = (unit_cost.unit_costs_usd(1e4, rate, tokens)[0] for rate in (10.0, 1.0))
    assert tenth == pytest.approx(10 * full)


@given(month=POSITIVE, price=st.floats(1e-6, 10))
def test_both_cost_the_same_at_the_break_even(month: float, price: float) -> None:
    rate = unit_cost.break_even_per_s(month, price, 0.0, np.inf)
    assert rate is not None and rate * price * SECONDS_PER_MONTH == pytest.approx(month)


def test_no_break_even_beyond_what_the_fleet_holds() -> None:
    assert unit_cost.break_even_per_s(26_298, 0.01, 0.0, 0.9) is None
    assert unit_cost.break_even_per_s(26_298, 0.01, 0.02, 10.0) is None  # each request costs the owner more


def test_peak_prices_weigh_with_the_load_that_meets_them() -> None:
    # Twice the price for 4 hours a day: a constant load pays 4/24 more, a load that is all there pays double.
    hours = np.arange(24.0)
    prices = np.where(unit_cost.in_window(hours, 1.0, 5.0), 2.0, 1.0)
    assert unit_cost.load_weighted(prices, np.ones(24)) == pytest.approx(1 + 4 / 24)
    assert unit_cost.load_weighted(prices, (hours == 2).astype(float)) == 2.0
