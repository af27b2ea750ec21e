"""Fleets by hand: replicas that take 10 requests a second and hold 8 within the promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.autoscale import Fixed, Forecast, Hpa
from planner.models.fleet import Failures, Fluid, Scaling, Service, Timeline, growth, run, score, waits_s
from planner.traces import load_profile

RATES = np.array([0.0, 5.0, 8.0, 10.0])
SERVICE = Service(
    RATES,
    ttft_p50_s=np.array([0.1, 0.1, 0.2, 0.4]),
    ttft_p99_s=np.array([0.2, 0.3, 1.0, 4.0]),
    e2e_s=np.array([2.0, 2.0, 3.0, 5.0]),
    attained=np.array([1.0, 1.0, 0.99, 0.5]),
    holds_per_s=8.0,
)
STEP_S = 5.0


def lived(rate: np.ndarray, scaling: Scaling, failures: Failures | None = None) -> Timeline:
    return run(Fluid(SERVICE, rate, STEP_S), rate, STEP_S, scaling, failures)


def fixed(replicas: int, start_s: float = 0.0) -> Scaling:
    return Scaling(Fixed(replicas), 0, 100, start_s, metric_delay_s=0.0)


def test_enough_replicas_by_hand() -> None:
    # Two replicas share 16/s: each at the most it holds, 24 requests in it by Little's law.
    line = lived(np.full(100, 16.0), fixed(2))
    assert line.concurrency.tolist() == [48.0] * 100
    assert line.waiting.max() == 0
    found = score(line, SERVICE, ttft_s=2.0)
    assert found.attained_by_requests == pytest.approx(0.99)
    assert found.attained_by_time == 1
    assert found.idle_share == pytest.approx(0)
    assert found.ttft_p99_s[0] == pytest.approx(1.0)
    assert found.replica_hours == pytest.approx(2 * 500 / 3600)


def test_a_line_grows_and_goes_by_hand() -> None:
    # One replica takes 10/s; 20/s for 10 steps leave 500 waiting, then 5/s let 5/s of them go: 100 s.
    rate = np.r_[np.full(10, 20.0), np.full(30, 5.0)]
    line = lived(rate, fixed(1))
    assert line.waiting[9] == pytest.approx(500)
    assert line.waiting[29] == pytest.approx(0)
    assert line.waiting[28] > 0
    # What is sent at the end of the 10th step waits for 500 requests at 10/s.
    assert waits_s(line)[9] == pytest.approx(50)
    assert waits_s(line)[0] == pytest.approx(5)
    found = score(line, SERVICE, ttft_s=2.0)
    assert found.attained[9] == 0
    assert found.attained[35] == pytest.approx(1)


def test_what_is_never_taken_waits_for_ever() -> None:
    line = lived(np.full(10, 20.0), fixed(1))
    assert np.isinf(waits_s(line)[-1])
    assert score(line, SERVICE, 2.0).attained_by_requests == 0


def test_nobody_there_until_the_first_has_started() -> None:
    line = lived(np.full(40, 5.0), fixed(1, start_s=100.0))
    assert line.ready.tolist() == [0] * 20 + [1] * 20
    assert line.starting.tolist() == [1] * 20 + [0] * 20
    assert waits_s(line)[0] == pytest.approx(100 + 2.5 - 5, abs=1e-6)  # the 25 of this step take 2.5 s
    assert line.replica_hours() == pytest.approx(200 / 3600)  # starting is paid


def test_scaling_follows_late_and_shrinks_slowly() -> None:
    rate = np.r_[np.full(60, 8.0), np.full(120, 40.0), np.full(240, 8.0)]
    rule = Hpa(target=24.0)  # requests in a replica at the rate that it holds
    line = lived(rate, Scaling(rule, 1, 20, start_s=120.0, first=1))
    first = int(np.argmax(line.wanted > 1))
    assert 60 < first <= 60 + 12  # metric window, delay, period
    assert line.ready[first + 23] == 1  # still starting
    assert line.ready[first + 24] > 1
    assert line.wanted[179] >= 5
    quiet = int(np.argmax(line.wanted[180:] < line.wanted[179]))
    assert quiet * STEP_S >= 300  # a smaller wish must last
    assert line.wanted[-1] <= 2
    assert line.ups >= 1 <= line.downs


@given(least=st.integers(0, 3), most=st.integers(3, 8), peak=st.floats(0, 200), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_bounds_are_kept_and_no_request_is_lost(least: int, most: int, peak: float, seed: int) -> None:
    rate = peak * np.abs(np.sin(np.arange(200) / 20))
    line = lived(rate, Scaling(Hpa(24.0), least, most, 60.0), Failures(0.5, seed))
    assert line.wanted.min() >= least
    assert line.wanted.max() <= most
    assert ((line.ready + line.starting) == line.wanted).all()
    begun_anew = line.served.sum() + line.waiting[-1] - rate.sum() * STEP_S
    assert begun_anew >= -1e-6 * max(rate.sum(), 1)  # answered, waiting, or taken twice after a failure
    if not line.failed.any():
        assert begun_anew == pytest.approx(0, abs=1e-6 * max(rate.sum(), 1))


def test_failures_come_at_their_rate_and_seeds_reproduce() -> None:
    rate = np.full(20_000, 5.0)
    scaling = fixed(10, start_s=60.0)
    one, again, other = (lived(rate, replace(scaling, first=10), Failures(20.0, seed)) for seed in (1, 1, 2))
    assert one.failed.tolist() == again.failed.tolist() != other.failed.tolist()
    hours = one.ready.sum() * STEP_S / 3600
    assert one.failed.sum() == pytest.approx(hours / 20.0, rel=0.25)  # about 14 of them
    assert one.ready.min() < 10


def test_lost_requests_begin_anew() -> None:
    plant = Fluid(SERVICE, np.array([8.0, 0.0]), STEP_S)
    plant.step(0.0, 5.0, 1)
    plant.fail(1, 5.0)
    concurrency, waiting, served = plant.step(5.0, 10.0, 1)
    assert served == pytest.approx(24)  # 8/s x 3 s were in it
    assert waiting == 0
    assert concurrency > 0


@given(more=st.integers(1, 5))
@settings(max_examples=5)
def test_more_replicas_never_attain_less(more: int) -> None:
    rate = 20 + 15 * np.sin(np.arange(300) / 30)
    few, many = (score(lived(rate, fixed(n)), SERVICE, 2.0) for n in (3, 3 + more))
    assert many.attained_by_requests >= few.attained_by_requests
    assert many.replica_hours > few.replica_hours
    assert many.idle_share > few.idle_share - 1e-12


def test_a_forecast_starts_before_the_load_is_there() -> None:
    rate = np.r_[np.full(120, 8.0), 8.0 + 0.1 * np.arange(720)]  # 8/s to 80/s within an hour
    late = Scaling(Hpa(24.0), 1, 50, start_s=300.0, first=2)
    early = replace(late, rule=Forecast(8.0, lead_s=360.0))
    found = [score(lived(rate, s), SERVICE, 2.0).attained_by_requests for s in (late, early)]
    assert found[1] > found[0]
    assert found[1] > 0.9


def test_impossible_fleets_are_refused() -> None:
    with pytest.raises(WorkloadError, match="a least of 0 up to it"):
        Scaling(Fixed(1), 3, 2, 0.0)
    with pytest.raises(WorkloadError, match="target"):
        Scaling(Hpa(0.0), 0, 2, 0.0)
    with pytest.raises(WorkloadError, match="steps of time"):
        run(Fluid(SERVICE, np.zeros(0), 1.0), np.zeros(0), 1.0, fixed(1))
    with pytest.raises(ValueError, match="increasing"):
        replace(SERVICE, rate_per_s=np.array([1.0, 1.0, 2.0, 3.0]))


def test_growth_by_hand() -> None:
    rate = np.array([2.0, 2.0, 3.0, 3.0, 0.0, 6.0])
    assert growth(rate, 60.0, 60.0, quantile=1.0) == 1.5  # from nothing is no factor
    assert growth(rate, 60.0, 300.0, quantile=0.5) == 3.0
    assert growth(rate, 60.0, 3600.0) == 1.0


@pytest.mark.parametrize("name", ["servegen-large", "servegen-mid", "servegen-small", "servegen-r1-day"])
def test_growth_in_ten_minutes_of_recorded_rates(catalog: Catalog, name: str) -> None:
    profile = load_profile(name, catalog)
    assert 1.25 < growth(profile.rate_per_s, profile.step_s, 600.0) < 1.9


def test_a_fleet_that_has_served_waits_for_metrics() -> None:
    """Two minutes without metrics are no sign of two minutes without requests."""
    rate, rule = np.full(200, 24.0), Hpa(target=24.0, metric="concurrency")
    late = Scaling(rule, 1, 100, 60.0, metric_delay_s=120.0, first=3)
    assert lived(rate, late).ready.min() == 3
    assert lived(rate, replace(late, first=None)).ready.min() == 1
