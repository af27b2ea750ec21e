"""Lengths with another spread: the order stays, whoever sent the longest prompt still does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HALVINGS = 40  # of an exponent between 0 and MOST_POWER: far below a token
MOST_POWER = 8.0


def with_spread(lengths: Array, cv: float | None = None, p99_ratio: float | None = None) -> Array:
    """Lengths raised to the power that gives them a spread, relative to the largest.

    Parameters
    ----------
    lengths : all above 0, shape (n,)
    cv : standard deviation over the mean to reach; None: as it is [-]
    p99_ratio : 99th percentile over the mean to reach, which goes before `cv`; None: as it is [-]

    Notes
    -----
    A spread that no power reaches, such as any of equal lengths, gives the nearest one.

    Examples
    --------
    >>> wider = with_spread(np.array([1.0, 4.0, 16.0]), cv=1.2)
    >>> round(float(wider.std() / wider.mean()), 6)
    1.2
    >>> with_spread(np.array([1.0, 4.0]), cv=0.0).tolist()
    [1.0, 1.0]
    """
    if p99_ratio is not None:
        return _powered(lengths, lambda x: float(np.percentile(x, 99) / x.mean()), p99_ratio)
    if cv is not None:
        return _powered(lengths, lambda x: float(x.std() / x.mean()), cv)
    return lengths


def _powered(lengths: Array, measure: Callable[[Array], float], wanted: float) -> Array:
    low, high = 0.0, MOST_POWER
    logs = np.log(lengths / lengths.max())
    if measure(np.exp(low * logs)) >= wanted:
        return np.ones_like(lengths)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if measure(np.exp(middle * logs)) < wanted else (low, middle)
    return np.asarray(np.exp(high * logs))
