"""Requests and limits that a replica does not take."""

from __future__ import annotations

import pytest

from planner.errors import WorkloadError
from planner.models.engine import Limits, StepTimes
from planner.models.pools import Pool
from planner.models.prefix_cache import PrefixCache
from planner.models.replica import Replica

PLAIN = StepTimes.linear(base_s=10.0, prompt_s=1.0, sequence_s=0.0, context_s=0.0)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((-1.0, 1, 1), "Sort by time"),
        ((0.0, 0, 1), "one token of prompt"),
        ((0.0, 1, 0), "one of answer"),
        ((0.0, 50, 51), "101 tokens of KV cache; the replica has 100"),
        ((0.0, 4, 1, (), 4), "must be computed"),
        ((0.0, 4, 3, (), 0, 3), "cannot take 3 steps"),
        ((0.0, 4, 3, (), 0, 0), "cannot take 0 steps"),
        ((0.0, 8, 1, (1, 1)), "same prefix block twice"),
    ],
)
def test_bad_requests_are_refused(asked: tuple[object, ...], message: str) -> None:
    replica = Replica(PLAIN, Limits(8, 4, 100), block_tokens=4)
    replica.offer(0.0, 1, 1)
    with pytest.raises(WorkloadError, match=message):
        replica.offer(*asked)
    assert replica.load().waiting == 1


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(WorkloadError, match="4 tokens per sequence and step, of a budget of 3"):
        Limits(8, 3, 100, queries=4)
    with pytest.raises(ValueError, match="admission 'hope'"):
        Limits(8, 3, 100, admission="hope")
    with pytest.raises(ValueError, match="blocks of 0"):
        PrefixCache(0)


def test_impossible_pools_are_refused() -> None:
    with pytest.raises(WorkloadError, match="0 replicas"):
        Pool(PLAIN, Limits(8, 100, 1000), 0)
    with pytest.raises(WorkloadError, match="admits by reserving"):
        Pool(PLAIN, Limits(8, 100, 1000, admission="recompute"), 1)
