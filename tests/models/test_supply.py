"""The supply programme against the closed screening curve, hand-worked mixes, and its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import WorkloadError
from planner.models.supply import Levels, Options, cheapest, levels, screening_curve, shadow_prices

INFINITE = np.inf


def options(fixed: list[float], variable: list[float], **more: object) -> Options:
    n = len(fixed)
    given_ = Options(
        fixed_usd_per_year=np.array(fixed, float),
        variable_usd_per_hour=np.array(variable, float),
        availability=np.ones(n),
        size=np.ones(n),
        quota=np.full(n, INFINITE),
        firm=np.ones(n, bool),
    )
    return replace(given_, **{k: np.asarray(v) for k, v in more.items()})  # type: ignore[arg-type]


def load(*demand: float, firm: float = 0.0, hours: float = 1.0) -> Levels:
    return levels(np.array(demand), firm * np.array(demand), hours)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), min_size=1, max_size=4),
    st.lists(st.integers(0, 9), min_size=1, max_size=24).filter(any),
)
def test_equals_the_screening_curve(prices: list[tuple[int, int]], demand: list[int]) -> None:
    """Without quotas or firm rules the optimum is known in closed form; whole units reach it too."""
    fixed, variable = (np.array(column, float) for column in zip(*prices, strict=True))
    units = screening_curve(fixed, variable, demand, 1.0)
    slices = np.sort(np.array([(np.array(demand) > s).sum() for s in range(max(demand))]))
    closed = sum(float((fixed + variable * used).min()) for used in slices)
    for whole in (False, True):
        assert cheapest(options(list(fixed), list(variable)), load(*demand), whole).usd_per_year == pytest.approx(
            closed
        )
    assert units.sum() == max(demand)


def test_commit_up_to_the_load_exceeded_for_the_ratio_of_the_prices() -> None:
    """A committed hour at 40 % of on demand: commit what is needed in more than 40 % of the hours."""
    demand = [1] * 20 + [2] * 20 + [3] * 30 + [4] * 30  # 4 is needed in 30 %, 3 in 60 %
    found = cheapest(options([0.4 * 100, 0], [0, 1]), load(*demand))
    assert found.units.tolist() == [3, 1]
    assert found.usd_per_year == pytest.approx(3 * 40 + 30)


def test_the_order_of_hours_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    demand = rng.integers(0, 12, 300)
    ways = options([900, 0, 0], [0.5, 7, 5], firm=[True, True, False], quota=[8, INFINITE, 3])
    one = cheapest(ways, levels(demand, np.ceil(demand / 2), 1.0))
    order = rng.permutation(300)
    other = cheapest(ways, levels(demand[order], np.ceil(demand / 2)[order], 1.0))
    assert one.usd_per_year == pytest.approx(other.usd_per_year)


def test_spot_carries_what_need_not_be_firm() -> None:
    ways = options([0, 0], [10, 4], firm=[True, False])
    found = cheapest(ways, load(10, firm=0.6))
    assert found.served[:, 0].tolist() == [6, 4]
    assert cheapest(ways, load(10, firm=1.0)).served[:, 0].tolist() == [10, 0]


def test_spot_at_the_price_of_on_demand_is_never_bought() -> None:
    """As an hour of Spot costs its start-ups on top, the same price is dearer."""
    from planner.models.spot import served_hour_usd

    spot = served_hour_usd(10.0, 10.0, start_hours=0.1, up_hours=5.0, fallback_share=0.1)
    found = cheapest(options([0, 0], [10, spot], firm=[True, False]), load(1, 5, 9))
    assert found.units.tolist() == [9, 0]


def test_whole_nodes() -> None:
    """Two replicas in a node: five replicas take three nodes."""
    found = cheapest(options([100], [0], size=[2.0]), load(5))
    assert found.units.tolist() == [3] and found.usd_per_year == 300
    assert cheapest(options([100], [0], size=[2.0]), load(5), whole_units=False).usd_per_year == pytest.approx(250)


def test_quota_is_kept_and_its_worth_is_the_difference_of_prices() -> None:
    """Committing costs 50 a year for one hour a year, on demand 20: two of quota, eight committed."""
    ways = options([50, 0], [0, 20], quota=[INFINITE, 2])
    found = cheapest(ways, load(10))
    assert found.units.tolist() == [8, 2] and found.usd_per_year == 440
    worth = shadow_prices(ways, load(10))
    assert worth.quota.tolist() == pytest.approx([0, 30])
    assert worth.peak == pytest.approx(50)


def test_worth_of_the_firm_rule() -> None:
    """One of ten replicas from on demand at 10 to Spot at 4, for five hours."""
    ways = options([0, 0], [10, 4], firm=[True, False])
    worth = shadow_prices(ways, load(10, firm=1.0, hours=5))
    assert worth.firm == pytest.approx(30) and worth.peak == pytest.approx(50)


def test_what_is_partly_available_is_bought_more() -> None:
    assert cheapest(options([10], [0], availability=[0.8]), load(8)).units.tolist() == [10]


def test_more_options_never_cost_more_and_more_load_never_less() -> None:
    few, many = options([500, 0], [0, 3]), options([500, 0, 200], [0, 3, 1])
    curve = load(1, 2, 3, 4, 5, hours=100)
    assert cheapest(many, curve).usd_per_year <= cheapest(few, curve).usd_per_year
    assert cheapest(few, load(2, 3, 4, 5, 6, hours=100)).usd_per_year >= cheapest(few, curve).usd_per_year


def test_many_levels_are_rounded_up() -> None:
    demand = np.random.default_rng(2).uniform(0, 1000, 8760)
    found = levels(demand, 0.5 * demand, 1.0)
    assert len(found.demand) <= 210
    assert found.hours.sum() == pytest.approx(8760)
    assert (found.demand * found.hours).sum() >= demand.sum()


@pytest.mark.parametrize(
    ("ways", "curve", "part"),
    [
        (options([], []), load(1), "no option"),
        (options([1], [1], quota=[3]), load(4), "above all quotas"),
        (options([0, 0], [1, 1], firm=[True, False], quota=[3, INFINITE]), load(4, firm=1.0), "firm load"),
        (options([1], [1], size=[2.0], quota=[1.5]), load(3), "whole units"),
    ],
)
def test_what_cannot_be_carried_is_refused(ways: Options, curve: Levels, part: str) -> None:
    with pytest.raises(WorkloadError, match=part):
        cheapest(ways, curve)


@pytest.mark.parametrize("demand", [[], [0.0], [-1.0, 2.0], [float("nan")]])
def test_a_load_of_nothing_is_refused(demand: list[float]) -> None:
    with pytest.raises(WorkloadError, match="load"):
        levels(demand, demand, 1.0)


def test_a_firm_load_above_the_load_is_refused() -> None:
    with pytest.raises(WorkloadError, match="firm"):
        levels([1.0], [2.0], 1.0)
