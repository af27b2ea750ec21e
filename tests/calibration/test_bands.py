"""Intervals: what they hold, on points they have seen and on curves they have not."""

from __future__ import annotations

import numpy as np
import pytest

from planner.calibration.bands import by_engine, interval, unseen, widening

RANDOM = np.random.default_rng(5)


def clustered(curves: int, rows: int, between: float, within: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors that differ by curve more than inside one; two engines."""
    shift = RANDOM.normal(0, between, curves)
    ratio = np.exp(np.repeat(shift, rows) + RANDOM.normal(0, within, curves * rows))
    names = np.repeat([f"c{i}" for i in range(curves)], rows)
    engines = np.repeat(["a" if i % 2 else "b" for i in range(curves)], rows)
    return ratio, engines, names


def test_an_interval_holds_its_share() -> None:
    ratio = np.exp(RANDOM.normal(0.1, 0.3, 5000))
    found = interval(ratio)
    assert np.mean((ratio >= found.low) & (ratio <= found.high)) == pytest.approx(0.8, abs=1e-3)


def test_widening_stretches_both_sides() -> None:
    ratio = np.exp(RANDOM.normal(0, 0.3, 500))
    plain, wide = interval(ratio), interval(ratio, 1.3)
    assert wide.low < plain.low and wide.high > plain.high
    assert np.log(wide.high / wide.low) == pytest.approx(1.3 * np.log(plain.high / plain.low))


def test_unseen_curves_are_held_after_widening() -> None:
    ratio, engines, curves = clustered(40, 20, between=0.25, within=0.1)
    width = widening(ratio, engines, curves)
    low, high = unseen(ratio, engines, curves, width)
    assert np.mean((ratio >= low) & (ratio <= high)) >= 0.8
    narrower = unseen(ratio, engines, curves, width - 0.06)
    assert width == 1.0 or np.mean((ratio >= narrower[0]) & (ratio <= narrower[1])) < 0.8


def test_a_curve_does_not_see_itself() -> None:
    ratio = np.r_[np.ones(100), np.full(10, 5.0)]
    curves, engines = np.array([*["x", "y", "z", "w"] * 25, *["odd"] * 10]), np.array(["a"] * 110)
    low, high = unseen(ratio, engines, curves, 1.0)
    assert high[-1] == pytest.approx(1.0) and low[-1] == pytest.approx(1.0)


def test_small_engines_take_the_interval_of_all() -> None:
    ratio, engines, curves = clustered(8, 20, 0.2, 0.1)
    engines[:20] = "rare"
    assert set(by_engine(ratio, engines, curves, 1.0)) == {"", "a", "b"}
