"""Chances by hand: binomial, series, and failures that come together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import availability

SHARES = st.floats(0, 1)


def test_accelerators_stand_in_series() -> None:
    # 50,000 accelerator-hours between interruptions: 6,250 h for eight, then 24 h of repair
    assert float(availability.replica_availability(8, 50_000, 24)) == pytest.approx(6250 / 6274)
    ready = availability.replica_availability([1, 8, 64], 50_000, 24)
    assert list(ready) == sorted(ready, reverse=True)


@pytest.mark.parametrize(
    ("needed", "installed", "expected"),
    [
        (1, 1, 0.9),
        (2, 2, 0.81),
        (2, 3, 3 * 0.81 * 0.1 + 0.729),  # 0.972
        (1, 3, 0.999),
        (0, 3, 1.0),
        (4, 3, 0.0),
    ],
)
def test_at_least(needed: int, installed: int, expected: float) -> None:
    assert availability.at_least(needed, installed, 0.9) == pytest.approx(expected)


def test_fewest_spares() -> None:
    # Two of two at 0.99: 0.9801. With one spare 0.999702, with two 0.999996.
    assert availability.spares_for(2, 0.99, 0.98) == 0
    assert availability.spares_for(2, 0.99, 0.999) == 1
    assert availability.spares_for(2, 0.99, 0.9999) == 2
    assert availability.spares_for(2, 0.5, 0.999_999, limit=3) is None


@given(needed=st.integers(1, 3000), share=st.floats(0.5, 0.9999), target=st.floats(0.5, 0.999_999))
def test_spares_and_their_readiness_are_those_of_the_binomial(needed: int, share: float, target: float) -> None:
    (spares,), (ready,) = availability.fewest_spares([needed], [share], target)
    with_them = [availability.at_least(needed, needed + n, share) for n in range(65)]
    near = [n for n, chance in enumerate(with_them) if chance >= target - 1e-9]
    if spares < 0:
        assert with_them[64] < target + 1e-9
    else:
        assert near[0] <= spares and with_them[spares] >= target - 1e-9
    assert ready == pytest.approx(with_them[max(spares, 0)], rel=1e-9)


def test_correlated_failures_by_hand() -> None:
    # Beta(0.9, 0.1): all three down is B(0.9, 3.1) / B(0.9, 0.1) = 0.1 x 1.1 x 2.1 / (1 x 2 x 3) = 0.0385
    assert availability.at_least_correlated(1, 3, 0.9, 0.5) == pytest.approx(1 - 0.1 * 1.1 * 2.1 / 6)


@given(needed=st.integers(0, 8), spares=st.integers(0, 8), share=st.floats(0.01, 0.99))
def test_correlation_spans_independent_to_together(needed: int, spares: int, share: float) -> None:
    together = availability.at_least_correlated(needed, needed + spares, share, 0.9999)
    apart = availability.at_least_correlated(needed, needed + spares, share, 1e-6)
    # One event decides all: as good as one replica (or certain, where none is needed).
    assert together == pytest.approx(share if needed else 1, abs=1e-2)
    assert apart == pytest.approx(availability.at_least(needed, needed + spares, share), abs=1e-4)


@given(needed=st.integers(1, 10), spares=st.integers(0, 6), share=SHARES, more=SHARES)
def test_better_replicas_and_more_spares_never_hurt(needed: int, spares: int, share: float, more: float) -> None:
    ready = availability.at_least(needed, needed + spares, share)
    assert 0 <= ready <= 1 + 1e-12
    assert availability.at_least(needed, needed + spares, min(share + more, 1)) >= ready - 1e-12
    assert availability.at_least(needed, needed + spares + 1, share) >= ready - 1e-12


@pytest.mark.parametrize("correlation", [0, 0.5])
@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (1.0, 1.0)])
def test_certain_replicas(correlation: float, share: float, expected: float) -> None:
    assert availability.at_least_correlated(2, 3, share, correlation) == expected
