"""Drawn arrivals: the dispersion they promise, the one they have, and that of the traces they are fitted to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.arrivals import (
    STEADY,
    Modulation,
    averaged,
    busiest,
    draw,
    draw_pairs,
    fit_modulation,
    of_variances,
)
from planner.models.burstiness import dispersion, peak_ratio
from planner.models.traffic import RateProfile, Trace
from planner.traces import load_profile, load_trace

PARTS = st.lists(st.tuples(st.floats(1e-3, 20.0), st.floats(0.5, 60.0)), min_size=1, max_size=4)


def seeded(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def mean_dispersion(modulation: Modulation, rate_per_s: float, duration_s: float, window_s: float) -> float:
    """Over 40 seeds, as one stretch of time shows little of what varies slowly."""
    return float(
        np.mean(
            [dispersion(draw(modulation, rate_per_s, duration_s, seeded(s)), duration_s, window_s) for s in range(40)]
        )
    )


def test_one_part_by_hand() -> None:
    """On half of the time at twice the rate: variance λ²; averaged over one time constant, 2/e of it is left."""
    half = of_variances(np.array([1.0]), np.array([10.0]))
    assert (half.shares.tolist(), half.on_share) == ([1.0], 0.5)
    assert half.dispersion(5.0, 10.0) == pytest.approx(1 + 5 * 10 * 2 * np.exp(-1))


def test_a_large_variance_needs_rare_bursts() -> None:
    """Variance 9: all requests in a tenth of the time, at ten times the rate."""
    rare = of_variances(np.array([9.0]), np.array([10.0]))
    assert (rare.shares.tolist(), rare.on_share) == ([1.0], 0.1)
    times = draw(rare, 20.0, 20_000.0, seeded(1))
    assert peak_ratio(times, 20_000.0, 1.0) == pytest.approx(10, rel=0.25)  # a burst of 200/s: sd 7 %


@settings(max_examples=40)
@given(parts=PARTS)
def test_variances_survive_and_no_rate_is_negative(parts: list[tuple[float, float]]) -> None:
    variances, constants = np.array(parts).T
    found = of_variances(variances, constants)
    assert found.variances == pytest.approx(variances)
    assert found.shares.sum() <= 1 + 1e-12 and 0 < found.on_share <= 0.5
    assert found.dispersion(3.0, 1e-9) == pytest.approx(1.0)
    windows = [found.dispersion(3.0, w) for w in (0.1, 1, 10, 100, 1000)]
    assert windows == sorted(windows)


@pytest.mark.parametrize(
    ("variances", "constants"), [([0.5], [5.0]), ([0.2, 0.1], [1.0, 20.0]), ([4.0, 2.0], [1.0, 10.0])]
)
def test_drawn_times_have_the_dispersion_that_is_promised(variances: list[float], constants: list[float]) -> None:
    modulation = of_variances(np.array(variances), np.array(constants))
    for window_s in (1.0, 5.0, 20.0):  # 40 stretches of 4,000 s; slower than a 200th of them, little is hidden
        promised = modulation.dispersion(8.0, window_s)
        assert mean_dispersion(modulation, 8.0, 4000.0, window_s) == pytest.approx(promised, rel=0.1)


@pytest.mark.parametrize("name", ["azure-conv", "azure-code"])
def test_a_fit_has_the_dispersion_of_its_trace(catalog: Catalog, name: str) -> None:
    trace = load_trace(name, catalog)
    modulation = fit_modulation(trace)
    for window_s in (1.0, 10.0, 60.0):
        recorded = dispersion(trace.arrivals_s, trace.duration_s, window_s)
        drawn = mean_dispersion(modulation, trace.rate_per_s, trace.duration_s, window_s)
        assert drawn == pytest.approx(recorded, rel=0.15)  # an hour has 60 minutes: a variance of them is so vague


def test_steady_is_poisson() -> None:
    for window_s in (1.0, 30.0):
        assert mean_dispersion(STEADY, 5.0, 3000.0, window_s) == pytest.approx(1.0, abs=0.08)


@settings(max_examples=25)
@given(rate=st.floats(0.5, 50), seed=st.integers(0, 1000), parts=PARTS)
def test_seeds_reproduce_and_the_mean_rate_is_kept(rate: float, seed: int, parts: list[tuple[float, float]]) -> None:
    modulation = of_variances(*np.array(parts).T)
    times = draw(modulation, rate, 200.0, seeded(seed))
    assert np.array_equal(times, draw(modulation, rate, 200.0, seeded(seed)))
    assert (np.diff(times) >= 0).all() and times[0] >= 0 and times[-1] <= 200
    assert abs(len(times) - 200 * rate) < 7 * np.sqrt(200 * rate)  # Poisson around the mean of this stretch


def test_a_profile_is_followed(catalog: Catalog) -> None:
    profile = load_profile("servegen-r1-day", catalog)
    times = draw(STEADY, 1.0, 86_400.0, seeded(2), profile)
    counts = np.histogram(times, 144, (0, 86_400))[0]
    expected = profile.rate_per_s / profile.rate_per_s.mean() * 600
    assert ((counts - expected) ** 2 / expected).sum() == pytest.approx(144, abs=6 * np.sqrt(2 * 144))  # chi-squared


def test_bursts_ride_on_a_profile() -> None:
    profile = RateProfile("steps", 100.0, np.array([1.0, 3.0]))
    modulation = of_variances(np.array([1.0, 0.5]), np.array([2.0, 1000.0])).shorter_than(profile.step_s)
    assert modulation.time_constants_s.tolist() == [2.0]
    times = draw(modulation, 10.0, 20_000.0, seeded(3), profile)
    busy = (times // 100).astype(int) % 2 == 1
    assert busy.mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("kept", [1, 3])
def test_some_servers_get_what_a_round_robin_gives_them(kept: int) -> None:
    """Drawn at once, and cut out of the whole stream: the same counts and the same gaps."""
    servers, rate, duration_s = 8, 40.0, 2000.0
    whole = draw(STEADY, rate, duration_s, seeded(1))
    cut = whole[np.arange(len(whole)) % servers < kept]
    some = draw(STEADY, rate, duration_s, seeded(2), None, kept, servers)
    assert len(some) == pytest.approx(rate * duration_s * kept / servers, rel=0.02)
    gaps = [np.quantile(np.diff(times), [0.05, 0.25, 0.5, 0.75, 0.95]) for times in (cut, some)]
    assert gaps[0] == pytest.approx(gaps[1], rel=0.06, abs=2e-3)  # 10,000 gaps and more


def test_the_busiest_stretch() -> None:
    profile = RateProfile("steps", 600.0, np.array([1.0, 2.0, 9.0, 8.0, 1.0]))
    assert busiest(profile, 1000.0).rate_per_s.tolist() == [9.0, 8.0]
    assert busiest(profile, 1.0).rate_per_s.tolist() == [9.0]
    assert busiest(profile, 1e9).rate_per_s.tolist() == profile.rate_per_s.tolist()


def test_lengths_are_drawn_in_pairs() -> None:
    inputs, outputs = np.array([1, 2, 3]), np.array([10, 20, 30])
    prompts, answers = draw_pairs(inputs, outputs, 1000, seeded(1))
    assert (answers == 10 * prompts).all() and set(prompts.tolist()) == {1, 2, 3}


def test_too_little_to_learn_from() -> None:
    few = Trace("few", np.arange(50.0), np.ones(50, np.int64), np.ones(50, np.int64))
    with pytest.raises(WorkloadError, match="trace few: 50 requests in 49 s are too few"):
        fit_modulation(few)


def test_what_is_averaged_away() -> None:
    assert averaged(np.array([1e-4])) == pytest.approx(1.0, abs=1e-4)
    assert averaged(np.array([2.0])) == pytest.approx((1 + np.exp(-2)) / 2)
