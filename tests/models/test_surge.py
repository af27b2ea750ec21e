"""Surges by hand: places of one second, then a fleet of ten requests a second that gets twice as much for a minute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import WorkloadError
from planner.models.protection import OUTCOMES, Breaker, Clients, Pool, Protection, Surged
from planner.models.surge import surge

FLEET = Pool.plain(10, 1.0, 0.1)
PATIENT = Clients(timeout_s=1e9)


def arrivals(seed: int = 0, surge_rate: float = 20.0) -> np.ndarray:
    """8/s for two minutes, a surge for one, 8/s for five."""
    random = np.random.default_rng(seed)
    parts, begin = [], 0.0
    for rate, length in ((8.0, 120.0), (surge_rate, 60.0), (8.0, 300.0)):
        parts.append(begin + np.sort(random.uniform(0, length, round(rate * length))))
        begin += length
    return np.concatenate(parts)


def test_line_by_hand() -> None:
    found = surge(np.zeros(3), Pool.plain(2, 1.0, 0.25), PATIENT, Protection())
    assert found.ttft_s.tolist() == [0.25, 0.25, 1.25]
    assert found.wasted_share == 0
    assert found.attained(1.0).tolist() == [1, 1, 0]


def test_those_inside_slow_one_another_by_hand() -> None:
    # Alone 1 s, two at once 2 s each. The second enters when the first is half done: 1.5 s and 2.0 s.
    pool = Pool((1.0, 2.0), (1.0, 2.0), first_share=0.0, places=2)
    found = surge(np.array([0.0, 0.5]), pool, PATIENT, Protection())
    assert found.rest_s.tolist() == pytest.approx([1.5, 1.5])
    assert found.attained(1.0, 1.2).tolist() == [0, 0]
    one = surge(np.array([0.0, 0.5]), pool, PATIENT, Protection(inside_limit=1))
    assert one.rest_s.tolist() == pytest.approx([1.0, 1.0])
    assert one.ttft_s.tolist() == pytest.approx([0.0, 0.5])


def test_a_slow_rest_opens_the_breaker() -> None:
    pool = Pool((1.0, 2.0), (1.0, 2.0), first_share=0.0, places=2)
    breaker = Breaker(slow_s=5.0, backup=Pool.plain(1, 0.1, 0.1), slow_rest_s=1.2, after=2, open_s=60.0)
    found = surge(np.array([0.0, 0.5, 3.0]), pool, PATIENT, Protection(breaker=breaker))
    assert [OUTCOMES[o] for o in found.outcome] == ["served", "served", "degraded"]


def test_limit_refuses_at_once() -> None:
    found = surge(np.zeros(4), Pool.plain(1, 1.0, 0.0), PATIENT, Protection(line_limit=1))
    assert [OUTCOMES[o] for o in found.outcome] == ["served", "served", "failed", "failed"]
    empty = surge(np.array([0.0, 5.0]), Pool.plain(1, 1.0, 0.0), PATIENT, Protection(line_limit=0))
    assert empty.share("served") == 1  # free places need no line


def test_cancelling_frees_the_place_by_hand() -> None:
    # Two at once, one place of 4 s, patience of 3 s, first token after 2 s; the second would be read at 6 s.
    place, clients = Pool.plain(1, 4.0, 2.0), Clients(timeout_s=3.0)
    kept = surge(np.array([0.0, 0.0, 3.5]), place, clients, Protection())
    freed = surge(np.array([0.0, 0.0, 3.5]), place, clients, Protection(cancels=True))
    assert kept.ttft_s.tolist() == [2.0, np.inf, np.inf]  # the third waits behind what nobody reads
    assert freed.ttft_s.tolist() == [2.0, np.inf, 2.5]
    assert kept.wasted_share == pytest.approx(2 / 3)
    assert freed.wasted_share == 0


def test_a_first_token_too_late_is_stopped_in_its_place() -> None:
    found = surge(np.zeros(1), Pool.plain(1, 4.0, 2.0), Clients(timeout_s=1.0), Protection(cancels=True))
    assert found.share("failed") == 1
    assert found.wasted_share == 1


def test_retry_by_hand() -> None:
    # Given up at 1 s, sent again 0.5 to 1.5 s later; the place is free at 2 s, then.
    found = surge(
        np.zeros(2), Pool.plain(1, 2.0, 0.0), Clients(1.0, retries=1, backoff_s=1.0), Protection(cancels=True)
    )
    assert found.attempts.tolist() == [1, 2]
    assert 2.0 <= found.ttft_s[1] <= 2.5
    assert found.share("served") == 1


def test_breaker_opens_after_five_slow_ones_and_closes_again() -> None:
    backup = Pool.plain(5, 0.5, 0.05)
    breaker = Breaker(slow_s=0.5, backup=backup, after=5, open_s=10.0)
    early = np.zeros(8)  # one place of 1 s: the 2nd to 6th are slow, at 1.1, 2.1, 3.1, 4.1 and 5.1 s
    found = surge(
        np.r_[early, 5.5, 14.0, 15.2, 20.0, 21.5], Pool.plain(1, 1.0, 0.1), PATIENT, Protection(breaker=breaker)
    )
    outcomes = [OUTCOMES[o] for o in found.outcome]
    assert outcomes[:8] == ["served"] * 8
    assert outcomes[8:10] == ["degraded"] * 2
    assert found.ttft_s[8] == pytest.approx(0.05)
    assert outcomes[10:] == ["served"] * 3  # the probe at 15.2 s was quick


def test_a_slow_probe_keeps_it_open() -> None:
    breaker = Breaker(slow_s=0.5, backup=Pool.plain(5, 0.5, 0.05), after=1, open_s=1.0)
    times = np.array([0.0, 0.0, 2.5, 2.6, 3.4, 6.0])
    # The second is slow at 2.1 s; the probe is sent at 3.4 s: its turn comes at 4 s, slow again.
    found = surge(np.r_[times[:2], 2.5, 2.6, 3.4, 3.5], Pool.plain(1, 2.0, 0.1), PATIENT, Protection(breaker=breaker))
    assert [OUTCOMES[o] for o in found.outcome] == ["served", "served", "degraded", "degraded", "served", "degraded"]


def test_retries_make_a_storm_and_protection_ends_it() -> None:
    clients = Clients(timeout_s=3.0, retries=5, backoff_s=1.0)
    bare = surge(arrivals(), FLEET, clients, Protection())
    safe = surge(arrivals(), FLEET, clients, Protection(line_limit=10, cancels=True))
    calm = arrivals() > 300  # two minutes after the surge
    assert bare.attained(2.0)[calm].mean() < 0.2  # still overloaded by what nobody reads
    assert safe.attained(2.0)[calm].mean() > 0.95
    assert len(bare.attempts_s) > 2 * len(safe.attempts_s)
    assert bare.wasted_share > 0.5 > 0.01 > safe.wasted_share


def test_without_retries_the_surge_ends_by_itself() -> None:
    once = surge(arrivals(), FLEET, Clients(timeout_s=3.0), Protection(cancels=True))
    assert once.attained(2.0)[arrivals() > 190].mean() > 0.95


def test_breaker_serves_degraded_what_would_fail() -> None:
    clients = Clients(timeout_s=3.0, retries=2)
    breaker = Breaker(slow_s=1.0, backup=Pool.plain(20, 0.5, 0.1))
    bare = surge(arrivals(), FLEET, clients, Protection(line_limit=40, cancels=True))
    backed = surge(arrivals(), FLEET, clients, Protection(line_limit=40, cancels=True, breaker=breaker))
    assert backed.share("failed") < bare.share("failed")
    assert backed.share("degraded") > 0


def test_what_the_limit_refuses_goes_to_the_backup() -> None:
    breaker = Breaker(slow_s=100.0, backup=Pool.plain(1, 0.5, 0.1))
    rules = Protection(line_limit=0, cancels=True, breaker=breaker)
    found = surge(np.zeros(3), Pool.plain(1, 1.0, 0.2), Clients(timeout_s=0.55), rules)
    assert [OUTCOMES[o] for o in found.outcome] == ["served", "degraded", "failed"]  # 0.6 s is too late
    assert found.ttft_s[:2].tolist() == pytest.approx([0.2, 0.1])


@given(seed=st.integers(0, 20), places=st.integers(5, 12), limit=st.one_of(st.none(), st.integers(0, 50)))
@settings(max_examples=6, deadline=None)
def test_every_request_ends_once_and_seeds_reproduce(seed: int, places: int, limit: int | None) -> None:
    def once() -> Surged:
        rules = Protection(line_limit=limit, cancels=seed % 2 == 0, breaker=Breaker(1.0, Pool.plain(2, 0.5, 0.1)))
        return surge(arrivals(seed), Pool.plain(places, 1.0, 0.1), Clients(2.0, retries=2), rules, seed)

    one, again = once(), once()
    assert sum(one.share(o) for o in OUTCOMES) == pytest.approx(1)
    assert (one.ttft_s == again.ttft_s).all()
    assert np.isinf(one.ttft_s).sum() == (one.outcome == 2).sum()
    assert one.attempts.min() >= 1
    assert one.attempts.max() <= 3
    assert len(one.attempts_s) == one.attempts.sum()
    assert (np.diff(one.attempts_s) >= 0).all()
    assert 0 <= one.wasted_share <= 1


def test_more_places_never_serve_fewer_in_time() -> None:
    served = [
        surge(arrivals(), Pool.plain(n, 1.0, 0.1), Clients(3.0), Protection()).attained(2.0).mean() for n in (8, 12, 20)
    ]
    assert served == sorted(served)


def test_impossible_surges_are_refused() -> None:
    with pytest.raises(WorkloadError, match="1 at least"):
        Pool.plain(0, 1.0, 0.1)
    with pytest.raises(WorkloadError, match="order of time"):
        surge(np.array([1.0, 0.0]), FLEET, PATIENT, Protection())
    with pytest.raises(WorkloadError, match="timeout above 0"):
        surge(np.zeros(1), FLEET, Clients(0.0), Protection())
