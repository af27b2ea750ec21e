"""Spot zones over time, drawn with the statistics of a recording, and a fleet that lives on them.

The fleet keeps a base on demand, spreads the rest and some extra over zones that have spot capacity, and
fills gaps on demand until spot replicas are ready again (SkyServe's rule).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import WorkloadError

Array = NDArray[np.float64]
Up = NDArray[np.bool_]
Cohort = tuple[int, int]  # step at which some replicas are ready, how many


def draw_zones(
    available_fraction: ArrayLike,
    mean_up_s: ArrayLike,
    correlation: ArrayLike,
    step_s: float,
    steps: int,
    seed: int,
) -> Up:
    """Zones with and without capacity over time.

    Each zone is a Gaussian process under a threshold: shares of time, mean lengths of runs and pairwise
    correlations are as given; runs of one zone are memoryless in a coarse sense only.

    Parameters
    ----------
    available_fraction : shape (zones,). [-]
    mean_up_s : mean length of a run with capacity, shape (zones,). [s]
    correlation : of having capacity at the same time, shape (zones, zones). [-]
    step_s : time between samples. [s]

    Returns
    -------
    ndarray of bool, shape (steps, zones)

    References
    ----------
    .. [1] Emrich & Piedmonte, "A method for generating high-dimensional multivariate binary variates",
       The American Statistician 45 (1991).
    """
    from scipy.linalg import eigh
    from scipy.signal import lfilter
    from scipy.stats import norm

    share, up_s = np.asarray(available_fraction, float), np.asarray(mean_up_s, float)
    if not ((share > 0) & (share < 1)).all() or not (up_s >= step_s).all() or steps < 1:
        raise WorkloadError("spot zones: give shares between 0 and 1, and runs no shorter than a step.")
    levels = norm.ppf(share)
    stay = np.array([_persistence(a, c, step_s / u) for a, c, u in zip(share, levels, up_s, strict=True)])
    latent = _latent(share, levels, np.asarray(correlation, float))
    noise = latent * (1 - np.outer(stay, stay))
    values, vectors = eigh(noise)
    root = vectors * np.sqrt(np.maximum(values, 0))  # unequal persistence may ask for a little too much
    root *= np.sqrt((1 - stay**2) / np.maximum((root**2).sum(axis=1), 1e-300))[:, None]
    random = np.random.default_rng(seed)
    shocks = random.standard_normal((steps, len(share))) @ root.T
    values, vectors = eigh(latent)
    first = (vectors * np.sqrt(np.maximum(values, 0))) @ random.standard_normal(len(share))
    paths = [lfilter([1.0], [1.0, -s], shocks[:, z], zi=[s * first[z]])[0] for z, s in enumerate(stay)]
    return np.asarray(np.stack(paths, axis=1) <= levels)


def _persistence(share: float, level: float, leaving: float) -> float:
    """Correlation of a zone's process with itself a step later, from its chance to lose capacity in a step."""
    from scipy.optimize import brentq
    from scipy.special import owens_t

    # P(below, then above) = 2 T(level, √((1 − ρ)/(1 + ρ))), Owen (1956)
    wanted = share * leaving
    if 2 * owens_t(level, 1.0) <= wanted:
        return 0.0
    root = float(brentq(lambda a: 2 * owens_t(level, a) - wanted, 0.0, 1.0, xtol=1e-12))
    return (1 - root**2) / (1 + root**2)


