"""Measured closed loops, simulated: TTFT comes from queues of prompts that no closed form describes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.calibration.points import Point
from planner.models.operators import Efficiency, Placement, decode_attention_s, prompt_attention_s, step_s
from planner.models.shape import LlmShape
from planner.models.simulate import Policy, Result, StepTimes, simulate_closed
from planner.search.evaluate import take

Array = NDArray[np.float64]

ROWS = 22  # points of the step-time table, log-spaced
ROUNDS = 10  # requests per user, as the public benchmarks send them
PROBE_TOKENS = 4096.0  # context at which the cost of a cached token is taken


def step_times(
    shape: LlmShape, place: Placement, eff: Efficiency, row: int, prompt_tokens: float, budget_tokens: float
) -> StepTimes:
    """Step time of one attention rank of a placement, as the simulation takes it.

    Other ranks carry as much as this one: they run in lockstep.
    """
    one = take(place, np.array([row]))
    ranks = float(one.dp[0])
    rows = np.unique(np.rint(np.geomspace(1, budget_tokens + 1024, ROWS)))
    wide = take(place, np.full(len(rows), row))
    nobody = np.zeros(len(rows))
    base = step_s(shape, wide, eff, rows * ranks, nobody, nobody)
    probe = np.array([PROBE_TOKENS])
    context_s = float(decode_attention_s(shape, one, eff, np.array([ranks]), probe)[0]) / PROBE_TOKENS
    tokens = np.array([max(prompt_tokens, 1.0)])
    pair_s = float(prompt_attention_s(shape, one, eff, tokens, np.zeros(1))[0]) / float(tokens[0] ** 2 / 2)
    sequence_s = eff.host_sequence_s
    return StepTimes(tuple(rows.tolist()), tuple(base.tolist()), sequence_s, context_s, pair_s)


def simulate_point(
    point: Point, times: StepTimes, room: float, budget_tokens: float, kv_tokens: float, policy: Policy
) -> Result:
    """The run behind one measured point: its users, its lengths, one attention rank."""
    users = max(round(point.load / point.replicas / point.dp), 1)
    inputs, outputs = lengths(point, ROUNDS * users)
    return simulate_closed(
        times, inputs, outputs, users, max(int(room / point.dp), 1), int(budget_tokens), kv_tokens / point.dp, policy
    )


def lengths(point: Point, requests: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token lengths of the requests: even, or uniform over 0.8 to 1.0 of the nominal length. [token]"""
    if not point.spread:
        return (
            np.full(requests, max(round(point.input_tokens), 1)),
            np.full(requests, max(round(point.output_tokens), 1)),
        )
    draw = np.random.default_rng(seed).uniform(0.8 / 0.9, 1.0 / 0.9, (2, requests))
    inputs, outputs = draw[0] * point.input_tokens, draw[1] * point.output_tokens
    return np.maximum(np.rint(inputs), 1).astype(np.int64), np.maximum(np.rint(outputs), 1).astype(np.int64)


def policy_of(engine: str) -> Policy:
    """SGLang runs prompts before decodes; the others mix them."""
    return "prompt_first" if engine == "sglang" else "mixed"
