"""`planner calibrate` and `--calibration` as a shell sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Run = Callable[..., Any]  # tests/conftest.py
SAMPLES = Path(__file__).resolve().parent.parent / "data" / "benchmarks"
RESULTS = tuple(str(SAMPLES / f"vllm-r1-h200-{n}.json") for n in (8, 32, 128))
SETUP = ("--llm", "deepseek-r1", "--accelerator", "h200", "--gpus", "8", "--tp", "8")
ESTIMATE = ("estimate", "--llm", "deepseek-r1", "--accelerator", "h200", "--json")


@pytest.fixture
def own(run_cli: Run, tmp_path: Path) -> str:
    """File of own figures, learnt from the samples."""
    file = tmp_path / "own.csv"
    result = run_cli("calibrate", *RESULTS, *SETUP, "--out", str(file))
    assert (result.exit_code, result.stderr) == (0, "")
    return str(file)


def test_tables(run_cli: Run) -> None:
    result = run_cli("calibrate", *RESULTS, *SETUP)
    assert (result.exit_code, result.stderr) == (0, "")
    for text in ("vllm-r1-h200-32.json", "32 users", "time_factor", "prompt_overhead", "Each load left out"):
        assert text in result.stdout
    assert result.stdout.splitlines()[-1] == "Nothing was written; give --out FILE to keep this."


def test_json_fits_the_printed_schema(run_cli: Run) -> None:
    result = run_cli("calibrate", *RESULTS, *SETUP, "--json")
    found = json.loads(result.stdout)
    jsonschema.validate(found, json.loads(run_cli("schema", "calibrate").stdout))
    assert found.keys() == {"catalog_sha256", "setup", "files", "points", "scalars", "scores", "doubts", "out"}
    assert [file["name"] for file in found["files"]] == [Path(name).name for name in RESULTS]
    assert len(found["points"]) == 9
    assert {score["metric"]: score["n"] for score in found["scores"]} == {"tpot": 3, "ttft": 3, "output": 3}


def test_remarks(run_cli: Run) -> None:
    """Loads that did not count are named."""
    file = SAMPLES / "guidellm-report-1.json"
    result = run_cli("calibrate", str(file), "--accelerator", "h100", "--gpus", "2")
    assert result.exit_code == 0
    assert "guidellm-report-1.json: a rate of arrivals mixes waiting with work" in result.stdout


def test_estimate_and_plan_use_it(run_cli: Run, own: str) -> None:
    plain, under = (json.loads(run_cli(*ESTIMATE, *more).stdout) for more in ((), ("--calibration", own)))
    factor = next(a["value"] for a in under["assumptions"] if a["name"].startswith("time_factor"))
    assert under["serving"]["tpot_s"] / plain["serving"]["tpot_s"] == pytest.approx(factor, rel=0.02)
    assert factor != pytest.approx(1, rel=0.05)  # the samples are of a machine 1.17 times as slow as predicted then
    assert any("vllm-r1-h200-32.json" in one["source"] for one in under["assumptions"])
    quick = ("--accelerator", "h200", "--engine", "vllm", "--max-gpus", "8", "--calibration", own)
    plan = json.loads(run_cli("plan", *quick, "--json").stdout)
    assert any("vllm-r1-h200-32.json" in one["source"] for one in plan["assumptions"])
    assert plan["plans"][0]["basis"] == "measured"
    assert "vllm-r1-h200-32.json" in run_cli("plan", *quick, "--explain").stdout


def test_a_bundle_records_it(run_cli: Run, own: str, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    quick = ("--accelerator", "h200", "--engine", "vllm", "--max-gpus", "8", "--calibration", own)
    assert run_cli("export", *quick, "--out", str(out)).exit_code == 0
    record = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    assert record["catalogs"]["written_with_the_same"] is True
    assert any("vllm-r1-h200-32.json" in one["source"] for one in record["assumptions"])


def test_later_files_win(run_cli: Run, own: str, tmp_path: Path) -> None:
    twice = run_cli(*ESTIMATE, "--calibration", own, "--calibration", own)
    once = run_cli(*ESTIMATE, "--calibration", own)
    assert json.loads(twice.stdout) == json.loads(once.stdout)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("calibrate", "none.json", *SETUP), ["cannot read none.json"]),
        (("calibrate", *RESULTS, "--accelerator", "h2000"), ["unknown accelerator 'h2000'", "--accelerator"]),
        (
            ("calibrate", *RESULTS, *SETUP[2:], "--llm", "qwen3-32b"),
            ["deepseek-ai/DeepSeek-R1", "--llm says qwen3-32b"],
        ),
        (("calibrate", RESULTS[0], *SETUP, "--out", RESULTS[0]), ["is one of the results"]),
        (("calibrate", RESULTS[0], *SETUP, "--out", "none/own.csv"), ["cannot write none/own.csv"]),
        (("plan", "--calibration", "none.csv"), ["cannot read none.csv"]),
        (("estimate", *ESTIMATE[1:], "--calibration", RESULTS[0]), ["vllm-r1-h200-8.json", "line"]),
    ],
)
def test_refusals(
    run_cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_cli(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("planner: ")
    assert all(word in result.stderr for word in words), result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_stays(run_cli: Run, own: str) -> None:
    before = Path(own).read_bytes()
    result = run_cli("calibrate", RESULTS[0], *SETUP, "--out", own)
    assert result.exit_code == 1 and "--force" in result.stderr
    assert Path(own).read_bytes() == before
    assert run_cli("calibrate", RESULTS[0], *SETUP, "--out", own, "--force").exit_code == 0
    assert Path(own).read_bytes() != before


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(max_size=60), at=st.integers(0, 700))
def test_any_damage_to_own_figures_is_refused_or_harmless(run_cli: Run, own: str, text: str, at: int) -> None:
    damaged = Path(own).with_name("damaged.csv")
    content = Path(own).read_text(encoding="utf-8")
    damaged.write_text(content[:at] + text + content[at:], encoding="utf-8", newline="")
    result = run_cli(*ESTIMATE, "--calibration", str(damaged))
    assert result.exit_code in (0, 1)
    if result.exit_code:
        assert result.stdout == "" and result.stderr.startswith("planner: ")
