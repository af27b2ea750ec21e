"""What a difference consists of: parts that add up to the whole."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

EXACT_UP_TO = 3  # changes whose every order is tried; beyond, the given order and its reverse


def product_parts(before: ArrayLike, after: ArrayLike) -> Array:
    """Difference of two products, split over their factors: logarithmic mean Divisia index.

    Parameters
    ----------
    before, after : array_like, shape (n,)
        Positive factors of a total, in one order. [any]

    Returns
    -------
    ndarray, shape (n,)
        Contributions whose sum is prod(after) - prod(before), without a remainder. [unit of the product]

    References
    ----------
    .. [1] Ang, "The LMDI approach to decomposition analysis", Energy Policy 33 (2005), additive form.

    Examples
    --------
    Twice the load at half the price costs the same: the parts cancel.

    >>> product_parts([1, 10], [2, 5]).round(6).tolist()
    [6.931472, -6.931472]
    """
    a, b = np.asarray(before, float), np.asarray(after, float)
    first, last = float(np.prod(a)), float(np.prod(b))
    mean = first if math.isclose(first, last, rel_tol=1e-12) else (last - first) / math.log(last / first)
    return np.asarray(mean * np.log(b / a))


def orders(changes: int) -> list[tuple[int, ...]]:
    """Orders in which changes are applied one after the other: all of a few, else one and its reverse.

    Examples
    --------
    >>> orders(2), len(orders(3)), orders(4)
    ([(0, 1), (1, 0)], 6, [(0, 1, 2, 3), (3, 2, 1, 0)])
    """
    given = tuple(range(changes))
    return list(itertools.permutations(given)) if changes <= EXACT_UP_TO else [given, given[::-1]]


def shared_parts(changes: int, value: Callable[[frozenset[int]], float | None]) -> Sequence[float] | None:
    """Difference between all changes and none, split over the changes.

    A change's part is what it adds, averaged over the orders of `orders`: the Shapley value where
    all orders are tried. Each order's parts add up to the whole, and so do the averages.

    Parameters
    ----------
    value : outcome under a set of changes; None where there is no outcome, which rules out the
        orders that pass through it.

    Returns
    -------
    sequence of length `changes`, or None where every order passes through a missing outcome.

    References
    ----------
    .. [1] Shapley, "A value for n-person games", 1953.

    Examples
    --------
    >>> shared_parts(2, lambda done: 10.0 * (1 + (0 in done)) * (1 + 2 * (1 in done)))
    [20.0, 30.0]
    """
    found = [parts for order in orders(changes) if (parts := _one_order(order, value)) is not None]
    return [math.fsum(column) / len(found) for column in zip(*found, strict=True)] if found else None


def _one_order(order: tuple[int, ...], value: Callable[[frozenset[int]], float | None]) -> list[float] | None:
    parts = [0.0] * len(order)
    last = value(frozenset())
    for count, change in enumerate(order, 1):
        now = value(frozenset(order[:count]))
        if last is None or now is None:
            return None
        parts[change], last = now - last, now
    return parts
