"""Predict each point by a fit that has not seen its fold, in a minute for a hundred folds.

Near a fit of all points the logarithm of every prediction is close to linear in those of the scalars: one set of
slopes serves the fits of all folds. The predictions themselves are the model's own, with the values that result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from planner.calibration.fit import STEP, Free, Values, ceilings, fitted, scale, steps_to, values_at
from planner.calibration.points import Point
from planner.calibration.predict import predict
from planner.calibration.setups import Array
from planner.catalog import Catalog

FURTHEST = 1.0  # log distance from the fit of all points beyond which slopes are not believed


def left_out(
    points: Sequence[Point],
    catalog: Catalog,
    free: tuple[Free, ...],
    start: Values,
    fold: NDArray[np.int64],
    slope: Array,
    say: Callable[[int, int], None] = lambda done, of: None,
) -> Array:
    """Prediction of each point by a fit of the other folds' points only. Shape (n,).

    Parameters
    ----------
    start : values of a fit of all points
    fold : fold of each point, shape (n,)
    slope : of each point's log prediction by each scalar there, shape (n, scalars); see `slopes`
    say : told how many folds are done, and of how many
    """
    here, numbers = steps_to(free, start), sorted(set(fold.tolist()))
    error = np.log(predict(points, catalog.calibrated(start)) / np.array([point.value for point in points]))
    known = np.array([fitted(point) for point in points]) & np.isfinite(error)
    found = np.full(len(points), np.nan)
    for done, number in enumerate(numbers, 1):
        own = fold == number
        seen = np.flatnonzero(known & ~own).tolist()
        steps = _refit(error[seen], slope[seen], scale([points[i] for i in seen]), here, free)
        chosen = [points[i] for i in np.flatnonzero(own).tolist()]
        found[own] = predict(chosen, catalog.calibrated(values_at(free, steps)))
        say(done, len(numbers))
    return found


def slopes(points: Sequence[Point], catalog: Catalog, free: tuple[Free, ...], start: Values) -> Array:
    """Slope of each point's log prediction by the logarithm of each scalar, by a small step. Shape (n, scalars)."""
    here = steps_to(free, start)
    base = np.log(predict(points, catalog.calibrated(start)))
    moved = [values_at(free, here + STEP * unit) for unit in np.eye(len(free))]
    with ProcessPoolExecutor() as pool:
        columns = list(pool.map(partial(_log_predictions, points, catalog), moved))
    return np.nan_to_num((np.array(columns) - base).T / STEP)


def _log_predictions(points: Sequence[Point], catalog: Catalog, values: Values) -> Array:
    return np.asarray(np.log(predict(points, catalog.calibrated(values))))


def _refit(error: Array, slope: Array, size: Array, here: Array, free: tuple[Free, ...]) -> Array:
    """Log distances from the priors of a fit to some points, from their errors and slopes at `here`."""
    sigma = np.array([one.sigma for one in free])
    gradient = np.vstack([slope / size[:, None], np.diag(1 / sigma)])

    def residuals(move: Array) -> Array:
        return np.concatenate([(error + slope @ move) / size, (here + move) / sigma])

    most = np.minimum(ceilings(free) - here + 1e-9, FURTHEST)
    found = least_squares(
        residuals, np.minimum(0.0, most - 1e-6), jac=lambda move: gradient, bounds=(-FURTHEST, most), loss="soft_l1"
    )
    return np.asarray(here + found.x)
