"""Predictions of measured points: every kind of load, harness rules, and nothing seen twice by a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.calibration.fit import FREE, Free, doubtful, excluded, fit, fitted, folds, values_at
from planner.calibration.leave_out import left_out, slopes
from planner.calibration.points import Point, harness_of, read_points
from planner.calibration.predict import predict
from planner.catalog import Catalog


def one(point: Point, catalog: Catalog, **changes: object) -> float:
    return float(predict([replace(point, **changes)], catalog)[0])  # type: ignore[arg-type]


def test_every_shipped_point_is_answered(catalog: Catalog) -> None:
    points, refused = read_points(catalog.folder / "measured" / "points.csv.gz", catalog)
    assert not refused
    known = ~np.isnan(predict(points, catalog))
    assert known.mean() > 0.95


def test_a_burst_has_its_ramp_and_its_drain(point: Point, catalog: Catalog) -> None:
    few, many = (one(point, catalog, metric="ttft", kind="burst", load=n) for n in (20.0, 500.0))
    assert many > 5 * few  # prompts queue up
    few, many = (one(point, catalog, metric="output", kind="burst", load=n) for n in (20.0, 500.0))
    assert many > few  # the ramp and the drain weigh less
    loop = one(point, catalog, metric="ttft", kind="closed", load=500.0)
    assert one(point, catalog, metric="ttft", kind="burst", load=500.0) > loop


def test_open_loads_wait_longer_when_busier(point: Point, catalog: Catalog) -> None:
    idle, busy = (one(point, catalog, metric="ttft", kind="open", load=rate) for rate in (1.0, 20.0))
    assert 0 < idle < busy
    slow, fast = (one(point, catalog, metric="tpot", kind="open", load=rate) for rate in (20.0, 1.0))
    assert slow > fast


def test_open_throughput_is_what_arrives(point: Point, catalog: Catalog) -> None:
    # 2 requests per second of 256 tokens, far from the limit
    assert one(point, catalog, metric="output", kind="open", load=2.0) == pytest.approx(512, rel=0.06)


def test_statistics_of_a_burst(point: Point, catalog: Catalog) -> None:
    p50, p99 = (one(point, catalog, metric="ttft", kind="burst", load=500.0, statistic=name) for name in ("p50", "p99"))
    assert p99 > 1.5 * p50


def test_a_layout_that_does_not_fit_has_no_answer(point: Point, catalog: Catalog) -> None:
    assert np.isnan(one(point, catalog, llm="llama-3.1-405b"))


def test_the_last_matching_harness_holds(catalog: Catalog) -> None:
    def rule(source: str, engine: str, llm: str, tp: int, tokens: float, accelerator: str = "h200-sxm-141gb") -> str:
        return harness_of(catalog, source, engine, llm, accelerator, tp, tokens, 921.6).id

    assert rule("own bench", "vllm", "llama-3.1-8b", 1, 921.6) == "plain"
    assert rule("InferenceX runs", "vllm", "gpt-oss-120b", 1, 921.6) == "inferencex-vllm"
    assert rule("InferenceX runs", "sglang", "deepseek-r1", 8, 921.6) == "inferencex-r1-sglang-h200"
    assert rule("InferenceX runs", "sglang", "deepseek-r1", 8, 921.6, "b300-sxm-288gb") == "inferencex-r1-sglang-b300"
    assert rule("InferenceX runs", "sglang", "deepseek-r1", 8, 921.6, "mi325x-256gb") == "inferencex"
    assert rule("InferenceX runs", "tensorrt-llm", "llama-3.1-70b", 4, 921.6) == "inferencex-70b-trt-1k"
    assert rule("InferenceX runs", "tensorrt-llm", "llama-3.1-70b", 8, 921.6) == "inferencex"
    assert rule("InferenceX runs", "tensorrt-llm", "llama-3.1-70b", 4, 7372.8) == "inferencex"


def test_a_harness_sets_the_budget(points_csv: Callable[..., Path], catalog: Catalog) -> None:
    """One prompt beside all users' decoding, as the published script of R1 on TensorRT-LLM says."""
    r1 = {
        "source": "InferenceX runs (x)", "model": "deepseek-r1", "framework": "tensorrt-llm", "precision_kv": "",
        "accelerator": "B200", "n_accelerators": "8", "tp": "8", "isl": "1000", "concurrency_or_qps": "64",
    }  # fmt: skip
    own, theirs = read_points(points_csv({**r1, "id": "a", "source": "own bench"}, {**r1, "id": "b"}), catalog)[0]
    assert (own.budget_tokens, theirs.budget_tokens, theirs.kv) == (0.0, 1064.0, "fp8")
    slower, faster = (one(p, catalog, metric="ttft") for p in (theirs, own))
    assert slower > faster


