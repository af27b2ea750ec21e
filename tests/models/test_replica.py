"""The resumable replica: against a step-by-step loop with every option, and by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from planner.models.engine import Limits, StepFunction, StepTimes
from planner.models.pools import Pool, Transfer, simulate_pools
from planner.models.replica import Replica, Request
from planner.models.simulate import simulate_open

PLAIN = StepTimes.linear(base_s=10.0, prompt_s=1.0, sequence_s=0.0, context_s=0.0)
BLOCK = 4

# ---- A step-by-step loop: every step, every token of every request, and the cache as a plain list.


@dataclass
class Asked:
    """What a request asks for."""

    arrival_s: float
    input: int
    output: int
    steps: int
    blocks: tuple[int, ...] = ()
    cached: int = 0

    @property
    def rate(self) -> float:
        return (self.output - 1) / self.steps if self.steps else 1


@dataclass
class Slow:
    """One request in the slow loop."""

    asked: Asked
    prompt: int  # tokens to compute before it decodes
    behind: int = 0  # decode steps behind it when the prompt began
    known: int = 0  # prompt tokens in the cache
    made: int = 0  # decode steps since
    first_s: float = math.nan
    finish_s: float = math.nan

    @property
    def steps(self) -> int:
        return self.behind + self.made

    @property
    def held(self) -> float:
        """Tokens in the cache once it decodes."""
        return self.asked.input + self.asked.rate * self.steps

    def reserved(self, recompute: bool) -> float:
        if not recompute:
            return self.asked.input + self.asked.output
        return self.prompt + self.asked.rate * self.made


@dataclass
class SlowReplica:
    """The rules, one step at a time."""

    times: StepFunction
    limits: Limits
    waiting: list[Slow]
    cached: bool
    running: list[Slow] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)  # blocks in the cache that nobody holds, the oldest first
    time_s: float = 0.0
    preempted: int = 0

    @property
    def recompute(self) -> bool:
        return self.limits.admission == "recompute"

    @property
    def room(self) -> float:
        """What running requests leave of the cache, shared blocks counted once."""
        blocks = [b for r in self.running for b in r.asked.blocks]
        shared = BLOCK * (len(blocks) - len(set(blocks))) if self.cached else 0
        return self.limits.kv_tokens - sum(r.reserved(self.recompute) for r in self.running) + shared

    @property
    def decoding(self) -> list[Slow]:
        return [r for r in self.running if r.known == r.prompt]

    def evict(self) -> None:
        while BLOCK * len(self.kept) > self.room + 1e-9:
            self.kept.pop(0)

    def leave(self, request: Slow) -> None:
        self.running.remove(request)
        held = {b for r in self.running for b in r.asked.blocks}
        self.kept += [b for b in reversed(request.asked.blocks) if b not in held]

    def preempt(self) -> None:
        last = self.running[-1]
        self.leave(last)
        self.preempted += 1
        if last.known == last.prompt:
            last.behind += last.made + 1
            last.prompt = last.asked.input + math.ceil(last.asked.rate * last.behind - 1e-9)
        last.known = last.made = 0
        self.waiting.insert(0, last)

    def may_enter(self, request: Slow) -> bool:
        blocks = {b for r in self.running for b in r.asked.blocks}
        shared = BLOCK * sum(b in blocks for b in request.asked.blocks)
        need = request.reserved(self.recompute) - shared
        if self.recompute:
            need += sum(r.asked.rate for r in self.decoding)
            need += request.asked.rate if request.behind < request.asked.steps else 0
        seat = len(self.running) < self.limits.seats
        return request.asked.arrival_s <= self.time_s and seat and need <= self.room + 1e-9

    def enter(self) -> Slow:
        request = self.waiting.pop(0)
        known = {b for r in self.running for b in r.asked.blocks} | set(self.kept)
        hits = 0
        while hits < len(request.asked.blocks) and request.asked.blocks[hits] in known:
            hits += 1
        request.known = min(max(request.asked.cached, BLOCK * hits), request.prompt - 1)
        self.kept = [b for b in self.kept if b not in request.asked.blocks]
        self.running.append(request)
        self.evict()
        return request

    def chunks(self, room: int) -> list[tuple[Slow, int]]:
        taken = []
        for request in [r for r in self.running if r.known < r.prompt]:
            taken.append((request, min(request.prompt - request.known, room)))
            room -= taken[-1][1]
        while room and self.waiting and self.may_enter(self.waiting[0]):
            request = self.enter()
            taken.append((request, min(request.prompt - request.known, room)))
            room -= taken[-1][1]
        return taken

    def step(self) -> None:
        while self.recompute and self.decoding and self.room < sum(r.asked.rate for r in self.decoding) - 1e-9:
            self.preempt()
        decoding = self.decoding
        mixed = self.limits.policy == "mixed"
        chunks = self.chunks(self.limits.budget_tokens - (self.limits.queries * len(decoding) if mixed else 0))
        if chunks and not mixed:
            decoding = []
        if not chunks and not decoding:
            self.time_s = self.waiting[0].asked.arrival_s
            return
        pairs = sum(chunk * (r.known + chunk / 2) for r, chunk in chunks)
        held = sum(r.known + chunk for r, chunk in chunks)
        prompt, context = sum(chunk for _, chunk in chunks), sum(r.held for r in decoding)
        self.time_s += self.times.step_s(len(decoding), context, prompt, pairs, held)
        self.account(decoding, chunks)

    def account(self, decoding: list[Slow], chunks: list[tuple[Slow, int]]) -> None:
        for request in decoding:
            request.made += 1
        for request, chunk in chunks:
            request.known += chunk
            if request.known == request.prompt and math.isnan(request.first_s):
                request.first_s = self.time_s
        self.evict()
        for request in [r for r in self.by_number() if r.known == r.prompt and r.steps == r.asked.steps]:
            request.finish_s = self.time_s
            self.leave(request)

    def by_number(self) -> list[Slow]:
        return sorted(self.running, key=lambda r: r.asked.arrival_s)  # stable: ties keep the order of entering


def slowly(times: StepFunction, limits: Limits, asked: list[Asked], cached: bool) -> tuple[list[Slow], SlowReplica]:
    requests = [Slow(a, a.input) for a in asked]
    replica = SlowReplica(times, limits, list(requests), cached)
    while replica.waiting or replica.running:
        replica.step()
    return requests, replica


# ---- Random cases.


@dataclass
class Case:
    """Requests and a replica."""

    times: StepFunction
    limits: Limits
    asked: list[Asked]
    cached: bool

    def replica(self) -> Replica:
        return Replica(self.times, self.limits, block_tokens=BLOCK if self.cached else 0)

    def offer(self, replica: Replica, asked: Asked) -> Request:
        return replica.offer(asked.arrival_s, asked.input, asked.output, asked.blocks, asked.cached, asked.steps)


class Bowed:
    """A step time that is linear in nothing."""

    def step_s(self, sequences: float, context: float, prompt: int, pairs: float, held: float) -> float:
        used = (context + held) / 512
        return 2.0**-7 * (1 + sequences) + used * (1 - used / 64) + 2.0**-12 * (prompt * prompt + pairs)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Small cases. Times are irregular, so that no arrival falls on the end of a step."""
    count = draw(st.integers(1, 16))
    seed = draw(st.integers(0, 2**32))
    random = np.random.default_rng(seed)
    arrivals_s = np.sort(random.uniform(0, draw(st.sampled_from([0.1, 2.0, 20.0])), count))
    cached, drafts = draw(st.booleans()), draw(st.integers(0, 3))
    asked = [_asked(random, float(at), cached, drafts) for at in arrivals_s]
    largest = max(a.input + a.output for a in asked)
    limits = Limits(
        max_sequences=draw(st.integers(1, 8)),
        budget_tokens=draw(st.integers(1 + drafts, 48)),
        kv_tokens=largest + draw(st.sampled_from([0, 3, 10, 60])),
        policy=draw(st.sampled_from(["mixed", "prompt_first"])),
        admission=draw(st.sampled_from(["reserve", "recompute"])),
        queries=1 + drafts,
    )
    prices = random.uniform(1e-3, 5e-3, 6).cumsum()
    times = StepTimes((1, 2, 4, 8, 16, 32), tuple(prices.tolist()), *random.uniform(0, 1e-4, 3).tolist())
    return Case(draw(st.sampled_from([times, Bowed()])), limits, asked, cached)


