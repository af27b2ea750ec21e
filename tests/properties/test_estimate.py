"""What holds for any layout: better hardware, fewer prompt tokens or fewer users never make it slower."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog, load_catalog
from planner.errors import PlannerError
from planner.models.roofline import decode_bytes_per_gpu, token_flops_per_gpu
from planner.schema import Accelerator, Estimate
from planner.search.columns import KV, WEIGHTS, Candidates, place
from planner.search.estimate import Question, estimate
from planner.shapes import llm_shape

CATALOG = load_catalog()
LLMS = ["qwen3-0.6b", "llama-3.1-8b", "gemma-3-27b", "gpt-oss-20b", "qwen3-30b-a3b", "mixtral-8x7b", "llama-3.1-70b"]
LLMS += ["qwen3-next-80b-a3b", "deepseek-r1", "deepseek-v3.2"]
COMPUTED = {"bf16", "fp8", "int8", "fp4"}  # no weight precision computes in fp32 or tf32
OUTPUTS = (16, 256, 2048)
SAME = 1.001  # the closed loop is iterated
# Most random layouts are too large for the smallest cards; those that fit are enough.
SEARCH = {"suppress_health_check": [HealthCheck.filter_too_much, HealthCheck.too_slow]}


@st.composite
def questions(
    draw: Callable[..., Any], accelerator: str, users: st.SearchStrategy[int], outputs: tuple[int, ...] = OUTPUTS
) -> Question:
    """A layout of powers of two, and a load; it may be one that does not exist."""
    llm = draw(st.sampled_from(LLMS))
    tp, pp = draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from([1, 1, 2]))
    experts = CATALOG.llms[llm].moe is not None
    dp = draw(st.sampled_from([1, 2, 8])) if experts else 1
    return Question(
        llm,
        accelerator,
        gpus=tp * dp * pp,
        tp=tp,
        dp=dp,
        pp=pp,
        ep=draw(st.sampled_from([1, tp * dp])) if experts else 1,
        weights=draw(st.sampled_from([None, "fp8", "int4", "nvfp4"])),
        kv=draw(st.sampled_from(KV)),
        input_tokens=draw(st.sampled_from([1, 128, 1024, 8192])),
        output_tokens=draw(st.sampled_from(outputs)),
        concurrency=draw(users),
        prefix_hit_rate=draw(st.sampled_from([0.0, 0.5, 0.95])),
    )


ACCELERATORS = st.sampled_from(
    [id for id, row in CATALOG.accelerators.items() if row.memory_visible_bytes and row.bandwidth_bytes_per_s]
)
ANY = ACCELERATORS.flatmap(lambda id: questions(id, st.sampled_from([1, 4, 32, 256, 2048])))
SHORT = ACCELERATORS.flatmap(lambda id: questions(id, st.sampled_from([1, 4, 32, 256, 2048]), (1, 8)))
ALONE = ACCELERATORS.flatmap(lambda id: questions(id, st.just(1)))


def answer(question: Question, catalog: Catalog = CATALOG) -> Estimate:
    """The estimate; a layout that cannot exist is no example."""
    try:
        return estimate(catalog, question)
    except PlannerError:
        assume(False)
        raise


def assert_not_slower(better: Estimate, worse: Estimate) -> None:
    """A user who is alone sees no figure grow. Among several, quicker prompts put more sequences into a step, so that
    one token may take longer; the whole answer and the throughput still gain."""
    if worse.inputs["concurrency"] == 1:
        assert better.serving.ttft_s <= worse.serving.ttft_s * SAME
        assert better.serving.tpot_s <= worse.serving.tpot_s * SAME
    assert better.serving.e2e_s <= worse.serving.e2e_s * SAME
    assert better.serving.output_tokens_per_s * SAME >= worse.serving.output_tokens_per_s


def dominates(fast: Accelerator, slow: Accelerator) -> bool:
    """No figure that the models use is worse."""
    facts = ("memory_visible_bytes", "bandwidth_bytes_per_s", "scaleup_bytes_per_s", "pcie_bytes_per_s")
    pairs = [(getattr(fast, name) or 0.0, getattr(slow, name) or 0.0) for name in facts]
    peaks = {dtype: peak for dtype, peak in slow.peak_flops_per_s.items() if dtype in COMPUTED}
    pairs += [(fast.peak_flops_per_s.get(dtype, 0.0), peak) for dtype, peak in peaks.items()]
    pairs += [(joined(fast), joined(slow)), (fast.scaleup_domain_gpus, slow.scaleup_domain_gpus)]
    pairs += [(slow.scaleup_mesh, fast.scaleup_mesh)]
    pairs += [(engine.defaults_on(fast), engine.defaults_on(slow)) for engine in CATALOG.engines.values()]
    pairs += [(software(slow, "time_factor"), software(fast, "time_factor"))]
    pairs += [(software(fast, "latent_fp8_kv_factor"), software(slow, "latent_fp8_kv_factor"))]
    return all(better >= worse for better, worse in pairs)


def same_steps(fast: str, slow: str) -> bool:
    """Engines fill their steps alike on both: in larger ones, prompts that arrive together wait for each other."""
    rows = CATALOG.accelerators[fast], CATALOG.accelerators[slow]
    return all(engine.defaults_on(rows[0]) == engine.defaults_on(rows[1]) for engine in CATALOG.engines.values())


def joined(row: Accelerator) -> int:
    """Accelerators within reach without the network."""
    return max(row.server_accelerators, row.scaleup_domain_gpus)


def software(row: Accelerator, name: str) -> float:
    """A calibrated factor of an architecture."""
    return CATALOG.parameter(name, row.architecture.split()[0]).value


def complete(row: Accelerator) -> bool:
    return bool(row.memory_visible_bytes and row.bandwidth_bytes_per_s and row.peak_flops_per_s)


PAIRS = {
    slow: [
        fast
        for fast, row in CATALOG.accelerators.items()
        if fast != slow and complete(row) and dominates(row, CATALOG.accelerators[slow])
    ]
    for slow, row in CATALOG.accelerators.items()
    if complete(row)
}


def test_there_are_pairs_to_compare() -> None:
    assert sum(map(len, PAIRS.values())) > 100
    assert "h200-sxm-141gb" in PAIRS["h100-sxm-80gb"]
    assert "h100-sxm-80gb" in PAIRS["h100-pcie-80gb"]
    assert sum(same_steps(fast, slow) for slow, faster in PAIRS.items() for fast in faster) > 50


@pytest.mark.parametrize("slow", [slow for slow, faster in PAIRS.items() if faster])
@settings(max_examples=12, **SEARCH)
@given(data=st.data())
def test_faster_accelerators_are_never_slower(slow: str, data: st.DataObject) -> None:
    question = data.draw(questions(slow, st.sampled_from([1, 1, 16, 256])))
    worse = answer(question)
    assume(worse.memory.max_sequences >= question.concurrency)  # else the larger memory admits more users at once
    for fast in PAIRS[slow]:
        if question.concurrency == 1 or same_steps(fast, slow):
            assert_not_slower(answer(replace(question, accelerator=fast)), worse)


@settings(max_examples=60, **SEARCH)
@given(
    question=ALONE,
    field=st.sampled_from(["bandwidth_bytes_per_s", "scaleup_bytes_per_s", "pcie_bytes_per_s", "peak_flops_per_s"]),
    factor=st.floats(1, 10),
)
def test_a_single_better_figure_is_never_slower(question: Question, field: str, factor: float) -> None:
    row = CATALOG.accelerators[question.accelerator]
    value = getattr(row, field)
    assume(value is not None)
    better = {k: v * factor for k, v in value.items()} if isinstance(value, dict) else value * factor
    twin = copy.copy(CATALOG)
    rows = CATALOG.accelerators | {question.accelerator: row.model_copy(update={field: better})}
    vars(twin)["accelerators"] = rows  # where the cached property keeps what it read
    assert_not_slower(answer(question, twin), answer(question))


@settings(max_examples=80, **SEARCH)
@given(question=ANY, kept=st.sampled_from([0.9, 0.5, 0.01]))
def test_more_prefix_hits_are_never_slower(question: Question, kept: float) -> None:
    more = replace(question, prefix_hit_rate=1 - (1 - question.prefix_hit_rate) * kept)
    assert_not_slower(answer(more), answer(question))


def test_a_lone_user_of_few_experts_gains_from_prefix_hits() -> None:
    asked = Question("mixtral-8x22b", "l40s-48gb", gpus=16, tp=2, dp=8, input_tokens=30_000, output_tokens=16)
    found = [estimate(CATALOG, replace(asked, concurrency=1, prefix_hit_rate=hits)) for hits in (0.8, 0.998)]
    assert_not_slower(found[1], found[0])


@settings(max_examples=80, **SEARCH)
@given(question=ANY | SHORT)
def test_no_estimate_beats_its_roofline(question: Question) -> None:
    found = answer(question)
    bytes_s, flops_share = roofline(question, found)
    assert found.serving.tpot_s >= bytes_s * (1 - 1e-9)
    assert flops_share <= 1


def roofline(question: Question, found: Estimate) -> tuple[float, float]:
    """Time to read what a step needs, and the share of the peak that all tokens take. [s], [-]"""
    llm = CATALOG.llms[question.llm]
    shape, one = llm_shape(question.llm, llm), np.ones(1, np.int64)
    weights, kv = WEIGHTS.index(str(found.inputs["weights"])), KV.index(question.kv)
    sizes = [one * size for size in (question.tp or 1, question.dp, question.pp, question.ep)]
    layout = Candidates((question.accelerator,), ("vllm",), one - 1, one - 1, one * weights, one * kv, *sizes)
    placed = place(CATALOG, shape, llm, layout)
    context = np.array([question.input_tokens + question.output_tokens / 2])
    running = np.array([max(found.serving.running_sequences, 1.0)])  # a step has at least one sequence
    read = float(decode_bytes_per_gpu(shape, placed, running, context)[0])
    new = max(question.input_tokens * (1 - question.prefix_hit_rate), 1.0)
    tokens_per_s = found.serving.requests_per_s * (question.output_tokens + new)
    # Of a prompt only the matrix products count here, as its attention has its own formula.
    flops = float(token_flops_per_gpu(shape, placed, np.zeros(1))[0])
    return read / float(placed.bandwidth_bytes_per_s[0]), flops * tokens_per_s / float(placed.ffn_flops_per_s[0])


@settings(max_examples=80, **SEARCH)
@given(question=ANY | SHORT)
def test_memory_adds_up(question: Question) -> None:
    memory = answer(question).memory
    filled = memory.weights_bytes_per_gpu + memory.activation_bytes_per_gpu + memory.reserve_bytes_per_gpu
    assert filled + memory.kv_room_bytes_per_gpu == pytest.approx(memory.usable_bytes_per_gpu)
    assert memory.usable_bytes_per_gpu <= memory.memory_bytes_per_gpu
    assert memory.max_sequences >= 1
    assert memory.kv_bytes_per_token_per_gpu <= memory.kv_bytes_per_token


@settings(max_examples=80, **SEARCH)
@given(question=ANY | SHORT)
def test_every_user_is_waiting_or_decoding(question: Question) -> None:
    """Little over the closed loop: users = rate x (time to the first token + decoding)."""
    found = answer(question)
    loop_s = found.serving.ttft_s + question.output_tokens * found.serving.tpot_s
    # 1 %: the fixed point is iterated.
    assert found.serving.requests_per_s * loop_s == pytest.approx(question.concurrency, rel=0.01)


def test_answers_of_one_token_on_a_better_accelerator() -> None:
    # Same arithmetic, more bandwidth. Several prompts share one step here, and its weights are read once.
    asked = Question("llama-3.1-8b", "mi300x-192gb", gpus=1, tp=1, input_tokens=1024, output_tokens=1, concurrency=16)
    assert_not_slower(estimate(CATALOG, replace(asked, accelerator="mi325x-256gb")), estimate(CATALOG, asked))


def test_answers_of_one_token_among_many_users() -> None:
    asked = Question("mixtral-8x7b", "h200-nvl-141gb", weights="int4", kv="fp8", gpus=8, tp=2, dp=2, pp=2)
    found = estimate(CATALOG, replace(asked, input_tokens=128, output_tokens=1, concurrency=2048))
    users = found.serving.requests_per_s * (found.serving.ttft_s + found.serving.tpot_s)
    assert users == pytest.approx(2048, rel=0.01)


@settings(max_examples=60, **SEARCH)
@given(question=ANY | SHORT)
def test_power_stays_within_the_boards(question: Question) -> None:
    power, row = answer(question).power, CATALOG.accelerators[question.accelerator]
    assume(power.gpu_w is not None)
    assert row.tdp_w is not None and power.gpu_w is not None and power.node_w is not None
    assert (row.idle_low_w or 0) <= power.gpu_w <= row.tdp_w
    assert power.gpu_w * question.gpus < power.node_w
    assert power.facility_w is None or power.facility_w >= power.node_w


@settings(max_examples=60, **SEARCH)
@given(question=ALONE, users=st.sampled_from([(1, 2), (2, 8), (8, 64), (64, 512)]))
def test_power_follows_the_load(question: Question, users: tuple[int, int]) -> None:
    """More tokens per second cost more watts, but for the waits that longer steps leave: not a fifth."""
    before, after = (answer(replace(question, concurrency=n)) for n in users)
    assume(after.serving.output_tokens_per_s > before.serving.output_tokens_per_s and before.power.gpu_w is not None)
    assert before.power.gpu_w is not None and after.power.gpu_w is not None
    assert after.power.gpu_w >= 0.8 * before.power.gpu_w
    # The energy of one more token falls: weights are read for more of them at once.
    per_token = [e.power.gpu_w / e.serving.output_tokens_per_s for e in (before, after) if e.power.gpu_w is not None]
    assert per_token[1] <= per_token[0] * 1.05


@settings(max_examples=30, **SEARCH)
@given(question=ANY)
def test_band_holds_the_estimate_and_the_same_question_has_the_same_answer(question: Question) -> None:
    found = answer(question)
    assert not re.search(r":\s*-?(NaN|Infinity)", json.dumps(found.model_dump()))
    for name in ("ttft_s", "tpot_s", "output_tokens_per_s"):
        low, high = getattr(found.band, name)
        assert low <= getattr(found.serving, name) <= high
    assert (found.band.gpu_w is None) == (found.power.gpu_w is None)
    if found.band.gpu_w is not None and found.power.gpu_w is not None:
        assert found.band.gpu_w[0] <= found.power.gpu_w <= found.band.gpu_w[1]
    assert estimate(CATALOG, question).model_dump_json() == found.model_dump_json()
