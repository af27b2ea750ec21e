"""One replica that can be stopped and asked: for fleets, whose router, failures and scaling act between requests.

The rules are those of `planner.models.simulate`, whose loop is several times faster where a list of
requests is known from the start. Added here: a prefix cache, admission without reserving the answer,
speculation. Between events the batch does not change, so decode steps are jumped, not walked; the result
equals that of a step-by-step loop (tests/models/test_replica.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil, inf, nan, sqrt

from planner.errors import WorkloadError
from planner.models.engine import Limits, StepFunction, StepTimes
from planner.models.prefix_cache import PrefixCache

NOTHING: tuple[int, ...] = ()
TIE = 1e-9  # of a token: sums of fractions that should fill the cache exactly


@dataclass(slots=True, eq=False)
class Request:
    """One request on its way through a replica.

    Attributes
    ----------
    arrival_s : when the replica got it [s]
    input_tokens, output_tokens : lengths [token]
    steps : decode steps after the first token; output_tokens - 1 without speculation [-]
    blocks : full prefix blocks of its prompt
    cached_tokens : prompt tokens known to be cached, where no blocks say so [token]
    first_s, finish_s : when its first and last token came; NaN until then [s]
    computed_tokens : prompt tokens computed for it, again after a preemption [token]
    """

    arrival_s: float
    input_tokens: int
    output_tokens: int
    steps: int
    blocks: tuple[int, ...] = NOTHING
    cached_tokens: int = 0
    first_s: float = nan
    finish_s: float = nan
    computed_tokens: int = 0
    # What the scheduler keeps.
    number: int = 0  # in order of arrival
    rate: float = 1  # tokens that it gains per decode step
    done: int = 0  # decode steps behind it when its prompt is computed: more than 0 after a preemption
    end: int = 0  # decode step of the replica in which it ends
    left: int = 0  # prompt tokens to compute
    taken: float = 0  # tokens of the cache that it took when it entered; once it left, that it gave back

    @property
    def prompt_tokens(self) -> int:
        """Tokens to have in the cache before it decodes: prompt, and the answer so far after a preemption."""
        return self.input_tokens + ceil(self.rate * self.done - TIE)

    @property
    def ttft_s(self) -> float:
        """From arrival to the first token. [s]"""
        return self.first_s - self.arrival_s

    @property
    def tpot_s(self) -> float:
        """Mean time per output token after the first; NaN where there is only one. [s]"""
        return (self.finish_s - self.first_s) / (self.output_tokens - 1) if self.output_tokens > 1 else nan


@dataclass(frozen=True)
class Load:
    """What a router or an autoscaler sees of a replica.

    Attributes
    ----------
    waiting, running : requests that have not entered, and that have [-]
    prompt_tokens : prompt tokens that wait to be computed, of both [token]
    kv_tokens : tokens of the cache that running requests hold [token]
    kv_share : the same of the whole cache [-]
    """

    waiting: int
    running: int
    prompt_tokens: int
    kv_tokens: float
    kv_share: float

    @property
    def requests(self) -> int:
        """Requests that are not answered. [-]"""
        return self.waiting + self.running


class Replica:
    """Continuous batching by event jumps, resumable.

    Parameters
    ----------
    times : step time; a `StepTimes` is jumped, any other function walked step by step
    limits : what the scheduler allows
    start_s : when it is ready [s]
    block_tokens : tokens per prefix block; 0: no prefix cache [token]

    Examples
    --------
    10 ms per step, 2 ms more for a prompt of 2 tokens; 3 output tokens:

    >>> times = StepTimes.linear(base_s=10e-3, prompt_s=1e-3, sequence_s=0.0, context_s=0.0)
    >>> replica = Replica(times, Limits(max_sequences=8, budget_tokens=8, kv_tokens=64))
    >>> request = replica.offer(0.0, input_tokens=2, output_tokens=3)
    >>> replica.advance(0.015); replica.load().running, round(request.ttft_s, 6)
    (1, 0.012)
    >>> replica.drain(); round(request.finish_s, 6)
    0.032
    """

    def __init__(self, times: StepFunction, limits: Limits, start_s: float = 0.0, block_tokens: int = 0) -> None:
        self.times, self.limits = times, limits
        self.time_s = start_s
        self.finished: list[Request] = []
        self.preemptions = 0
        self._cache = PrefixCache(block_tokens) if block_tokens else None
        self._linear = times if isinstance(times, StepTimes) else None
        self._decode_s = self._linear.decode_s(limits.seats)[0] if self._linear else []
        self._recompute, self._mixed = limits.admission == "recompute", limits.policy == "mixed"
        self._last_s, self._offered = -inf, 0
        self._whole = int(min(limits.kv_tokens, 1 << 62))
        self._clear()

    def _clear(self) -> None:
        self._waiting: deque[Request] = deque()
        self._queued = 0  # their prompt tokens
        self._running: dict[int, Request] = {}  # in order of entering
        self._ended: list[Request] = []  # the last ones, which ended together
        self._partial: Request | None = None  # its prompt goes on in the next step
        self._ends: list[tuple[int, int, Request]] = []
        self._steps = 0  # decode steps so far
        self._decoding, self._context, self._growth = 0, 0.0, 0.0  # sequences; their tokens, and more per step
        self._room: float = self._whole

    # ---- what a fleet does with it

    def offer(
        self,
        arrival_s: float,
        input_tokens: int,
        output_tokens: int,
        blocks: Sequence[int] = NOTHING,
        cached_tokens: int = 0,
        steps: int | None = None,
    ) -> Request:
        """Send a request, in order of arrival; it is served by `advance`.

        Parameters
        ----------
        blocks : prefix blocks of the prompt; those that it does not fill are not shared
        cached_tokens : prompt tokens that are cached, where no blocks are named [token]
        steps : decode steps after the first token, fewer than tokens with speculation [-]

        Raises
        ------
        WorkloadError
            If it comes before the last one, is empty, or can never fit.
        """
        full = tuple(blocks[: input_tokens // self._cache.block_tokens]) if self._cache else NOTHING
        steps = output_tokens - 1 if steps is None else steps
        request = Request(arrival_s, input_tokens, output_tokens, steps, full, cached_tokens, number=self._offered)
        self._check(request)
        if steps != output_tokens - 1:
            request.rate = (output_tokens - 1) / steps
        self._last_s = arrival_s
        self._offered += 1
        self._queued += request.prompt_tokens
        self._waiting.append(request)
        return request

    def advance(self, until_s: float) -> None:
        """Begin every step that begins before a time; the last one may end after it."""
        while self.time_s < until_s:
            if self._recompute:
                self._make_room()
            chunks = self._chunks()
            if chunks:
                self._walk_prompts(chunks)
            elif self._decoding:
                self._jump(until_s)
            elif self._waiting and self._waiting[0].arrival_s < until_s:
                self.time_s = max(self.time_s, self._waiting[0].arrival_s)
                continue
            else:
                return
            while self._ends and self._ends[0][0] <= self._steps:
                self._finish(heappop(self._ends)[2])

    def drain(self) -> None:
        """Serve everything that was offered."""
        self.advance(inf)

    def withdraw(self) -> list[Request]:
        """Take back what has not entered: a replica that shuts down finishes the rest."""
        waiting = [r for r in self._waiting if not r.done]
        self._waiting = deque(r for r in self._waiting if r.done)
        self._queued = sum(r.prompt_tokens for r in self._waiting)
        return waiting

    def kill(self, at_s: float) -> list[Request]:
        """Stop at a time; returns the requests that are not answered then, the oldest first."""
        self.advance(at_s)
        late = [r for r in self.finished if r.finish_s > at_s]
        self.finished = [r for r in self.finished if r.finish_s <= at_s]
        lost = sorted([*late, *self._running.values(), *self._waiting], key=lambda r: r.arrival_s)
        for request in lost:
            request.first_s = request.first_s if request.first_s <= at_s else nan
            request.finish_s = nan
        self._clear()
        self._cache = PrefixCache(self._cache.block_tokens) if self._cache else None
        return lost

    def outstanding(self, at_s: float = inf) -> int:
        """Requests that are not answered at a time within the last step, else at its end. [-]"""
        return len(self._waiting) + len(self._running) + len(self._ending(at_s))

    def load(self, at_s: float = inf) -> Load:
        """What is in the replica at a time within the last step, else at its end."""
        ending = self._ending(at_s)
        prompts = self._queued + (self._partial.left if self._partial else 0)
        held = self._whole - self._room + sum(r.taken for r in ending)
        return Load(len(self._waiting), len(self._running) + len(ending), prompts, held, held / self.limits.kv_tokens)

    def steady_until(self, at_s: float) -> float:
        """Until when nothing that a router sees changes, unless a request is sent; after `advance` to a time. [s]

        Never later than it does; within a step its end, and infinity where nothing is in the replica.
        """
        if self._ending(at_s) or self._partial or self._next() or self._recompute or not self._linear:
            return max(self.time_s, at_s)
        if not self._decoding:
            return max(self._waiting[0].arrival_s, at_s) if self._waiting else inf
        steps, (step_s, more_s) = self._ends[0][0] - self._steps, self._pace(self._linear)
        return self.time_s + steps * (step_s + more_s * (steps - 1))

    def _ending(self, at_s: float) -> list[Request]:
        """Requests that end with the last step, after a time in it."""
        return [r for r in self._ended if r.finish_s > at_s]

    def hit_tokens(self, blocks: Sequence[int]) -> int:
        """Tokens of these leading blocks that the prefix cache holds. [token]"""
        return self._cache.hits(blocks) * self._cache.block_tokens if self._cache else 0

    # ---- one step

    def _make_room(self) -> None:
        """Preempt the request that entered last until every decoding one can write a token more."""
        while self._decoding and self._room < self._growth - TIE:
            self._preempt(self._running.popitem()[1])

    def _preempt(self, request: Request) -> None:
        self.preemptions += 1
        if request is self._partial:
            self._partial = None
            self._let_go(request, 0.0)
        else:
            self._ends.remove((request.end, request.number, request))
            heapify(self._ends)
            behind = request.steps - (request.end - self._steps)
            self._leave(request, behind)
            request.done = behind + 1  # computing it again yields a token, as a decode step does
        self._queued += request.prompt_tokens
        self._waiting.appendleft(request)

    def _chunks(self) -> list[tuple[Request, int, int]]:
        """Prompt chunks of the next step (request, tokens before the chunk, tokens); lets requests enter."""
        if self._partial is None and not (self._waiting and self._waiting[0].arrival_s <= self.time_s):
            return []
        room = self.limits.budget_tokens - (self._decoding * self.limits.queries if self._mixed else 0)
        chunks = []
        while room > 0:
            request = self._partial or self._enter()
            if request is None:
                break
            chunk = min(request.left, room)
            chunks.append((request, request.prompt_tokens - request.left, chunk))
            request.left -= chunk
            request.computed_tokens += chunk
            room -= chunk
            self._partial = request if request.left else None
        return chunks

    def _next(self) -> tuple[Request, int, int] | None:
        """The next request that has arrived, if there is a seat and room in the cache for it; what it takes, shares."""
        if not self._waiting or self._waiting[0].arrival_s > self.time_s or len(self._running) >= self.limits.seats:
            return None
        request = self._waiting[0]
        tokens, shared = request.prompt_tokens, self._cache.held_tokens(request.blocks) if self._cache else 0
        need, step = request.input_tokens + request.output_tokens - shared, 0.0
        if self._recompute:  # room for a step of all, beside its prompt; it may have no step left
            need, step = tokens - shared, self._growth + (request.rate if request.done < request.steps else 0)
        return None if need + step > self._room + TIE else (request, need, shared)

    def _enter(self) -> Request | None:
        """Let the next request in, if there is one that may."""
        found = self._next()
        if found is None:
            return None
        request, need, shared = found
        tokens = request.prompt_tokens
        self._waiting.popleft()
        self._queued -= tokens
        known = request.cached_tokens
        if self._cache:
            known = max(known, self._cache.hits(request.blocks) * self._cache.block_tokens)
            self._cache.hold(request.blocks)
        request.left, request.taken = tokens - min(known, tokens - 1), need + shared
        self._take(need)
        self._running[request.number] = request
        return request

    def _walk_prompts(self, chunks: list[tuple[Request, int, int]]) -> None:
        """One step with prompt tokens; prompts that it completes yield their first token."""
        beside, context = (self._decoding, self._context) if self._mixed else (0, 0.0)
        prompt, pairs, held = 0, 0.0, 0
        for _, begin, chunk in chunks:
            prompt += chunk
            pairs += chunk * (begin + 0.5 * chunk)
            held += begin + chunk
        self.time_s += self.times.step_s(beside, context, prompt, pairs, held)
        if self._mixed:
            self._decoded(1)
        for request, _, _ in chunks:
            if request is not self._partial:
                self._begin_answer(request)

    def _begin_answer(self, request: Request) -> None:
        if request.first_s != request.first_s:
            request.first_s = self.time_s
        request.end = self._steps + request.steps - request.done
        heappush(self._ends, (request.end, request.number, request))
        self._decoding += 1
        self._context += request.input_tokens + request.rate * request.done
        self._growth += request.rate

    def _jump(self, until_s: float) -> None:
        """Decode steps to the next completion, arrival, full cache or given time, whichever comes first."""
        steps = self._ends[0][0] - self._steps
        if self._recompute:
            steps = min(steps, int(self._room / self._growth + TIE))
        due_s = until_s
        if self._waiting and self.time_s < self._waiting[0].arrival_s < due_s:
            due_s = self._waiting[0].arrival_s
        if self._linear is None:
            steps = self._walk(due_s, steps)
        else:
            # m steps take m·step + m·(m − 1)·more; the smallest m that reaches the time, if that is sooner.
            step_s, more_s = self._pace(self._linear)
            wait_s, flat_s = due_s - self.time_s, step_s - more_s
            if wait_s < steps * (step_s + more_s * (steps - 1)):
                to_due = ceil(2 * wait_s / (flat_s + sqrt(flat_s * flat_s + 4 * more_s * wait_s)))
                steps = min(steps, to_due)
            self.time_s += steps * (step_s + more_s * (steps - 1))
        self._decoded(steps)

    def _pace(self, times: StepTimes) -> tuple[float, float]:
        """Time of the next decode step, and half of what each one after it takes more. [s]"""
        step_s = self._decode_s[self._decoding] + times.context_s * self._context
        return step_s, 0.5 * times.context_s * self._growth

    def _walk(self, until_s: float, most: int) -> int:
        """Decode steps one by one, until a time or at most so many; returns how many."""
        steps, context = 0, self._context
        while steps < most and self.time_s < until_s:
            self.time_s += self.times.step_s(self._decoding, context, 0, 0.0, 0)
            context += self._growth
            steps += 1
        return steps

    def _decoded(self, steps: int) -> None:
        self._steps += steps
        self._context += steps * self._growth
        if self._recompute:
            self._take(steps * self._growth)

    # ---- leaving

    def _finish(self, request: Request) -> None:
        del self._running[request.number]
        self._leave(request, request.steps)
        request.finish_s = self.time_s
        self.finished.append(request)
        if self._ended and self._ended[0].finish_s < self.time_s:
            self._ended = []
        self._ended.append(request)

    def _leave(self, request: Request, steps: int) -> None:
        """Stop decoding after so many steps in all, and let go of the cache."""
        self._decoding -= 1
        self._growth -= request.rate
        self._context -= request.input_tokens + request.rate * steps
        if not self._decoding:
            self._growth = self._context = 0.0  # no rest of rounded sums
        self._let_go(request, request.rate * (steps - request.done) if self._recompute else 0.0)

    def _let_go(self, request: Request, grown: float) -> None:
        shared = len(request.blocks) * self._cache.block_tokens if self._cache else 0
        request.taken += grown - shared + (self._cache.release(request.blocks) if self._cache else 0)
        self._room += request.taken
        if not self._running:
            self._room = self._whole  # no rest of rounded sums

    def _take(self, tokens: float) -> None:
        self._room -= tokens
        if self._cache:
            self._cache.evict(self._room + TIE)

    def _check(self, request: Request) -> None:
        need = request.input_tokens + request.output_tokens
        if request.arrival_s < self._last_s:
            raise WorkloadError(
                "a request at {arrival_s:g} s after one at {last_s:g} s. Sort by time.",
                arrival_s=request.arrival_s,
                last_s=self._last_s,
            )
        if min(request.input_tokens, request.output_tokens) < 1:
            raise WorkloadError("a request needs one token of prompt and one of answer at least.")
        if not 0 <= request.cached_tokens < request.input_tokens:
            raise WorkloadError("cached tokens: at least one token of every prompt must be computed.")
        if not min(request.output_tokens - 1, 1) <= request.steps < request.output_tokens:
            raise WorkloadError(
                "{output_tokens} tokens of answer cannot take {steps} steps.",
                output_tokens=request.output_tokens,
                steps=request.steps,
            )
        if need > self.limits.kv_tokens:
            raise WorkloadError(
                "a request needs {need} tokens of KV cache; the replica has {kv_tokens:g}. Give it more "
                "memory, a smaller KV format, or shorter requests.",
                need=need,
                kv_tokens=self.limits.kv_tokens,
            )
        if len(set(request.blocks)) < len(request.blocks):
            raise WorkloadError("a request names the same prefix block twice.")