def _asked(random: np.random.Generator, at_s: float, cached: bool, drafts: int) -> Asked:
    input, output = int(random.integers(1, 40)), int(random.integers(1, 20))
    steps = int(random.integers(math.ceil((output - 1) / (1 + drafts)), output)) if output > 1 else 0
    length = input // BLOCK
    if not cached:
        return Asked(at_s, input, output, steps, cached=int(random.integers(0, input)) if random.random() < 0.3 else 0)
    # Three conversations; requests of one share a prefix and part at a block.
    root, part = 1000 * int(random.integers(3)), int(random.integers(0, length + 1))
    tail = 100_000 * int(random.integers(1, 4)) + root
    return Asked(at_s, input, output, steps, (*range(root, root + part), *range(tail + part, tail + length)))


def compare(requests: list[Request], slow: list[Slow]) -> None:
    for name in ("first_s", "finish_s"):
        ours, theirs = ([getattr(r, name) for r in found] for found in (requests, slow))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9, err_msg=name)


@given(cases())
def test_equals_step_by_step(case: Case) -> None:
    replica = case.replica()
    requests = [case.offer(replica, asked) for asked in case.asked]
    replica.drain()
    slow, loop = slowly(case.times, case.limits, case.asked, case.cached)
    compare(requests, slow)
    assert replica.preemptions == loop.preempted
    assert replica.load().running == replica.load().kv_tokens == replica.load().prompt_tokens == 0


