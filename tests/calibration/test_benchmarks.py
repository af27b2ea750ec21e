"""Readers of benchmark results: true formats of every version, and anything else is refused by name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.calibration import benchmarks
from planner.calibration.benchmarks import READERS, Run, aiperf, guidellm, read_benchmark, vllm
from planner.errors import WorkloadError

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "benchmarks"
VLLM, AIPERF, OLD_AIPERF = "vllm-r1-h200-32.json", "aiperf-schema-1.5.json", "aiperf-schema-1.0.json"
GUIDELLM, NEW_GUIDELLM = "guidellm-report-1.json", "guidellm-report-2.json"


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    return found


def changed(name: str, *path: str | int, to: Any) -> dict[str, Any]:
    """A sample with one value replaced; None removes it."""
    document = sample(name)
    inner: Any = document
    for key in path[:-1]:
        inner = inner[key]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return document


def refusal(read: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(WorkloadError) as caught:
        read(*arguments)
    return str(caught.value)


# ---- What each tool says.


def test_vllm() -> None:
    file, data = read_benchmark(SAMPLES / VLLM), sample(VLLM)
    (run,) = file.runs
    assert (run.tool, run.model, run.date) == ("vllm bench serve", "deepseek-ai/DeepSeek-R1", "2026-09-14")
    assert (run.kind, run.load, run.completed, run.input_tokens, run.output_tokens) == ("closed", 32, 320, 1024, 1024)
    assert run.tpot.mean_s == data["mean_tpot_ms"] * 1e-3
    assert run.ttft.p99_s == data["p99_ttft_ms"] * 1e-3
    assert run.itl.median_s == data["median_itl_ms"] * 1e-3
    assert run.output_tokens_per_s == data["output_throughput"]
    assert len(file.sha256) == 64


@pytest.mark.parametrize(("name", "version", "users"), [(OLD_AIPERF, "0.3.0", 16), (AIPERF, "0.13.0", 64)])
def test_aiperf(name: str, version: str, users: int) -> None:
    (run,), data = read_benchmark(SAMPLES / name).runs, sample(name)
    assert (run.tool, run.version, run.kind, run.load) == ("aiperf", version, "closed", users)
    assert (run.input_tokens, run.output_tokens, run.date) == (2048, 256, "2026-08-02")
    assert run.model == "meta-llama/Llama-3.1-8B-Instruct"
    assert run.ttft.median_s == data["time_to_first_token"]["p50"] * 1e-3
    assert run.tpot.mean_s == data["inter_token_latency"]["avg"] * 1e-3
    assert run.itl.p99_s == data["inter_chunk_latency"]["p99"] * 1e-3
    assert run.output_tokens_per_s == data["output_token_throughput"]["avg"]


@pytest.mark.parametrize("schema", aiperf.SCHEMAS)
def test_every_aiperf_schema(schema: str) -> None:
    assert aiperf.read(changed(AIPERF, "schema_version", to=schema), "x")[0].load == 64


def test_guidellm_one_run_per_benchmark() -> None:
    runs, data = read_benchmark(SAMPLES / GUIDELLM).runs, sample(GUIDELLM)
    assert [(run.kind, run.load) for run in runs] == [("closed", 1), ("closed", 16), ("closed", 64), ("open", 2)]
    assert {(run.tool, run.version, run.model) for run in runs} == {("guidellm", "0.5.3", "Qwen/Qwen3-32B")}
    metrics = data["benchmarks"][1]["metrics"]
    assert runs[1].tpot.mean_s == metrics["inter_token_latency_ms"]["successful"]["mean"] * 1e-3
    assert runs[1].ttft.p99_s == metrics["time_to_first_token_ms"]["successful"]["percentiles"]["p99"] * 1e-3
    assert (runs[1].input_tokens, runs[1].output_tokens, runs[1].completed) == (512, 512, 160)
    assert runs[1].date == "2026-08-06"


def test_guidellm_second_report_version() -> None:
    first, second = read_benchmark(SAMPLES / NEW_GUIDELLM).runs
    assert (first.version, first.model, first.kind, first.load) == ("0.8.0", "Qwen/Qwen3-32B", "closed", 32)
    assert (second.kind, second.load) == ("closed", 128)  # throughput under its own limit
    kind = {"kind": "concurrent", "streams": 4}
    assert guidellm.read(changed(NEW_GUIDELLM, "benchmarks", 0, "config", "strategy", to=kind), "x")[0].load == 4
    unlimited = changed(NEW_GUIDELLM, "benchmarks", 1, "config", "strategy", to={"type_": "throughput"})
    assert guidellm.read(unlimited, "x")[1].kind == "saturated"


def test_several_documents_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "appended.json"
    file.write_text("\n".join(json.dumps(sample(f"vllm-r1-h200-{n}.json")) for n in (8, 32, 128)) + "\n")
    assert [run.load for run in read_benchmark(file).runs] == [8, 32, 128]
    monkeypatch.setattr(benchmarks, "MOST_DOCUMENTS", 2)
    assert "more than 2 documents" in refusal(read_benchmark, file)


# ---- Kinds of load.


def load(**changes: Any) -> tuple[str, float]:
    run = vllm.read({**sample(VLLM), **changes}, "x")[0]
    return run.kind, run.load


def test_kinds_of_load() -> None:
    assert load(max_concurrency=None, request_rate=2.5) == ("open", 2.5)
    assert load(max_concurrency=None) == ("burst", 320)
    assert load(num_prompts=20, completed=20) == ("burst", 20)  # fewer requests than users
    assert load(request_rate=100.0) == ("closed", 32)  # the limit holds the rate
    assert load(request_rate=0.5, request_throughput=0.5) == ("open", 0.5)  # it does not


def test_aiperf_rates() -> None:
    rate = {"name": "profiling", "type": "poisson", "rate": 3.5}
    run = aiperf.read(changed(AIPERF, "input_config", "phases", to=[rate]), "x")[0]
    assert (run.kind, run.load) == ("open", 3.5)
    run = aiperf.read(changed(OLD_AIPERF, "input_config", "loadgen", to={"request_rate": 7}), "x")[0]
    assert (run.kind, run.load) == ("open", 7)


def test_a_unit_is_believed() -> None:
    block = {"unit": "s", "avg": 0.021}
    assert aiperf.read(changed(AIPERF, "inter_token_latency", to=block), "x")[0].tpot.mean_s == 0.021


# ---- Refusals.


@pytest.mark.parametrize(
    ("reader", "document", "words"),
    [
        (vllm, changed(VLLM, "request_throughput", to=None), ["lacks request_throughput", "vLLM 0.11 to 0.30"]),
        (vllm, {**sample(VLLM), "ramp_up_strategy": "linear"}, ["ramps up"]),
        (vllm, {**sample(VLLM), "spec_decode_acceptance_length": 2.1}, ["speculatively"]),
        (vllm, {**sample(VLLM), "completed": 0}, ["no request was completed"]),
        (vllm, {**sample(VLLM), "completed": True}, ["completed is True"]),
        (vllm, {**sample(VLLM), "mean_tpot_ms": 0.02}, ["time per output token", "0.02 ms", "check its unit"]),
        (vllm, {**sample(VLLM), "mean_tpot_ms": 20_000}, ["2e+04 ms", "outside 0.2 to 10000 ms"]),
        (vllm, {**sample(VLLM), "mean_ttft_ms": "81"}, ["mean_ttft_ms is 81"]),
        (vllm, {**sample(VLLM), "mean_ttft_ms": [1]}, ["mean_ttft_ms is a list"]),
        (vllm, {**sample(VLLM), "output_throughput": 1e9}, ["output tokens per second", "check its unit"]),
        (aiperf, changed(AIPERF, "schema_version", to="2.0"), ["schema_version 2.0", "schema 1.0 to 1.5"]),
        (aiperf, changed(AIPERF, "schema_version", to=None), ["schema_version missing"]),
        (aiperf, changed(AIPERF, "was_cancelled", to=True), ["cancelled"]),
        (aiperf, changed(AIPERF, "time_to_first_token", "unit", to="min"), ["in min", "ms"]),
        (aiperf, changed(AIPERF, "output_token_throughput", "unit", to="tokens/min"), ["tokens/min"]),
        (aiperf, changed(AIPERF, "input_config", "phases", 0, to={"type": "concurrency"}), ["2 measured phases"]),
        (aiperf, changed(AIPERF, "input_config", "phases", 1, "type", to="fixed_schedule"), ["fixed_schedule"]),
        (aiperf, changed(AIPERF, "input_config", to={}), ["neither a concurrency nor a rate"]),
        (guidellm, changed(GUIDELLM, "metadata", "version", to=3), ["report version 3", "version 1 or 2"]),
        (guidellm, changed(GUIDELLM, "metadata", to=None), ["report version missing"]),
        (guidellm, changed(GUIDELLM, "benchmarks", to=[]), ["0 benchmarks"]),
        (guidellm, changed(GUIDELLM, "benchmarks", 0, to=5), ["benchmark 1", "not an object"]),
        (guidellm, changed(GUIDELLM, "benchmarks", 2, "config", "strategy", to={"type_": "trace"}), ["is trace"]),
        (guidellm, changed(GUIDELLM, "benchmarks", 1, "config", "strategy", "streams", to=0), ["streams is 0"]),
    ],
)
def test_refusals(reader: Any, document: dict[str, Any], words: list[str]) -> None:
    message = refusal(reader.read, document, "mine.json")
    assert message.startswith("mine.json")
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not valid JSON"),
        (json.dumps(sample(VLLM)).encode()[:300], "cut off"),
        (b"[1, 2]", "no JSON object"),
        (b"{}", "no benchmark tool"),
        (b'{"benchmarks": []}', "no benchmark tool"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "numbers too long"),
    ],
)
def test_files_that_are_not_results(tmp_path: Path, content: bytes, word: str) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(content)
    message = refusal(read_benchmark, file)
    assert message.startswith("result.json") and word in message


def test_an_unknown_tool_says_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"tool": "mine"}', encoding="utf-8")
    message = refusal(read_benchmark, tmp_path / "result.json")
    for reader in READERS:
        assert f"{reader.tool}: {reader.versions}" in message


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot read none.json: No such file" in refusal(read_benchmark, tmp_path / "none.json")
    assert "cannot read" in refusal(read_benchmark, tmp_path)
    monkeypatch.setattr(benchmarks, "MAX_BYTES", 10)
    assert "larger than 10 bytes" in refusal(read_benchmark, SAMPLES / VLLM)


def test_a_file_without_a_figure_is_refused(tmp_path: Path) -> None:
    silent = {**sample(VLLM), "output_throughput": 0}
    for key in [key for key in silent if key.startswith(("mean_", "median_", "p99_"))]:
        del silent[key]
    (tmp_path / "a.json").write_text(json.dumps(silent), encoding="utf-8")
    assert "no time to first token, no time per output token" in refusal(read_benchmark, tmp_path / "a.json")


def test_names_are_safe_to_print(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({**sample(VLLM), "model_id": "x\x1b[31m\n\ud800" + "y" * 500}), encoding="utf-8")
    model = read_benchmark(file).runs[0].model
    assert model.startswith("x?[31m??y") and len(model) == 200


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mutants(draw: Callable[..., Any]) -> dict[str, Any]:
    """A sample of which up to three values became something else."""
    document = copy.deepcopy(draw(st.sampled_from([sample(n) for n in (VLLM, AIPERF, OLD_AIPERF, NEW_GUIDELLM)])))
    for _ in range(draw(st.integers(1, 3))):
        inner: Any = document
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(inner[key], dict | list) or draw(st.integers(0, 3)) == 0:
                inner[key] = draw(VALUES)
                break
            inner = inner[key]
    return document


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(document=mutants())
def test_anything_is_read_or_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    file = tmp_path / "mutant.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    try:
        runs = read_benchmark(file).runs
    except WorkloadError as error:
        assert str(error).startswith("mutant.json")
        return
    assert all(isinstance(run, Run) and run.load > 0 and run.completed > 0 for run in runs)
    assert all(1 <= run.input_tokens <= 1e13 and 1 <= run.output_tokens <= 1e13 for run in runs)
