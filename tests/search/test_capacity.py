"""Largest rates of one replica, by trace and seed, however many workers search."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.traffic import Trace
from planner.search import capacity as module
from planner.search.capacity import capacity
from planner.search.spread import Workers
from planner.traces.shipped import load_trace
from planner.workloads import load_workload

FEW = {
    "llm": "llama-3.1-8b",
    "limits.accelerators": ["h100-sxm-80gb"],
    "limits.engines": ["vllm"],
    "limits.weights": ["bf16"],
    "limits.max_gpus_per_replica": 1,
}


def test_drawn_minutes_are_those_of_the_trace() -> None:
    times_s, tokens = np.sort(np.random.default_rng(1).uniform(0, 100, 400)), np.arange(1, 401)
    trace = Trace("made", times_s, tokens, tokens, span_s=100.0)
    drawn = trace.resampled(10.0, seed=5)
    assert drawn.duration_s == pytest.approx(100.0)
    assert (np.diff(drawn.arrivals_s) >= 0).all() and (drawn.input_tokens == drawn.output_tokens).all()
    parts = {tuple(part.input_tokens.tolist()) for part in trace.blocks_of_time(10)}
    assert {tuple(part.input_tokens.tolist()) for part in drawn.blocks_of_time(10)} < parts
    again, other = trace.resampled(10.0, seed=5), trace.resampled(10.0, seed=6)
    assert (again.input_tokens == drawn.input_tokens).all()
    assert len(other) != len(drawn) or (other.input_tokens != drawn.input_tokens).any()


def test_parts_of_a_recording_stay_in_order_whatever_the_seed(catalog: Catalog) -> None:
    """Edges of parts are rounded: a request could stand a bit before the one that it follows."""
    trace = load_trace("azure-conv", catalog)
    for part_s in (7.3, 60.0):
        for seed in range(1, 120):
            assert (np.diff(trace.at_rate(40.0).resampled(part_s, seed).arrivals_s) >= 0).all()


def test_any_number_of_workers_finds_the_same(catalog: Catalog) -> None:
    asked = load_workload("default", FEW)
    alone = capacity(asked, catalog, seeds=2, top=1, requests=300)
    spread = capacity(asked, catalog, seeds=2, top=1, requests=300, workers=Workers(2))
    assert alone.plans == spread.plans
    (one,) = alone.plans
    assert 0 < one.rate_per_s.low <= one.rate_per_s.median <= one.rate_per_s.high
    assert one.replicas == np.ceil(asked.traffic.rate_per_s / 0.8 / one.rate_per_s.low)


def test_bursts_cost_capacity(catalog: Catalog) -> None:
    """Code completions come in bursts: at independent times one replica would hold several times as many."""
    found = capacity(load_workload("default", FEW), catalog, ["azure-code"], top=1, requests=2000)
    (one,) = found.plans
    assert one.trace == "azure-code" and found.simulations == 2
    assert one.poisson_ratio is not None and one.poisson_ratio > 2


def test_the_command_prints_a_row_per_trace(run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.capacity, "__defaults__", (*module.capacity.__defaults__[:-1], 300))
    options = [part for field, value in FEW.items() for part in ("--set", f"{field}={json.dumps(value)}")]
    names = ("--trace", "azure-conv", "--trace", "azure-code")
    told = run_cli("capacity", *names, "--top", "1", *options)
    assert told.exit_code == 0
    assert all(text in told.stdout for text in ("azure-conv", "azure-code", "4 searches"))
    assert len(json.loads(run_cli("capacity", "--top", "1", *options, "--json").stdout)["plans"]) == 1


def test_questions_without_an_answer_are_refused(catalog: Catalog) -> None:
    with pytest.raises(WorkloadError, match="no rate to search for"):
        capacity(load_workload("2000-concurrent"), catalog)
    with pytest.raises(WorkloadError, match="at most 100,000"):
        capacity(load_workload("default", FEW), catalog, seeds=200_000)
