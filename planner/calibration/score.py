"""Predicted against measured: errors and band coverage by group."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from planner.calibration.points import Point, Refusal, read_points
from planner.calibration.predict import Array, predict
from planner.catalog import Catalog
from planner.schema import GroupScore, ScoredPoint, Validation
from planner.search.metrics import basis_of

BANDS = {"ttft": "band_ttft", "tpot": "band_tpot", "output": "band_output_tokens_per_s"}


def validate(path: Path, catalog: Catalog) -> Validation:
    """Score every row of a POINTS.csv: predicted with its band, or refused with a reason.

    Raises
    ------
    WorkloadError
        If the file cannot be read at all.
    """
    points, refused = read_points(path, catalog)
    predicted = predict(points, catalog)
    scored = [_score(point, float(value), catalog) for point, value in zip(points, predicted, strict=True)]
    return Validation(
        catalog_sha256=catalog.sha256,
        points=tuple(scored + [_refused(refusal) for refusal in refused]),
        summary=summarise(points, predicted, scored, refused),
    )


def _score(point: Point, predicted: float, catalog: Catalog) -> ScoredPoint:
    measured, scale = point.value / point.unit_scale, point.unit_scale
    name = f"{point.metric}_{point.statistic}"
    if np.isnan(predicted):
        reason = (
            "does not fit this layout"
            if point.kind in ("closed", "saturated")
            else f"{point.kind} load is not modelled"
        )
        return _bare(point.id, name, measured, reason)
    basis = basis_of(catalog, point.accelerator, point.weights)
    low, high = _band(point, basis, catalog)
    value = predicted / scale
    return ScoredPoint(
        id=point.id, metric=name, measured=measured, predicted=value,
        low=None if low is None else value * low, high=None if high is None else value * high, basis=basis, reason="",
    )  # fmt: skip


def _band(point: Point, basis: str, catalog: Catalog) -> tuple[float | None, float | None]:
    if point.metric not in BANDS:
        return None, None
    row = catalog.parameter(BANDS[point.metric], basis)
    return row.low, row.high


def _refused(refusal: Refusal) -> ScoredPoint:
    return _bare(refusal.id, refusal.metric, refusal.value, refusal.reason)


def _bare(id: str, metric: str, measured: float | None, reason: str) -> ScoredPoint:
    return ScoredPoint(
        id=id, metric=metric, measured=measured, predicted=None, low=None, high=None, basis=None, reason=reason
    )


def summarise(
    points: list[Point], predicted: Array, scored: list[ScoredPoint], refused: list[Refusal]
) -> tuple[GroupScore, ...]:
    """Scores of all rows of each metric, then by source, engine, accelerator and LLM."""
    groups: dict[str, list[int]] = {}
    keys: list[Callable[[Point], str]] = [
        lambda p: p.metric,
        lambda p: f"{p.metric} · {p.source or 'no source'}",
        lambda p: f"{p.metric} · {p.engine}",
        lambda p: f"{p.metric} · {p.accelerator}",
        lambda p: f"{p.metric} · {p.llm}",
    ]
    for key in keys:
        for i, point in enumerate(points):
            groups.setdefault(key(point), []).append(i)
    scores = [_group(name, rows, points, predicted, scored) for name, rows in groups.items()]
    if refused:
        scores.append(_empty("refused", len(refused)))
    return tuple(scores)


def _group(name: str, rows: list[int], points: list[Point], predicted: Array, scored: list[ScoredPoint]) -> GroupScore:
    value = np.array([points[i].value for i in rows])
    guess = predicted[rows]
    known = ~np.isnan(guess)
    if not known.any():
        return _empty(name, len(rows))
    error = guess[known] / value[known] - 1
    inside = [
        s.low <= s.measured <= s.high
        for s in (scored[i] for i in rows)
        if s.low is not None and s.high is not None and s.measured is not None
    ]
    return GroupScore(
        group=name, n=len(rows), predicted_share=float(known.mean()), mape=float(np.abs(error).mean()),
        median_ape=float(np.median(np.abs(error))), bias=float(np.median(error)),
        within_20=float((np.abs(error) <= 0.2).mean()), band_coverage=float(np.mean(inside)) if inside else None,
    )  # fmt: skip


def _empty(name: str, n: int) -> GroupScore:
    return GroupScore(
        group=name, n=n, predicted_share=0.0, mape=None, median_ape=None, bias=None, within_20=None, band_coverage=None
    )
