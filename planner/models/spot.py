"""Spot capacity: zones that vanish together, what must be firm, and what an interruption costs.

Probes of spot capacity show a zone as all or nothing: sixteen instances asked for at once were all there
or none was, with a correlation of 0.88 to 0.98. Between the zones of a region the correlation is 0.3 to
0.6, so that binomial chances promise far too much: three zones of 0.89 each were all gone in 3.9 % of the
time, where independent zones would be in 0.1 %.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import WorkloadError
from planner.models.availability import at_least
from planner.units import HOURS_PER_MONTH

Array = NDArray[np.float64]

INDEPENDENT = 1e-6  # a correlation below this, or below zero, is none
ROUNDED = 1e-12  # sums of chances that are equal on paper differ by less


def beta_parameters(available_fraction: float, correlation: float) -> tuple[float, float]:
    """Parameters α, β of zones that are there `available_fraction` of the time and come and go together. [-]

    α = A(1/φ − 1), β = (1 − A)(1/φ − 1). A correlation of 0 or less gives (nearly) independent zones.

    References
    ----------
    .. [1] Skellam, "A probability distribution derived from the binomial", JRSS B 10 (1948).

    Examples
    --------
    >>> [round(value, 6) for value in beta_parameters(0.9, 0.5)]
    [0.9, 0.1]
    """
    if not (0 < available_fraction < 1 and correlation < 1):
        raise WorkloadError(
            "spot: capacity {available_fraction:g} of the time with correlation {correlation:g}. "
            "Give a share between 0 and 1 and a correlation below 1.",
            available_fraction=available_fraction,
            correlation=correlation,
        )
    scale = 1 / max(correlation, INDEPENDENT) - 1
    return available_fraction * scale, (1 - available_fraction) * scale


def zones_up(zones: int, alpha: float, beta: float) -> Array:
    """Chances of 0, 1, …, `zones` zones with capacity: the beta-binomial distribution. [-]

    Examples
    --------
    All three zones gone at α = 0.9, β = 0.1: 0.1 · 1.1 · 2.1 ÷ (1 · 2 · 3).

    >>> round(float(zones_up(3, 0.9, 0.1)[0]), 4)
    0.0385
    """
    if zones < 1 or alpha <= 0 or beta <= 0:
        raise WorkloadError(
            "spot: {zones} zones with α {alpha:g}, β {beta:g}. Give 1 zone at least, and both above 0.",
            zones=zones,
            alpha=alpha,
            beta=beta,
        )
    chances = np.array([math.comb(zones, up) * math.exp(_log_rising(alpha, up) + _log_rising(beta, zones - up))
                        for up in range(zones + 1)])  # fmt: skip
    return np.asarray(chances / chances.sum())


def _log_rising(start: float, count: int) -> float:
    """ln(start · (start + 1) · … · (start + count − 1)): scipy.special would take half a second to load."""
    return math.lgamma(start + count) - math.lgamma(start)


def spot_ready(spot_replicas: int, zones: int, alpha: float, beta: float) -> Array:
    """Chances of 0, 1, … spot replicas ready, spread evenly over zones that are all or nothing.

    Replicas that do not divide evenly go to some of the zones; which of those are up is left to chance.

    Returns
    -------
    ndarray, shape (spot_replicas + 1,)

    Examples
    --------
    Three replicas in two zones of 0.5 that come and go independently, two in one and one in the other:

    >>> spot_ready(3, 2, *beta_parameters(0.5, 0.0)).round(3).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    chances = np.zeros(spot_replicas + 1)
    for number, chance in _ready_numbers(spot_replicas, zones, alpha, beta):
        chances[number] += chance
    return chances


def _ready_numbers(spot_replicas: int, zones: int, alpha: float, beta: float) -> Iterator[tuple[int, float]]:
    """How many may be ready, with chances that add to 1; a number may come twice, and most never do."""
    each, more = divmod(spot_replicas, zones)
    for number, chance in enumerate(_zones_up(zones, alpha, beta)):
        for fuller in range(min(number, more) + 1):  # zones with one replica more among those that are up
            drawn = math.comb(more, fuller) * math.comb(zones - more, number - fuller) / math.comb(zones, number)
            yield each * number + fuller, chance * drawn


@lru_cache(maxsize=16)
def _zones_up(zones: int, alpha: float, beta: float) -> tuple[float, ...]:
    return tuple(zones_up(zones, alpha, beta).tolist())


def mix_availability(
    replicas_needed: int,
    firm: int,
    spot: int,
    zones: int,
    alpha: float,
    beta: float,
    firm_availability: float = 1.0,
) -> float:
    """P(at least the needed replicas are ready) of firm and spot ones together, before any fallback starts. [-]

    Parameters
    ----------
    firm : replicas on demand, committed or owned. [-]
    spot : replicas on spot capacity, spread evenly over `zones`. [-]
    alpha, beta : see `beta_parameters`. [-]
    firm_availability : of one firm replica, independent of the others. [-]

    Examples
    --------
    Two of three firm, the third in one zone that is there 0.9 of the time:

    >>> round(mix_availability(3, 2, 1, 1, *beta_parameters(0.9, 0.5)), 6)
    0.9
    """
    total = 0.0
    for number, chance in _ready_numbers(spot, zones, alpha, beta):
        need = max(replicas_needed - number, 0)
        total += chance * (at_least(need, firm, firm_availability) if need <= firm else 0.0)
    return min(total, 1.0)


