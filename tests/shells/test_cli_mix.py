"""planner mix as a shell sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
SMALL = ("--accelerator", "h200", "--engine", "vllm", "--max-gpus", "8", "--rate", "30")


def test_people_get_a_sentence_tables_and_what_limits_are_worth(run_cli: Run) -> None:
    done = run_cli("mix", *SMALL, "--quota", "on_demand=8")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("h200-sxm-141gb for $")
    for told in ("Instead of the mix", "more of quota for on_demand@", "must not depend on Spot"):
        assert told in done.stdout


def test_json(run_cli: Run) -> None:
    answer = json.loads(run_cli("mix", *SMALL, "--load", "constant", "--json").stdout)
    assert {"lines", "usd_per_year", "alternatives", "shadows", "unpriced", "firm_share"} <= answer.keys()
    assert answer["hours"] == 1 and answer["peak_replicas"] == answer["mean_replicas"]


def test_speaks_chinese(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_LANG", "zh")
    assert "每月" in run_cli("mix", *SMALL).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--quota", "on_demand"),
        ("--quota", "on_demand=many"),
        ("--load", "no-such"),
        ("--load", "no-such.csv"),
        ("--region", "atlantis"),
        ("--horizon", "0"),
        ("--set", "discount_rate=1"),
        ("--firm-share", "-1"),
    ],
)
def test_wrong_input_is_one_message(run_cli: Run, arguments: tuple[str, ...]) -> None:
    done = run_cli("mix", *SMALL, *arguments)
    assert done.exit_code == 1 and done.stderr.startswith("planner: ") and not done.stdout
