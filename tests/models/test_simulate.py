"""The event-jumping replica: against a step-by-step loop, by hand, and against another simulator."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from planner.errors import WorkloadError
from planner.models.engine import Policy, StepFunction, StepTimes
from planner.models.simulate import Result, simulate_closed, simulate_open

TRACES = Path(__file__).parents[2] / "catalogs" / "traces"
POLICIES = st.sampled_from(["mixed", "prompt_first"])
PLAIN = StepTimes.linear(base_s=10.0, prompt_s=1.0, sequence_s=0.0, context_s=0.0)
MANY = {"max_sequences": 8, "budget_tokens": 100, "kv_tokens": 1000}

# ---- A step-by-step loop, with an object per request and nothing clever in it.


@dataclass
class Request:
    """One request on its way through the replica."""

    start_s: float
    input: int
    output: int
    left: int  # prompt tokens to compute
    made: int = 0  # output tokens
    first_s: float = 0.0
    finish_s: float = 0.0

    @property
    def held(self) -> int:
        """Tokens in the cache: the computed prompt and every output token that was read again."""
        return self.input - self.left + max(self.made - 1, 0)


@dataclass
class Replica:
    """Limits of a replica and what is in it."""

    times: StepFunction
    max_sequences: int
    budget_tokens: int
    kv_tokens: float
    policy: Policy
    waiting: list[Request]
    closed: bool = False
    running: list[Request] = field(default_factory=list)
    time: float = 0.0

    def fits(self, request: Request) -> bool:
        seats = min(self.max_sequences, self.budget_tokens) if self.policy == "mixed" else self.max_sequences
        reserved = sum(r.input + r.output for r in [*self.running, request])
        return request.start_s <= self.time and len(self.running) < seats and reserved <= self.kv_tokens

    def chunks(self, room: int) -> list[tuple[Request, int]]:
        """Prompt chunks of the next step, in order of arrival; admits what they begin."""
        taken: list[tuple[Request, int]] = []
        for request in [r for r in self.running if r.left]:
            taken.append((request, min(request.left, room)))
            room -= taken[-1][1]
        while room and self.waiting and self.fits(self.waiting[0]):
            self.running.append(self.waiting.pop(0))
            taken.append((self.running[-1], min(self.running[-1].left, room)))
            room -= taken[-1][1]
        return taken

    def step(self) -> None:
        decoding = [r for r in self.running if not r.left]
        chunks = self.chunks(self.budget_tokens - (len(decoding) if self.policy == "mixed" else 0))
        if chunks and self.policy == "prompt_first":
            decoding = []
        if not chunks and not decoding:
            self.time = self.waiting[0].start_s
            return
        context = sum(r.held for r in decoding)
        pairs = sum(chunk * (r.input - r.left + chunk / 2) for r, chunk in chunks)
        held = sum(r.input - r.left + chunk for r, chunk in chunks)
        self.time += self.times.step_s(len(decoding), context, sum(chunk for _, chunk in chunks), pairs, held)
        self.account(decoding, chunks)

    def account(self, decoding: list[Request], chunks: list[tuple[Request, int]]) -> None:
        """Hand out the step's tokens; a user whose answer is complete sends the next request."""
        for request, chunk in chunks:
            request.left -= chunk
            if not request.left:
                request.first_s = self.time
                decoding.append(request)
        for request in decoding:
            request.made += 1
            if request.made == request.output:
                request.finish_s = self.time
                self.running.remove(request)
                if self.closed and (unsent := [r for r in self.waiting if np.isinf(r.start_s)]):
                    unsent[0].start_s = self.time


def step_by_step(case: Case, concurrency: int | None = None) -> Result:
    """`simulate_open`, or with a concurrency `simulate_closed`, the slow way."""
    starts = case.arrivals_s
    if concurrency:
        starts = [0.0 if i < concurrency else np.inf for i in range(len(case.inputs))]
    requests = [Request(*request) for request in zip(starts, case.inputs, case.outputs, case.new_tokens, strict=True)]
    replica = Replica(**case.limits, times=case.times, waiting=list(requests), closed=bool(concurrency))
    while replica.waiting or replica.running:
        replica.step()
    start, first, finish = (np.array([getattr(r, f"{at}_s") for r in requests]) for at in ("start", "first", "finish"))
    tpot = [(r.finish_s - r.first_s) / (r.output - 1) if r.output > 1 else np.nan for r in requests]
    return Result(start, finish, first - start, np.array(tpot), finish - start)