def firm_base(
    replicas_needed: int,
    target: float,
    zones: int,
    alpha: float,
    beta: float,
    *,
    extra_spot: int = 0,
    firm_availability: float = 1.0,
    limit: int = 64,
) -> int | None:
    """Fewest firm replicas with which a fleet reaches its availability target, the rest on spot capacity.

    Whatever is not firm, and `extra_spot` beside it, is spread evenly over zones that vanish together.
    Where all zones are gone for a larger share of time than the target allows, the answer is all of them.

    Parameters
    ----------
    replicas_needed : replicas that hold the promise at the load. [-]
    target : share of time in which so many must be ready. [-]
    zones : zones over which spot replicas are spread. [-]
    alpha, beta : see `beta_parameters`. [-]
    extra_spot : spot replicas beyond the needed ones. [-]
    firm_availability : of one firm replica; below 1 the answer can exceed `replicas_needed`. [-]
    limit : firm replicas beyond `replicas_needed` that are tried. [-]

    Returns
    -------
    int or None
        None if the target is out of reach.

    Examples
    --------
    Three zones of 0.89 with correlation 0.45 are all gone 3.7 % of the time:

    >>> pools = (3, *beta_parameters(0.89, 0.45))
    >>> firm_base(6, 0.95, *pools, extra_spot=6), firm_base(6, 0.999, *pools, extra_spot=6)
    (3, 6)
    """
    if not 0 < target < 1 or replicas_needed < 0:
        raise WorkloadError(
            "availability target {target:g} for {replicas_needed} replicas: give a share between 0 and 1, and 0 "
            "replicas or more.",
            target=target,
            replicas_needed=replicas_needed,
        )

    def reaches(firm: int) -> bool:
        spot = max(replicas_needed - firm, 0) + extra_spot
        return mix_availability(replicas_needed, firm, spot, zones, alpha, beta, firm_availability) >= target - ROUNDED

    tried = range(replicas_needed + limit + 1)
    if firm_availability == 1:  # a firm replica is never worse than the spot one whose place it takes
        found = bisect_left(tried, True, key=reaches)
        return found if found < len(tried) else None
    return next(filter(reaches, tried), None)


def interruptions_per_hour(monthly_fraction: ArrayLike) -> Array:
    """Rate of interruption of an instance of which such a share is interrupted within a month. [1/h]

    Examples
    --------
    5 % a month: 14,242 hours between interruptions.

    >>> round(1 / float(interruptions_per_hour(0.05)))
    14242
    """
    fraction = np.asarray(monthly_fraction, float)
    if not ((fraction >= 0) & (fraction < 1)).all():
        raise WorkloadError("interruptions in a month: give shares from 0 to below 1.")
    return np.asarray(-np.log1p(-fraction) / HOURS_PER_MONTH)


@dataclass(frozen=True)
class Recomputed:
    """Requests that an interruption catches unfinished, per request in flight at the notice.

    Attributes
    ----------
    share : that do not end within the drain and start again elsewhere [-]
    lost_s : service time thrown away [s]
    """

    share: float
    lost_s: float


def recomputed(service_s: ArrayLike, drain_s: float) -> Recomputed:
    """What an interruption with a notice of `drain_s` costs; no new requests are taken from the notice on.

    A request in flight is a long one with more chance than a short one (by its length), and is caught
    anywhere within it.

    Parameters
    ----------
    service_s : times from start to end of a sample of requests, shape (n,). [s]

    References
    ----------
    .. [1] Wolff, "Stochastic Modeling and the Theory of Queues", 1989, section 2.3: inspection paradox.

    Examples
    --------
    All take 180 s, two minutes' notice: a third is caught in its first minute, 150 s done on average.

    >>> found = recomputed([180.0], 120.0)
    >>> round(found.share, 4), round(found.lost_s, 2)
    (0.3333, 50.0)
    """
    service = np.asarray(service_s, float)
    if not service.size or not (service > 0).all() or drain_s < 0:
        raise WorkloadError(
            "drain of {drain_s:g} s with {count} service times: give service times above 0, and a drain of 0 s "
            "or more.",
            drain_s=drain_s,
            count=service.size,
        )
    mean = service.mean()
    late = np.maximum(service - drain_s, 0)
    done = np.where(late > 0, (service**2 - drain_s**2) / 2, 0)
    return Recomputed(float(late.mean() / mean), float(done.mean() / mean))


def served_hour_usd(
    spot_usd: float, on_demand_usd: float, start_hours: float, up_hours: float, fallback_share: float
) -> float:
    """Price of an hour that serves: start-ups are paid and serve nothing, gaps are filled on demand. [USD/h]

    Examples
    --------
    >>> round(served_hour_usd(1.0, 3.0, start_hours=0.1, up_hours=5.0, fallback_share=0.1), 2)
    1.32
    """
    return spot_usd * (1 + start_hours / up_hours) + fallback_share * on_demand_usd
