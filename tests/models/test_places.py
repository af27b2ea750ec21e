"""Places of replicas by hand, and what must hold for any zones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import WorkloadError
from planner.models.autoscale import Fixed
from planner.models.fleet import Fluid, Scaling, Service, run
from planner.models.places import Places, SpotZones

FLAT = Service(
    np.array([0.0, 1.0, 1.2]), np.full(3, 0.1), np.full(3, 0.2), np.full(3, 10.0), np.array([1.0, 1.0, 0.5]), 1.0
)


def test_all_gone_is_filled_on_demand_and_handed_back() -> None:
    """Two zones: both, none, both; three replicas, one always on demand, 60 s to start."""
    zones = SpotZones(np.array([[1, 1], [0, 0], [1, 1]], bool), 120.0, base=1)
    places = Places(3, 60.0, zones)
    assert (places.ready, places.on_spot) == ([1, 1, 1], 2)
    assert places.lose(120.0) == 2
    places.resize(3, 120.0)
    assert (places.ready, places.starting, places.on_spot) == ([1, 0, 0], 2, 0)  # two start on demand
    places.arrive(180.0)
    assert places.ready == [3, 0, 0]
    places.lose(240.0)
    assert places.resize(3, 240.0) == 0  # spot starts; on demand serves until it is ready
    assert (places.up, places.starting, places.on_spot) == (3, 2, 2)
    places.arrive(300.0)
    assert places.resize(3, 300.0) == 2
    assert (places.ready, places.starting) == ([1, 1, 1], 0)


def test_one_zone_lost_moves_to_the_other() -> None:
    zones = SpotZones(np.array([[1, 1], [0, 1]], bool), 60.0)
    places = Places(4, 0.0, zones)
    assert places.ready == [0, 2, 2]
    assert places.lose(60.0) == 2
    places.resize(4, 60.0)
    places.arrive(60.0)
    assert places.ready == [0, 0, 4]
    assert places.resize(1, 60.0) == 3 and places.ready == [0, 0, 1]


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(0, 6), st.sampled_from((0.0, 7.0, 30.0)))
def test_as_many_as_wished_and_none_in_a_closed_zone(seed: int, zones: int, base: int, start_s: float) -> None:
    random = np.random.default_rng(seed)
    up = random.random((40, zones)) < 0.7
    places = Places(int(random.integers(0, 9)), start_s, SpotZones(up, 10.0, base))
    for step in range(40):
        now, wish = step * 10.0, int(random.integers(0, 12))
        places.arrive(now)
        places.lose(now)
        places.resize(wish, now)
        assert places.up + places.starting >= wish and places.up <= max(wish, places.up)
        assert all(count == 0 for count, there in zip(places.ready[1:], up[step], strict=True) if not there)
        assert places.on_spot <= max(wish - base, 0)
        assert places.ready[0] + places.starting >= min(base, wish)
        assert places.up + places.starting - places.on_spot <= wish


def test_a_lost_zone_is_seen_by_requests() -> None:
    """Ten replicas for eight requests a second: half are gone in the second of four hours and start anew."""
    up = np.array([[1, 1], [0, 1], [1, 1], [1, 1]], bool)
    rate, scaling = np.full(4 * 720, 8.0), Scaling(Fixed(10), 10, 10, 600.0, spot=SpotZones(up, 3600.0, 0, 0.5))
    line = run(Fluid(FLAT, rate, 5.0), rate, 5.0, scaling)
    assert line.lost.sum() == 5 and line.lost[720] == 5
    assert line.ready[720] == 5 and line.ready[720 + 120] == 10
    assert line.waiting[721] > 0 and line.waiting[-1] == 0
    assert line.spot_hours == pytest.approx(line.replica_hours())
    calm = run(Fluid(FLAT, rate, 5.0), rate, 5.0, Scaling(Fixed(10), 10, 10, 600.0))
    assert calm.waiting.max() == 0 and calm.spot_hours == 0


@pytest.mark.parametrize(("base", "caught", "shape"), [(-1, 1.0, (2, 2)), (0, 1.5, (2, 2)), (0, 1.0, (0, 2))])
def test_impossible_zones_are_refused(base: int, caught: float, shape: tuple[int, int]) -> None:
    with pytest.raises(WorkloadError, match="spot zones"):
        SpotZones(np.ones(shape, bool), 10.0, base, caught)