# ---- Random cases.


@dataclass
class Case:
    """Requests and a replica."""

    times: StepFunction
    arrivals_s: list[float]
    inputs: list[int]
    outputs: list[int]
    cached: list[int]
    limits: dict[str, object]

    @property
    def new_tokens(self) -> list[int]:
        return [tokens - known for tokens, known in zip(self.inputs, self.cached, strict=True)]

    def open(self) -> Result:
        return simulate_open(self.times, self.arrivals_s, self.inputs, self.outputs, **self.limits, cached=self.cached)

    def closed(self, concurrency: int) -> Result:
        return simulate_closed(self.times, self.inputs, self.outputs, concurrency, **self.limits, cached=self.cached)


class Bowed:
    """A step time that is linear in nothing."""

    def step_s(self, sequences: int, context: int, prompt: int, pairs: float, held: int) -> float:
        used = (context + held) / 512
        return 2.0**-7 * (1 + sequences) + used * (1 - used / 64) + 2.0**-12 * (prompt * prompt + pairs)


@st.composite
def cases(draw: st.DrawFn, tick_s: float = 2.0**-10) -> Case:
    """Small cases in whole ticks. With ticks of a power of two no sum is rounded, so ties are exact."""
    count = draw(st.integers(1, 24))
    several = {"min_size": count, "max_size": count}
    gaps = draw(st.lists(st.sampled_from([0, 0, 1, 7, 40, 300, 5000]), **several))
    inputs = draw(st.lists(st.integers(1, 40), **several))
    outputs = draw(st.lists(st.integers(1, 20), **several))
    largest = max(map(sum, zip(inputs, outputs, strict=True)))
    limits = {
        "max_sequences": draw(st.integers(1, 8)),
        "budget_tokens": draw(st.integers(1, 48)),
        "kv_tokens": largest + draw(st.integers(0, 100)),
        "policy": draw(POLICIES),
    }
    cached = [draw(st.integers(0, tokens - 1)) for tokens in inputs] if draw(st.booleans()) else [0] * count
    times = draw(st.one_of(step_times(tick_s), st.just(Bowed())))
    return Case(times, (np.cumsum(gaps) * tick_s).tolist(), inputs, outputs, cached, limits)


@st.composite
def step_times(draw: st.DrawFn, tick_s: float) -> StepTimes:
    """A base that rises in pieces of 2, 4, 8, … rows, and prices per sequence, token and pair."""
    rises = draw(st.lists(st.integers(0, 40), min_size=6, max_size=6))
    base_s = tick_s * np.cumsum([draw(st.integers(1, 60)), *rises])
    prices = [tick_s * 2**-3 * draw(st.integers(0, 20)) for _ in range(3)]
    return StepTimes(tuple(2.0**k for k in range(7)), tuple(base_s.tolist()), *prices)


def same(left: Result, right: Result) -> None:
    for name in ("start_s", "finish_s", "ttft_s", "tpot_s", "e2e_s"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), rtol=0, atol=1e-9, err_msg=name)


@given(cases())
def test_open_equals_step_by_step(case: Case) -> None:
    same(case.open(), step_by_step(case))


@given(cases(), st.integers(1, 12))
def test_closed_equals_step_by_step(case: Case, concurrency: int) -> None:
    same(case.closed(concurrency), step_by_step(case, concurrency))


@given(cases(tick_s=2.0**-10 / 3), st.integers(1, 12), st.integers(0, 2**32))
def test_rounded_sums_agree_too(case: Case, concurrency: int, seed: int) -> None:
    """Numbers without a tie: then rounding cannot put an arrival on the other side of a step."""
    case.arrivals_s = np.sort(np.random.default_rng(seed).uniform(0, 4, len(case.inputs))).tolist()
    same(case.open(), step_by_step(case))
    same(case.closed(concurrency), step_by_step(case, concurrency))


# ---- Conservation.


