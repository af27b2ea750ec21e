"""Intervals that hold 80 % of measurements of a kind, from the errors on points that a fit has not seen.

One interval per metric and engine. Finer groups (accelerator class, load), tried on a fit of 2026-11-24, held 66 to
78 % of unseen curves where these held 80: errors cluster by curve, and a small group knows too few curves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Names = NDArray[np.str_]

SHARE = 0.8
LEAST_ROWS, LEAST_CURVES = 60, 3  # an engine with less takes the interval of all
# Assumed: an accelerator that was left out still has relatives in the fit; one of a new kind has none.
EXTRAPOLATION = 1.25
WIDENINGS = np.arange(1.0, 1.61, 0.05)


@dataclass(frozen=True)
class Interval:
    """Measured over predicted: the interval, and how many measurements it comes from."""

    low: float
    high: float
    n: int


def interval(ratio: Array, widening: float = 1.0) -> Interval:
    """Quantiles that hold `SHARE`, their distance from the median widened in logarithms.

    Examples
    --------
    >>> found = interval(np.array([0.5, 1.0, 2.0]))
    >>> round(found.low, 3), round(found.high, 3)
    (0.574, 1.741)
    """
    low, middle, high = np.quantile(np.log(ratio), [(1 - SHARE) / 2, 0.5, (1 + SHARE) / 2])
    stretched = np.exp(middle + widening * (np.array([low, high]) - middle))
    return Interval(float(stretched[0]), float(stretched[1]), len(ratio))


def extrapolated(never: Interval, known: Interval) -> Interval:
    """Interval of hardware that nobody measured: around both given ones, and wider still.

    Parameters
    ----------
    never : of accelerators that the fit has not seen
    known : of accelerators that it has
    """
    low, high = min(never.low, known.low), max(never.high, known.high)
    middle = np.sqrt(low * high)
    stretch = (high / low) ** (EXTRAPOLATION / 2)
    return Interval(float(middle / stretch), float(middle * stretch), never.n)


def by_engine(ratio: Array, engines: Names, curves: Names, widening: float) -> dict[str, Interval]:
    """Interval of all points under the empty name, and of every engine with points and curves enough."""
    found = {"": interval(ratio, widening)}
    for engine in sorted(set(engines.tolist())):
        own = engines == engine
        if own.sum() >= LEAST_ROWS and len(set(curves[own].tolist())) >= LEAST_CURVES:
            found[engine] = interval(ratio[own], widening)
    return found


def unseen(
    ratio: Array, engines: Names, curves: Names, widening: float, counts: NDArray[np.bool_] | None = None
) -> tuple[Array, Array]:
    """Interval for each point from the points of other curves that count, by default all. Two arrays of shape (n,)."""
    low, high = np.empty_like(ratio), np.empty_like(ratio)
    for curve in sorted(set(curves.tolist())):
        own = curves == curve
        others = ~own if counts is None else ~own & counts
        table = by_engine(ratio[others], engines[others], curves[others], widening)
        for i in np.flatnonzero(own):
            found = table.get(str(engines[i]), table[""])
            low[i], high[i] = found.low, found.high
    return low, high


def widening(ratio: Array, engines: Names, curves: Names) -> float:
    """Least widening with which intervals from other curves hold `SHARE` of the points."""
    for width in WIDENINGS:
        low, high = unseen(ratio, engines, curves, float(width))
        if np.mean((low <= ratio) & (ratio <= high)) >= SHARE:
            break
    return float(width)
