"""What the fit would lose or gain if scalars measured on one device stood in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.calibration.ceilings import ceilings, known_values
from planner.calibration.held_out import points_file
from planner.calibration.measured import accelerator_of, read_measured
from planner.calibration.points import Point, read_points
from planner.calibration.predict import predict
from planner.calibration.score import errors
from planner.catalog import Catalog
from planner.schema import GroupScore

METRICS = ("tpot", "ttft", "output")


@dataclass(frozen=True)
class Swap:
    """Errors in sample under one set of scalars.

    Attributes
    ----------
    name : device that measured them; empty for the shipped fit
    scalars : how many were put in place of fitted ones
    scores : by metric
    """

    name: str
    scalars: int
    scores: dict[str, GroupScore]


def swaps(catalog: Catalog) -> tuple[Swap, ...]:
    """The shipped fit, and the same with the scalars of each file of measured ceilings in its place."""
    from planner.calibration.fit import excluded  # loads the optimiser

    points = [p for p in read_points(points_file(catalog), catalog)[0] if p.metric in METRICS and not excluded(p)]
    found = [Swap("", 0, _scores(points, catalog))]
    for file in sorted((catalog.folder / "measured" / "ceilings").glob("*.json")):
        measured = read_measured(file)
        id = accelerator_of(measured, catalog)
        values = known_values(ceilings(measured, catalog.accelerators[id]), catalog, id)
        found.append(Swap(file.stem, len(values), _scores(points, catalog.calibrated(values))))
    return tuple(found)


def _scores(points: Sequence[Point], catalog: Catalog) -> dict[str, GroupScore]:
    predicted, value = predict(points, catalog), np.array([p.value for p in points])
    none = np.full(len(points), np.nan)
    rows = {metric: [i for i, p in enumerate(points) if p.metric == metric] for metric in METRICS}
    return {metric: errors(metric, value[at], predicted[at], none[at], none[at]) for metric, at in rows.items()}
