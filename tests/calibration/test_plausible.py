"""Figures that a set-up cannot have produced are named; those that it can are left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.calibration.plausible import doubts
from planner.calibration.points import Point
from planner.calibration.predict import predict
from planner.catalog import Catalog


def run(point: Point, **values: float) -> list[Point]:
    return [replace(point, metric=metric, value=value) for metric, value in values.items()]


@pytest.fixture
def fair(point: Point, catalog: Catalog) -> dict[str, float]:
    """What the planner itself predicts for the point's load."""
    points = run(point, tpot=1.0, ttft=1.0, output=1.0)
    return {p.metric: float(v) for p, v in zip(points, predict(points, catalog), strict=True)}


def test_a_prediction_is_plausible(point: Point, fair: dict[str, float], catalog: Catalog) -> None:
    assert doubts("a.json", run(point, **fair), catalog) == ()


def test_faster_than_memory(point: Point, catalog: Catalog) -> None:
    """8.03e9 weights of one byte, the head in two, in 1.5 ms: 5.4 TB/s and more of an H100's 3.35."""
    (found,) = doubts("a.json", run(point, tpot=1.5e-3), catalog)
    assert found.what == "bandwidth" and found.load == 16
    assert 5.4e12 < found.needed < 8e12 and found.available == pytest.approx(3.35e12)


def test_more_than_arithmetic(point: Point, catalog: Catalog) -> None:
    """Prompts of 16,000 tokens, answers of 10, 160 a second: 16 requests x 16,010 tokens x 15 GFLOP = 3.9 PFLOP/s."""
    long = replace(point, input_tokens=16_000.0, output_tokens=10.0)
    found = doubts("a.json", run(long, ttft=0.5, tpot=0.05, output=160.0), catalog)
    assert [one.what for one in found] == ["arithmetic"]
    assert found[0].needed > 3.8e15 and found[0].available == pytest.approx(1.979e15, rel=0.01)


def test_throughput_against_latencies(point: Point, fair: dict[str, float], catalog: Catalog) -> None:
    for factor in (1.3, 0.4):
        (found,) = doubts("a.json", run(point, **fair | {"output": fair["output"] * factor}), catalog)
        assert found.what == "throughput"
        assert found.needed / found.available == pytest.approx(factor, rel=0.15)


def test_other_loads_say_nothing(point: Point, catalog: Catalog) -> None:
    assert doubts("a.json", run(replace(point, kind="open"), tpot=1e-4), catalog) == ()
    assert doubts("a.json", run(point, ttft=1e-4), catalog) == ()
    assert doubts("a.json", [], catalog) == ()