@dataclass
class Counted:
    """Step times that keep what each step did."""

    times: StepFunction
    steps: list[tuple[int, int, int, float, int]] = field(default_factory=list)

    def step_s(self, sequences: int, context: int, prompt: int, pairs: float, held: int) -> float:
        self.steps.append((sequences, context, prompt, pairs, held))
        return self.times.step_s(sequences, context, prompt, pairs, held)


@given(cases(), st.integers(1, 12))
def test_tokens_add_up_and_limits_hold(case: Case, concurrency: int) -> None:
    result = case.closed(concurrency)
    case.times = Counted(case.times)
    same(case.closed(concurrency), result)
    sequences, context, prompt, pairs, held = map(np.array, zip(*case.times.steps, strict=True))
    assert prompt.sum() == sum(case.new_tokens)
    assert sequences.sum() == sum(case.outputs) - len(case.outputs)
    assert pairs.sum() == sum(i * i - c * c for i, c in zip(case.inputs, case.cached, strict=True)) / 2
    assert (sequences <= min(case.limits["max_sequences"], concurrency)).all()
    assert (context + held <= case.limits["kv_tokens"]).all()
    mixed = case.limits["policy"] == "mixed"
    assert (prompt + mixed * sequences <= case.limits["budget_tokens"])[prompt > 0].all()
    assert mixed or not (prompt * sequences).any()


@given(cases(), st.integers(1, 12))
def test_every_request_finishes_once_and_in_order_of_first_tokens(case: Case, concurrency: int) -> None:
    for result in (case.open(), case.closed(concurrency)):
        first_s = result.start_s + result.ttft_s
        assert np.isfinite(result.finish_s).all() and (result.ttft_s > 0).all()
        assert (np.diff(first_s) >= -1e-9).all()
        assert (np.isnan(result.tpot_s) == (np.array(case.outputs) == 1)).all()
        assert (result.finish_s >= first_s - 1e-9).all()


@given(cases(), st.integers(1, 12))
def test_users_send_when_they_are_answered(case: Case, concurrency: int) -> None:
    result = case.closed(concurrency)
    assert (result.start_s[:concurrency] == 0).all()
    later = result.start_s[concurrency:]
    np.testing.assert_array_equal(later, np.sort(result.finish_s)[: len(later)])


# ---- By hand. PLAIN: 10 s a step and 1 s more for each prompt token.


def firsts_and_finishes(result: Result) -> tuple[list[float], list[float]]:
    return (result.start_s + result.ttft_s).tolist(), result.finish_s.tolist()


def test_one_request_alone() -> None:
    """Chunks of 4, 4, 2 take 14 + 14 + 12 s; two more tokens take 20 s."""
    result = simulate_closed(PLAIN, [10], [3], 1, max_sequences=8, budget_tokens=4, kv_tokens=13)
    assert firsts_and_finishes(result) == ([40], [60])
    assert (result.ttft_s.tolist(), result.tpot_s.tolist(), result.e2e_s.tolist()) == ([40], [10], [60])


def test_prompt_attention_is_quadratic_in_the_position() -> None:
    """Chunks of 4, 4, 2: pairs 4·2 + 4·6 + 2·9 = 50 = 10²/2."""
    times = StepTimes.linear(10, 1, 0, 0, pair_s=2)
    result = simulate_closed(times, [10], [1], 1, max_sequences=8, budget_tokens=4, kv_tokens=13)
    assert firsts_and_finishes(result) == ([40 + 100], [140])
    assert np.isnan(result.tpot_s).all()


def test_cached_tokens_are_not_computed_but_read() -> None:
    """2 of 10 tokens: 12 s, and pairs 2·(8 + 1); then one step over 10 tokens of context."""
    times = StepTimes.linear(10, 1, 0, context_s=3, pair_s=2)
    result = simulate_closed(times, [10], [2], 1, **MANY, cached=8)
    assert firsts_and_finishes(result) == ([12 + 36], [48 + 10 + 30])


def test_mixed_steps_carry_both() -> None:
    """Steps end at 12 (prompt 0), 22, 34 (prompt 1 beside token 3), 44 (last tokens of both)."""
    result = simulate_open(PLAIN, [0, 15], [2, 2], [4, 2], **MANY, policy="mixed")
    assert firsts_and_finishes(result) == ([12, 34], [44, 44])


