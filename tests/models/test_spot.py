"""Spot capacity by hand, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import WorkloadError
from planner.models.availability import at_least_correlated
from planner.models.spot import (
    ROUNDED,
    beta_parameters,
    firm_base,
    interruptions_per_hour,
    mix_availability,
    recomputed,
    served_hour_usd,
    spot_ready,
    zones_up,
)

SHARE, CORRELATION = st.floats(0.05, 0.98), st.floats(0.0, 0.9)


def test_zones_agree_with_the_beta_binomial_of_availability() -> None:
    chances = zones_up(4, *beta_parameters(0.6, 0.4))
    for needed in range(5):
        assert chances[needed:].sum() == pytest.approx(at_least_correlated(needed, 4, 0.6, 0.4))


@given(share=SHARE, correlation=CORRELATION, zones=st.integers(1, 9), replicas=st.integers(0, 20))
@settings(max_examples=50)
def test_as_many_are_there_as_the_share_says(share: float, correlation: float, zones: int, replicas: int) -> None:
    chances = spot_ready(replicas, zones, *beta_parameters(share, correlation))
    assert chances.sum() == pytest.approx(1)
    assert chances @ np.arange(replicas + 1) == pytest.approx(replicas * share, rel=1e-4, abs=1e-4)


def test_two_zones_have_the_given_correlation() -> None:
    share, correlation = 0.7, 0.45
    both = zones_up(2, *beta_parameters(share, correlation))[2]
    assert (both - share**2) / (share * (1 - share)) == pytest.approx(correlation)


def test_mix_by_hand() -> None:
    # Two zones, two spot replicas each; one firm of 0.99. Needed 3: both zones, or one zone and the firm one.
    none, one, two = zones_up(2, *beta_parameters(0.8, 0.3))
    assert none + one + two == pytest.approx(1)
    assert mix_availability(3, 1, 4, 2, *beta_parameters(0.8, 0.3), firm_availability=0.99) == pytest.approx(
        two + one * 0.99
    )


@given(share=SHARE, correlation=CORRELATION, needed=st.integers(1, 8), firm=st.integers(0, 8), spot=st.integers(0, 12))
@settings(max_examples=60)
def test_more_replicas_are_never_less_available(
    share: float, correlation: float, needed: int, firm: int, spot: int
) -> None:
    pools = (3, *beta_parameters(share, correlation))
    now = mix_availability(needed, firm, spot, *pools, firm_availability=0.99)
    assert 0 <= now <= 1
    assert mix_availability(needed, firm + 1, spot, *pools, firm_availability=0.99) >= now - 1e-9
    assert mix_availability(needed, firm, spot + 1, *pools, firm_availability=0.99) >= now - 1e-9


@given(
    share=SHARE,
    correlation=CORRELATION,
    needed=st.integers(0, 12),
    extra=st.integers(0, 12),
    target=st.floats(0.3, 0.9999),
)
@settings(max_examples=60)
def test_the_fewest_firm_are_those_that_counting_up_finds(
    share: float, correlation: float, needed: int, extra: int, target: float
) -> None:
    pools = (3, *beta_parameters(share, correlation))
    chances = [mix_availability(needed, n, needed - n + extra, *pools) for n in range(needed + 1)]
    counted = next(n for n, chance in enumerate(chances) if chance >= target - ROUNDED)
    assert firm_base(needed, target, *pools, extra_spot=extra) == counted


def test_chances_that_are_equal_on_paper_do_not_mislead_the_search() -> None:
    pools = (3, *beta_parameters(0.5, 0.5))
    chances = [mix_availability(4, firm, 6 - firm, *pools) for firm in range(5)]
    assert chances == pytest.approx([1 / 2, 1 / 2, 9 / 16, 11 / 16, 1])  # the second is rounded below a half
    assert firm_base(4, 0.5, *pools, extra_spot=2) == 0


def test_a_fleet_of_a_million_is_no_longer_search_than_one_of_ten() -> None:
    # A million steps over vectors as long would not end before the suite gives up.
    assert firm_base(1_000_000, 0.999, 3, *beta_parameters(0.89, 0.45), extra_spot=1_000_000) == 1_000_000


@given(
    share=SHARE, correlation=CORRELATION, needed=st.integers(1, 8), low=st.floats(0.5, 0.99), more=st.floats(0, 0.0099)
)
@settings(max_examples=40)
def test_a_higher_target_never_needs_fewer_firm(
    share: float, correlation: float, needed: int, low: float, more: float
) -> None:
    pools = (3, *beta_parameters(share, correlation))
    below = firm_base(needed, low, *pools, extra_spot=needed, firm_availability=0.999)
    above = firm_base(needed, low + more, *pools, extra_spot=needed, firm_availability=0.999)
    assert below is not None and above is not None
    assert above >= below


def test_all_firm_where_zones_vanish_for_longer_than_the_target_allows() -> None:
    pools = (3, *beta_parameters(0.89, 0.45))
    assert zones_up(*pools)[0] > 0.001
    assert firm_base(6, 0.999, *pools, extra_spot=60) == 6
    assert firm_base(6, 0.999, *pools, extra_spot=6, firm_availability=0.99) == 7  # firm ones fail, too
    assert firm_base(6, 0.9999, *pools, firm_availability=0.5, limit=3) is None


def test_independent_zones_would_need_no_firm_capacity() -> None:
    pools = (3, *beta_parameters(0.97, 0.0))
    assert firm_base(3, 0.999, *pools, extra_spot=6) == 0
    assert firm_base(3, 0.999, 3, *beta_parameters(0.97, 0.5), extra_spot=6) == 3


def test_interruption_within_a_month() -> None:
    assert interruptions_per_hour([0.0, 0.2]).tolist() == pytest.approx([0.0, 0.000305466], rel=1e-4)


def test_drain_by_hand() -> None:
    # 60 s ones end in time; of 300 s ones 180 s of 360 s of work in flight are caught, (300² − 120²)/2 s each.
    found = recomputed([60.0, 300.0], 120.0)
    assert found.share == pytest.approx(180 / 360)
    assert found.lost_s == pytest.approx((300**2 - 120**2) / 2 / 360)
    assert recomputed([60.0, 119.0], 120.0).lost_s == 0
    assert recomputed([60.0], 0.0).share == 1


def test_served_hour_at_no_interruption_is_the_spot_price() -> None:
    assert served_hour_usd(1.2, 4.0, 0.0, 5.0, 0.0) == 1.2


@pytest.mark.parametrize(
    "call",
    [
        lambda: beta_parameters(1.0, 0.3),
        lambda: beta_parameters(0.5, 1.0),
        lambda: zones_up(0, 1.0, 1.0),
        lambda: firm_base(3, 1.0, 3, 1.0, 1.0),
        lambda: interruptions_per_hour(1.0),
        lambda: recomputed([], 120.0),
    ],
)
def test_impossible_questions_are_refused(call: object) -> None:
    with pytest.raises(WorkloadError, match=r"[Gg]ive"):
        call()  # type: ignore[operator]
