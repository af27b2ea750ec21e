"""`planner cost` as a shell sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from planner.schema.costs import CostAnswer

ARGUMENTS = ("cost", "--accelerator", "h200", "--supply", "own", "--max-gpus", "8", "--engine", "vllm")
TITLES = (
    "Ways to obtain it",
    "What a month consists of",
    "Bill of materials",
    "Unit costs",
    "Hosted APIs",
    "What the promise costs",
)


def test_tables_for_people(run_cli: Callable[..., Any]) -> None:
    run = run_cli(*ARGUMENTS)
    assert run.exit_code == 0 and not run.stderr
    assert all(title in run.stdout for title in TITLES)
    assert "NOT PRICED, in no total of owning: Staff" in run.stdout and "ASKED" in run.stdout
    assert "'!' marks prices older than 180 days" in run.stdout and " !" in run.stdout


def test_only_the_tables_asked_for(run_cli: Callable[..., Any]) -> None:
    shown = run_cli(*ARGUMENTS, "--show", "bill").stdout
    assert "Bill of materials" in shown and "Hosted APIs" not in shown and "NOT PRICED" in shown


def test_json_for_programs(run_cli: Callable[..., Any]) -> None:
    run = run_cli(*ARGUMENTS, "--json", "--set", "ownership.residual_share=0.1")
    answer = CostAnswer.model_validate(json.loads(run.stdout))
    assert answer.ways and answer.bill.items and answer.apis
    assert "CostAnswer" in run_cli("schema", "cost").stdout


@pytest.mark.parametrize(
    "bad",
    [
        ("--horizon", "0"),
        ("--set", "discount_rate=1"),
        ("--set", 'ownership.unit_prices={"rack":-1}'),
        ("--set", "ownership.currency=EUR"),
        ("--set", 'ownership.unit_prices={"nothing":1}'),
        ("--plan", "40"),
    ],
)
def test_refusals_are_clear(run_cli: Callable[..., Any], bad: tuple[str, ...]) -> None:
    run = run_cli(*ARGUMENTS, *bad)
    assert run.exit_code == 1 and not run.stdout and "Traceback" not in run.stderr
    assert len(run.stderr.splitlines()) >= 2


def test_says_it_in_chinese(run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_LANG", "zh")
    assert "物料清单" in run_cli(*ARGUMENTS).stdout
