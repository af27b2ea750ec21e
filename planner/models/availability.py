"""Chance that enough replicas are ready."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LIMIT = 64  # spares looked at; a fleet that needs more is the wrong fleet


def replica_availability(gpus: ArrayLike, interruption_gpu_hours: float, repair_hours: float) -> Array:
    """Share of time in which a replica serves, its accelerators in series. [-]

    Parameters
    ----------
    interruption_gpu_hours : accelerator-hours per interruption. [h]
    repair_hours : from the interruption until the replica serves again. [h]
    """
    between = interruption_gpu_hours / np.asarray(gpus, float)
    return np.asarray(between / (between + repair_hours))


def at_least(needed: int, installed: int, availability: float) -> float:
    """P(at least `needed` of `installed` independent replicas are ready).

    Examples
    --------
    >>> round(at_least(2, 3, 0.99), 6)
    0.999702
    """
    if availability <= 0 or availability >= 1:
        return float(availability >= 1 or needed <= 0)
    log_up, log_down = math.log(availability), math.log1p(-availability)
    terms = (_log_choose(installed, i) + i * log_up + (installed - i) * log_down for i in range(needed, installed + 1))
    return min(math.fsum(math.exp(term) for term in terms), 1.0)


def _log_choose(n: int, k: int) -> float:
    """Logarithm of the binomial coefficient: fleets of thousands overflow the number itself."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def fewest_spares(
    needed: ArrayLike, availability: ArrayLike, target: float, limit: int = LIMIT
) -> tuple[NDArray[np.int64], Array]:
    """Fewest spare replicas with which each fleet reaches an availability target.

    Parameters
    ----------
    needed : replicas, shape (n,) [-]
    availability : of one replica, shape (n,), above 0 [-]

    Returns
    -------
    (spares, ready), each of shape (n,): -1 spares where `limit` do not reach it; the share of time in which enough
    replicas are ready with those spares, or with none where there are -1

    Notes
    -----
    The last one needed is up after k failures with C(needed - 1 + k, k) · up^needed · down^k: each spare adds a term.

    Examples
    --------
    >>> spares, ready = fewest_spares([2, 2], [0.99, 0.5], 0.999, limit=3)
    >>> spares.tolist(), ready.round(6).tolist()
    ([1, -1], [0.999702, 0.25])
    """
    need, up = np.broadcast_arrays(np.atleast_1d(needed), np.atleast_1d(np.asarray(availability, float)))
    spares, term = np.full(need.shape, -1, np.int64), up**need
    ready, held = term.copy(), term.copy()
    for number in range(limit + 1):
        new = (spares < 0) & (held >= target)
        spares[new], ready[new] = number, held[new]
        if (spares >= 0).all():
            break
        term = term * (1 - up) * (need + number) / (number + 1)
        held = held + term
    return spares, np.minimum(ready, 1.0)


def spares_for(needed: int, availability: float, target: float, limit: int = LIMIT) -> int | None:
    """`fewest_spares` of one fleet; None beyond `limit`."""
    spares = int(fewest_spares(needed, availability, target, limit)[0][0])
    return None if spares < 0 else spares


def at_least_correlated(needed: int, installed: int, availability: float, correlation: float) -> float:
    """The same when failures come together: beta-binomial with pairwise correlation.

    References
    ----------
    .. [1] Skellam, "A probability distribution derived from the binomial", JRSS B 10 (1948).

    Examples
    --------
    All three zones down at availability 0.9 and correlation 0.5:

    >>> round(1 - at_least_correlated(1, 3, 0.9, 0.5), 4)
    0.0385
    """
    if correlation <= 0 or availability in (0.0, 1.0):
        return at_least(needed, installed, availability)
    scale = 1 / correlation - 1
    a, b = availability * scale, (1 - availability) * scale
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    log_all = math.lgamma(a + b + installed)
    terms = (
        _log_choose(installed, i) + math.lgamma(a + i) + math.lgamma(b + installed - i) - log_all - log_beta
        for i in range(needed, installed + 1)
    )
    return min(math.fsum(math.exp(term) for term in terms), 1.0)