def _root_within(gap: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function crosses zero, or the end nearer to it."""
    from scipy.optimize import brentq

    if gap(low) >= 0 or gap(high) <= 0:
        return low if gap(low) >= 0 else high
    return float(brentq(gap, low, high, xtol=1e-4))


def _latent(share: Array, levels: Array, correlation: Array) -> Array:
    """Correlation of the processes from that of what lies under their thresholds."""
    from scipy.stats import multivariate_normal

    zones = len(share)
    latent = np.eye(zones)
    for i in range(zones):
        for j in range(i):
            both = share[i] * share[j] + correlation[i, j] * np.sqrt(
                share[i] * (1 - share[i]) * share[j] * (1 - share[j])
            )

            def gap(r: float, i: int = i, j: int = j, both: float = both) -> float:
                pair = multivariate_normal(cov=[[1.0, r], [r, 1.0]])
                return float(pair.cdf([levels[i], levels[j]])) - both

            latent[i, j] = latent[j, i] = _root_within(gap, -0.99, 0.99)
    return latent


@dataclass(frozen=True)
class Mix:
    """A fleet on spot capacity with a base and a fallback on demand.

    Attributes
    ----------
    needed : replicas that hold the promise [-]
    base : of these, always on demand [-]
    extra : spot replicas beyond `needed - base` [-]
    start_s : from asking until a replica serves, of both kinds [s]
    """

    needed: int
    base: int
    extra: int
    start_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.base <= self.needed or self.extra < 0 or self.start_s < 0:
            raise WorkloadError(
                "a mix of {base} on demand of {needed} with {extra} extra: give a base from 0 to what is "
                "needed, and no less than 0 extra.",
                base=self.base,
                needed=self.needed,
                extra=self.extra,
            )

    @property
    def spot(self) -> int:
        """Spot replicas to have. [-]"""
        return self.needed - self.base + self.extra


@dataclass(frozen=True)
class Lived:
    """What a mix came to.

    Attributes
    ----------
    ready_share : share of time in which the needed replicas are ready [-]
    spot_share, on_demand_share : paid replica-hours over those of the needed replicas [-]
    interruptions_per_hour : of one spot replica [1/h]
    """

    ready_share: float
    spot_share: float
    on_demand_share: float
    interruptions_per_hour: float

    def cost(self, price_ratio: float) -> float:
        """Cost over that of the needed replicas on demand, from the spot price over the on-demand one. [-]"""
        return self.spot_share * price_ratio + self.on_demand_share


def live(zones: Up, step_s: float, mix: Mix) -> Lived:
    """Let a mix live on zones over time.

    On demand = base + max(0, min(needed − base, needed − base + extra − ready spot)). Spot replicas go to
    the zones with capacity that hold fewest, and are gone with their zone.

    Parameters
    ----------
    zones : shape (steps, zones), capacity or none.
    step_s : time between samples. [s]

    References
    ----------
    .. [1] Mao et al., "SkyServe: Serving AI Models across Regions and Clouds with Spot Instances",
       arXiv 2411.01438.

    Examples
    --------
    One zone that is gone for the second of four hours; starts take no time:

    >>> found = live(np.array([[True], [False], [True], [True]]), 3600.0, Mix(1, 0, 0, 0.0))
    >>> found.ready_share, found.spot_share, found.on_demand_share
    (1.0, 0.75, 0.25)
    """
    wait = int(np.ceil(mix.start_s / step_s - 1e-9))
    held: list[list[Cohort]] = [[] for _ in range(zones.shape[1])]  # spot replicas by zone
    filling: list[Cohort] = []
    good = lost = spot_steps = firm_steps = 0
    before, due = None, 0
    enough, paid = False, (0, 0)
    for now, up in enumerate(zones.tolist()):
        if up != before or now >= due:  # else everything stays as it was
            lost += _take_away(held, up)
            _place(held, up, mix.spot, now + wait)
            ready = sum(_ready(zone, now) for zone in held)
            gap = max(0, min(mix.needed - mix.base, mix.spot - ready))
            filling = _filled(filling, gap, now + wait)
            enough = mix.base + ready + _ready(filling, now) >= mix.needed
            paid = sum(map(_size, held)), mix.base + _size(filling)
            before, due = up, min((at for part in (*held, filling) for at, _ in part if at > now), default=len(zones))
        good += enough
        spot_steps += paid[0]
        firm_steps += paid[1]
    total = len(zones) * max(mix.needed, 1)
    hours = spot_steps * step_s / 3600
    return Lived(good / len(zones), spot_steps / total, firm_steps / total, lost / hours if hours else 0.0)


def _size(part: list[Cohort]) -> int:
    return sum(count for _, count in part)


def _ready(part: list[Cohort], now: int) -> int:
    return sum(count for at, count in part if at <= now)


def _filled(filling: list[Cohort], gap: int, ready_at: int) -> list[Cohort]:
    """Replicas on demand for a gap: those that are ready first stay, more are started."""
    kept, left = [], gap
    for at, count in sorted(filling):
        if take := min(count, left):
            kept.append((at, take))
            left -= take
    return [*kept, (ready_at, left)] if left else kept


def _take_away(held: list[list[Cohort]], up: Sequence[bool]) -> int:
    """Empty the zones that have no capacity; returns how many replicas that were."""
    lost = 0
    for zone, there in enumerate(up):
        if not there and held[zone]:
            lost += _size(held[zone])
            held[zone] = []
    return lost


def _place(held: list[list[Cohort]], up: Sequence[bool], wanted: int, ready_at: int) -> None:
    """Fill up to the wanted number, always in the zone with capacity that holds fewest."""
    sizes = [_size(part) for part in held]
    open_zones = [zone for zone, there in enumerate(up) if there]
    more = [0] * len(held)
    for _ in range(wanted - sum(sizes) if open_zones else 0):
        fewest = min(open_zones, key=lambda zone: sizes[zone] + more[zone])
        more[fewest] += 1
    for zone, count in enumerate(more):
        if count:
            held[zone].append((ready_at, count))
