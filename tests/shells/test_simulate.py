"""`planner simulate` as a shell sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from planner.schema import Simulated

Run = Callable[..., Any]  # tests/conftest.py
QUICK = ("--accelerator", "h200-sxm-141gb", "--engine", "vllm", "--max-gpus", "8")
KEYS = {"requests", "ttft_s", "tpot_s", "e2e_s", "goodput_per_s", "slo_attainment", "utilisation", "wall_s"}


def test_json_fits_its_schema(run_cli: Run) -> None:
    result = run_cli("simulate", "chat", "--trace", "azure-conv", "--json", *QUICK)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found.keys() >= KEYS
    for times in ("ttft_s", "tpot_s", "e2e_s"):
        assert found[times].keys() >= {"p50", "p90", "p99"}
    jsonschema.validate(found, json.loads(run_cli("schema", "simulated").stdout))
    assert Simulated.model_validate_json(result.stdout).requests == 19366


@pytest.mark.parametrize(("language", "words"), [("en", ("What users see", "By time")), ("zh", ("用户所见", "按时间"))])
def test_words(run_cli: Run, monkeypatch: pytest.MonkeyPatch, language: str, words: tuple[str, ...]) -> None:
    monkeypatch.setenv("PLANNER_LANG", language)
    result = run_cli("simulate", "code", "--trace", "azure-code", "--replicas", "1", *QUICK)
    assert (result.exit_code, result.stderr) == (0, "")
    for word in ("azure-code", "TTFT", "P99", *words):
        assert word in result.stdout


def test_a_users_file(run_cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    rows = ({"timestamp": 100 * i, "input_length": 300, "output_length": 20} for i in range(300))
    file.write_text("\n".join(json.dumps(row) for row in rows))
    result = run_cli("simulate", "chat", "--trace", str(file), "--lengths", "scaled", "--json", *QUICK)
    found = json.loads(result.stdout)
    assert (found["traffic"]["source"], found["requests"]) == ("mine", 300)
    assert found["traffic"]["input_tokens"]["mean"] == pytest.approx(1155, abs=1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--trace", "azure-con"), ("'azure-con'", "'azure-conv'", "planner catalog ls traces")),
        (("--trace", "no.csv"), ("no file 'no.csv'", "azure-conv")),
        (("--lengths", "long"), ("unknown trace 'long'",)),
        (("--arrivals", "gamma"), ("traffic.arrivals", "'mmpp'")),
        (("--profile", "azure-conv"), ("unknown rate profile 'azure-conv'",)),
        (("--busiest", "2"), ("--busiest cuts a rate profile",)),
        (("--router", "random"), ("traffic.router = 'random'", "'least-load'")),
        (("--concurrency", "20", "--router", "least-load"), ("spread evenly", "rate_per_s")),
        (("--plan", "50"), ("--plan 50", "plans")),
        (("--concurrency", "20"), ("traffic.concurrency 20", "--rate")),
        (("--llm", "qwen3-32b", "--trace", "mooncake"), ("3,993 requests exceed", "--drop-longer")),
    ],
    ids=str,
)
def test_bad_input(run_cli: Run, arguments: tuple[str, ...], expected: tuple[str, ...]) -> None:
    result = run_cli("simulate", "chat", *QUICK, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("planner: ")
    for part in expected:
        assert part in result.stderr
