"""Accuracy scores worked by hand: which rows a headline counts, how groups are ordered, what is left out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from planner.calibration.accuracy import (
    LEAST_ROWS,
    Judged,
    exclusions,
    family,
    groups,
    headlines,
    in_promise,
    judge,
    score,
)
from planner.calibration.held_out import HeldOut, read_held_out, write_held_out
from planner.calibration.points import Point
from planner.catalog import Catalog, load_catalog
from planner.errors import CatalogError, MissingFact
from planner.schema import PublishedScore

NAN = math.nan


def judged(point: Point, ratio: float = 1.0, excluded: str = "", **changes: object) -> Judged:
    """A point predicted at `ratio` times its value, its interval half to twice of that."""
    changed = replace(point, **changes)  # type: ignore[arg-type]
    guess = changed.value * ratio
    return Judged(changed, guess, guess / 2, guess * 2, excluded)


def test_a_score_by_hand(point: Point) -> None:
    """Errors of +10 %, -30 %, +200 % and one without an answer; the last answered one leaves its interval."""
    rows = [judged(point, ratio) for ratio in (1.1, 0.7, 3.0)]
    found = score("four", [*rows, replace(rows[0], predicted=NAN)])
    assert found.n == 4 and found.predicted_share == 0.75
    assert found.mape == pytest.approx((0.1 + 0.3 + 2.0) / 3)
    assert found.median_ape == pytest.approx(0.3) and found.bias == pytest.approx(0.1)
    assert found.within_20 == pytest.approx(1 / 3)
    assert found.band_coverage == pytest.approx(2 / 3)


def test_without_an_interval_there_is_no_coverage(point: Point) -> None:
    found = score("one", [replace(judged(point, 1.1), low=NAN, high=NAN)])
    assert found.band_coverage is None and found.mape == pytest.approx(0.1)
    assert score("none", []).n == 0 and score("none", []).mape is None


def test_headlines_count_rows_by_rule(point: Point) -> None:
    silicon = judged(point, 1.2, source="InferenceX runs (x)")
    rows = [
        silicon,
        judged(point, 1.4, source="aiconfigurator silicon gap-analysis runs (2026)"),
        judged(point, 2.0, "engine defaults", source="InferenceX runs (x)", llm="deepseek-v3"),
        judged(point, 1.1, source="own bench"),
        judged(point, 1.5, source="InferenceX runs (x)", metric="ttft"),
        judged(point, 0.9, source="own bench", metric="ttft"),
        judged(point, 0.8, source="anything", metric="output", kind="saturated"),
        judged(point, 0.5, source="TensorRT-LLM guide", metric="output"),
        judged(point, 3.0, source="own bench", metric="output"),
        judged(point, 1.0, source="own bench", metric="power"),
    ]
    peer = PublishedScore(
        tool="Other", headline="tpot_r1", n=7, mape=0.3, median_ape=0.2, source="paper", source_date="2026",
        confidence="low",
    )  # fmt: skip
    found = {one.key: one for one in headlines(rows, 2, frozenset({"deepseek-v3"}), [peer])}
    assert {key: one.score.n for key, one in found.items()} == {
        "tpot_silicon": 2, "tpot_r1": 0, "tpot_core": 3, "ttft_silicon": 1, "output_saturated": 2, "power_core": 1,
        "everything": 12,
    }  # fmt: skip
    assert found["tpot_silicon"].score.mape == pytest.approx(0.3)
    assert found["tpot_silicon"].whole.mape == pytest.approx((0.2 + 0.4 + 1.0) / 3)
    assert found["tpot_r1"].whole.n == 1 and found["tpot_r1"].peer == peer
    assert found["output_saturated"].score.mape == pytest.approx((0.2 + 0.5) / 2)
    assert found["everything"].score.mape is None
    assert found["everything"].score.predicted_share == pytest.approx(10 / 12)
    assert found["everything"].score.band_coverage == pytest.approx(9 / 10)  # 3.0 is outside 1.5 to 6.0


def test_groups_come_worst_first_and_small_ones_not_at_all(point: Point) -> None:
    rows = [judged(point, 1.1)] * LEAST_ROWS
    rows += [judged(point, 1.6, llm="qwen3-32b"), judged(point, 1.4, "capped", llm="qwen3-32b")] * (LEAST_ROWS // 2)
    rows += [judged(point, 9.0, llm="deepseek-r1")] * (LEAST_ROWS - 1)
    rows += [replace(judged(point, llm="deepseek-r1"), predicted=NAN)]
    worst, best = groups(rows)
    assert (worst.llm, worst.score.mape) == ("qwen3-32b", pytest.approx(0.5))
    assert worst.excluded == f"{LEAST_ROWS // 2} × capped"
    assert (best.llm, best.score.mape) == ("llama-3.1-8b", pytest.approx(0.1)) and not best.excluded
    (everyone,) = groups(rows, by_llm=False)
    assert everyone.llm == "" and everyone.score.n == 3 * LEAST_ROWS - 1


def test_points_keep_their_prediction_and_the_rule_that_leaves_them_out(point: Point) -> None:
    sparse = replace(point, id="b", llm="deepseek-v3.2")
    known, unknown = judge([point, sparse], {"a": HeldOut(0.02, 0.01, 0.03)})
    assert (known.predicted, known.low, known.high, known.excluded) == (0.02, 0.01, 0.03, "")
    assert known.answered and not unknown.answered
    assert exclusions([known, unknown]) == ((unknown.excluded, "tpot", 1),) and unknown.excluded


def test_siblings_share_every_dimension(catalog: Catalog) -> None:
    assert family(catalog.llms, "deepseek-r1") >= {"deepseek-r1", "deepseek-v3"}
    assert "deepseek-v3.2" not in family(catalog.llms, "deepseek-r1")  # has an indexer
    assert "kimi-k2" not in family(catalog.llms, "deepseek-r1")


def test_coverage_of_large_groups_is_counted(point: Point) -> None:
    def covered(inside: int, n: int) -> object:
        return score("g", [judged(point)] * inside + [judged(point, 9.0)] * (n - inside))

    scores = [covered(40, 50), covered(50, 50), covered(37, 50), covered(0, 49)]
    assert in_promise(scores) == (1, 3)  # type: ignore[arg-type]


# ---- the file


def test_predictions_come_back_as_written(tmp_path: Path) -> None:
    catalog = measured(tmp_path)
    file = tmp_path / "measured" / "held_out.csv.gz"
    written = {"a": HeldOut(0.0123456, 0.01, 0.02), "b": HeldOut(300.0, NAN, NAN), "c": HeldOut(NAN, NAN, NAN)}
    write_held_out(file, written)
    found = read_held_out(catalog)
    assert list(found) == ["a", "b"] and found["a"] == HeldOut(0.012346, 0.01, 0.02)
    assert math.isnan(found["b"].low)
    before = file.read_bytes()
    write_held_out(file, written)
    assert file.read_bytes() == before


def test_missing_and_damaged_predictions_are_refused(tmp_path: Path) -> None:
    catalog = measured(tmp_path)
    with pytest.raises(MissingFact, match="make calibrate"):
        read_held_out(catalog)
    for content in (b"id,predicted\n", b"\x1f\x8b\x08garbage"):
        (tmp_path / "measured" / "held_out.csv.gz").write_bytes(content)
        with pytest.raises(CatalogError, match="make calibrate"):
            read_held_out(catalog)


def measured(folder: Path) -> Catalog:
    """Catalogs of which only the folder of measured points matters."""
    (folder / "catalog.toml").write_text("")
    (folder / "measured").mkdir()
    return load_catalog(folder)
