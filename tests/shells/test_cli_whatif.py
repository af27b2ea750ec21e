"""planner whatif as a shell sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
SMALL = ("--set", 'limits.accelerators=["h200"]', "--set", 'limits.engines=["vllm"]')


def test_json_is_the_contract(run_cli: Run) -> None:
    done = run_cli("whatif", "chat", *SMALL, "--set", "traffic.rate_per_s=20", "--json")
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {"before", "after", "differences", "drivers", "by_change", "changes"} <= answer.keys()
    assert [c["field"] for c in answer["changes"]][-1] == "traffic.rate_per_s"


def test_people_get_a_sentence_and_sums(run_cli: Run) -> None:
    done = run_cli("whatif", "--set", "traffic.rate_per_s=x8", "--set", "cloud.all=+10%")
    assert done.exit_code == 0
    assert done.stdout.startswith("With traffic.rate_per_s = x8, cloud.all = +10%: ")
    assert done.stdout.count("Together") == 2


def test_speaks_chinese(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_LANG", "zh")
    assert "每月" in run_cli("whatif", "--set", "traffic.rate_per_s=x8").stdout


def test_sweep_and_compare(run_cli: Run, tmp_path: Path) -> None:
    done = run_cli("whatif", *SMALL, "--sweep", "traffic.rate_per_s=5,50", "--json")
    assert [c["name"] for c in json.loads(done.stdout)["cases"]] == ["5", "50"]
    saved = tmp_path / "double.toml"
    assert run_cli("whatif", "--set", "traffic.rate_per_s=x2", "--save", str(saved)).exit_code == 0
    done = run_cli("whatif", "--compare", str(saved))
    assert done.exit_code == 0 and "double" in done.stdout
    again = run_cli("whatif", "--compare", str(saved), "--compare", str(saved))
    assert again.exit_code == 1 and "another name" in again.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--set", "traffic.rate_per_s"),
        ("--set", "nonsense=1"),
        ("--sweep", "traffic.rate_per_s="),
        ("--sweep", "traffic.rate_per_s=1,2", "--sweep", "traffic.rate_per_s=3"),
        ("--sweep", "traffic.rate_per_s=1,2", "--compare", "x.toml"),
        ("--compare", "no-such.toml"),
        ("--sweep", "traffic.rate_per_s=1,2", "--keep"),
    ],
)
def test_wrong_input_is_one_message(run_cli: Run, arguments: tuple[str, ...]) -> None:
    done = run_cli("whatif", *arguments)
    assert done.exit_code == 1 and done.stderr.startswith("planner: ") and not done.stdout


def test_nothing_is_saved_of_a_refused_question(run_cli: Run, tmp_path: Path) -> None:
    saved = tmp_path / "s.toml"
    assert run_cli("whatif", "--set", "nonsense=1", "--save", str(saved)).exit_code == 1
    assert not list(tmp_path.iterdir())