def test_prompt_first_holds_decoding_up() -> None:
    """Steps end at 12 (prompt 0), 22, 34 (prompt 1 alone), 44 (token 2 of 1, token 3 of 0), 54."""
    result = simulate_open(PLAIN, [0, 15], [2, 2], [4, 2], **MANY, policy="prompt_first")
    assert firsts_and_finishes(result) == ([12, 34], [54, 44])


def test_decoding_leaves_less_of_the_budget_to_prompts() -> None:
    """Budget 3: two prompt tokens beside the one sequence, so 4 tokens take two steps of 12 s."""
    result = simulate_open(PLAIN, [0, 5], [1, 4], [6, 1], max_sequences=8, budget_tokens=3, kv_tokens=100)
    assert firsts_and_finishes(result) == ([11, 35], [11 + 12 + 12 + 30, 35])


def test_several_prompts_share_a_step() -> None:
    """Prompts of 2 and 3 and one token of the third fit into 6; its other two are the next step's."""
    result = simulate_closed(PLAIN, [2, 3, 3], [1, 1, 1], 3, max_sequences=8, budget_tokens=6, kv_tokens=100)
    assert firsts_and_finishes(result) == ([16, 16, 28], [16, 16, 28])


@pytest.mark.parametrize("limit", [{"max_sequences": 1}, {"kv_tokens": 9}])
def test_a_full_replica_makes_requests_wait(limit: dict[str, int]) -> None:
    """Request 0 holds the one seat, or 5 of 9 tokens, until 32 s; 1 needs 5, so 2 waits behind it."""
    result = simulate_open(PLAIN, [0, 1, 2], [2, 2, 1], [3, 3, 3], **(MANY | limit))
    if "max_sequences" in limit:
        assert firsts_and_finishes(result) == ([12, 44, 75], [32, 64, 95])
    else:
        assert firsts_and_finishes(result) == ([12, 45, 45], [32, 65, 65])


def test_users_beyond_the_seats_queue() -> None:
    """Four users, two seats, answers of one token: pairs of prompts, 12 s each."""
    result = simulate_closed(PLAIN, [1] * 6, [1] * 6, 4, max_sequences=2, budget_tokens=100, kv_tokens=1000)
    assert result.finish_s.tolist() == [12, 12, 24, 24, 36, 36]
    assert result.start_s.tolist() == [0, 0, 0, 0, 12, 12]


def test_steps_grow_with_the_context() -> None:
    """12 s, then m steps take m·(10 + 2) + m(m−1)/2 s: 12, 25, 39. The arrival at 30 is seen at 37."""
    times = StepTimes.linear(10, 1, 0, context_s=1)
    result = simulate_open(times, [0, 30], [2, 1], [6, 1], **MANY)
    assert firsts_and_finishes(result) == ([12, 37 + 15], [52 + 15 + 16, 52])


def test_an_arrival_at_the_end_of_a_step_enters_the_next() -> None:
    result = simulate_open(PLAIN, [0, 32], [2, 1], [9, 1], **MANY)
    assert firsts_and_finishes(result)[0] == [12, 43]


def test_an_idle_replica_waits() -> None:
    result = simulate_open(PLAIN, [-5, 100], [2, 2], [1, 1], **MANY)
    assert firsts_and_finishes(result) == ([7, 112], [7, 112])


def test_no_request_at_all() -> None:
    assert simulate_open(PLAIN, [], [], [], **MANY).finish_s.shape == (0,)
    assert simulate_closed(PLAIN, [], [], 3, **MANY).finish_s.shape == (0,)


def test_base_is_interpolated_and_extended() -> None:
    times = StepTimes((1, 3, 11), (10, 14, 22))
    rows = [0, 1, 2, 3, 4, 11, 13]
    assert [times.step_s(0, 0, n, 0.0, 0) for n in rows] == [8, 10, 12, 14, 15, 22, 24]


# ---- Another simulator.


def azure_conversations() -> NDArray[np.float64]:
    """Arrival times [s], input and output tokens; see the README beside the trace."""
    with gzip.open(TRACES / "azure-conv.csv.gz", "rt") as file:
        return np.loadtxt(file, delimiter=",", skiprows=1).T


