"""Prefill and decode in pools of their own, request by request, with the transfer of the KV cache between them.

Closed forms of the same: `planner.models.disaggregation`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import WorkloadError
from planner.models.engine import Limits, StepFunction
from planner.models.simulate import Result, simulate_open

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """Replicas of one kind that take requests in turn.

    Attributes
    ----------
    times : step time of one of them
    limits : what its scheduler allows; admission reserves
    replicas : how many [-]
    """

    times: StepFunction
    limits: Limits
    replicas: int

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise WorkloadError("a pool of {replicas} replicas: give 1 at least.", replicas=self.replicas)
        if self.limits.admission != "reserve" or self.limits.queries != 1:
            raise WorkloadError("a pool admits by reserving, without drafts: use planner.models.replica for others.")

    def serve(self, arrivals_s: Array, inputs: Tokens, outputs: Tokens, cached: Tokens) -> tuple[Array, Array]:
        """Times of the first and the last token of requests in order of arrival. [s]"""
        first_s, finish_s = np.zeros(len(inputs)), np.zeros(len(inputs))
        limits = self.limits
        for number in range(min(self.replicas, len(inputs))):
            of = slice(number, None, self.replicas)
            run = simulate_open(
                self.times,
                arrivals_s[of],
                inputs[of],
                outputs[of],
                limits.max_sequences,
                limits.budget_tokens,
                limits.kv_tokens,
                limits.policy,
                cached[of],
            )
            first_s[of], finish_s[of] = run.start_s + run.ttft_s, run.finish_s
        return first_s, finish_s


@dataclass(frozen=True)
class Transfer:
    """KV cache on its way from a prefill to a decode replica.

    Attributes
    ----------
    start_s : until the first byte moves [s]
    token_s : KV bytes per token over the bandwidth of the link [s/token]
    """

    start_s: float
    token_s: float


def simulate_pools(
    prefill: Pool,
    decode: Pool,
    transfer: Transfer,
    arrivals_s: ArrayLike,
    inputs: ArrayLike,
    outputs: ArrayLike,
    cached: ArrayLike = 0,
) -> Result:
    """Requests through both pools.

    A prefill replica computes the prompt; its cache moves; a decode replica computes the last prompt token
    again, which yields the first token that the user gets, and then all others. So TTFT holds the queue and
    the prompt of the first pool, the transfer, and the queue and one step of the second.

    Parameters
    ----------
    arrivals_s : when each request is sent, in order, shape (requests,) [s]
    inputs, outputs, cached : see `planner.models.simulate.simulate_open`; `cached` of the prefill pool [token]

    Examples
    --------
    10 ms per step and 1 ms per prompt token; two tokens move in 1 + 2 ms; two output tokens:

    >>> from planner.models.engine import StepTimes
    >>> times = StepTimes.linear(base_s=10e-3, prompt_s=1e-3, sequence_s=0.0, context_s=0.0)
    >>> pool = Pool(times, Limits(max_sequences=8, budget_tokens=8, kv_tokens=64), replicas=1)
    >>> result = simulate_pools(pool, pool, Transfer(1e-3, 1e-3), [0.0], [2], [2])
    >>> result.ttft_s.round(6).tolist(), result.tpot_s.round(6).tolist()  # 12 + 3 + 11 ms, 10 ms
    ([0.026], [0.01])
    """
    sent_s, prompts, answers = np.asarray(arrivals_s, float), np.asarray(inputs, int), np.asarray(outputs, int)
    known = np.broadcast_to(np.asarray(cached, int), prompts.shape)
    computed_s, _ = prefill.serve(sent_s, prompts, np.ones_like(prompts), known)
    there_s = computed_s + transfer.start_s + transfer.token_s * prompts
    order = np.argsort(there_s, kind="stable")
    found = decode.serve(there_s[order], prompts[order], answers[order], prompts[order] - 1)
    first_s, finish_s = np.empty_like(sent_s), np.empty_like(sent_s)
    first_s[order], finish_s[order] = found
    with np.errstate(invalid="ignore"):
        tpot_s = (finish_s - first_s) / (answers - 1)
    return Result(sent_s, finish_s, first_s - sent_s, tpot_s, finish_s - sent_s)
