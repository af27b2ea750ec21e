"""Commands that reproduce a page read back as the very question."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import load_catalog
from planner.cli import cli
from planner.cli.answers import changes_of
from planner.cli.fleets import asked_of
from planner.report.command import command, estimate_command, simulate_options
from planner.schema import FleetOptions, Workload
from planner.search.plan import plan
from planner.workloads import load_workload, presets

CHANGES = {
    "traffic.rate_per_s": st.floats(0.01, 1e5),
    "traffic.concurrency": st.integers(1, 10_000),
    "traffic.trace": st.sampled_from([None, "azure-conv"]),
    "slo.availability": st.floats(0.5, 0.9999),
    "limits.accelerators": st.sampled_from([[], ["h200-sxm-141gb"], ["h200-sxm-141gb", "b200-sxm-180gb"]]),
    "supply.options": st.sampled_from([["own"], ["spot", "on_demand"]]),
    "prices": st.sampled_from([{}, {"h200": 2.1}]),
    "ownership.staff_usd_per_year": st.sampled_from([None, 1e5]),
    "name": st.sampled_from(["", "12", "two words", "it's; rm -rf $HOME", "null", "名字"]),
}


def read_back(line: str) -> Workload:
    """The workload that a command line asks about."""
    words = shlex.split(line)
    assert words[0] == "planner"
    parsed = cli.commands[words[1]].make_context(words[1], words[2:]).params
    return load_workload(parsed["workload"], changes_of({}, parsed["assignments"]))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(presets())), st.fixed_dictionaries({}, optional=CHANGES))
def test_a_command_asks_the_same_question(preset: str, changes: dict[str, Any]) -> None:
    if {"traffic.rate_per_s", "traffic.concurrency"} <= changes.keys():
        del changes["traffic.concurrency"]
    asked = load_workload(preset, changes)
    assert read_back(command("plan", asked)) == asked


@pytest.mark.parametrize("preset", list(presets()))
def test_a_preset_is_named(preset: str) -> None:
    line = command("plan", load_workload(preset))
    assert line == ("planner plan" if preset == "default" else f"planner plan {preset}")


@pytest.mark.parametrize(
    "fleet",
    [
        FleetOptions(),
        FleetOptions.model_validate({"autoscale": {"storage": "object", "warm_nodes": True}, "surge": {"factor": 3.0}}),
        FleetOptions.model_validate({"failures": {}, "spot": {"price_ratio": 0.4}}),
    ],
)
def test_a_simulation_asks_for_the_same_fleet(fleet: FleetOptions) -> None:
    workload = load_workload(changes={"traffic.trace": "azure-code"})
    words = shlex.split(command("simulate", workload, *simulate_options(2, 5, True, 1.5, 7, fleet)))
    given = cli.commands["simulate"].make_context("simulate", words[2:]).params
    assert (given["rank"], given["replicas"], given["drop_longer"]) == (2, 5, True)
    assert (given["busiest_h"], given["seed"]) == (1.5, 7)
    sections = (given[name] for name in ("autoscale", "failures", "spot", "surge", "fleet_fields"))
    assert asked_of(*sections) == fleet


def test_an_estimate_is_that_of_the_plan() -> None:
    workload = load_workload("default", {"limits.accelerators": ["h200"]})
    best = plan(workload, load_catalog(), 1, 0).plans[0]
    words = shlex.split(estimate_command(workload, best))
    parsed = cli.commands["estimate"].make_context("estimate", words[2:]).params
    assert (parsed["accelerator"], parsed["tp"], parsed["dp"]) == (best.accelerator, best.layout.tp, best.layout.dp)
    assert parsed["input_tokens"] == workload.traffic.input_tokens