class DynoSim:
    """Default step time of DynoSim, NVIDIA Dynamo's simulator: quadratic in the share of the cache in use."""

    kv_tokens = 449_984

    def step_s(self, sequences: int, context: int, prompt: int, pairs: float, held: int) -> float:
        used = (context + held) / self.kv_tokens
        decode_ms = -25.74 * used * used + 54.01 * used + 5.74
        prompt_ms = 4.210e-7 * prompt * prompt + 0.015183 * prompt + 16.501
        return (decode_ms + (prompt_ms if prompt else 0.0)) / 1e3


@pytest.mark.parametrize(("speed", "ttft_ms", "tpot_ms"), [(1.0, 227.5, 19.3), (1.6, 347.2, 40.2)])
def test_agrees_with_dynosim(speed: float, ttft_ms: float, tpot_ms: float) -> None:
    """P99 over one hour of Azure conversations, as DynoSim gave them.

    Within 3 %: DynoSim counts the cache in blocks of tokens and replays whole milliseconds.
    """
    arrivals_s, inputs, outputs = azure_conversations()
    result = simulate_open(
        DynoSim(), arrivals_s.round(3) / speed, inputs, outputs, 256, 2048, kv_tokens=DynoSim.kv_tokens
    )
    assert 1e3 * np.percentile(result.ttft_s, 99) == pytest.approx(ttft_ms, rel=0.03)
    assert 1e3 * np.percentile(result.tpot_s, 99) == pytest.approx(tpot_ms, rel=0.03)


def test_jumping_equals_walking_for_an_hour() -> None:
    """The same linear step time, jumped and (behind a wrapper) walked: 19,366 requests."""
    arrivals_s, inputs, outputs = azure_conversations()
    times = StepTimes.linear(7.5e-3, 27e-6, 30e-6, 60e-9, 1e-10)
    jumped, walked = (
        simulate_open(form, arrivals_s / 1.6, inputs, outputs, 256, 2048, 450_000) for form in (times, Counted(times))
    )
    same(jumped, walked)


# ---- What is refused.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arrivals_s": [1, 0]}, "request 1 comes before request 0"),
        ({"arrivals_s": [0]}, "one finite time per request"),
        ({"arrivals_s": [0, np.nan]}, "one finite time per request"),
        ({"inputs": [2, 0]}, "input tokens of request 1: 0"),
        ({"inputs": [2.5, 2]}, r"input tokens of request 0: 2\.5"),
        ({"outputs": [3, -1]}, "output tokens of request 1: -1"),
        ({"outputs": [np.inf, 1]}, "output tokens of request 0: inf"),
        ({"outputs": [3]}, "2 inputs, 1 outputs"),
        ({"cached": 2}, "at least one token of every prompt"),
        ({"kv_tokens": 4}, r"request 0 needs 5 tokens of KV cache; the replica has 4\."),
        ({"max_sequences": 0}, "max_sequences 0"),
        ({"budget_tokens": 0}, "budget_tokens 0"),
    ],
)
def test_bad_requests_and_limits_are_refused(change: dict[str, object], message: str) -> None:
    asked = {"arrivals_s": [0, 1], "inputs": [2, 2], "outputs": [3, 3], **MANY} | change
    with pytest.raises(WorkloadError, match=message):
        simulate_open(PLAIN, **asked)


def test_nobody_to_ask_is_refused() -> None:
    with pytest.raises(WorkloadError, match="concurrency 0"):
        simulate_closed(PLAIN, [1], [1], 0, **MANY)


def test_impossible_step_times_are_bugs() -> None:
    with pytest.raises(ValueError, match="two or more increasing"):
        StepTimes((1,), (1,))
    with pytest.raises(ValueError, match="two or more increasing"):
        StepTimes((1, 1), (1, 2))
    with pytest.raises(ValueError, match="more context"):
        StepTimes.linear(1, 1, 1, context_s=-1)
    with pytest.raises(ValueError, match="some time"):
        simulate_closed(StepTimes.linear(0, 1, 0, 0), [1], [2], 1, **MANY)
    with pytest.raises(ValueError, match="policy 'fifo'"):
        simulate_closed(PLAIN, [1], [1], 1, **MANY, policy="fifo")
