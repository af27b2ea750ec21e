"""Failures and repair by hand, against closed forms, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import WorkloadError
from planner.models import availability
from planner.models.failures import (
    birth_death,
    chance_of_at_least,
    outages,
    ready_in_domains,
    series_availability,
    weighted,
)

SHARES = st.floats(0.5, 0.999)


def test_parts_in_series_by_hand() -> None:
    # 8 x 24 / 50,000 + 48 / 100,000 = 0.00432 of down per up
    assert float(series_availability([8, 1], [50_000, 100_000], [24, 48])) == pytest.approx(1 / 1.00432)


def test_series_agrees_with_the_replica_of_the_plan() -> None:
    plain = availability.replica_availability([1, 8, 64], 50_700, 24)
    parts = series_availability([[1], [8], [64]], 50_700, 24)
    assert parts == pytest.approx(plain)


def test_as_many_crews_as_replicas_is_binomial() -> None:
    chances = birth_death(6, 0.02, 0.5, crews=6)
    one = 0.5 / 0.52
    for needed in range(7):
        assert float(chance_of_at_least(chances, needed)) == pytest.approx(availability.at_least(needed, 6, one))


def test_thousands_of_replicas_do_not_overflow() -> None:
    chances = birth_death(4000, 1e-3, 0.5, crews=4000)
    assert chances.sum() == pytest.approx(1)
    assert chances @ np.arange(4001) == pytest.approx(4000 * 0.5 / 0.501)


def test_outages_by_hand() -> None:
    # Both of two needed, one crew: weights 1, 0.2, 0.02; in the best state two fail at 0.1 each.
    found = outages(birth_death(2, 0.1, 1.0, crews=1), 2, 0.1)
    up = 1 / 1.22
    assert found.per_year == pytest.approx(up * 0.2 * 8766)
    assert found.mean_hours == pytest.approx((1 - up) / (up * 0.2))


def test_an_outage_begins_as_often_as_it_ends() -> None:
    chances = birth_death(5, 0.03, 0.4, crews=2)
    falls = outages(chances, 4, 0.03).per_year / 8766
    rises = chances[3] * 2 * 0.4  # two down, both in repair
    assert falls == pytest.approx(rises)


def test_service_that_never_falls_has_no_outage() -> None:
    assert outages(birth_death(3, 0.0, 1.0, crews=1), 3, 0.0).per_year == 0
    assert outages(birth_death(3, 0.1, 1.0, crews=1), 0, 0.1).mean_hours == 0


@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=5), one=SHARES, domain=SHARES)
@settings(max_examples=40)
def test_share_that_fails_does_not_depend_on_the_grouping(sizes: list[int], one: float, domain: float) -> None:
    chances = ready_in_domains(sizes, one, domain)
    assert chances.sum() == pytest.approx(1)
    assert chances @ np.arange(len(chances)) == pytest.approx(sum(sizes) * one * domain)


@given(racks=st.integers(1, 4), each=st.integers(1, 4), one=SHARES, domain=SHARES)
@settings(max_examples=40)
def test_more_replicas_are_never_less_available(racks: int, each: int, one: float, domain: float) -> None:
    fewer = ready_in_domains([each] * racks, one, domain)
    more = ready_in_domains([each + 1] + [each] * (racks - 1), one, domain)
    needed = np.arange(len(fewer) + 1)
    assert (chance_of_at_least(more, needed) >= chance_of_at_least(fewer, needed) - 1e-12).all()


@given(installed=st.integers(0, 8), crews=st.integers(1, 4), needed=st.integers(0, 8))
@settings(max_examples=40)
def test_one_more_with_the_same_crews_is_never_worse(installed: int, crews: int, needed: int) -> None:
    now = chance_of_at_least(birth_death(installed, 0.05, 0.5, crews), needed)
    more = chance_of_at_least(birth_death(installed + 1, 0.05, 0.5, crews), needed)
    assert float(more) >= float(now) - 1e-12


def test_apart_beats_together_where_one_is_enough() -> None:
    together, apart = ready_in_domains([4], 0.99, 0.95), ready_in_domains([1] * 4, 0.99, 0.95)
    assert float(chance_of_at_least(apart, 1)) > float(chance_of_at_least(together, 1))
    assert float(chance_of_at_least(apart, 4)) < float(chance_of_at_least(together, 4))


def test_requests_feel_more_than_time_shows() -> None:
    chances = birth_death(4, 0.05, 0.5, crews=4)
    found = weighted(chances, [10.0, 10.0, 40.0], 10.0)
    assert found.by_requests < found.by_time < found.served + 1e-9
    flat = weighted(chances, [30.0], 10.0)
    assert flat.by_time == flat.by_requests == pytest.approx(float(chance_of_at_least(chances, 3)))


@pytest.mark.parametrize(
    "call",
    [
        lambda: series_availability([1], [0.0], [1]),
        lambda: series_availability([-1], [1.0], [1]),
        lambda: birth_death(2, 0.1, 0.0, 1),
        lambda: birth_death(2, 0.1, 1.0, 0),
        lambda: weighted([1.0], [1.0], 0.0),
        lambda: weighted([1.0], [], 1.0),
    ],
)
def test_impossible_questions_are_refused(call: object) -> None:
    with pytest.raises(WorkloadError, match=r"[Gg]ive|holding"):
        call()  # type: ignore[operator]
