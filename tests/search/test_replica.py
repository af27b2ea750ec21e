"""Every candidate that closed forms keep can be simulated: its steps take time, whatever the context."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.search.replica import server_for
from planner.search.study import evaluate
from planner.workloads import load_workload


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