def test_software_profiles(points_csv: Callable[..., Path], catalog: Catalog) -> None:
    rows = ({"id": "a"}, {"id": "b", "framework_version": "0.11.1"}, {"id": "c", "source": "SGLang cookbook (2026)"})
    tuned, old, default = (float(predict([p], catalog)[0]) for p in read_points(points_csv(*rows), catalog)[0])
    assert tuned < default and tuned < old


def test_notes_tell_the_spread_of_lengths(points_csv: Callable[..., Path], catalog: Catalog) -> None:
    file = points_csv(
        {"id": "a"}, {"id": "b", "notes": "range ratio 0.8"}, {"id": "c", "notes": "case: ShareGPT; flags"}
    )
    even, ranged, chats = read_points(file, catalog)[0]
    assert (even.length_spread, even.input_tokens) == (0.0, 1024)
    assert (ranged.length_spread, ranged.input_tokens) == (0.2, pytest.approx(921.6))
    assert (chats.length_spread, chats.input_tokens) == (1.0, 1024)


def test_rules_of_the_fit(point: Point) -> None:
    assert fitted(point)
    burst = replace(point, kind="burst")
    assert excluded(burst) and not fitted(burst)
    odd = replace(point, id="M19221")
    assert doubtful(odd) and not excluded(odd) and not fitted(odd)
    assert not fitted(replace(point, metric="power"))


def test_folds_keep_names_together() -> None:
    names = ["big"] * 50 + ["small"] * 3 + ["tiny"] * 2
    fold = folds(names, 10)
    assert len(set(fold[:50])) == 1 and len(set(fold[50:])) == 1 and fold[0] != fold[-1]


FACTOR = (Free("host_step_s", "", 1e-3, 3.0),)


def test_a_fit_finds_what_made_the_points(point: Point, catalog: Catalog) -> None:
    true = catalog.calibrated({("host_step_s", ""): 5e-3})
    points = [replace(point, load=float(users), curve=f"c{users}") for users in (1, 2, 4, 8, 16)]
    measured = [replace(p, value=float(v)) for p, v in zip(points, predict(points, true), strict=True)]
    found = fit(measured, catalog, FACTOR)
    assert found["host_step_s", ""] == pytest.approx(5e-3, rel=0.02)


def test_slopes_are_those_of_the_model(point: Point, catalog: Catalog) -> None:
    """Twice the host's time per step adds its share of the time between two tokens."""
    points, start = [replace(point, load=2.0)], values_at(FACTOR, np.zeros(1))
    few, many = (predict(points, catalog.calibrated(values_at(FACTOR, np.array([x])))) for x in (0.0, 0.02))
    slope = slopes(points, catalog, FACTOR, start)
    assert slope.shape == (1, 1)
    assert slope[0, 0] == pytest.approx(np.log(many[0] / few[0]) / 0.02)


def test_software_generations_differ(point: Point, catalog: Catalog) -> None:
    old, earlier, pinned = (one(point, catalog, version=version) for version in ("0.11.1", "0.15.1", "0.20.0"))
    assert old > earlier > pinned
    assert one(point, catalog, version="") == pinned  # who does not say runs what the planner plans with
    assert one(point, catalog, version="", profile="earlier") == earlier


def test_left_out_folds_are_not_seen(point: Point, catalog: Catalog) -> None:
    points = [replace(point, load=float(users), curve="even") for users in (1, 2, 4, 8)]
    measured = [replace(p, value=float(v)) for p, v in zip(points, predict(points, catalog), strict=True)]
    odd = replace(measured[0], curve="odd", value=measured[0].value * 3)
    everything = [*measured, odd]
    start = fit(everything, catalog, FACTOR)
    slope = slopes(everything, catalog, FACTOR, start)
    held = left_out(everything, catalog, FACTOR, start, folds([p.curve for p in everything], 1), slope)
    assert held[-1] == pytest.approx(measured[0].value, rel=0.03)  # as if the odd one had never been there


def test_priors_and_ceilings_are_sound() -> None:
    for one in FREE:
        assert one.prior > 0 and one.sigma > 0 and (one.ceiling is None or one.prior < one.ceiling)
    keys = [key for one in FREE for key in one.keys]
    assert len(keys) == len(set(keys))
