"""How uneven a stream of requests is: dispersion at several time scales, peaks, silences.

A coefficient of variation near one does not make arrivals Poisson: the rate itself drifts, and counts
over a minute then vary far more than their mean says.
"""

from __future__ import annotations

import numpy as np

from planner.models.traffic import Array, Trace

#: A silence is told as a gap where it is at least so long, so many mean intervals, and such a share of the whole.
GAP_S, GAP_INTERVALS, GAP_SHARE = 60.0, 50.0, 0.05


def counts(arrivals_s: Array, duration_s: float, window_s: float) -> Array:
    """Requests in each whole window of a length, shape (windows,). [-]"""
    windows = int(duration_s / window_s)
    edges = np.searchsorted(arrivals_s, np.arange(windows + 1) * window_s)
    return np.diff(edges).astype(float)


def dispersion(arrivals_s: Array, duration_s: float, window_s: float) -> float:
    """Index of dispersion of counts: their variance over their mean; 1 for Poisson arrivals. [-]

    NaN with fewer than two whole windows, or without requests.

    References
    ----------
    .. [1] Gusella, "Characterizing the Variability of Arrival Processes with Indexes of Dispersion",
       IEEE Journal on Selected Areas in Communications 9(2), 1991.

    Examples
    --------
    Three requests in the first second and one in the second: mean 2, variance 1:

    >>> dispersion(np.array([0.1, 0.2, 0.3, 1.5]), 2.0, 1.0)
    0.5
    """
    found = counts(arrivals_s, duration_s, window_s)
    return float(found.var() / found.mean()) if len(found) > 1 and found.any() else float("nan")


def peak_ratio(arrivals_s: Array, duration_s: float, window_s: float) -> float:
    """Busiest window over the mean one; NaN without requests. [-]"""
    found = counts(arrivals_s, duration_s, window_s)
    return float(found.max() / found.mean()) if found.any() else float("nan")


def gaps(trace: Trace) -> list[tuple[float, float]]:
    """Silences from a request to the next that are too long for chance, begin and end. [s]"""
    if len(trace) < 3:
        return []
    times = trace.arrivals_s
    silence_s = np.diff(times)
    least_s = max(GAP_S, GAP_INTERVALS * trace.duration_s / len(trace), GAP_SHARE * trace.duration_s)
    at = np.flatnonzero(silence_s >= least_s)
    return [(float(times[i]), float(times[i + 1])) for i in at]
