"""Cash by hand, as identities, and against numpy-financial."""

from __future__ import annotations

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import cash, finance

COSTS = st.floats(1e3, 1e9)
RATES = st.floats(0.001, 0.6)
MONTHS = st.integers(1, 120)


@given(cost=COSTS, residual_share=st.floats(0, 1), monthly=st.floats(0, 1e7), months=MONTHS, rate=RATES)
def test_present_value_is_that_of_numpy_financial(
    cost: float, residual_share: float, monthly: float, months: int, rate: float
) -> None:
    paid = cash.payments_usd(cost, residual_share * cost, monthly, months / 12)
    monthly_rate = (1 + rate) ** (1 / 12) - 1
    assert cash.present_usd(paid, rate) == pytest.approx(float(npf.npv(monthly_rate, paid)), rel=1e-9)


@given(cost=COSTS, residual_share=st.floats(0, 1), years=st.integers(1, 12), rate=RATES)
def test_annuity_is_that_of_numpy_financial(cost: float, residual_share: float, years: int, rate: float) -> None:
    ours = float(finance.annuity_usd(cost, residual_share * cost, years, rate))
    assert ours == pytest.approx(-float(npf.pmt(rate, years, cost, -residual_share * cost)), rel=1e-9, abs=1e-6)


def test_an_annuity_is_worth_the_purchase_less_its_residual() -> None:
    # METHODS: C = 300,000, S = 60,000, n = 4, r = 8 %: 77,261 a year; today C - S/1.08^4 = 255,898.21
    yearly = float(finance.annuity_usd(300_000, 60_000, 4, 0.08))
    assert yearly == pytest.approx(77_261, abs=0.5)
    assert sum(yearly / 1.08**y for y in range(1, 5)) == pytest.approx(255_898.21, abs=0.01)


def test_a_purchase_overtakes_rent() -> None:
    # 600 and 10 a month against 30 a month: even after 30 months; never within 24.
    own, rent = cash.payments_usd(600, 0, 10, 4), cash.payments_usd(0, 0, 30, 4)
    assert cash.crossover_month(own, rent) == pytest.approx(30)
    assert cash.crossover_month(own[:25], rent[:25]) is None
    assert cash.crossover_month(rent, own) == 0


@given(cost=COSTS, share=st.floats(0, 1), months=MONTHS, method=st.sampled_from(["straight_line", "declining_balance"]))
def test_the_books_write_off_cost_less_residual(cost: float, share: float, months: int, method: str) -> None:
    parts = cash.write_off_usd(cost, share * cost, months, method)
    assert len(parts) == months and (parts >= -1e-9 * cost).all()
    assert parts.sum() == pytest.approx((1 - share) * cost, rel=1e-9, abs=1e-6)


def test_accelerated_write_off_comes_earlier() -> None:
    slow, fast = (cash.write_off_usd(1200, 0, 12, m) for m in ("straight_line", "declining_balance"))
    assert fast[0] == pytest.approx(200) and slow[0] == 100  # 2 x 1,200 / 12
    assert (np.cumsum(fast) >= np.cumsum(slow) - 1e-9).all()


def test_tax_saves_its_share_of_costs_and_write_offs() -> None:
    # 20 % of (10 a month + 1,200 / 12)
    assert cash.tax_shield_usd(1200, 0, 10, 1, 0.2, "straight_line").tolist() == [0, *[22.0] * 12]