@given(cases(), st.integers(0, 2**32))
def test_stopping_changes_nothing(case: Case, seed: int) -> None:
    """Offered one by one as they arrive, with stops at any time between."""
    replica, requests = case.replica(), []
    random = np.random.default_rng(seed)
    for asked in case.asked:
        for until_s in np.sort(random.uniform(0, asked.arrival_s, 2)).tolist():
            replica.advance(until_s)
        replica.advance(asked.arrival_s)
        requests.append(case.offer(replica, asked))
    replica.drain()
    compare(requests, slowly(case.times, case.limits, case.asked, case.cached)[0])


@given(cases())
def test_equals_the_loop_over_a_list(case: Case) -> None:
    """Plain requests: the quicker loop of `simulate_open` gives the same."""
    limits = Limits(case.limits.max_sequences, case.limits.budget_tokens, case.limits.kv_tokens, case.limits.policy)
    replica = Replica(case.times, limits)
    requests = [replica.offer(a.arrival_s, a.input, a.output, cached_tokens=a.cached) for a in case.asked]
    replica.drain()
    columns = ([getattr(a, name) for a in case.asked] for name in ("arrival_s", "input", "output"))
    quick = simulate_open(
        case.times,
        *columns,
        limits.max_sequences,
        limits.budget_tokens,
        limits.kv_tokens,
        limits.policy,
        [a.cached for a in case.asked],
    )
    np.testing.assert_allclose([r.ttft_s for r in requests], quick.ttft_s, rtol=0, atol=1e-9)
    np.testing.assert_allclose([r.tpot_s for r in requests], quick.tpot_s, rtol=0, atol=1e-9)


@given(cases(), st.floats(0, 20))
def test_the_killed_are_those_without_an_answer(case: Case, at_s: float) -> None:
    sent = [a for a in case.asked if a.arrival_s < at_s]
    replica = case.replica()
    requests = [case.offer(replica, asked) for asked in sent]
    lost = replica.kill(at_s)
    slow = slowly(case.times, case.limits, case.asked, case.cached)[0][: len(sent)]
    assert [r.number for r in lost] == [n for n, r in enumerate(slow) if r.finish_s > at_s]
    assert {r.number for r in lost} | {r.number for r in replica.finished} == set(range(len(sent)))
    assert all(math.isnan(r.finish_s) and not r.first_s > at_s for r in lost)
    assert [math.isnan(requests[n].first_s) for n in range(len(sent))] == [r.first_s > at_s for r in slow]
    assert replica.load().requests == 0


@given(cases(), st.integers(1, 3), st.integers(1, 3))
def test_pools_equal_step_by_step(case: Case, prefillers: int, decoders: int) -> None:
    """Prompts alone, then the transfer, then answers whose prompts lack one token, each in turn."""
    limits = Limits(case.limits.max_sequences, case.limits.budget_tokens, case.limits.kv_tokens, case.limits.policy)
    prompts = [Asked(a.arrival_s, a.input, 1, 0, cached=a.cached) for a in case.asked]
    ready_s = [s.first_s + 0.003 + 1e-4 * s.asked.input for s in _in_turn(case.times, limits, prompts, prefillers)]
    order = np.argsort(ready_s, kind="stable").tolist()
    sent = [(ready_s[n], case.asked[n]) for n in order]
    answers = [Asked(at_s, a.input, a.output, a.output - 1, cached=a.input - 1) for at_s, a in sent]
    slow = dict(zip(order, _in_turn(case.times, limits, answers, decoders), strict=True))
    columns = ([getattr(a, name) for a in case.asked] for name in ("arrival_s", "input", "output", "cached"))
    pools = (Pool(case.times, limits, prefillers), Pool(case.times, limits, decoders))
    result = simulate_pools(*pools, Transfer(0.003, 1e-4), *columns)
    first_s, finish_s = ([getattr(slow[n], name) for n in range(len(slow))] for name in ("first_s", "finish_s"))
    np.testing.assert_allclose(result.start_s + result.ttft_s, first_s, rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.finish_s, finish_s, rtol=0, atol=1e-9)


