"""Failures and repair: how often a replica is there, how many are, and what that means to requests.

Parts of a replica stand in series: it serves while its accelerators, its nodes and its rack's share of
power and network all work. Replicas stand in parallel: the service keeps its promise while enough of
them are ready. Replicas of one rack, and of one node, go together when that goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import WorkloadError

Array = NDArray[np.float64]

HOURS_PER_YEAR = 8766.0


def series_availability(counts: ArrayLike, mtbf_hours: ArrayLike, repair_hours: ArrayLike) -> Array:
    """Share of time in which all parts work; what waits for a repair does not age.

    Parameters
    ----------
    counts : parts of each kind; the last axis runs over kinds. [-]
    mtbf_hours : hours of one part between its failures. [h]
    repair_hours : from a failure of such a part until the whole serves again. [h]

    Raises
    ------
    WorkloadError
        For a time between failures that is not positive, or a negative count or repair time.

    References
    ----------
    .. [1] Barlow & Proschan, "Statistical Theory of Reliability and Life Testing", 1975, section 7.2:
       A = 1 / (1 + Σ n·MTTR/MTBF).

    Examples
    --------
    Eight accelerators (50,000 h, 24 h) in a node (100,000 h, 48 h):

    >>> round(float(series_availability([8, 1], [50_000, 100_000], [24, 48])), 6)
    0.995699
    """
    counts, mtbf, repair = np.broadcast_arrays(*(np.asarray(a, float) for a in (counts, mtbf_hours, repair_hours)))
    if not ((mtbf > 0).all() and (repair >= 0).all() and (counts >= 0).all()):
        raise WorkloadError("failures: give times between failures above 0, and counts and repair times of 0 or more.")
    return np.asarray(1 / (1 + (counts * repair / mtbf).sum(axis=-1)))


def birth_death(installed: int, failures_per_hour: float, repairs_per_hour: float, crews: int) -> Array:
    """Chances of 0, 1, …, `installed` replicas ready when only so many repairs go on at once.

    Parameters
    ----------
    failures_per_hour : of one ready replica. [1/h]
    repairs_per_hour : of one repair that goes on. [1/h]
    crews : repairs at once; as many as replicas makes them independent. [-]

    Returns
    -------
    ndarray, shape (installed + 1,)
        Stationary chances by the number of ready replicas. [-]

    References
    ----------
    .. [1] Trivedi, "Probability and Statistics with Reliability, Queuing, and Computer Science
       Applications", 2nd ed., section 8.2: the machine repairman model.

    Examples
    --------
    Two replicas, one repair at a time, repair ten times as fast as failure; weights 1, 0.2, 0.02:

    >>> birth_death(2, 0.1, 1.0, crews=1).round(4).tolist()
    [0.0164, 0.1639, 0.8197]
    """
    if installed < 0 or failures_per_hour < 0 or repairs_per_hour <= 0 or crews < 1:
        raise WorkloadError(
            "failures: {installed} replicas, {failures_per_hour:g} failures and {repairs_per_hour:g} "
            "repairs an hour, {crews} repairs at once. Give 0 or more replicas and failures, and "
            "more than 0 of the others.",
            installed=installed,
            failures_per_hour=failures_per_hour,
            repairs_per_hour=repairs_per_hour,
            crews=crews,
        )
    down = np.arange(installed)  # from so many down to one more
    with np.errstate(divide="ignore"):
        steps = np.log((installed - down) * failures_per_hour) - np.log(np.minimum(down + 1, crews) * repairs_per_hour)
    weights = np.concatenate([[0.0], np.cumsum(steps)])
    chances = np.exp(weights - weights.max())
    return np.asarray((chances / chances.sum())[::-1])


def ready_in_domains(replicas: Sequence[int], replica_availability: float, domain_availability: float) -> Array:
    """Chances of 0, 1, … replicas ready when those of one domain (a node, a rack) go together.

    Parameters
    ----------
    replicas : replicas in each domain. [-]
    replica_availability : of a replica whose domain works. [-]
    domain_availability : of each domain. [-]

    Examples
    --------
    Two replicas that never fail, side by side in one rack, or one in each of two:

    >>> ready_in_domains([2], 1.0, 0.9).round(2).tolist(), ready_in_domains([1, 1], 1.0, 0.9).round(2).tolist()
    ([0.1, 0.0, 0.9], [0.01, 0.18, 0.81])
    """
    from scipy.stats import binom  # scipy.stats takes half a second to load

    chances = np.ones(1)
    for inside in replicas:
        one = domain_availability * binom.pmf(np.arange(inside + 1), inside, replica_availability)
        one[0] += 1 - domain_availability
        chances = np.convolve(chances, one)
    return chances


def chance_of_at_least(chances: ArrayLike, needed: ArrayLike) -> Array:
    """P(at least so many are ready), from the chances of 0, 1, …; `needed` of any shape. [-]"""
    chances = np.asarray(chances, float)
    tail = np.append(np.cumsum(chances[::-1])[::-1], 0.0)
    tail[0] = 1.0
    return np.asarray(np.minimum(tail[np.clip(np.asarray(needed, np.int64), 0, len(chances))], 1.0))


@dataclass(frozen=True)
class Outages:
    """How often the service falls below its promise, and for how long.

    Attributes
    ----------
    per_year : times at which fewer than the needed replicas are left [1/a]
    mean_hours : until enough are ready again [h]
    """

    per_year: float
    mean_hours: float


def outages(chances: ArrayLike, needed: int, failures_per_hour: float) -> Outages:
    """Outages of a service that needs `needed` replicas, each failing on its own.

    Parameters
    ----------
    chances : stationary chances by ready replicas, as `birth_death` gives them. [-]
    failures_per_hour : of one ready replica. [1/h]

    Examples
    --------
    One replica that fails every 100 h and is down for 1 h of 101:

    >>> found = outages(birth_death(1, 0.01, 1.0, crews=1), 1, 0.01)
    >>> round(found.per_year, 1), round(found.mean_hours, 6)
    (86.8, 1.0)
    """
    chances = np.asarray(chances, float)
    per_hour = float(chances[needed] * needed * failures_per_hour) if 0 < needed < len(chances) else 0.0
    below = float(chances[:needed].sum())
    return Outages(per_hour * HOURS_PER_YEAR, below / per_hour if per_hour else 0.0)


@dataclass(frozen=True)
class Availability:
    """What failures leave of a service.

    Attributes
    ----------
    by_time : share of time in which the ready replicas hold the promise [-]
    by_requests : share of requests that come in such time [-]
    served : share of requests that the ready replicas could carry at their rate within the promise [-]
    """

    by_time: float
    by_requests: float
    served: float


def weighted(chances: ArrayLike, rate_per_s: ArrayLike, replica_rate_per_s: float) -> Availability:
    """Availability over a load that varies: the peak needs more replicas and brings more requests.

    Parameters
    ----------
    chances : by the number of ready replicas, from 0. [-]
    rate_per_s : request rate in steps of equal length. [1/s]
    replica_rate_per_s : largest rate that one replica holds within its promise. [1/s]

    Examples
    --------
    Two replicas of 10/s, both ready 0.9, one 0.1 of the time; half a day 10/s, half a day 20/s:

    >>> weighted([0, 0.1, 0.9], [10, 20], 10.0)
    Availability(by_time=0.95, by_requests=0.9333333333333333, served=0.9666666666666667)
    """
    chances, rate = np.asarray(chances, float), np.asarray(rate_per_s, float)
    if replica_rate_per_s <= 0 or not len(rate) or (rate < 0).any():
        raise WorkloadError(
            "availability: a replica holding {replica_rate_per_s:g}/s, {count} steps of rates.",
            replica_rate_per_s=replica_rate_per_s,
            count=len(rate),
        )
    held = chance_of_at_least(chances, np.ceil(rate / replica_rate_per_s - 1e-9))
    total = rate.sum()
    carried = np.minimum(np.arange(len(chances)) * replica_rate_per_s, rate[:, None]) @ chances
    return Availability(
        float(held.mean()),
        float(held @ rate / total) if total else 1.0,
        float(carried.sum() / total) if total else 1.0,
    )
