"""Prefill and decode on accelerators of their own, with the cache of each prompt sent between them.

Element-wise over broadcastable columns, like `planner.models.serving`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.models.operators import Efficiency, Placement, prompt_attention_s
from planner.models.serving import Lengths
from planner.models.shape import LlmShape
from planner.models.step import step_s

Array = NDArray[np.float64]

HALVINGS = 60


@dataclass(frozen=True)
class Pool:
    """Equal replicas of one layout.

    Attributes
    ----------
    place : layout of one replica
    replicas : how many there are [-]
    """

    place: Placement
    replicas: Array


@dataclass(frozen=True)
class Prompt:
    """One prompt in the prefill pool.

    Attributes
    ----------
    alone_s : time until it is computed if nothing else waits [s]
    load_s : capacity of one attention rank that it takes, prompts packed into full steps [s]
    """

    alone_s: Array
    load_s: Array


@dataclass(frozen=True)
class State:
    """Both pools under a closed loop, and what the first token waits for.

    Attributes
    ----------
    sequences : running sequences of one decode replica [-]
    rate_per_s : requests per second, both pools [1/s]
    tpot_s : mean time per output token [s]
    decode_s : one decode step [s]
    admission_s : wait for a place in the decode pool [s]
    queue_s, prefill_s, transfer_s : wait for prefill, prefill itself, sending of the cache [s]
    first_s : decode steps until the first token is seen [s]
    prefill_limit_per_s, decode_limit_per_s : most requests that either pool serves [1/s]
    """

    sequences: Array
    rate_per_s: Array
    tpot_s: Array
    decode_s: Array
    admission_s: Array
    queue_s: Array
    prefill_s: Array
    transfer_s: Array
    first_s: Array
    prefill_limit_per_s: Array
    decode_limit_per_s: Array

    def ttft_s(self, eff: Efficiency) -> Array:
        """Mean time to first token: ingestion, every wait, and the first decode steps. [s]"""
        before = self.admission_s + self.queue_s + self.prefill_s + self.transfer_s
        return np.asarray(eff.ingest_s + before + self.first_s)


def transfer_s(
    cache_bytes: ArrayLike, senders: ArrayLike, receivers: ArrayLike, bytes_per_s: ArrayLike, latency_s: ArrayLike
) -> Array:
    """Time to send one prompt's cache, all ranks that hold distinct parts of it at once. [s]

    Parameters
    ----------
    cache_bytes : the whole cache of the prompt, before sharding. [B]
    senders, receivers : parts into which either side divides it; the fewer decide. [-]
    bytes_per_s : usable one-way rate of one accelerator's link. [B/s]

    Examples
    --------
    One GB from 4 ranks to 8 over 50 GB/s each:

    >>> float(transfer_s(1e9, 4, 8, 50e9, 0.0))
    0.005
    """
    parts = np.minimum(np.asarray(senders, float), np.asarray(receivers, float))
    return np.asarray(np.asarray(latency_s) + np.asarray(cache_bytes, float) / (parts * np.asarray(bytes_per_s)))


def prompt_times(shape: LlmShape, place: Placement, eff: Efficiency, lengths: Lengths, budget_tokens: Array) -> Prompt:
    """Times of one prompt in a replica that does nothing else.

    Parameters
    ----------
    budget_tokens : tokens that the engine allows per step and attention rank. [token]
    """
    new, ranks = lengths.new_tokens, place.dp
    chunk = np.minimum(new, budget_tokens)
    none = np.zeros_like(chunk + ranks)
    attention_s = prompt_attention_s(shape, place, eff, new, lengths.cached_tokens)
    lone_s = step_s(shape, place, eff, chunk + none, none + 1.0, none)
    full_s = step_s(shape, place, eff, budget_tokens * ranks, np.maximum(budget_tokens / new, 1.0) * ranks, none)
    alone_s = np.maximum(new / budget_tokens, 1.0) * lone_s + attention_s
    # Packing prompts into one step never costs more than running them one by one.
    load_s = np.minimum(new / budget_tokens * full_s, np.maximum(new / budget_tokens, 1.0) * lone_s)
    return Prompt(eff.prompt_overhead * alone_s, load_s + attention_s)


def closed_loop(
    shape: LlmShape,
    prefill: Pool,
    decode: Pool,
    eff: Efficiency,
    lengths: Lengths,
    users: Array,
    max_sequences: Array,
    budget_tokens: Array,
    sent_s: Array,
    first_token_steps: float = 1.0,
) -> State:
    """A fixed number of users, each sending the next request when the last one ends.

    Parameters
    ----------
    users : requests in service at once, both pools. [-]
    max_sequences : sequences that one decode replica holds. [-]
    sent_s : time to send one prompt's cache. [s]
    first_token_steps : decode steps until the first token is seen, one at least. [-]

    Notes
    -----
    Users are those in prefill, those in transfer and those that decode. With B sequences per
    decode replica the rate follows from its step, and the prefill queue from the rate by
    Schweitzer's mean-value analysis, the other users ahead in proportion; B is found by halving.
    Users beyond both pools wait for a place in the decode pool.

    References
    ----------
    .. [1] Schweitzer, "Approximate analysis of multiclass closed networks of queues", 1979.
    .. [2] Zhong et al., "DistServe", OSDI 2024: the two pools and their interference-free steps.
    """
    prompt = prompt_times(shape, prefill.place, eff, lengths, budget_tokens)
    servers = prefill.replicas * prefill.place.dp
    context, others = lengths.mean_context_tokens, (users - 1) / users
    ahead = max(first_token_steps, 1.0) - 1  # of the one that is among the answer's own
    most = np.minimum(max_sequences, users / decode.replicas)
    low, high = most * 1e-6, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        present = _users(shape, decode, eff, lengths, prompt, servers, others, middle, context, sent_s, ahead)
        low, high = np.where(present < users, middle, low), np.where(present < users, high, middle)
    running = high
    decode_s = _decode_step_s(shape, decode.place, eff, running, context)
    rate = np.minimum(running * decode.replicas / (lengths.steps * decode_s), servers / prompt.load_s)
    queue_s = _queue_s(prompt, rate, servers, others)
    tpot_s = decode_s / lengths.tokens_per_step
    before_s = eff.ingest_s + queue_s + prompt.alone_s + sent_s + ahead * decode_s
    inside_s = before_s + lengths.output_tokens * tpot_s
    full_s = _decode_step_s(shape, decode.place, eff, max_sequences, context)
    return State(
        sequences=running,
        rate_per_s=rate,
        tpot_s=tpot_s,
        decode_s=decode_s,
        admission_s=np.maximum(users / rate - inside_s, 0.0),
        queue_s=queue_s,
        prefill_s=prompt.alone_s,
        transfer_s=sent_s + 0 * running,
        first_s=(1 + ahead) * decode_s,
        prefill_limit_per_s=servers / prompt.load_s,
        decode_limit_per_s=max_sequences * decode.replicas / (lengths.steps * full_s),
    )


def _decode_step_s(shape: LlmShape, place: Placement, eff: Efficiency, sequences: Array, context: Array) -> Array:
    active = np.maximum(sequences, 1.0)  # fewer than one on average: one at times, none at others
    return step_s(shape, place, eff, active, active, context)


def _queue_s(prompt: Prompt, rate: Array, servers: Array, others: Array) -> Array:
    """Mean wait for prefill at a rate. [s]"""
    busy = np.minimum(others * rate * prompt.load_s / servers, 1 - 1e-9)
    return np.asarray(prompt.alone_s * busy / (1 - busy))


def _users(
    shape: LlmShape,
    decode: Pool,
    eff: Efficiency,
    lengths: Lengths,
    prompt: Prompt,
    servers: Array,
    others: Array,
    sequences: Array,
    context: Array,
    sent_s: Array,
    ahead: float,
) -> Array:
    """Users in both pools when every decode replica runs so many sequences; beyond the prefill pool's limit, all."""
    decode_s = _decode_step_s(shape, decode.place, eff, sequences, context)
    rate = sequences * decode.replicas / (lengths.steps * decode_s)
    before_s = eff.ingest_s + _queue_s(prompt, rate, servers, others) + prompt.alone_s + sent_s + ahead * decode_s
    present = rate * before_s + sequences * decode.replicas
    return np.where(rate * prompt.load_s >= servers, np.inf, present)