def _in_turn(times: StepFunction, limits: Limits, asked: list[Asked], replicas: int) -> list[Slow]:
    found: dict[int, Slow] = {}
    for number in range(min(replicas, len(asked))):
        requests, _ = slowly(times, limits, asked[number::replicas], cached=False)
        found |= dict(zip(range(number, len(asked), replicas), requests, strict=True))
    return [found[n] for n in range(len(asked))]


# ---- By hand. PLAIN: 10 s a step and 1 s more for each prompt token.


def test_a_full_cache_recomputes_the_youngest() -> None:
    """Seven tokens. Both enter (2 + 2 of prompt and 2 for a step, after 14 s), decode once (24 s, 6 held)
    and the older takes the last place (34 s, 4 + 0 held after the younger left). The younger's 2 + 2 tokens
    enter again when the older has ended, at 44 s, yield its third token at 58 s, its fourth at 68 s."""
    replica = Replica(PLAIN, Limits(8, 100, kv_tokens=7, admission="recompute"))
    one, two = replica.offer(0.0, 2, 4), replica.offer(0.0, 2, 4)
    replica.drain()
    assert (one.first_s, one.finish_s, two.first_s, two.finish_s) == (14, 44, 14, 68)
    assert (replica.preemptions, two.computed_tokens) == (1, 2 + 4)


def test_reserving_makes_the_second_wait() -> None:
    replica = Replica(PLAIN, Limits(8, 100, kv_tokens=7))
    one, two = replica.offer(0.0, 2, 4), replica.offer(0.0, 2, 4)
    replica.drain()
    assert (one.finish_s, two.first_s, replica.preemptions) == (42, 54, 0)


def test_shared_blocks_are_computed_once() -> None:
    """9 tokens, of which 8 are in two blocks: the second request computes one token, 11 s instead of 19."""
    replica = Replica(PLAIN, Limits(8, 100, 1000), block_tokens=4)
    one = replica.offer(0.0, 9, 1, blocks=[7, 8, 9])
    two = replica.offer(100.0, 9, 1, blocks=[7, 8, 10])
    replica.drain()
    assert (one.ttft_s, two.ttft_s, two.computed_tokens) == (19, 11, 1)
    assert replica.hit_tokens([7, 8, 9]) == 8  # the third block was not full


def test_the_oldest_blocks_leave() -> None:
    """Room for 12 tokens: the third request needs 10 of them, so of four idle blocks none stays."""
    replica = Replica(PLAIN, Limits(8, 100, 12), block_tokens=4)
    for at_s, blocks in ((0.0, [1]), (100.0, [2]), (200.0, [3, 4])):
        replica.offer(at_s, 4 * len(blocks), 1, blocks)
    replica.advance(150.0)
    assert (replica.hit_tokens([1]), replica.hit_tokens([2])) == (4, 4)
    replica.drain()
    assert (replica.hit_tokens([1]), replica.hit_tokens([2]), replica.hit_tokens([3, 4])) == (0, 0, 8)


def test_drafts_save_steps_and_cost_budget() -> None:
    """Four more tokens in two steps; beside a sequence of 3 tokens per step a budget of 6 leaves 3."""
    replica = Replica(PLAIN, Limits(8, 6, 1000, queries=3))
    one = replica.offer(0.0, 1, 5, steps=2)
    two = replica.offer(5.0, 4, 1)
    replica.drain()
    assert (one.first_s, one.finish_s, two.first_s) == (11, 11 + 13 + 11, 35)


def test_what_has_not_entered_can_go_elsewhere() -> None:
    replica = Replica(PLAIN, Limits(1, 100, 1000))
    one, two = replica.offer(0.0, 2, 3), replica.offer(0.0, 2, 3)
    replica.advance(5.0)
    assert (replica.load().waiting, replica.load().running, replica.load().prompt_tokens) == (1, 1, 2)
    assert replica.withdraw() == [two]
    replica.drain()
    assert (replica.finished, one.finish_s) == ([one], 32)


def test_load_counts_tokens() -> None:
    replica = Replica(PLAIN, Limits(8, 4, 100))
    replica.offer(0.0, 10, 2)
    replica.offer(0.0, 5, 2)
    replica.advance(1.0)
    load = replica.load()
    assert (load.requests, load.prompt_tokens, load.kv_tokens, load.kv_share) == (2, 6 + 5, 12, 0.12)


def test_ready_later() -> None:
    replica = Replica(PLAIN, Limits(8, 4, 100), start_s=50.0)
    request = replica.offer(0.0, 2, 1)
    replica.drain()
    assert request.finish_s == 62
