"""What holds for options of any layout: no free speed, nothing lost, and nothing changed where none is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from planner.catalog import load_catalog
from planner.errors import PlannerError
from planner.schema import Estimate
from planner.search.estimate import Question, estimate

CATALOG = load_catalog()
SAME = 1.002  # the closed loop is iterated
SEARCH = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
USERS = st.sampled_from([1, 4, 32, 256, 2048])


def answer(question: Question) -> Estimate:
    """The estimate; a layout that cannot exist is no example."""
    try:
        return estimate(CATALOG, question)
    except PlannerError:
        assume(False)
        raise


@st.composite
def experts(draw: Callable[..., Any], llms: tuple[str, ...]) -> Question:
    """A layout of an LLM with experts, and a load; it may be one that does not exist."""
    tp, dp = draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from([1, 1, 8]))
    return Question(
        draw(st.sampled_from(llms)),
        draw(st.sampled_from(["h100", "h200", "b200", "mi300x"])),
        gpus=tp * dp,
        tp=tp,
        dp=dp,
        ep=draw(st.sampled_from([1, tp * dp])),
        weights=draw(st.sampled_from([None, "int4"])),
        input_tokens=draw(st.sampled_from([1, 128, 1024, 8192])),
        output_tokens=draw(st.sampled_from([16, 256, 2048])),
        concurrency=draw(USERS),
        prefix_hit_rate=draw(st.sampled_from([0.0, 0.5])),
    )


MTP = ("deepseek-r1", "glm-4.5-air", "qwen3.5-35b-a3b", "qwen3-next-80b-a3b")


@SEARCH
@given(question=experts(MTP), drafts=st.integers(1, 6), acceptance=st.floats(0, 1), lookup=st.booleans())
def test_drafts_never_beat_their_tokens(question: Question, drafts: int, acceptance: float, lookup: bool) -> None:
    plain = answer(question)
    method = "ngram" if lookup else "mtp"
    drafted = answer(replace(question, speculation=f"{method}:{drafts}", acceptance=acceptance))
    assert drafted.speculation is not None
    tokens = drafted.speculation.tokens_per_step
    assert drafted.serving.output_tokens_per_s <= plain.serving.output_tokens_per_s * tokens * SAME
    assert drafted.memory.max_sequences <= plain.memory.max_sequences
    assert drafted.speculation.plain_tpot_s == plain.serving.tpot_s
    more = answer(replace(question, speculation=f"{method}:{drafts}", acceptance=min(1.0, acceptance + 0.1)))
    assert more.serving.output_tokens_per_s * SAME >= drafted.serving.output_tokens_per_s


@SEARCH
@given(
    question=experts(("qwen3-30b-a3b", "gpt-oss-20b", "mixtral-8x7b", "deepseek-r1")),
    by=st.sampled_from(["cpu", "pcie"]),
    share=st.sampled_from([0.1, 0.5, 1.0]),
)
def test_offload_saves_memory_and_costs_time(question: Question, by: str, share: float) -> None:
    away = answer(replace(question, offload=f"experts:{by}:{share}", host="epyc-9654"))
    assert away.offload is not None and away.offload.needed_bytes >= away.offload.weights_bytes
    assert away.offload.needed_bytes <= away.offload.memory_bytes
    assert 0 < away.offload.host_s < away.offload.step_s
    plain = answer(question)
    assert away.memory.weights_bytes_per_gpu < plain.memory.weights_bytes_per_gpu
    assume(plain.memory.max_sequences >= question.concurrency)  # else the room admits more users at once
    assert away.serving.output_tokens_per_s <= plain.serving.output_tokens_per_s * SAME


@SEARCH
@given(
    llm=st.sampled_from(["qwen3-0.6b", "llama-3.1-8b", "gemma-3-27b", "llama-3.1-70b"]),
    accelerator=st.sampled_from(["a100-sxm-80gb", "h100", "h200", "l40s"]),
    weights=st.sampled_from(["bf16", "fp8", "int8"]),
    users=USERS,
    tp=st.sampled_from([1, 2, 4]),
)
def test_sparse_weights_gain_what_they_save(llm: str, accelerator: str, weights: str, users: int, tp: int) -> None:
    question = Question(llm, accelerator, gpus=tp, tp=tp, weights=weights, concurrency=users)
    dense, sparse = answer(question), answer(replace(question, sparsity="2:4"))
    assert sparse.sparsity is not None and sparse.sparsity.gain is not None
    assert sparse.memory.weights_bytes_per_gpu < dense.memory.weights_bytes_per_gpu
    assert sparse.sparsity.gain >= 1 / SAME
    assume(dense.memory.max_sequences >= users)
    # Neither bytes nor arithmetic shrink by more than two.
    assert sparse.sparsity.gain <= 2


@SEARCH
@given(
    llm=st.sampled_from(["llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b", "deepseek-r1"]),
    pools=st.tuples(st.sampled_from([8, 16]), st.sampled_from([8, 16])),
    tokens=st.tuples(st.sampled_from([128, 1024, 8192]), st.sampled_from([16, 256, 2048])),
    hits=st.sampled_from([0.0, 0.5, 0.9]),
    users=USERS,
)
def test_two_pools_keep_their_balance(
    llm: str, pools: tuple[int, int], tokens: tuple[int, int], hits: float, users: int
) -> None:
    question = Question(llm, "h200", mode="disaggregated", prefill_gpus=pools[0], decode_gpus=pools[1])
    question = replace(question, tp=8, prefill_tp=8, input_tokens=tokens[0], output_tokens=tokens[1])
    question = replace(question, concurrency=users, prefix_hit_rate=hits)
    found = answer(question)
    parts = found.disaggregation
    assert parts is not None and found.mode == "disaggregated"
    waits = parts.admission_s + parts.prefill_queue_s + parts.prefill_s + parts.transfer_s + parts.ingest_s
    assert found.serving.ttft_s == pytest.approx(waits + parts.first_decode_s)
    ahead_s = parts.first_decode_s - found.serving.tpot_s  # beyond the step of the first token itself
    loop_s = waits + ahead_s + tokens[1] * found.serving.tpot_s
    assert found.serving.requests_per_s * loop_s == pytest.approx(users, rel=0.01)
    row, power = CATALOG.accelerators["h200-sxm-141gb"], found.power
    assert power.gpu_w is not None and (row.idle_low_w or 0) <= power.gpu_w <= (row.tdp_w or 0)
    limit = min(parts.prefill_limit_per_s, parts.decode_limit_per_s)
    assert found.serving.requests_per_s <= limit * SAME
    more = answer(replace(question, prefix_hit_rate=1 - (1 - hits) / 2))
    assert more.serving.output_tokens_per_s * SAME >= found.serving.output_tokens_per_s
    one_pool = answer(Question(llm, "h200", tp=8, input_tokens=tokens[0], output_tokens=tokens[1], concurrency=1))
    alone = answer(replace(question, concurrency=1, prefix_hit_rate=0.0))
    assert alone.serving.tpot_s <= one_pool.serving.tpot_s * SAME  # no prompt is ever in the way


@SEARCH
@given(question=experts(("qwen3-30b-a3b", "deepseek-r1")))
def test_without_options_nothing_is_said_of_them(question: Question) -> None:
    found = answer(question)
    assert found.mode == "aggregated"
    assert (found.speculation, found.sparsity, found.offload, found.disaggregation) == (None,) * 4
    assert not {"speculation", "offload", "sparsity", "host", "mode"} & set(found.inputs)
