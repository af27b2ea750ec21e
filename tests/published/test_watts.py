"""Predicted watts against measured ones: single kernels, own runs of vLLM, and public runs of whole curves left out."""

from __future__ import annotations

import numpy as np
import pytest

from planner.calibration.bands import unseen, widening
from planner.calibration.fit import excluded
from planner.calibration.fit_power import (
    FREE,
    Evidence,
    counts,
    everything,
    evidence,
    unfit,
)
from planner.calibration.points import read_points
from planner.calibration.predict import predict
from planner.calibration.score import validate
from planner.catalog import Catalog

SHIPPED = {key for one in FREE for key in one.keys}


@pytest.fixture(scope="module")
def found(catalog: Catalog) -> Evidence:
    return evidence(read_points(catalog.folder / "measured" / "points.csv.gz", catalog)[0], catalog)


@pytest.fixture(scope="module")
def held_out(found: Evidence) -> np.ndarray:
    return found.without("curve")


def shipped(catalog: Catalog) -> dict[tuple[str, str], float]:
    return {key: catalog.calibration[key].value for key in SHIPPED}


def test_copies_and_matrix_products_draw_what_was_measured(found: Evidence, catalog: Catalog) -> None:
    error = found.kernels.watts_by(shipped(catalog), found.limit) / found.kernels.watts - 1
    assert len(error) == 14
    assert np.abs(error).max() < 0.16
    assert np.abs(error).mean() < 0.05
    capped = found.kernels.does.compute > 0.5  # where the power limit lowers the clock
    assert np.abs(error[capped]).max() < 0.02


def test_the_shipped_band_holds_the_kernels(found: Evidence, catalog: Catalog) -> None:
    ratio = found.kernels.watts / found.kernels.watts_by(shipped(catalog), found.limit)
    row = catalog.parameter("band_power", "calibrated")
    assert row.low is not None and row.high is not None
    assert np.mean((ratio >= row.low) & (ratio <= row.high)) >= 0.8


def test_runs_that_no_fit_has_seen(found: Evidence) -> None:
    """Own runs of vLLM 0.20 on H100 and H200, fitted on ML.ENERGY's vLLM 0.11 on H100 and B200, and on kernels."""
    all_core, no_runs, kernels = (
        np.full(len(r.watts), x)
        for r, x in zip((found.core, found.runs, found.kernels), (True, False, True), strict=True)
    )
    predicted = found.runs.watts_by(found.fitted(all_core, no_runs, kernels), found.limit)
    error = np.abs(predicted / found.runs.watts - 1)
    assert len(error) >= 25
    assert error.mean() < 0.06 and np.median(error) < 0.03


def test_goal_with_whole_curves_left_out(found: Evidence, held_out: np.ndarray) -> None:
    error = np.abs(held_out / found.core.watts - 1)[found.counts]
    assert len(error) > 280
    assert error.mean() <= 0.11
    assert np.median(error) <= 0.08


def test_better_than_a_constant_share_of_the_board_limit(found: Evidence, held_out: np.ndarray) -> None:
    for accelerator in np.unique(found.core.accelerator):
        mine = found.counts & (found.core.accelerator == accelerator)
        share = np.median(found.core.watts[mine] / found.core.board_w[mine])
        constant = np.abs(share * found.core.board_w / found.core.watts - 1)[mine].mean()
        assert np.abs(held_out / found.core.watts - 1)[mine].mean() < 0.8 * constant


def test_band_holds_four_in_five_of_curves_it_has_not_seen(found: Evidence, held_out: np.ndarray) -> None:
    ratio, curves = (found.core.watts / held_out)[found.counts], found.core.curve[found.counts]
    engines = np.full(len(ratio), "vllm")
    low, high = unseen(ratio, engines, curves, widening(ratio, engines, curves))
    assert 0.77 <= np.mean((low <= ratio) & (ratio <= high)) <= 0.83


def test_shipped_values_are_those_of_the_fit(found: Evidence, catalog: Catalog) -> None:
    assert everything(found) == pytest.approx(shipped(catalog), rel=0.02)
    assert set(everything(found)) == SHIPPED
    for accelerator, n in counts(found).items():
        assert catalog.calibration["power_points", accelerator].value == n


def test_one_predictor_for_fit_and_validation(found: Evidence, catalog: Catalog) -> None:
    fitted = found.core.watts_by(shipped(catalog), found.limit)
    assert predict(found.points, catalog) == pytest.approx(fitted)


def test_validation_scores_the_band_of_power(catalog: Catalog) -> None:
    scored = validate(catalog.folder / "measured" / "power_runs.csv", catalog)
    (total,) = (group for group in scored.summary if group.group == "power")
    assert total.band_coverage is not None and total.band_coverage > 0.6  # runs of under a second read low
    point = next(p for p in scored.points if p.predicted is not None)
    row = catalog.parameter("band_power", "calibrated")
    assert point.predicted is not None and row.low is not None
    assert point.low == pytest.approx(row.low * point.predicted)


def test_rules_for_what_does_not_count(found: Evidence) -> None:
    point = found.points[0]
    assert "average" in unfit(point, 1.4) and not unfit(found.points[-1], 1.5)
    left_out = [p for p, counts in zip(found.points, found.counts, strict=True) if not counts]
    assert 0 < len(left_out) < 20
    assert all(excluded(p) for p in left_out)
    assert {p.accelerator for p in left_out if p.output_tokens > 5000} == {"b200-sxm-180gb"}  # the front end was slow
