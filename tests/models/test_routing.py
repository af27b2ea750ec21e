"""Routers: whom they choose, and what a fleet shows behind each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.models.engine import Limits, StepTimes
from planner.models.replica import Replica
from planner.models.routing import ROUTERS, Board, LeastLoad, PrefixAware, RoundRobin, result_of, serve
from planner.models.simulate import simulate_open
from planner.models.traffic import Blocks, Trace

PLAIN = StepTimes.linear(base_s=10.0, prompt_s=1.0, sequence_s=0.0, context_s=0.0)
QUICK = StepTimes.linear(base_s=0.01, prompt_s=1e-4, sequence_s=1e-5, context_s=1e-8)
LIMITS = Limits(8, 100, 1000)


def fleet(count: int, times: StepTimes = PLAIN, block_tokens: int = 0) -> list[Replica]:
    return [Replica(times, LIMITS, block_tokens=block_tokens) for _ in range(count)]


def made(seed: int, requests: int, rate_per_s: float = 40.0) -> Trace:
    random = np.random.default_rng(seed)
    arrivals_s = np.cumsum(random.exponential(1 / rate_per_s, requests))
    return Trace("made", arrivals_s, random.integers(1, 300, requests), random.integers(1, 40, requests))


@settings(max_examples=25)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 2**32))
def test_in_turn_is_every_nth_request(requests: int, replicas: int, seed: int) -> None:
    trace = made(seed, requests)
    found = result_of(serve(fleet(replicas, QUICK), RoundRobin(), trace))
    for number in range(min(replicas, requests)):
        of = slice(number, None, replicas)
        columns = trace.arrivals_s[of], trace.input_tokens[of], trace.output_tokens[of]
        alone = simulate_open(QUICK, *columns, 8, 100, 1000)
        np.testing.assert_allclose(found.ttft_s[of], alone.ttft_s, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.tpot_s[of], alone.tpot_s, rtol=0, atol=1e-9)


def test_the_least_loaded_gets_the_next() -> None:
    """Answers of 5, 1 and 1 tokens: at 30 s the first replica still has its long one, the second nothing."""
    trace = Trace("made", np.array([0.0, 0.0, 30.0]), np.array([2, 2, 2]), np.array([5, 1, 1]))
    replicas = fleet(2)
    serve(replicas, LeastLoad(), trace)
    assert [len(replica.finished) for replica in replicas] == [1, 2]
    replicas = fleet(2)
    serve(replicas, RoundRobin(), trace)
    assert [len(replica.finished) for replica in replicas] == [2, 1]


def test_a_request_in_its_last_step_still_counts() -> None:
    """A prompt and its one token are one step, from 0 to 12 s."""
    (replica,) = fleet(1)
    replica.offer(0.0, 2, 1)
    replica.advance(1.0)
    assert [replica.outstanding(at_s) for at_s in (1.0, 11.9, 12.0)] == [1, 1, 0]
    assert (replica.load(1.0).kv_tokens, replica.load().kv_tokens) == (3, 0)


def test_equals_are_served_in_turn() -> None:
    router, board = LeastLoad(), Board(fleet(3)).at(0.0)
    assert [router.choose(board, 1, ()) for _ in range(4)] == [0, 1, 2, 0]


def test_a_known_prefix_draws_its_request() -> None:
    """Blocks 1 and 2 are on the first replica once it computed them; 7 is nowhere, so the emptier gets it."""
    ids, starts = np.array([1, 2, 7, 1, 2]), np.array([0, 2, 3, 5])
    trace = Trace("made", np.array([0.0, 1.0, 500.0]), np.array([8, 4, 8]), np.array([1, 1, 1]), Blocks(ids, starts, 4))
    replicas = fleet(2, block_tokens=4)
    requests = serve(replicas, PrefixAware(), trace)
    assert [len(replica.finished) for replica in replicas] == [2, 1]
    assert requests[2].computed_tokens == 1


def test_load_beats_a_short_prefix() -> None:
    replicas = fleet(2, block_tokens=4)
    replicas[0].offer(0.0, 9, 300, (1,))
    board = Board(replicas).at(50.0)
    assert PrefixAware().choose(board, 8, (1,)) == 1
    assert PrefixAware(weight=1000.0).choose(board, 8, (1,)) == 0


@dataclass
class Watched:
    """A router behind which every replica is asked anew at every request, as a check on the board."""

    router: LeastLoad | PrefixAware
    at_s: Iterator[float]

    def choose(self, board: Board, input_tokens: int, blocks: Sequence[int]) -> int:
        at_s = next(self.at_s)
        for number, replica in enumerate(board.replicas):
            replica.advance(at_s)
            load = replica.load(at_s)
            assert board.requests[number] == load.requests == replica.outstanding(at_s)
            assert (board.work_tokens[number], board.held_tokens[number]) == (load.prompt_tokens, load.kv_tokens)
        return self.router.choose(board, input_tokens, blocks)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.integers(1, 4), st.integers(0, 2**32), st.sampled_from(("least-load", "prefix")))
def test_asking_only_when_due_sees_what_asking_always_does(requests: int, count: int, seed: int, name: str) -> None:
    trace = made(seed, requests, rate_per_s=float(1 + seed % 200))
    ids = np.random.default_rng(seed).integers(0, 6, (requests, 3)) + np.array([0, 6, 12])
    starts = np.arange(requests + 1) * 3
    trace = replace(trace, blocks=Blocks(ids.ravel(), starts, 16)) if seed % 2 else trace
    lazy = result_of(serve(fleet(count, QUICK, 16), ROUTERS[name](), trace))
    watched = Watched(ROUTERS[name](), iter(trace.arrivals_s.tolist()))
    eager = result_of(serve(fleet(count, QUICK, 16), watched, trace))
    np.testing.assert_allclose(lazy.finish_s, eager.finish_s, rtol=0, atol=1e-9)


def test_cached_prompts_are_known_everywhere() -> None:
    trace = Trace("made", np.array([0.0, 0.0]), np.array([8, 8]), np.array([1, 1]))
    requests = serve(fleet(2), LeastLoad(), trace, np.array([6, 0]))
    assert [request.computed_tokens for request in requests] == [2, 8]


@pytest.mark.parametrize("name", ROUTERS)
def test_no_request_is_lost(name: str) -> None:
    requests = serve(fleet(3, QUICK), ROUTERS[name](), made(5, 80))
    found = result_of(requests)
    assert np.isfinite(found.finish_s).all() and (found.ttft_s > 0).all()
    assert np.isnan(found.tpot_s).tolist() == [r.output_tokens == 1 for r in requests]


def test_sharing_a_crowd_evenly_is_quicker_than_taking_turns() -> None:
    """Every other request is long: turns give one replica all of them."""
    arrivals_s = np.arange(200) * 0.02
    trace = Trace("made", arrivals_s, np.full(200, 50), np.tile([200, 2], 100))
    waits = {name: result_of(serve(fleet(2, QUICK), ROUTERS[name](), trace)).ttft_s.mean() for name in ROUTERS}
    assert waits["least-load"] < waits["round-robin"]
