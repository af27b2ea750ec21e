"""Dispersion, peaks and silences: by hand, and of a trace whose figures are published beside it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.models.burstiness import dispersion, gaps, peak_ratio
from planner.models.traffic import Trace
from planner.traces import load_trace


def test_even_arrivals_have_no_dispersion() -> None:
    times = np.arange(100) + 0.5
    assert dispersion(times, 100.0, 10.0) == 0.0
    assert peak_ratio(times, 100.0, 10.0) == 1.0


def test_poisson_has_one_at_every_scale() -> None:
    times = np.cumsum(np.random.default_rng(1).exponential(1.0, 200_000))
    for window_s in (1, 10, 100):  # standard error of a variance: sqrt(2 / windows), 3 % at 100 s
        assert dispersion(times, times[-1], window_s) == pytest.approx(1.0, abs=0.12)


def test_an_hour_of_conversations_grows_with_the_window(catalog: Catalog) -> None:
    trace = load_trace("azure-conv", catalog)
    found = [dispersion(trace.arrivals_s, trace.duration_s, window) for window in (1, 10, 60)]
    assert found == pytest.approx([1.4, 3.9, 16], rel=0.05)  # catalogs/README.md of the data, two digits
    code = load_trace("azure-code", catalog)
    assert peak_ratio(code.arrivals_s, code.duration_s, 10) == pytest.approx(12.8, rel=0.01)


def test_nothing_is_known_of_nothing() -> None:
    assert math.isnan(dispersion(np.zeros(0), 10.0, 1.0))
    assert math.isnan(peak_ratio(np.zeros(0), 10.0, 1.0))
    assert math.isnan(dispersion(np.array([0.5]), 1.0, 1.0))


def test_a_long_silence_is_a_gap() -> None:
    times = np.r_[np.arange(100.0), np.arange(400.0, 500.0)]
    trace = Trace("hole", times, np.ones(200, np.int64), np.ones(200, np.int64))
    assert gaps(trace) == [(99.0, 400.0)]
    assert gaps(trace.window(0.0, 100.0)) == []


@settings(max_examples=30)
@given(
    factor=st.floats(1e-3, 1e3),
    steps=st.lists(st.floats(0, 100), min_size=2, max_size=30).filter(lambda steps: sum(steps) > 0.1),
)
def test_another_rate_keeps_counts_and_dispersion(factor: float, steps: list[float]) -> None:
    times = np.cumsum(steps) - steps[0]
    if not times[-1] > 1e-3:
        return
    ones = np.ones(len(times), np.int64)
    trace = Trace("any", times, ones, ones)
    other = trace.at_rate(trace.rate_per_s * factor)
    assert len(other) == len(trace)
    assert other.rate_per_s == pytest.approx(trace.rate_per_s * factor)
    assert other.input_tokens.tolist() == trace.input_tokens.tolist()
    # Halves of the span hold the same requests, but for one on the very edge.
    halves = [np.searchsorted(t.arrivals_s, t.duration_s * (1 + 1e-9) / 2) for t in (trace, other)]
    assert halves[0] == halves[1]
