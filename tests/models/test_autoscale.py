"""Decisions of controllers by hand, as their documentation states the rules."""

from __future__ import annotations

import numpy as np
import pytest

from planner.models.autoscale import Fixed, Forecast, Hpa, Keda, Knative, Memory, Seen

MINUTES = 5


def seen(value: float, ready: int, starting: int = 0, time_s: float = 1000.0, column: np.ndarray | None = None) -> Seen:
    """Five minutes in steps of a second at one value of every metric."""
    flat = np.full(60 * MINUTES, value) if column is None else column
    return Seen(time_s, 1.0, flat, flat, flat, ready, starting)


@pytest.mark.parametrize(
    ("total", "ready", "starting", "wish"),
    [
        (30.0, 2, 0, 3),  # ⌈2 x 15/10⌉
        (21.0, 2, 0, 2),  # 5 % above: within 10 %
        (23.0, 2, 0, 3),
        (10.0, 2, 0, 1),
        (30.0, 2, 1, 3),  # 30 over three pods is the target: the starting one will do
        (80.0, 2, 1, 7),  # 8 are needed, 4 more than 3 are allowed at once
        (0.0, 2, 0, 0),
        (30.0, 0, 3, 3),  # nobody to measure
    ],
)
def test_hpa(total: float, ready: int, starting: int, wish: int) -> None:
    assert Hpa(target=10.0).decide(seen(total, ready, starting), Memory()) == wish


def test_hpa_doubles_at_most() -> None:
    assert Hpa(target=1.0).decide(seen(1e6, 100), Memory()) == 200


def test_smaller_wish_must_last() -> None:
    rule, memory = Hpa(target=10.0), Memory()
    assert rule.decide(seen(50.0, 5, time_s=0.0), memory) == 5
    assert rule.decide(seen(10.0, 5, time_s=15.0), memory) == 5
    assert rule.decide(seen(10.0, 5, time_s=300.0), memory) == 5
    assert rule.decide(seen(10.0, 5, time_s=315.0), memory) == 1


def test_keda_divides_the_fleets_metric() -> None:
    rule = Keda(threshold=10.0)
    assert rule.decide(seen(45.0, 2), Memory()) == 5
    assert rule.decide(seen(21.0, 2), Memory()) == 2
    assert rule.decide(seen(0.0, 2), Memory()) == 0  # nothing for five minutes
    assert rule.decide(seen(0.0, 0), Memory()) == 0
    assert rule.decide(seen(0.5, 0), Memory()) == 1


def test_keda_keeps_one_until_the_cooldown_is_over() -> None:
    column = np.r_[np.ones(60), np.zeros(60 * MINUTES - 60)]
    assert Keda(threshold=10.0).decide(seen(0.0, 1, column=column), Memory()) == 1


def test_knative_stable_and_panic() -> None:
    rule = Knative(concurrency=10.0)  # 7 each
    assert rule.decide(seen(35.0, 5), Memory()) == 5
    assert rule.decide(seen(7.0, 5), Memory()) == 2  # halves at most
    burst = np.r_[np.full(294, 7.0), np.full(6, 140.0)]
    memory = Memory()
    assert rule.decide(seen(0.0, 1, column=burst), memory) == 20  # 140 / 7 over six seconds
    assert rule.decide(seen(7.0, 10, 10, time_s=1030.0), memory) == 20  # no fewer in a panic
    assert rule.decide(seen(7.0, 20, time_s=1061.0), memory) == 10


def test_forecasts_by_hand() -> None:
    rising = np.arange(600.0) / 10  # 0.1 more each second; 60 now
    at = seen(0.0, 1, column=rising)
    assert Forecast(1.0, lead_s=100.0, how="trend").rate_ahead(at) == pytest.approx(59.9 + 10)
    assert Forecast(1.0, lead_s=100.0, how="last").rate_ahead(at) == pytest.approx(rising[-150:].mean())
    assert Forecast(7.0, lead_s=0.0, how="last", margin=1.4).decide(seen(10.0, 1), Memory()) == 2
    falling = seen(0.0, 1, column=rising[::-1].copy())
    assert Forecast(1.0, lead_s=1e4).rate_ahead(falling) == 0


def test_a_day_before_scaled_by_today() -> None:
    step, day = 600.0, 144
    yesterday = 10 + np.arange(day) % day
    column = np.r_[yesterday, 2.0 * yesterday[:72]].astype(float)
    rule = Forecast(1.0, lead_s=3600.0, how="daily", window_s=3600.0)
    ahead = rule.rate_ahead(Seen(0.0, step, column, column, column, 1, 0))
    assert ahead == pytest.approx(2 * yesterday[77:79].mean(), rel=0.01)
    first_day = Seen(0.0, step, column[:72], column, column, 1, 0)
    assert rule.rate_ahead(first_day) == pytest.approx(column[71])  # nothing to look back to


def test_fixed() -> None:
    assert Fixed(4).decide(seen(1e9, 1), Memory()) == 4
