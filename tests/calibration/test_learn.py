"""What is learnt from one's own runs: known factors come back, nothing else moves, and nonsense is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.calibration.learn import learn
from planner.catalog import Catalog
from planner.errors import PlannerError, WorkloadError
from planner.overlay import SCALARS
from planner.schema import Calibrated, Parameter
from planner.search.estimate import Question, estimate

Write = Callable[..., Path]
SAMPLES = Path(__file__).resolve().parent.parent / "data" / "benchmarks"
R1 = Question("deepseek-r1", "h200-sxm-141gb", input_tokens=1024, output_tokens=512)
SCOPE = "h200-sxm-141gb|deepseek-r1|vllm"
SAMPLE_SETUPS = {
    "vllm-r1-h200-32.json": Question("", "h200", gpus=8),
    "aiperf-schema-1.0.json": Question("", "h100", gpus=1),
    "aiperf-schema-1.5.json": Question("", "h100", gpus=1),
    "guidellm-report-1.json": Question("", "h100", gpus=2),
    "guidellm-report-2.json": Question("", "h100", gpus=2),
}


@pytest.fixture
def write_result(tmp_path: Path, catalog: Catalog) -> Write:
    """Function that measures what the planner predicts for a question, slowed down: times x, throughput / `slower`."""

    def write(question: Question, slower: float = 1.0, under: Catalog = catalog, **changes: Any) -> Path:
        served = estimate(under, question).serving
        n = 10 * question.concurrency
        result = {
            "date": "20260914-101500",
            "backend": "openai-chat",
            "endpoint_type": "openai-chat",
            "model_id": question.llm,
            "num_prompts": n,
            "request_rate": "inf",
            "max_concurrency": question.concurrency,
            "completed": n,
            "total_input_tokens": question.input_tokens * n,
            "total_output_tokens": question.output_tokens * n,
            "request_throughput": served.requests_per_s / slower,
            "output_throughput": served.output_tokens_per_s / slower,
            "mean_ttft_ms": served.ttft_s * slower * 1e3,
            "mean_tpot_ms": served.tpot_s * slower * 1e3,
            **changes,
        }
        path = tmp_path / f"{question.accelerator}-{question.concurrency}.json"
        path.write_text(json.dumps(result), encoding="utf-8")
        return path

    return write


def runs(write: Write, loads: tuple[int, ...], slower: float = 1.0, **more: object) -> list[Path]:
    return [write(replace(R1, concurrency=n), slower, **more) for n in loads]


def values(answer: Calibrated) -> dict[str, float]:
    return {scalar.name: scalar.after for scalar in answer.scalars}


def refusal(paths: list[Path], catalog: Catalog, asked: Question = R1) -> str:
    with pytest.raises(PlannerError) as caught:
        learn(paths, catalog, asked)
    return str(caught.value)


@pytest.mark.parametrize("slower", [0.8, 1.3])
@pytest.mark.parametrize("loads", [(16,), (4, 16, 64)])
def test_a_known_slowness_comes_back(
    write_result: Write, catalog: Catalog, loads: tuple[int, ...], slower: float
) -> None:
    answer, _ = learn(runs(write_result, loads, slower), catalog, R1)
    assert values(answer)["time_factor"] == pytest.approx(slower, rel=0.02)
    for score in answer.scores:
        assert score.after < 0.05 < score.before


def test_known_scalars_come_back(write_result: Write, catalog: Catalog) -> None:
    """Runs of a machine with all scalars moved, at two prompt lengths; the priors pull by a few percent."""
    true = {"time_factor": 1.2, "prompt_overhead": 1.5, "ingest_s": 0.1}
    rows = [catalog.parameter(name).model_copy(update={"scope": SCOPE, "value": value}) for name, value in true.items()]
    under = catalog.with_rows(rows)
    paths = runs(write_result, (4, 16, 48), under=under)
    paths += [write_result(replace(R1, concurrency=n, input_tokens=8192), under=under) for n in (1, 2, 3, 8, 12, 32)]
    answer, _ = learn(paths, catalog, R1)
    found = values(answer)
    assert found["time_factor"] == pytest.approx(1.2, rel=0.02)
    assert found["prompt_overhead"] == pytest.approx(1.5, rel=0.1)
    assert found["ingest_s"] == pytest.approx(0.1, rel=0.25)  # hard to tell from the launches of a short prompt
    assert all(score.left_out is not None and score.left_out < 0.1 for score in answer.scores)


def test_runs_as_predicted_move_nothing(write_result: Write, catalog: Catalog) -> None:
    answer, rows = learn(runs(write_result, (4, 16, 64)), catalog, R1)
    for scalar in answer.scalars:
        assert scalar.after == pytest.approx(scalar.before, rel=1e-3)
    assert {row.name for row in rows} == {*SCALARS, "measured_points"}


def test_a_load_left_out_is_not_seen(write_result: Write, catalog: Catalog) -> None:
    """One run in three is twice as slow: the fit follows it, a fit without it cannot know."""
    paths = [*runs(write_result, (4, 16)), *runs(write_result, (64,), 2.0)]
    score = learn(paths, catalog, R1)[0].scores[0]
    assert score.metric == "tpot" and score.left_out is not None
    assert score.left_out > 1.2 * score.after


def test_one_load_has_none_to_leave_out(write_result: Write, catalog: Catalog) -> None:
    answer, _ = learn(runs(write_result, (16,), 1.3), catalog, R1)
    assert set(values(answer)) == set(SCALARS)
    assert all(score.left_out is None for score in answer.scores)


def test_without_first_tokens_only_the_steps_are_fitted(write_result: Write, catalog: Catalog) -> None:
    answer, _ = learn(runs(write_result, (4, 16), 1.3, mean_ttft_ms=None), catalog, R1)
    assert set(values(answer)) == {"time_factor"}
    alone = {"mean_tpot_ms": None, "output_throughput": 0}
    answer, _ = learn(runs(write_result, (4, 16), 1.3, **alone), catalog, R1)
    assert set(values(answer)) == {"prompt_overhead", "ingest_s"}


def test_medians_stand_in_for_means(write_result: Write, catalog: Catalog) -> None:
    paths = runs(write_result, (16,), mean_tpot_ms=None, median_tpot_ms=60.0)
    point = next(p for p in learn(paths, catalog, R1)[0].points if p.metric == "tpot")
    assert (point.statistic, point.measured) == ("p50", pytest.approx(0.06))


def test_rows_say_where_they_come_from(write_result: Write, catalog: Catalog) -> None:
    answer, rows = learn(runs(write_result, (4, 16, 64), 1.3), catalog, R1)
    by_name: dict[str, Parameter] = {row.name: row for row in rows}
    assert {row.scope for name, row in by_name.items() if name in SCALARS} == {SCOPE}
    counted = by_name["measured_points"]
    assert (counted.scope, counted.value) == ("h200-sxm-141gb|fp8|deepseek-r1|vllm", 9)
    for row in rows:
        assert "h200-sxm-141gb-16.json" in row.source and row.source_date == "2026-09-14"
        assert answer.files[0].sha256[:12] in row.dataset
    assert (by_name["time_factor"].n, by_name["ingest_s"].n) == (6, 3)
    assert all(by_name[name].kind == "fitted" for name in SCALARS)


def test_a_file_counts_once(write_result: Write, catalog: Catalog) -> None:
    (path,) = runs(write_result, (16,))
    assert len(learn([path, path], catalog, R1)[0].points) == 3


@pytest.mark.parametrize("name", SAMPLE_SETUPS)
def test_every_sample_teaches(name: str, catalog: Catalog) -> None:
    """The files of each tool, end to end; the LLM comes from the file."""
    answer, _ = learn([SAMPLES / name], catalog, SAMPLE_SETUPS[name])
    assert answer.setup["llm"] == {"v": "deepseek-r1", "a": "llama-3.1-8b", "g": "qwen3-32b"}[name[0]]
    assert all(score.after < max(score.before, 0.15) for score in answer.scores)
    open_points = [p for p in answer.points if p.kind == "open"]
    assert all(p.after is None and "arrivals" in p.reason for p in open_points)
    assert len(open_points) == (3 if name == "guidellm-report-1.json" else 0)


# ---- Refusals.


def test_loads_that_teach_nothing(write_result: Write, catalog: Catalog) -> None:
    message = refusal(runs(write_result, (16,), max_concurrency=None, request_rate=2.0), catalog)
    assert message.startswith("nothing to learn from") and "fixed concurrency" in message
    assert "at once" in refusal(runs(write_result, (16,), max_concurrency=None), catalog)


def test_a_layout_that_does_not_fit(write_result: Write, catalog: Catalog) -> None:
    paths = runs(write_result, (16,))
    assert "does not fit into the memory" in refusal(paths, catalog, replace(R1, gpus=4, tp=4))


def test_another_llm_is_a_contradiction(write_result: Write, catalog: Catalog) -> None:
    paths = runs(write_result, (16,), model_id="Qwen/Qwen3-32B")
    message = refusal(paths, catalog)
    assert "measured Qwen/Qwen3-32B, which is qwen3-32b; --llm says deepseek-r1" in message
    other = write_result(replace(R1, concurrency=8), model_id="deepseek-ai/DeepSeek-R1")
    assert "another file says qwen3-32b" in refusal([*paths, other], catalog, replace(R1, llm=""))


def test_an_unknown_model_needs_a_name(write_result: Write, catalog: Catalog) -> None:
    paths = runs(write_result, (16,), model_id="/models/mine")
    assert "Give --llm" in refusal(paths, catalog, replace(R1, llm=""))
    assert learn(paths, catalog, R1)[0].setup["llm"] == "deepseek-r1"


@pytest.mark.parametrize("model", ["deepseek-ai/DeepSeek-R1", "/data/models/deepseek-r1-0528/", "r1"])
def test_models_by_their_names(write_result: Write, catalog: Catalog, model: str) -> None:
    paths = runs(write_result, (16,), model_id=model)
    assert learn(paths, catalog, replace(R1, llm=""))[0].setup["llm"] == "deepseek-r1"


def test_a_step_time_that_nobody_believes(write_result: Write, catalog: Catalog) -> None:
    """A small LLM measured, a large one claimed."""
    small = write_result(Question("qwen3-0.6b", "h200-sxm-141gb", concurrency=4, gpus=1), 1.0, model_id="mine")
    data = json.loads(small.read_text(encoding="utf-8"))
    small.write_text(json.dumps({**data, "mean_tpot_ms": 0.25, "output_throughput": 15_000, "mean_ttft_ms": None}))
    with pytest.raises(WorkloadError, match=r"steps take 0\.0\d+ times as long as predicted for deepseek-r1"):
        learn([small], catalog, R1)


def test_sizes_are_checked_as_for_an_estimate(write_result: Write, catalog: Catalog) -> None:
    paths = runs(write_result, (16,))
    assert "--tp 3" in refusal(paths, catalog, replace(R1, tp=3))
    assert "unknown accelerator 'h2000'" in refusal(paths, catalog, replace(R1, accelerator="h2000"))
