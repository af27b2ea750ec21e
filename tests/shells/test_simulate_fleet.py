"""Sections of `planner simulate` about fleets, as a shell sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

Run = Callable[..., Any]  # tests/conftest.py
QUICK = ("--accelerator", "h200-sxm-141gb", "--engine", "vllm", "--max-gpus", "8")
FEW = 800


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A trace of some hundred requests, two a second."""
    file = tmp_path_factory.mktemp("traces") / "few.jsonl"
    rows = ({"timestamp": 500 * i, "input_length": 600 + i % 700, "output_length": 50 + i % 200} for i in range(FEW))
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return str(file)


def test_json_has_what_was_asked_for(run_cli: Run, few: str) -> None:
    asked = ("--autoscale", "hpa", "--autoscale", "fixed", "--failures", "--spot", "--surge", "4")
    fields = ("--fleet", "autoscale.start_s=60", "--fleet", "spot.days=3", "--fleet", "failures.repair_hours=12")
    result = run_cli("simulate", "chat", "--trace", few, "--json", *QUICK, *asked, *fields)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    jsonschema.validate(found, json.loads(run_cli("schema", "simulated").stdout))
    assert [policy["rule"] for policy in found["autoscale"]["policies"]] == ["hpa", "fixed"]
    assert found["autoscale"]["start"]["seconds"] == 60
    assert found["failures"]["target"] == found["spot"]["target"] == 0.999
    assert [case["protection"] for case in found["surge"]["cases"]] == ["none", "cancel", "limit", "breaker"]


def test_nothing_more_unless_asked(run_cli: Run, few: str) -> None:
    found = json.loads(run_cli("simulate", "chat", "--trace", few, "--json", *QUICK).stdout)
    assert found["autoscale"] is found["failures"] is found["spot"] is found["surge"] is None


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Autoscalers over", "Failures:", "must be firm", "with and without protection")),
        ("zh", ("自动扩缩", "故障", "按需", "突增")),
    ],
)
def test_words(run_cli: Run, monkeypatch: pytest.MonkeyPatch, few: str, language: str, words: tuple[str, ...]) -> None:
    monkeypatch.setenv("PLANNER_LANG", language)
    asked = ("--autoscale", "knative", "--failures", "--spot", "--surge", "3", "--fleet", "spot.days=2")
    result = run_cli("simulate", "chat", "--trace", few, *QUICK, *asked)
    assert (result.exit_code, result.stderr) == (0, "")
    for word in words:
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--fleet", "autoscale.storage=tape"), ("autoscale.storage = 'tape'", "planner schema fleet")),
        (("--fleet", "autoscale.targte=3"), ("autoscale.targte", "no such field")),
        (("--fleet", "storage=object"), ("SECTION.FIELD=VALUE",)),
        (("--surge", "-2"), ("surge.factor = '-2", "greater than 0")),
        (
            ("--fleet", "autoscale.least=9", "--fleet", "autoscale.most=2"),
            ("at most 2 replicas, but at least 9",),
        ),
        (("--autoscale", "hpa", "--fleet", "autoscale.drive=nvme-x"), ("unknown drive 'nvme-x'",)),
    ],
    ids=str,
)
def test_refusals(run_cli: Run, few: str, arguments: tuple[str, ...], expected: tuple[str, ...]) -> None:
    result = run_cli("simulate", "chat", "--trace", few, *QUICK, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    for text in expected:
        assert text in result.stderr


def test_schema_of_the_options(run_cli: Run, tmp_path: Path) -> None:
    found = json.loads(run_cli("schema", "fleet").stdout)
    assert found["properties"].keys() == {"autoscale", "failures", "spot", "surge"}
