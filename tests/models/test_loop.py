"""A fixed number of users: Little's law, the start-up burst by hand, and what prompts meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from planner.models.loop import Loop, closed_loop, start_up
from planner.models.operators import Efficiency, Placement
from planner.models.serving import Lengths
from planner.models.shape import LlmShape
from planner.models.simulate import simulate_closed
from planner.models.tables import step_times

Placed = Callable[..., Placement]
BUDGET = np.array([8192.0])
EVEN = Lengths(1000, 100, 0.0, 1.0, 0.0)
STEADY = Loop(requests_per_user=1e12)


def ttft_s(shape: LlmShape, place: Placement, eff: Efficiency, users: float, loop: Loop) -> float:
    found = closed_loop(shape, place, eff, EVEN, np.array([users]), np.array([1e9]), BUDGET, loop)[1]
    return float(found[0])


@pytest.mark.parametrize("output_tokens", [1, 8, 100, 1000])
@pytest.mark.parametrize("users", [1.0, 16.0, 1000.0])
def test_users_are_waiting_or_decoding(
    small: LlmShape, placed: Placed, ideal: Efficiency, users: float, output_tokens: int
) -> None:
    real = replace(ideal, host_step_s=1e-3, ingest_s=0.01)
    lengths = replace(EVEN, output_tokens=output_tokens)
    met = replace(STEADY, met_prompts=1.3)
    point, first_s = closed_loop(small, placed(), real, lengths, np.array([users]), np.array([1e9]), BUDGET, met)
    # Little over the whole loop: users = rate x (TTFT + answer)
    present = point.rate_per_s * (first_s + output_tokens * point.tpot_s)
    assert float(present[0]) == pytest.approx(users, rel=0.01)


def test_users_beyond_the_caches_queue(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    arguments = (small, placed(), ideal, EVEN)
    full, full_ttft = closed_loop(*arguments, np.array([10.0]), np.array([10.0]), BUDGET)
    over, over_ttft = closed_loop(*arguments, np.array([30.0]), np.array([10.0]), BUDGET)
    assert over.rate_per_s == full.rate_per_s
    # Twenty wait for places that ten leave at this rate.
    assert float(over_ttft[0] - full_ttft[0]) == pytest.approx(20 / float(full.rate_per_s[0]))


@pytest.mark.parametrize(
    ("users", "budget", "mean_steps", "all_steps"),
    [
        (4, 8000, 1, 1),  # all prompts in one step
        (16, 8000, 1.5, 2),  # eight in each of two steps
        (4, 500, 5, 8),  # two steps for each: 2, 4, 6, 8
    ],
)
def test_a_start_up_burst_by_hand(
    small: LlmShape, placed: Placed, ideal: Efficiency, users: int, budget: int, mean_steps: float, all_steps: float
) -> None:
    # Steps of 1 s whatever they carry, since the host takes that long; prompts of 1,000 tokens.
    slow = replace(ideal, host_step_s=1.0)
    fast = placed(bandwidth_bytes_per_s=1e30, bf16_flops_per_s=1e30, attention_flops_per_s=1e30, ffn_flops_per_s=1e30)
    burst = start_up(small, fast, slow, EVEN, np.array([float(users)]), np.array([float(budget)]))
    assert float(burst.mean_s[0]) == pytest.approx(mean_steps, rel=1e-6)
    assert float(burst.all_s[0]) == pytest.approx(all_steps, rel=1e-6)


def test_the_burst_weighs_one_request_of_each_user(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    steady, once, ten = (ttft_s(small, placed(), ideal, 32, Loop(requests_per_user=n)) for n in (1e12, 1, 10))
    assert once > steady
    assert ten == pytest.approx(0.9 * steady + 0.1 * once, rel=1e-3)


def test_prompts_of_others_are_met_where_lengths_are_alike(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    alike = replace(STEADY, met_prompts=2.0)
    assert ttft_s(small, placed(), ideal, 16, alike) > ttft_s(small, placed(), ideal, 16, STEADY)
    spread = replace(alike, length_spread=0.2)
    assert ttft_s(small, placed(), ideal, 16, spread) == ttft_s(small, placed(), ideal, 16, STEADY)
    # Somebody alone meets nobody.
    assert ttft_s(small, placed(), ideal, 1, alike) == ttft_s(small, placed(), ideal, 1, STEADY)


def test_waves_of_prompts_that_go_first(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    first = replace(STEADY, prompts_first=1.0)
    mixed, wave, spread = (
        ttft_s(small, placed(), ideal, 64, loop) for loop in (STEADY, first, replace(first, length_spread=0.99))
    )
    assert wave > spread >= mixed


def test_held_prompts_wait_whole_steps(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    point, free_s = closed_loop(small, placed(), ideal, EVEN, np.ones(1), np.array([1e9]), BUDGET, STEADY)
    held = replace(STEADY, held_steps=20.0)
    held_s = ttft_s(small, placed(), ideal, 1, held)
    assert held_s - float(free_s[0]) == pytest.approx(19 * float(point.tpot_s[0]), rel=0.01)  # one was there before


def test_a_burst_agrees_with_its_simulation(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # Sixty-four prompts of 1,000 tokens at once, one token each: no decoding gets in the way.
    lengths, users = replace(EVEN, output_tokens=1), np.array([64.0])
    closed = start_up(small, placed(), ideal, lengths, users, BUDGET)
    times = step_times(small, placed(), ideal, lengths, users)[0]
    run = simulate_closed(times, [1000] * 64, [1] * 64, 64, 64, 8192, 1e9)
    assert float(run.ttft_s.mean()) == pytest.approx(float(closed.mean_s[0]), rel=0.12)
    assert float(run.ttft_s.max()) == pytest.approx(float(closed.all_s[0]), rel=0.05)
