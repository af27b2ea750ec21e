"""Where rising curves cross zero, many at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Curves = Callable[[Array, Rows], Array]

EXACT = 1e-9  # of the curve's own unit
PASSES = 60
FEWER = 0.7  # of the curves: what is left is cut out then, as cutting costs as much as asking


def rising_root(curve: Curves, low: Array, high: Array) -> Array:
    """Where each of n rising curves crosses zero, by Chandrupatla's method: a curve through three values where
    that is safe, else halving.

    Parameters
    ----------
    curve : points of m of the curves and which curves those are, both of shape (m,), to values there, shape (m,);
        continuous, and it must not fall. Most curves whose roots are found are not asked again.
    low, high : ends, shape (n,); one beyond which the root lies is the answer

    References
    ----------
    .. [1] Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function
       without using derivatives", Advances in Engineering Software 28 (1997).

    Examples
    --------
    >>> squares = np.array([2.0, 9.0, 50.0])
    >>> rising_root(lambda x, which: x * x - squares[which], np.ones(3), np.full(3, 4.0)).round(6).tolist()
    [1.414214, 3.0, 4.0]
    """
    which: Rows = np.arange(len(low))
    a, b, f_a, f_b = high, low, curve(high, which), curve(low, which)
    found, open_ = np.where(f_a <= 0, high, low), (f_b < 0) & (f_a > 0)
    share = _secant(f_a, f_b)
    for _ in range(PASSES):
        if np.count_nonzero(open_) < FEWER * len(which):
            a, b, f_a, f_b, share = (column[open_] for column in (a, b, f_a, f_b, share))
            which, open_ = which[open_], open_[open_]
        if not open_.any():
            break
        at = a + share * (b - a)
        value = curve(at, which)
        found[which[open_]] = at[open_]
        same = (value > 0) == (f_a > 0)
        c, f_c = np.where(same, a, b), np.where(same, f_a, f_b)
        b, f_b = np.where(same, b, a), np.where(same, f_b, f_a)
        a, f_a = at, value
        share, open_ = _next(a, b, c, f_a, f_b, f_c), open_ & (np.abs(value) > EXACT)
    return found


def _secant(f_a: Array, f_b: Array) -> Array:
    """Where between two points, from the first on, a line through their values crosses zero. [-]"""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.clip(np.nan_to_num(f_a / (f_a - f_b), nan=0.5), 0.0, 1.0))


def _next(a: Array, b: Array, c: Array, f_a: Array, f_b: Array, f_c: Array) -> Array:
    """The share of the way from a to b to look at: where a curve through three values says, or half of it. [-]"""
    with np.errstate(invalid="ignore", divide="ignore"):
        xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        inverse = f_a / (f_b - f_a) * f_c / (f_b - f_c) + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
    return np.where(safe, np.nan_to_num(inverse, nan=0.5), 0.5)
