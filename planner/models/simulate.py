"""One replica with continuous batching, simulated request by request: percentiles of TTFT and TPOT.

Between events (an arrival, a prompt, a completion) the batch does not change, so the loop jumps
from event to event and walks only the steps that carry prompt tokens. The result equals that of
a step-by-step loop (tests/models/test_simulate.py).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import WorkloadError
from planner.models.engine import Limits, Policy, StepFunction, StepTimes

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]

NEVER = 1 << 62  # a completion later than any


@dataclass(frozen=True)
class Result:
    """What each request saw, in the order of the request list. Shape (requests,).

    Attributes
    ----------
    start_s : when the request was sent [s]
    finish_s : when its last token came [s]
    ttft_s : from sending to the first token [s]
    tpot_s : mean time per output token after the first; NaN where there is only one [s]
    e2e_s : from sending to the last token [s]
    """

    start_s: Array
    finish_s: Array
    ttft_s: Array
    tpot_s: Array
    e2e_s: Array


def simulate_closed(
    times: StepFunction,
    inputs: ArrayLike,
    outputs: ArrayLike,
    concurrency: int,
    max_sequences: int,
    budget_tokens: int,
    kv_tokens: float,
    policy: Policy = "mixed",
    cached: ArrayLike = 0,
) -> Result:
    """A fixed number of users; each sends the next request of the list when one is answered.

    Parameters
    ----------
    times : step time of the replica, `StepTimes` or any `StepFunction`
    inputs, outputs : tokens of each request, whole numbers of at least 1, shape (requests,) [token]
    concurrency : users, who all send their first request at time 0 [-]
    max_sequences : sequences that the engine runs at once [-]
    budget_tokens : tokens that the engine computes per step [token]
    kv_tokens : tokens that fit into the cache; a request reserves its input + output [token]
    policy : how prompts and decoding share the steps
    cached : input tokens that the prefix cache holds: not computed, but read and stored [token]

    References
    ----------
    .. [1] Kwon et al., "Efficient Memory Management for Large Language Model Serving with
       PagedAttention", SOSP 2023: continuous batching.
    .. [2] Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with
       Sarathi-Serve", OSDI 2024: decodes first, prompts in chunks.

    Examples
    --------
    One user, 10 ms per step, 2 ms more for a prompt of 2 tokens; 3 output tokens:

    >>> times = StepTimes.linear(base_s=10e-3, prompt_s=1e-3, sequence_s=0.0, context_s=0.0)
    >>> result = simulate_closed(times, [2, 2], [3, 3], 1, max_sequences=8, budget_tokens=8, kv_tokens=64)
    >>> result.ttft_s.round(6).tolist(), result.finish_s.round(6).tolist()
    ([0.012, 0.012], [0.032, 0.064])
    """
    if concurrency < 1:
        raise WorkloadError(
            "concurrency {concurrency}: a closed loop needs one user at least.", concurrency=concurrency
        )
    requests = np.size(inputs)
    arrivals_s = np.where(np.arange(requests) < concurrency, 0.0, inf)  # inf: sent when an earlier one ends
    limits = Limits(min(max_sequences, concurrency), budget_tokens, kv_tokens, policy)
    return _simulate(times, limits, arrivals_s, inputs, outputs, cached, min(concurrency, requests))


def simulate_open(
    times: StepFunction,
    arrivals_s: ArrayLike,
    inputs: ArrayLike,
    outputs: ArrayLike,
    max_sequences: int,
    budget_tokens: int,
    kv_tokens: float,
    policy: Policy = "mixed",
    cached: ArrayLike = 0,
) -> Result:
    """Requests that arrive at given times, whatever the replica does.

    Parameters
    ----------
    arrivals_s : when each request is sent, in order, shape (requests,) [s]
    times, inputs, outputs, max_sequences, budget_tokens, kv_tokens, policy, cached :
        see `simulate_closed`

    Examples
    --------
    The second request arrives in the first one's step, waits for its end, and shares the next:

    >>> times = StepTimes.linear(base_s=10e-3, prompt_s=1e-3, sequence_s=0.0, context_s=0.0)
    >>> result = simulate_open(times, [0.0, 0.005], [2, 2], [3, 1], max_sequences=8, budget_tokens=8, kv_tokens=64)
    >>> result.ttft_s.round(6).tolist(), result.finish_s.round(6).tolist()
    ([0.012, 0.019], [0.034, 0.024])
    """
    arrivals = np.atleast_1d(np.asarray(arrivals_s, dtype=np.float64))
    if arrivals.shape != (np.size(inputs),) or not np.isfinite(arrivals).all():
        raise WorkloadError("arrivals: one finite time per request is needed.")
    late = np.flatnonzero(np.diff(arrivals) < 0)
    if late.size:
        raise WorkloadError(
            "arrivals: request {second} comes before request {first}. Sort the trace by time.",
            second=late[0] + 1,
            first=late[0],
        )
    limits = Limits(max_sequences, budget_tokens, kv_tokens, policy)
    return _simulate(times, limits, arrivals, inputs, outputs, cached, arrivals.size)


def _simulate(
    times: StepFunction,
    limits: Limits,
    arrivals_s: Array,
    inputs: ArrayLike,
    outputs: ArrayLike,
    cached: ArrayLike,
    issued: int,
) -> Result:
    """Check the requests, run the loop, and turn its times into what users feel."""
    prompts, answers, known = _tokens(inputs, "input", 1), _tokens(outputs, "output", 1), _tokens(cached, "cached", 0)
    _check_requests(prompts, answers, known, limits.kv_tokens)
    arrivals = [*arrivals_s.tolist(), inf]
    first, finish = _run(times, limits, arrivals, prompts, answers, prompts - known, issued)
    start_s, first_s, finish_s = np.array(arrivals[:-1]), np.array(first), np.array(finish)
    with np.errstate(invalid="ignore"):
        tpot_s = (finish_s - first_s) / (answers - 1)
    return Result(start_s, finish_s, first_s - start_s, tpot_s, finish_s - start_s)


def _tokens(values: ArrayLike, kind: str, least: int) -> Tokens:
    given = np.atleast_1d(np.asarray(values, dtype=np.float64))
    bad = np.flatnonzero(~((given >= least) & (given < NEVER) & (np.floor(given) == given)))
    if bad.size:
        raise WorkloadError(
            "{kind} tokens of request {number}: {given:g}. Allowed: whole numbers from {least}.",
            kind=kind,
            number=bad[0],
            given=given[bad[0]],
            least=least,
        )
    return given.astype(np.int64)


def _check_requests(prompts: Tokens, answers: Tokens, known: Tokens, kv_tokens: float) -> None:
    if prompts.shape != answers.shape or prompts.ndim != 1 or known.size not in (1, prompts.size):
        raise WorkloadError(
            "requests: {inputs} inputs, {outputs} outputs, {cached} cached.",
            inputs=prompts.size,
            outputs=answers.size,
            cached=known.size,
        )
    if (known >= prompts).any():
        raise WorkloadError("cached tokens: at least one token of every prompt must be computed.")
    if prompts.size and (prompts + answers).max() > kv_tokens:
        worst = int((prompts + answers).argmax())
        raise WorkloadError(
            "request {number} needs {tokens} tokens of KV cache; the replica has {kv_tokens:g}. Give "
            "it more memory, a smaller KV format, or shorter requests.",
            number=worst,
            tokens=prompts[worst] + answers[worst],
            kv_tokens=kv_tokens,
        )


def _run(
    times: StepFunction,
    limits: Limits,
    arrivals: list[float],
    prompts: Tokens,
    answers: Tokens,
    new: Tokens,
    issued: int,
) -> tuple[list[float], list[float]]:
    """Times of the first and the last token of each request. [s]

    `arrivals` ends with infinity. The waiting queue is the part of the request list from `head` to
    the last one that has arrived. `issued` requests have their arrival; each completion gives one
    to the next (closed loop).

    One long loop on local variables and lists: functions, attributes or an object per request
    would cost several times the work that they hold.
    """
    budget, mixed = int(limits.budget_tokens), limits.policy == "mixed"
    count = len(prompts)
    inputs, lefts, needs = prompts.tolist(), new.tolist(), (prompts + answers).tolist()
    # A completion is one number, its step and its request side by side: quicker to compare than a pair.
    bits = count.bit_length()
    one, mask = 1 << bits, (1 << bits) - 1
    ends = ((answers - 1 << bits) + np.arange(count)).tolist()
    completions = [NEVER]
    first, finish = [0.0] * count, [0.0] * count
    linear = times if isinstance(times, StepTimes) else None
    if linear is not None:
        inner, slopes, offsets = linear.segments()
        decode_s, growth_s = linear.decode_s(min(limits.seats, count))
        sequence_s, context_s, half_pair_s = linear.sequence_s, linear.context_s, 0.5 * linear.pair_s
        least_s = linear.prompt_least_s

    time, now = arrivals[0] if count else 0.0, 0  # seconds, and decode steps so far in units of `one`
    head, due = 0, arrivals[0]  # next request to admit, and its arrival
    answering = 0  # requests before this one have their first token; from it to the head, prompts are in progress
    left = 0  # prompt tokens still to compute of the request before the head
    top, room_kv = limits.seats, int(min(limits.kv_tokens, NEVER))  # requests seated so far at most, free cache
    decoding, context = 0, 0  # sequences that decode, tokens that they hold

    while True:
        prompt = 0
        if left or due <= time:
            beside = decoding if mixed else 0
            room = budget - beside
            twice_pairs = 0
            while room:
                if not left:
                    if due > time or head == top or needs[head] > room_kv:
                        break
                    length, left = inputs[head], lefts[head]
                    room_kv -= needs[head]
                    head += 1
                    due = arrivals[head]
                if left < room:
                    twice_pairs += left * (length + length - left)
                    prompt += left
                    room -= left
                    left = 0
                else:
                    twice_pairs += room * (length + length - left - left + room)
                    prompt += room
                    left -= room
                    break

        if prompt:  # walk one step
            read = context if mixed else 0
            if linear is not None:
                rows = prompt + beside
                segment = bisect_right(inner, rows) if inner else 0
                walked_s = offsets[segment] + slopes[segment] * rows
                walked_s += sequence_s * beside + context_s * read + half_pair_s * twice_pairs
                time += walked_s if walked_s > least_s else least_s
            else:
                time += times.step_s(beside, read, prompt, 0.5 * twice_pairs, sum(inputs[answering:head]) - left)
            if mixed:
                now += one
                context += decoding
            whole = head - 1 if left else head
            while answering < whole:
                first[answering] = time
                heappush(completions, now + ends[answering])
                decoding += 1
                context += inputs[answering]
                answering += 1
        elif decoding:  # jump to the next completion, or to an arrival before it that can be admitted
            steps = completions[0] - now >> bits
            if linear is not None:
                step_s, more_s = decode_s[decoding] + context_s * context, growth_s[decoding]
                jump_s = steps * (step_s + more_s * (steps - 1))
                wait_s = due - time
                if 0 < wait_s < jump_s:
                    # Smallest m with m·(step + more·(m − 1)) ≥ wait; never past the completion by rounding.
                    flat_s = step_s - more_s
                    to_due = ceil(2 * wait_s / (flat_s + sqrt(flat_s * flat_s + 4 * more_s * wait_s)))
                    if to_due < steps:
                        time += to_due * (step_s + more_s * (to_due - 1))
                        now += to_due << bits
                        context += to_due * decoding
                        continue
                time += jump_s
            else:
                time, steps = _walk(times, decoding, context, time, inf if due <= time else due, steps)
            now += steps << bits
            context += steps * decoding
        elif head < count:  # idle
            time = due
            continue
        else:
            return first, finish

        while completions[0] < now + one:
            request = heappop(completions) & mask
            finish[request] = time
            need = needs[request]
            decoding -= 1
            context -= need - 1
            room_kv += need
            top += 1
            if issued < count:
                arrivals[issued] = time
                issued += 1
                due = arrivals[head]


def _walk(times: StepFunction, decoding: int, context: int, time: float, until: float, most: int) -> tuple[float, int]:
    """Decode steps one by one, until a time or at most so many: the time then, and how many."""
    steps = 0
    while steps < most and time < until:
        time += times.step_s(decoding, context + steps * decoding, 0, 0.0, 0)
        steps += 1
    return time, steps
