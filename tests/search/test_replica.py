"""Every candidate that closed forms keep can be simulated: its steps take time, whatever the context."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.models.traffic import Trace
from planner.search.columns import WEIGHTS
from planner.search.replica import repeated, server_for
from planner.search.study import evaluate
from planner.workloads import load_workload

ENGINES = ("vllm", "sglang")


@pytest.mark.parametrize("llm", ["qwen2.5-32b", "mistral-large-2411", "gemma-3-12b", "qwen3-30b-a3b", "deepseek-r1"])
@pytest.mark.parametrize("output_tokens", [16, 4000])
def test_every_candidate_has_steps_that_take_time(catalog: Catalog, llm: str, output_tokens: int) -> None:
    question = {"llm": llm, "traffic.output_tokens": output_tokens, "traffic.rate_per_s": 50.0}
    study = evaluate(load_workload("default", question), catalog)
    able = np.flatnonzero(study.capacity.rate_per_s > 0)
    some = np.random.default_rng(0).permutation(able)[:250]
    assert len(some) > 50
    for row in some.tolist():
        server = server_for(study, row)
        steps_s, growth_s = server.times.decode_s(min(server.max_sequences, 4096))
        assert min(steps_s[1:]) > 0 and min(growth_s) >= 0 and math.isfinite(steps_s[-1])


@given(gaps=st.lists(st.floats(0, 1e4), min_size=2, max_size=40), ratio=st.floats(0.01, 100))
@settings(deadline=None)
def test_a_repeated_trace_never_goes_back_in_time(gaps: list[float], ratio: float) -> None:
    """Where a round ends with its last request, the next begins at that very moment."""
    trace = Trace("made", np.cumsum(gaps), np.ones(len(gaps), np.int64), np.ones(len(gaps), np.int64))
    times, row = repeated(trace, ratio, 0, np.arange(20 * len(gaps)))
    assert (np.diff(times) >= 0).all() and row.tolist() == list(range(len(gaps))) * 20


def test_ranks_that_stages_keep_apart_talk_between_servers(catalog: Catalog) -> None:
    """Of eight ranks of two stages on two servers: vLLM's stand with their stages, SGLang's beside each other."""
    limits = {"limits.accelerators": ["h100"], "limits.tp": [2], "limits.dp": [4], "limits.pp": [2], "limits.ep": [1]}
    between, inside = (
        evaluate(load_workload("default", limits | {"limits.engines": [engine]}), catalog) for engine in ENGINES
    )
    apart, together = (study.place.links.group_bytes_per_s.max() for study in (between, inside))
    assert apart < together / 5


def test_prompts_that_go_in_whole_take_the_memory_of_a_whole_prompt(catalog: Catalog) -> None:
    """As the bundle starts that server: its token budget is its context, and nothing is found in a prefix cache."""
    article = evaluate(load_workload("article", {"limits.engines": ["vllm"]}), catalog)
    int4 = article.candidates.weights == WEIGHTS.index("int4")
    assert int4.any() and (article.fit.budget_tokens[int4] == 32_768).all()
    cached = load_workload("article", {"limits.engines": ["vllm"], "traffic.prefix_hit_rate": 0.5})
    assert not (evaluate(cached, catalog).candidates.weights == WEIGHTS.index("int4")).any()
