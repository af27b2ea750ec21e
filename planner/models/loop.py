"""A fixed number of users, each sending the next request when the last one ends: how benchmarks run.

Throughput and TPOT settle within the first answers; TTFT does not: every user's first prompt arrives at
once, and where all lengths are alike, later prompts keep meeting each other. Closed form, vectorised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.models.operators import Efficiency, Placement, prompt_attention_s
from planner.models.serving import Lengths, Point, server
from planner.models.shape import LlmShape
from planner.models.step import step_s

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Loop:
    """How the users were driven and what the engine does with them: numbers, or columns of length n.

    Attributes
    ----------
    requests_per_user : requests that each user sends in the run; the start-up burst is the first of them [-]
    length_spread : lengths lie between 1 - spread and 1 of the nominal; 0: all alike [-]
    first_token_steps : decode steps around a first token, see `Efficiency` [-]
    held_steps : decode steps for which the server holds prompts to batch them, or tokens to send them together [-]
    met_prompts : prompts of others that one meets where all lengths are alike [-]
    prompts_first : 1 where steps of prompts alone go before decoding, else 0 [-]
    """

    requests_per_user: float | Array = 10.0
    length_spread: float | Array = 0.0
    first_token_steps: float | Array = 1.0
    held_steps: float | Array = 0.0
    met_prompts: float | Array = 0.0
    prompts_first: float | Array = 0.0


@dataclass(frozen=True)
class Burst:
    """All users' prompts at once, none decoding yet, as columns.

    Attributes
    ----------
    mean_s : mean time to the end of one's prompt [s]
    all_s : time to the end of the last one [s]
    """

    mean_s: Array
    all_s: Array


def closed_loop(
    shape: LlmShape,
    place: Placement,
    eff: Efficiency,
    lengths: Lengths,
    concurrency: Array,
    max_sequences: Array,
    budget_tokens: Array,
    loop: Loop | None = None,
    passes: int = 24,
) -> tuple[Point, Array]:
    """State and mean TTFT of a replica that serves a fixed number of users.

    Parameters
    ----------
    concurrency : users of the replica [-]
    max_sequences : sequences that can run at once; users beyond them wait for a place [-]
    budget_tokens : tokens that the engine allows per step and attention rank [token]
    loop : how they were driven; absent, a plain run of ten requests a user

    Returns
    -------
    (Point, ndarray)
        State at the mean running sequences with the rate of the whole run, and its mean TTFT. [s]

    Notes
    -----
    B = limit · O·TPOT / (O·TPOT + TTFT), iterated until B moves by less than a thousandth, `passes`
    times at most.
    """
    loop = loop or Loop(first_token_steps=eff.first_token_steps)
    limit = np.maximum(np.minimum(concurrency, max_sequences), 1.0)
    asked = server(shape, place, eff, lengths, budget_tokens)
    burst = start_up(shape, place, eff, lengths, limit, budget_tokens)
    running, others = limit, (limit - 1) / limit
    weight, last = np.ones_like(limit), np.zeros_like(limit)
    for _ in range(passes):
        point = asked.at(running, others)
        decode_s = lengths.output_tokens * point.tpot_s
        before, found = running, limit * decode_s / (decode_s + steady_ttft_s(point, burst, eff, lengths, others, loop))
        if np.all(np.abs(found - before) <= 1e-3 * before):
            break
        step = np.log(found / before)
        weight = np.where(step * last < 0, weight / 2, weight)  # overshot: go half as far from now on
        running, last = before * np.exp(weight * step), step
    point = asked.at(running, others)
    ttft_s = mean_ttft_s(point, burst, eff, lengths, others, loop)
    rate = limit / (lengths.output_tokens * point.tpot_s + ttft_s)  # Little, over the whole run
    queue_s = np.maximum(concurrency - limit, 0) / rate
    return replace(point, rate_per_s=rate), ttft_s + queue_s


def start_up(
    shape: LlmShape, place: Placement, eff: Efficiency, lengths: Lengths, users: Array, budget_tokens: Array
) -> Burst:
    """The prompts of all users in full steps, one after the other. Per attention rank."""
    prompts = np.maximum(users / place.dp, 1.0)
    tokens = prompts * lengths.new_tokens
    chunk = np.minimum(tokens, budget_tokens)
    steps, grain = tokens / chunk, np.maximum(lengths.new_tokens / budget_tokens, 1.0)
    nobody = np.zeros_like(chunk)
    full_s = step_s(shape, place, eff, chunk * place.dp, nobody, lengths.mean_context_tokens)
    attention_s = prompt_attention_s(shape, place, eff, lengths.new_tokens, lengths.cached_tokens)
    mean_s = full_s * (steps + grain) / 2 + attention_s * (prompts + 1) / 2
    return Burst(mean_s, full_s * steps + attention_s * prompts)


def steady_ttft_s(point: Point, burst: Burst, eff: Efficiency, lengths: Lengths, others: Array, loop: Loop) -> Array:
    """Mean TTFT after the start-up burst. [s]"""
    return _around_s(point, eff, lengths, loop) + eff.prompt_overhead * _prompts_s(point, burst, lengths, others, loop)


def mean_ttft_s(point: Point, burst: Burst, eff: Efficiency, lengths: Lengths, others: Array, loop: Loop) -> Array:
    """Mean TTFT of a whole run, its start-up burst included. [s]"""
    later_s = _prompts_s(point, burst, lengths, others, loop)
    run_s = later_s + (burst.mean_s - later_s) / loop.requests_per_user
    return _around_s(point, eff, lengths, loop) + eff.prompt_overhead * run_s


def _around_s(point: Point, eff: Efficiency, lengths: Lengths, loop: Loop) -> Array:
    """Everything but prompts: ingestion, and the steps around a first token or while prompts are held. [s]"""
    felt_s = point.tpot_s * lengths.tokens_per_step  # one step, prompts of others in it
    return np.asarray(eff.ingest_s + np.maximum(loop.first_token_steps, loop.held_steps) * felt_s)


def _prompts_s(point: Point, burst: Burst, lengths: Lengths, others: Array, loop: Loop) -> Array:
    """One's own prompt, and those of the other users (a share of all) that it meets. [s]

    Where prompts go first, the decoding of all starts together and ends within the spread of the
    answers' lengths: the next prompts come as a wave of that width.
    """
    alike = np.asarray(loop.length_spread) == 0
    met_s = np.where(alike, loop.met_prompts, 0.0) * others * point.prompt_s
    width_s = loop.length_spread * lengths.output_tokens * point.tpot_s
    wave_s = loop.prompts_first * np.maximum(burst.all_s - width_s, 0.0) / 2
    return np.asarray(point.prompt_s + met_s + wave_s)
