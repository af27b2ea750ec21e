"""Money by hand, and identities that any interest rate keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import finance

COSTS = st.floats(1, 1e9)
RATES = st.floats(0.001, 0.5)
YEARS = st.integers(1, 12)


def test_annuity_of_a_server() -> None:
    # 60,000 in four years are worth 60,000 / 1.08^4 = 44,101.79 today. The rest, 255,898.21, costs
    # 0.08 / (1 - 1.08^-4) = 0.301921 of itself a year.
    assert float(finance.annuity_usd(300_000, 60_000, 4, 0.08)) == pytest.approx(77_261, abs=0.5)


def test_straight_line_without_interest() -> None:
    assert float(finance.annuity_usd(300_000, 60_000, 4, 0)) == 60_000
    for almost_none in (1e-6, 1e-9, 1e-15, 1e-300):
        assert float(finance.annuity_usd(300_000, 60_000, 4, almost_none)) == pytest.approx(60_000, rel=1e-5)


@given(cost=COSTS, residual_share=st.floats(0, 1), years=YEARS, rate=RATES)
def test_annuities_and_residual_repay_the_purchase(cost: float, residual_share: float, years: int, rate: float) -> None:
    yearly = float(finance.annuity_usd(cost, residual_share * cost, years, rate))
    paid = sum(yearly / (1 + rate) ** year for year in range(1, years + 1))
    assert paid + residual_share * cost / (1 + rate) ** years == pytest.approx(cost)


def test_present_value_of_rent() -> None:
    # 100 a month for a year at 12.68 % a year, which is 1 % a month: 100 x (1 - 1.01^-12) / 0.01
    rate = 1.01**12 - 1
    assert float(finance.npv_usd(0, 100, 1, rate)) == pytest.approx(1125.51, abs=0.005)
    assert float(finance.npv_usd(500, 100, 1, 0)) == 1700


@given(cost=COSTS, years=YEARS, rate=RATES)
def test_a_loan_is_worth_its_principal(cost: float, years: int, rate: float) -> None:
    monthly_rate = (1 + rate) ** (1 / 12) - 1
    payment = cost * monthly_rate / (1 - (1 + rate) ** -years)
    assert float(finance.npv_usd(0, payment, years, rate)) == pytest.approx(cost)


def test_a_month_of_energy_and_space() -> None:
    # 10 kW x 730.5 h x 0.08 USD/kWh; 10 kW x 184 USD
    assert float(finance.energy_usd_per_month(10_000, 0.08)) == pytest.approx(584.40)
    assert float(finance.colocation_usd_per_month(10_000, 184)) == pytest.approx(1840)


def test_cost_of_a_million_tokens() -> None:
    # 1,000 token/s x 2,629,800 s a month = 2,629.8 million tokens
    assert float(finance.usd_per_million_tokens(26_298, 1000)) == pytest.approx(10)


def test_arrays_give_what_scalars_give() -> None:
    costs = np.array([1e3, 1e6])
    for function in (finance.annuity_usd, finance.npv_usd):
        together = function(costs, 10.0, 3, 0.08)
        assert together.tolist() == [float(function(cost, 10.0, 3, 0.08)) for cost in costs]
