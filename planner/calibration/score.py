"""Predicted against measured: errors and band coverage by group."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from planner.calibration.points import Point, Refusal, read_points
from planner.calibration.predict import predict
from planner.calibration.runs import MOST_REQUESTS
from planner.calibration.setups import Array
from planner.catalog import Catalog
from planner.errors import Message, Told, Translate
from planner.schema import GroupScore, ScoredPoint, Validation
from planner.search.metrics import band_row, basis_of, power_basis_of

BANDS = {"ttft": "band_ttft", "tpot": "band_tpot", "output": "band_output_tokens_per_s", "power": "band_power"}


def validate(path: Path, catalog: Catalog, translate: Translate = str) -> Validation:
    """Score every row of a POINTS.csv: predicted with its band, or refused with a reason; in the file's order.

    Parameters
    ----------
    translate : of the reasons

    Raises
    ------
    WorkloadError
        If the file cannot be read at all.
    """
    points, refused = read_points(path, catalog)
    predicted = predict(points, catalog)
    scored = [_score(point, float(value), catalog, translate) for point, value in zip(points, predicted, strict=True)]
    rows = scored + [_refused(refusal, translate) for refusal in refused]
    return Validation(
        catalog_sha256=catalog.sha256,
        points=tuple(sorted(rows, key=lambda one: one.row)),
        summary=summarise(points, scored, refused),
    )


def _score(point: Point, predicted: float, catalog: Catalog, _: Translate) -> ScoredPoint:
    measured, scale = point.value / point.unit_scale, point.unit_scale
    name = f"{point.metric}_{point.statistic}"
    if np.isnan(predicted):
        return _bare(point.id, point.row, name, measured, _why(point).told(_))
    basis = basis_of(catalog, point.accelerator, point.weights, point.llm, point.engine)
    if point.metric == "power":
        basis = power_basis_of(catalog, point.accelerator)
    low, high = _band(point, basis, catalog)
    value = predicted / scale
    return ScoredPoint(
        id=point.id, row=point.row, metric=name, measured=measured, predicted=value,
        low=None if low is None else value * low, high=None if high is None else value * high, basis=basis, reason="",
    )  # fmt: skip


def _why(point: Point) -> Told:
    """Why a point has no prediction."""
    if point.metric == "power" and point.kind in ("burst", "open"):
        return Message("power of a burst or an open load: it needs a steady state")
    if point.kind == "burst" and point.load > MOST_REQUESTS:
        return Message("does not fit this layout, or more requests at once than are simulated")
    return Message("does not fit this layout")


def _band(point: Point, basis: str, catalog: Catalog) -> tuple[float | None, float | None]:
    row = band_row(catalog, BANDS[point.metric].removeprefix("band_"), basis, point.engine)
    return row.low, row.high


def _refused(refusal: Refusal, _: Translate) -> ScoredPoint:
    return _bare(refusal.id, refusal.row, refusal.metric, refusal.value, refusal.reason.told(_))


def _bare(id: str, row: int, metric: str, measured: float | None, reason: str) -> ScoredPoint:
    return ScoredPoint(
        id=id, row=row, metric=metric, measured=measured,
        predicted=None, low=None, high=None, basis=None, reason=reason,
    )  # fmt: skip


def summarise(points: list[Point], scored: list[ScoredPoint], refused: list[Refusal]) -> tuple[GroupScore, ...]:
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
    columns = [_column(scored, name) for name in ("measured", "predicted", "low", "high")]
    scores = [errors(name, *(column[rows] for column in columns)) for name, rows in groups.items()]
    if refused:
        scores.append(_empty("refused", len(refused)))
    return tuple(scores)


def _column(scored: list[ScoredPoint], name: str) -> Array:
    return np.array([getattr(one, name) for one in scored], float)  # None becomes NaN


def errors(group: str, measured: Array, predicted: Array, low: Array, high: Array) -> GroupScore:
    """Errors of one group.

    Parameters
    ----------
    measured, predicted : arrays, shape (n,)
        In one unit each; NaN where there is no prediction.
    low, high : arrays, shape (n,)
        The interval that should hold 80 % of such measurements; NaN where there is none.

    Examples
    --------
    >>> measured, predicted = np.array([10.0, 10.0]), np.array([11.0, 7.0])
    >>> found = errors("two", measured, predicted, predicted - 2, predicted + 2)
    >>> round(found.mape, 3), round(found.bias, 3), found.within_20, found.band_coverage
    (0.2, -0.1, 0.5, 0.5)
    """
    known = ~np.isnan(predicted)
    if not known.any():
        return _empty(group, len(measured))
    error = predicted[known] / measured[known] - 1
    banded = known & ~np.isnan(low) & ~np.isnan(high)
    inside = (low[banded] <= measured[banded]) & (measured[banded] <= high[banded])
    return GroupScore(
        group=group, n=len(measured), predicted_share=float(known.mean()), mape=float(np.abs(error).mean()),
        median_ape=float(np.median(np.abs(error))), bias=float(np.median(error)),
        within_20=float((np.abs(error) <= 0.2).mean()), band_coverage=float(inside.mean()) if len(inside) else None,
    )  # fmt: skip


def _empty(name: str, n: int) -> GroupScore:
    return GroupScore(
        group=name, n=n, predicted_share=0.0, mape=None, median_ape=None, bias=None, within_20=None, band_coverage=None
    )
