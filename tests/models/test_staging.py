"""Staged purchases, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import WorkloadError
from planner.models.staging import Kind, Market, schedule

FLAT = Market(0.0, 0.0, 0.0)
KIND = Kind(
    load=1.0, payment_usd_per_month=50, running_usd_per_month=10, rent_usd_per_month=100,
    from_month=0, life_months=36, delivery_months=0,
)  # fmt: skip


def test_what_is_cheaper_to_own_is_owned() -> None:
    """Three blocks, 60 a month owned against 100 rented, a year."""
    found = schedule([KIND], np.full(12, 2.5), FLAT)
    assert found is not None
    assert found.ordered.sum() == 3 and found.rented.sum() == 0 and found.npv_usd == pytest.approx(3 * 60 * 12)


def test_delivery_is_bridged_by_rent() -> None:
    """Six months of delivery: six months rented at 100, six owned at 60."""
    found = schedule([replace(KIND, delivery_months=6)], np.ones(12), FLAT)
    assert found is not None
    assert found.rented[0].tolist() == [1] * 6 + [0] * 6 and found.ordered[0, 0] == 1
    assert found.npv_usd == pytest.approx(600 + 360)


def test_growth_is_bought_in_stages() -> None:
    """Ordering all at once pays for a block that idles for half the time."""
    demand = np.r_[np.ones(6), np.full(6, 2.0)]
    dear = replace(KIND, rent_usd_per_month=120)
    found = schedule([dear], demand, FLAT)
    once = schedule([dear], demand, FLAT, np.arange(12)[None, :] == 0)
    assert found is not None and once is not None
    assert found.npv_usd == pytest.approx(6 * 60 + 6 * 120)
    assert once.npv_usd == pytest.approx(found.npv_usd + 6 * 50)  # what idles is paid, but does not run


def test_the_later_kind_is_waited_for_or_not() -> None:
    """A fifth of the price from month 6 on: worth waiting; from month 11 on: not."""
    new = replace(KIND, payment_usd_per_month=6, running_usd_per_month=5, from_month=6)
    waits = schedule([KIND, new], np.ones(12), FLAT)
    assert waits is not None and waits.ordered[1].sum() == 1
    assert waits.npv_usd == pytest.approx(6 * 100 + 6 * 11)  # 666, where owning from the start takes 720
    stays = schedule([KIND, replace(new, from_month=11)], np.ones(12), FLAT)
    assert stays is not None and stays.ordered[1].sum() == 0 and stays.npv_usd == pytest.approx(12 * 60)


def test_what_is_worn_out_is_replaced() -> None:
    found = schedule([replace(KIND, life_months=4)], np.ones(12), FLAT)
    assert found is not None and found.ordered[0].sum() == 3
    assert np.flatnonzero(found.ordered[0]).tolist() == [0, 4, 8]


def test_prices_and_money_move() -> None:
    """A single month, a year ahead: rent 100 x 1.2, discounted at 10 %."""
    demand = np.r_[np.zeros(12), 1.0]
    found = schedule([replace(KIND, payment_usd_per_month=None)], demand, Market(0.0, 0.2, 0.1))
    assert found is not None and found.npv_usd == pytest.approx(100 * 1.2 / 1.1)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=10), st.integers(0, 4))
def test_more_freedom_never_costs_more(demand: list[int], delivery: int) -> None:
    kinds = [replace(KIND, delivery_months=delivery)]
    load = np.array(demand, float)
    free = schedule(kinds, load, FLAT)
    rented = schedule(kinds, load, FLAT, np.zeros((1, len(demand)), bool))
    assert free is not None and rented is not None
    assert free.npv_usd <= rented.npv_usd + 1e-6
    assert ((free.running + free.rented).sum(axis=0) >= load).all()


def test_what_cannot_be_carried_has_no_schedule() -> None:
    bought_late = replace(KIND, rent_usd_per_month=None, delivery_months=3)
    assert schedule([bought_late], np.ones(6), FLAT) is None
    assert schedule([replace(bought_late, payment_usd_per_month=None)], np.ones(6), FLAT) is None


@pytest.mark.parametrize(
    ("demand", "market"),
    [
        (np.zeros(0), FLAT),
        (np.array([-1.0]), FLAT),
        (np.array([np.nan]), FLAT),
        (np.ones(3), Market(0, 0, 1.0)),
        (np.ones(3), Market(-1.0, 0, 0)),
        (np.ones(3), Market(0, -2.0, 0)),
    ],
)
def test_nonsense_is_refused(demand: np.ndarray, market: Market) -> None:
    with pytest.raises(WorkloadError, match="horizon"):
        schedule([KIND], demand, market)
