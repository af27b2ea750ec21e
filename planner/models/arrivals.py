"""Arrivals drawn at random: bursts at several time scales, on top of a rate that follows the clock.

The rate is a base plus independent two-state processes, each on or off for random times (a superposition
of Markov-modulated Poisson processes). Fitted to the index of dispersion of a recording at windows from a
second to minutes, it keeps what a mean rate loses: how much the counts of a second, and those of a minute,
vary. What it does not keep is whatever a variance does not show, such as the shape of a single burst.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError
from planner.models.burstiness import dispersion
from planner.models.traffic import Array, RateProfile, Trace

SHORTEST_WINDOW_S, WINDOWS = 0.5, 12
LONGEST_SHARE = 1 / 6  # of a recording: six windows are the fewest whose variance says anything
SCALES = 16  # time constants that the fit may use


@dataclass(frozen=True)
class Modulation:
    """How a rate moves around its mean: independent parts, each switching on and off at its own pace.

    Attributes
    ----------
    shares : of the mean rate that each part carries; the rest never varies, shape (parts,) [-]
    on_share : share of time for which a part is on; the same for all [-]
    time_constants_s : after which a part has forgotten its state, shape (parts,) [s]
    """

    shares: Array
    on_share: float
    time_constants_s: Array

    @property
    def variances(self) -> Array:
        """Variance of the rate over its squared mean, by part. [-]"""
        return np.asarray(self.shares**2 * (1 - self.on_share) / self.on_share)

    def dispersion(self, rate_per_s: float, window_s: float) -> float:
        """Index of dispersion of the counts in windows of a length, at a mean rate. [-]

        1 + λ·w·Σ v·φ(w/T), φ(x) = 2(x − 1 + e⁻ˣ)/x²: the variance of a rate that forgets with time T,
        averaged over the window.

        References
        ----------
        .. [1] Fischer & Meier-Hellstern, "The Markov-modulated Poisson process (MMPP) cookbook",
           Performance Evaluation 18, 1993.

        Examples
        --------
        >>> half = Modulation(np.array([1.0]), 0.5, np.array([10.0]))  # all of the rate, half of the time
        >>> round(half.dispersion(rate_per_s=5.0, window_s=1e-6), 3)
        1.0
        >>> round(half.dispersion(rate_per_s=5.0, window_s=1e6) - 1, 1)  # 2·λ·v·T
        100.0
        """
        return float(1 + rate_per_s * window_s * (self.variances * averaged(window_s / self.time_constants_s)).sum())

    def shorter_than(self, limit_s: float) -> Modulation:
        """The parts that forget within a time; slower ones are left to a rate profile."""
        kept = self.time_constants_s <= limit_s
        return Modulation(self.shares[kept], self.on_share, self.time_constants_s[kept])


STEADY = Modulation(np.zeros(0), 0.5, np.zeros(0))  # Poisson


def averaged(x: Array) -> Array:
    """Share of a rate's variance that is left in its mean over a window of `x` time constants. [-]

    Examples
    --------
    >>> averaged(np.array([1e-9, 1.0, 1e9])).round(3).tolist()
    [1.0, 0.736, 0.0]
    """
    small = x < 1e-3
    safe = np.where(small, 1.0, x)
    return np.asarray(np.where(small, 1 - x / 3, 2 * (safe + np.expm1(-safe)) / safe**2))


def fit_modulation(trace: Trace) -> Modulation:
    """Parts whose dispersion is that of a trace, at windows from half a second to a sixth of its length.

    Non-negative least squares on relative errors over a grid of time constants. The parts share out the
    rate by the root of their variances, and are on for half of the time, or for less where that cannot give
    the variance.

    Raises
    ------
    WorkloadError
        If the trace is too short to show any dispersion.
    """
    from scipy.optimize import nnls  # takes half a second to load

    longest_s = trace.duration_s * LONGEST_SHARE
    if len(trace) < 100 or longest_s <= 2 * SHORTEST_WINDOW_S:
        raise WorkloadError(
            "trace {trace}: {count:,} requests in {duration_s:.3g} s are too few to learn bursts "
            "from.\n"
            '  Replay it (traffic.arrivals = "trace"), or give a longer one.',
            trace=trace.name,
            count=len(trace),
            duration_s=trace.duration_s,
        )
    windows_s = np.geomspace(SHORTEST_WINDOW_S, longest_s, WINDOWS)
    found = np.array([dispersion(trace.arrivals_s, trace.duration_s, w) for w in windows_s])
    rate_per_s = trace.rate_per_s
    excess = np.maximum(found - 1, 0.0)
    constants_s = np.geomspace(SHORTEST_WINDOW_S / 2, longest_s, SCALES)
    # A recording's own mean hides what varies more slowly than it lasts.
    shown = averaged(windows_s[:, None] / constants_s) - averaged(trace.duration_s / constants_s)
    gain = rate_per_s * windows_s[:, None] * shown
    variances, _ = nnls(gain / found[:, None], excess / found)
    return of_variances(variances, constants_s)


def of_variances(variances: Array, time_constants_s: Array) -> Modulation:
    """Parts of given variances, over the squared mean rate, that can exist together: no rate below zero."""
    used = variances > 1e-9
    roots = np.sqrt(variances[used])
    total = float(roots.sum())
    if not total:
        return STEADY
    if total <= 1:
        return Modulation(roots, 0.5, time_constants_s[used])
    return Modulation(roots / total, 1 / (1 + total**2), time_constants_s[used])


def draw(
    modulation: Modulation,
    rate_per_s: float,
    duration_s: float,
    random: np.random.Generator,
    profile: RateProfile | None = None,
    kept: int = 1,
    servers: int = 1,
) -> Array:
    """Times of requests, in order. [s]

    Parameters
    ----------
    rate_per_s : mean rate; with a profile, over all of it [1/s]
    profile : rate over time, scaled to that mean; repeated if it is shorter
    kept, servers : only what the first so many of so many servers get from a round robin

    Notes
    -----
    In time measured by the requests to expect, all times are Poisson. Of every `servers` requests the first
    `kept` are one apart, and the next of them waits for the sum of those that others get: a gamma distribution.
    """
    expected = edges = np.zeros(1)
    while not expected[-1] > 0:  # a short stretch may see no part on: drawn again
        edges, level = _level(modulation, duration_s, random, profile)
        expected = np.r_[0.0, np.cumsum(level * np.diff(edges))]
    expected *= rate_per_s * duration_s / expected[-1]  # the mean rate is of this very stretch of time
    if kept < servers:
        at = _of_some_servers(float(expected[-1]), kept, servers, random)
    else:
        at = np.sort(random.uniform(0.0, expected[-1], random.poisson(expected[-1])))
    return np.asarray(np.interp(at, expected, edges))


def _of_some_servers(total: float, kept: int, servers: int, random: np.random.Generator) -> Array:
    """Places of the requests of the first servers in a Poisson stream of rate 1; the turn at 0 is random."""
    rounds = int(total / servers + 8 * np.sqrt(total / servers) + 8)
    gaps = random.exponential(1.0, (rounds, kept))
    gaps[:, 0] = random.gamma(servers - kept + 1, 1.0, rounds)
    at = np.cumsum(gaps.ravel()) - random.integers(servers)
    return np.asarray(at[(at >= 0) & (at < total)])


def _level(
    modulation: Modulation, duration_s: float, random: np.random.Generator, profile: RateProfile | None
) -> tuple[Array, Array]:
    """Edges of intervals of constant rate [s], and the rate in each over its mean [-]."""
    switches = [_switches(modulation, part, duration_s, random) for part in range(len(modulation.shares))]
    steps = _steps(profile, duration_s)
    edges = np.unique(np.concatenate([[0.0, duration_s], steps, *(times for times, _ in switches)]))
    middle = (edges[:-1] + edges[1:]) / 2
    level = np.full(len(middle), max(1 - modulation.shares.sum(), 0.0))
    for share, (times, first_on) in zip(modulation.shares, switches, strict=True):
        on = (np.searchsorted(times, middle) + first_on) % 2
        level += on * share / modulation.on_share
    if profile is not None:
        at = (middle / profile.step_s).astype(np.int64) % len(profile.rate_per_s)
        level *= profile.rate_per_s[at] / profile.rate_per_s.mean()
    return edges, level


def _steps(profile: RateProfile | None, duration_s: float) -> Array:
    if profile is None:
        return np.zeros(0)
    return np.asarray(np.arange(1, int(duration_s / profile.step_s) + 1) * profile.step_s)


def _switches(modulation: Modulation, part: int, duration_s: float, random: np.random.Generator) -> tuple[Array, int]:
    """When a part switches, and whether it starts on (1) or off (0)."""
    on, constant_s = modulation.on_share, float(modulation.time_constants_s[part])
    mean_on_s, mean_off_s = constant_s / (1 - on), constant_s / on
    first_on = int(random.random() < on)
    times, now = [], 0.0
    while now < duration_s:
        pairs = int(1.2 * (duration_s - now) / (mean_on_s + mean_off_s)) + 8
        stays = np.empty(2 * pairs)
        stays[1 - first_on :: 2] = random.exponential(mean_on_s, pairs)
        stays[first_on::2] = random.exponential(mean_off_s, pairs)
        times.append(now + np.cumsum(stays))
        now = float(times[-1][-1])
    found = np.concatenate(times)
    return found[found < duration_s], first_on


def busiest(profile: RateProfile, duration_s: float) -> RateProfile:
    """The stretch of a profile with the most requests, of whole steps that cover a time at least."""
    steps = min(max(int(np.ceil(duration_s / profile.step_s)), 1), len(profile.rate_per_s))
    sums = np.convolve(profile.rate_per_s, np.ones(steps), "valid")
    first = int(sums.argmax())
    return RateProfile(profile.name, profile.step_s, profile.rate_per_s[first : first + steps])


def draw_pairs(inputs: NDArray[np.int64], outputs: NDArray[np.int64], count: int, random: np.random.Generator) -> tuple[
    NDArray[np.int64], NDArray[np.int64]
]:  # fmt: skip
    """Lengths of requests drawn together, so that whatever ties prompt and answer stays. [token]"""
    at = random.integers(0, len(inputs), count)
    return inputs[at], outputs[at]
