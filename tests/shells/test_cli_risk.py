"""planner risk as a shell sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
SMALL = ("--accelerator", "h200", "--engine", "vllm", "--max-gpus", "8", "--draws", "256", "--top", "2")


def test_people_get_a_sentence_and_tables(run_cli: Run) -> None:
    done = run_cli("risk", *SMALL, "--uncertain", "traffic.rate_per_s=-20%,+50%", "--budget", "60000")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("Plan 1, ")
    for told in ("Plans as bought", "Plans sized to each draw", "requests per second", "By expected regret"):
        assert told in done.stdout


def test_json(run_cli: Run) -> None:
    answer = json.loads(run_cli("risk", *SMALL, "--json").stdout)
    assert {"inputs", "plans", "beats", "tornado", "sensitivities", "draws", "seed"} <= answer.keys()
    assert {"p10", "p50", "p90"} == answer["plans"][0]["usd_per_month"].keys()


def test_speaks_chinese(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_LANG", "zh")
    assert "每月" in run_cli("risk", *SMALL).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--uncertain", "traffic.rate_per_s=2"),
        ("--uncertain", "nonsense=1,2"),
        ("--draws", "1000"),
        ("--budget", "0"),
        ("--metric", "luck"),
        ("--horizon", "0"),
        ("--workers", "0"),
        ("--workers", "2", "--cluster", "tcp://127.0.0.1:9"),
    ],
)
def test_wrong_input_is_one_message(run_cli: Run, arguments: tuple[str, ...]) -> None:
    done = run_cli("risk", *SMALL, *arguments)
    assert done.exit_code == 1 and done.stderr.startswith("planner: ") and not done.stdout
