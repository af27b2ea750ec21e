"""From step times to what users feel: TTFT, TPOT, tokens per second.

Closed forms, exact enough for means and throughput and used for screening percentiles.
All functions are element-wise over broadcastable columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.models.operators import Efficiency, Placement, prompt_attention_s
from planner.models.shape import LlmShape
from planner.models.step import Step, step

Array = NDArray[np.float64]

Z99 = 2.326347874  # standard normal quantile of 0.99


@dataclass(frozen=True)
class Lengths:
    """Token lengths of the requests: numbers, or columns of length n where points differ.

    Attributes
    ----------
    input_tokens, output_tokens : means [token]
    input_cv : standard deviation of input tokens over their mean [-]
    input_p99_ratio : 99th percentile of input tokens over their mean [-]
    prefix_hit_rate : share of input tokens found in the prefix cache [-]
    tokens_per_step : tokens that a step yields per sequence; above 1 with speculation [-]
    """

    input_tokens: float | Array
    output_tokens: float | Array
    input_cv: float
    input_p99_ratio: float
    prefix_hit_rate: float
    tokens_per_step: float = 1.0

    @property
    def steps(self) -> Array:
        """Steps in which a sequence decodes."""
        return np.asarray(np.asarray(self.output_tokens) / self.tokens_per_step)

    @property
    def new_tokens(self) -> Array:
        """Prompt tokens that must be computed; at least one."""
        return np.asarray(np.maximum(np.asarray(self.input_tokens) * (1 - self.prefix_hit_rate), 1.0))

    @property
    def cached_tokens(self) -> Array:
        """Prompt tokens that the prefix cache holds."""
        return np.asarray(self.input_tokens - self.new_tokens)

    @property
    def mean_context_tokens(self) -> Array:
        """Mean tokens in the cache of a sequence over its decoding."""
        return np.asarray(np.asarray(self.input_tokens) + np.asarray(self.output_tokens) / 2)

    @property
    def final_context_tokens(self) -> Array:
        """Tokens in the cache when a mean request ends."""
        return np.asarray(np.asarray(self.input_tokens) + self.output_tokens)


@dataclass(frozen=True)
class Point:
    """What one replica does at one number of running sequences, as columns.

    Attributes
    ----------
    sequences : mean running sequences [-]
    decode_s : step time without prompts [s]
    prompt_s : a mean prompt alone in the batch, from its first chunk to its first token [s]
    prompt_load_s : share of that which one prompt takes from the replica's capacity [s]
    tpot_s : mean time per output token, interference of prompts included [s]
    rate_per_s : requests per second that keep so many sequences running [1/s]
    """

    sequences: Array
    decode_s: Array
    prompt_s: Array
    prompt_load_s: Array
    tpot_s: Array
    rate_per_s: Array

    @property
    def prefill_utilisation(self) -> Array:
        """Share of time in which a prompt is being computed. [-]"""
        return self.rate_per_s * self.prompt_load_s


@dataclass(frozen=True)
class Server:
    """Replicas of many layouts that serve requests of some lengths, whatever their load.

    Attributes
    ----------
    budget_tokens : tokens that the engine allows per step and attention rank [token]
    attention_s : attention of a mean prompt over itself [s]
    interference_share : of what a prompt adds to the steps that carry it, the part that every sequence feels [-]
    """

    step: Step
    lengths: Lengths
    budget_tokens: Array
    attention_s: Array
    interference_share: float

    def at(self, sequences: Array, others: Array | float = 1.0) -> Point:
        """Steady state with so many requests running.

        Decodes go first, prompts fill the rest of each step's token budget.

        Parameters
        ----------
        sequences : running sequences, whole replica. [-]
        others : share of the prompts that belong to somebody else; one of n users never waits for itself. [-]
        """
        lengths, dp, attention_s = self.lengths, self.step.resident.dp, self.attention_s
        active = np.maximum(sequences, 1.0)  # fewer than one on average: one at times, none at others
        decode_s = self.step.time_s(active, active)
        room = np.maximum(self.budget_tokens - active / dp, 1.0)
        # Prompt tokens that must enter per step to keep so many running; with few, a prompt at a time.
        # Every attention rank carries prompts of its own: dp of them share one step.
        prompts = sequences * others / (lengths.steps * dp)  # per step and rank
        needed = prompts * lengths.new_tokens
        chunk = np.clip(needed, np.minimum(lengths.new_tokens, room), room)
        entering = np.where(lengths.new_tokens > 1, 1.0, chunk)  # a prompt of one token is computed as decoding is
        mixed_s = self.step.time_s(active + chunk * dp, active + entering * dp)
        tpot_s = _mean_step_s(decode_s, mixed_s, needed / chunk, self.interference_share)
        tpot_s = (tpot_s + prompts * attention_s) / lengths.tokens_per_step
        rate = sequences / (lengths.output_tokens * tpot_s)
        prompt_s = np.maximum(lengths.new_tokens / room, 1.0) * mixed_s + attention_s
        load_s = (lengths.new_tokens / chunk * mixed_s + attention_s) / dp
        return Point(sequences, decode_s, prompt_s, load_s, tpot_s, rate)


def server(shape: LlmShape, place: Placement, eff: Efficiency, lengths: Lengths, budget_tokens: Array) -> Server:
    """Replicas of some layouts; see `Server`."""
    attention_s = prompt_attention_s(shape, place, eff, lengths.new_tokens, lengths.cached_tokens)
    made = step(shape, place, eff, lengths.mean_context_tokens)
    return Server(made, lengths, budget_tokens, attention_s, eff.interference_share)


def operate(
    shape: LlmShape,
    place: Placement,
    eff: Efficiency,
    lengths: Lengths,
    sequences: Array,
    budget_tokens: Array,
    others: Array | float = 1.0,
) -> Point:
    """Steady state of a replica that keeps `sequences` requests running; see `Server.at`."""
    return server(shape, place, eff, lengths, budget_tokens).at(sequences, others)


def _mean_step_s(decode_s: Array, mixed_s: Array, share: Array, interference: float) -> Array:
    """Mean step of a sequence when `share` of the steps carry prompts; above 1, each token takes several.

    Sequences feel less than all mixed steps while these are rare, as some run before their first
    token; all of them once every step is mixed. Never less than the mixed steps themselves.
    """
    felt = np.minimum(share, 1.0) * (interference + (1 - interference) * np.minimum(share, 1.0))
    return np.maximum(decode_s * (1 - felt) + mixed_s * felt, share * mixed_s)


def mean_ttft_s(point: Point, eff: Efficiency, lengths: Lengths) -> Array:
    """Mean time to first token: ingestion, a few steps around it, queue of prompts, own prompt. [s]

    The steps are the rest of the running one, and those that the engine works ahead of what it sends.

    References
    ----------
    .. [1] Pollaczek–Khinchine mean wait of M/G/1; per attention rank.
    """
    around_s = eff.ingest_s + eff.first_token_steps * point.tpot_s
    return around_s + _mean_wait_s(point, lengths) + eff.prompt_overhead * point.prompt_s


def _mean_wait_s(point: Point, lengths: Lengths) -> Array:
    busy = np.minimum(point.prefill_utilisation, 0.999)
    return np.asarray(busy * point.prompt_s * (1 + lengths.input_cv**2) / (2 * (1 - busy)))


def p99_ttft_s(point: Point, eff: Efficiency, lengths: Lengths) -> Array:
    """99th percentile of the time to first token under Poisson arrivals. [s]

    The queue's tail is exponential with its own mean; a long prompt is as long as
    `input_p99_ratio` says; both excesses over their means add in quadrature.
    """
    busy = np.minimum(point.prefill_utilisation, 0.999)
    wait_s = _mean_wait_s(point, lengths)
    tail_s = wait_s / np.maximum(busy, 1e-9) * np.log(np.maximum(100 * busy, 1.0))
    longer_s = eff.prompt_overhead * point.prompt_s * (lengths.input_p99_ratio - 1)
    excess = np.hypot(np.maximum(tail_s - wait_s, 0), longer_s)
    return np.asarray(mean_ttft_s(point, eff, lengths) + point.decode_s / 2 + excess)


def crowded(sequences: Array) -> Array:
    """99th percentile of running sequences around a mean, Poisson. [-]"""
    return np.asarray(sequences + Z99 * np.sqrt(sequences))
