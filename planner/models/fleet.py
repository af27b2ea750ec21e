"""A fleet over a day or a week: replicas that an autoscaler adds and takes away, late, while requests come.

A step of a few seconds at a time. What serves is either a fluid (requests flow at the rate that ready
replicas take, and wait where they are too few) or replicas simulated request by request
(`planner.models.fleet_exact`). The fluid takes what one replica does at a rate from simulations of it,
so that its percentiles include bursts shorter than a step of the rate; it knows nothing of the router.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError
from planner.models.autoscale import Autoscaler, Memory, Seen, check
from planner.models.places import Places, SpotZones

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Service:
    """What one replica does at a steady rate, as columns over rates that increase.

    Attributes
    ----------
    rate_per_s : the last one is the most that it can take, whatever the latency [1/s]
    ttft_p50_s, ttft_p99_s : time to first token [s]
    e2e_s : mean time of a request in the replica [s]
    attained : share of requests within the promise [-]
    holds_per_s : largest rate within the promise [1/s]
    """

    rate_per_s: Array
    ttft_p50_s: Array
    ttft_p99_s: Array
    e2e_s: Array
    attained: Array
    holds_per_s: float

    def __post_init__(self) -> None:
        if len(self.rate_per_s) < 2 or not (np.diff(self.rate_per_s) > 0).all() or self.rate_per_s[0] < 0:
            raise ValueError("a service needs two increasing rates at least")
        if not 0 < self.holds_per_s <= self.rate_per_s[-1]:
            raise ValueError("a service holds a rate above 0, and no more than it can take")

    @property
    def takes_per_s(self) -> float:
        """Most requests per second that it can take. [1/s]"""
        return float(self.rate_per_s[-1])

    def at(self, column: Array, rate_per_s: Array | float) -> Array:
        """A column at other rates, straight between the known ones."""
        return np.asarray(np.interp(rate_per_s, self.rate_per_s, column))


@dataclass(frozen=True)
class Scaling:
    """How a fleet grows and shrinks.

    Attributes
    ----------
    rule : the autoscaler
    least, most : replicas [-]
    start_s : from the wish for a replica until it serves [s]
    metric_delay_s : age of the metrics that the autoscaler sees [s]
    drain_s : a replica that goes is paid for so long [s]
    first : replicas that have served before, and stay until metrics come; None: the least, and no past [-]
    spot : zones that hold what is not on demand; None: everything is on demand
    """

    rule: Autoscaler
    least: int
    most: int
    start_s: float
    metric_delay_s: float = 15.0
    drain_s: float = 0.0
    first: int | None = None
    spot: SpotZones | None = None

    def __post_init__(self) -> None:
        check(self.rule)
        if not 0 <= self.least <= self.most or self.most < 1:
            raise WorkloadError(
                "a fleet of {least} to {most} replicas: give a most of 1 or more, and a least of 0 up to it.",
                least=self.least,
                most=self.most,
            )
        if min(self.start_s, self.metric_delay_s, self.drain_s) < 0:
            raise WorkloadError("a fleet cannot start, see or drain in less than 0 s.")


@dataclass(frozen=True)
class Failures:
    """Replicas that fail on their own, to be started anew.

    Attributes
    ----------
    mtbf_hours : of one ready replica [h]
    seed : of the draws
    """

    mtbf_hours: float = inf
    seed: int = 0


class Plant(Protocol):
    """What serves the requests."""

    def step(self, begin_s: float, end_s: float, ready: int) -> tuple[float, float, float]:
        """Serve until `end_s` with so many replicas.

        Returns
        -------
        (requests in the fleet, of these waiting, requests answered or entered)
        """
        ...

    def fail(self, replicas: int, at_s: float, caught: float = 1.0) -> None:
        """Replicas that stop; such a share of their requests begins anew, the others end within a notice."""
        ...


@dataclass(frozen=True)
class Timeline:
    """A fleet's days, step by step. Shape (steps,).

    Attributes
    ----------
    step_s : length of a step [s]
    rate_per_s : requests sent [1/s]
    ready, starting, wanted : replicas [-]
    concurrency, waiting : requests in the fleet, and of these waiting, at the end of each step [-]
    served : requests that began to be served [-]
    failed : replicas that failed [-]
    retired : replicas that were taken away [-]
    spot : of the ready and starting replicas, those on spot capacity [-]
    lost : ready replicas that went with their zone [-]
    """

    step_s: float
    rate_per_s: Array
    ready: Counts
    starting: Counts
    wanted: Counts
    concurrency: Array
    waiting: Array
    served: Array
    failed: Counts
    retired: Counts
    spot: Counts
    lost: Counts

    @property
    def time_s(self) -> Array:
        """Beginning of each step. [s]"""
        return np.asarray(np.arange(len(self.rate_per_s)) * self.step_s, float)

    @property
    def ups(self) -> int:
        """Times at which the autoscaler asked for more."""
        return int((np.diff(self.wanted) > 0).sum())

    @property
    def downs(self) -> int:
        """Times at which it asked for fewer."""
        return int((np.diff(self.wanted) < 0).sum())

    def replica_hours(self, drain_s: float = 0.0) -> float:
        """Paid replica-hours: serving, starting and draining. [h]"""
        paid = (self.ready + self.starting).sum() * self.step_s + self.retired.sum() * drain_s
        return float(paid) / 3600

    @property
    def spot_hours(self) -> float:
        """Of these, on spot capacity. [h]"""
        return float(self.spot.sum()) * self.step_s / 3600


def run(plant: Plant, rate_per_s: Array, step_s: float, scaling: Scaling, failures: Failures | None = None) -> Timeline:
    """Let a fleet live through a series of rates.

    Parameters
    ----------
    rate_per_s : requests sent, by step, as the autoscaler's metrics count them. [1/s]
    step_s : length of a step; no longer than the autoscaler's period. [s]

    Raises
    ------
    WorkloadError
        For no steps, or steps that are no positive time.
    """
    steps = len(rate_per_s)
    if not steps or not step_s > 0:
        raise WorkloadError(
            "a fleet needs steps of time: {steps} of {step_s:g} s were given.", steps=steps, step_s=step_s
        )
    ready, starting, wanted, failed, retired, spot, lost = (np.zeros(steps, np.int64) for _ in range(7))
    concurrency, waiting, served = (np.zeros(steps) for _ in range(3))
    chance = -np.expm1(-step_s / 3600 / failures.mtbf_hours) if failures else 0.0
    random = np.random.default_rng(failures.seed if failures else 0)
    memory, late = Memory(), round(scaling.metric_delay_s / step_s)
    wish = max(scaling.first if scaling.first is not None else scaling.least, scaling.least)
    places = Places(wish, scaling.start_s, scaling.spot)
    decide_s = 0.0
    for i in range(steps):
        now = i * step_s
        places.arrive(now)
        if scaling.spot and (gone := places.lose(now)):
            plant.fail(gone, now, scaling.spot.caught)
            lost[i] = gone
        if chance and (up := places.up) and (broken := int(random.binomial(up, chance))):
            plant.fail(broken, now)
            places.fail(broken)
            failed[i] = broken
        if now >= decide_s - 1e-9:
            decide_s = now + scaling.rule.period_s
            shown = max(i - late, 0)
            before = rate_per_s[:shown], concurrency[:shown], waiting[:shown]
            seen = Seen(now, step_s, *before, places.up, places.starting)
            if shown or not scaling.first:
                wish = min(max(scaling.rule.decide(seen, memory), scaling.least), scaling.most)
            else:  # it has served before, and no metric of this time has come
                memory.wishes.append((now, wish))
        retired[i] = places.resize(wish, now)
        places.arrive(now)  # a start that takes no time
        concurrency[i], waiting[i], served[i] = plant.step(now, now + step_s, places.up)
        ready[i], starting[i], wanted[i], spot[i] = places.up, places.starting, wish, places.on_spot
    counts = ready, starting, wanted, concurrency, waiting, served, failed, retired, spot, lost
    return Timeline(step_s, rate_per_s, *counts)


def growth(rate_per_s: Array, step_s: float, lead_s: float, quantile: float = 0.99) -> float:
    """How many times the rate is after a lead time, in all but a share of the times: headroom against a late start. [-]

    1 for a series that is shorter than the lead; times without requests are left out.

    Examples
    --------
    >>> growth(np.array([1.0, 2.0, 3.0, 4.0]), step_s=60.0, lead_s=120.0, quantile=1.0)
    3.0
    """
    steps = max(int(np.ceil(lead_s / step_s - 1e-9)), 1)
    before, after = rate_per_s[:-steps], rate_per_s[steps:]
    busy = before > 0
    return float(np.quantile(after[busy] / before[busy], quantile)) if busy.any() else 1.0


class Fluid:
    """Requests as a fluid: ready replicas take what comes up to their most, the rest waits in one line.

    Parameters
    ----------
    service : what one replica does at a rate
    rate_per_s : requests sent, by step [1/s]
    step_s : length of a step [s]
    """

    def __init__(self, service: Service, rate_per_s: Array, step_s: float) -> None:
        self._service, self._rate, self._step_s = service, rate_per_s.tolist(), step_s
        self._rates, self._e2e = service.rate_per_s, service.e2e_s
        self._waiting = self._each = 0.0

    def step(self, begin_s: float, end_s: float, ready: int) -> tuple[float, float, float]:
        """Serve one step; see `Plant`."""
        there = self._waiting + self._rate[round(begin_s / self._step_s)] * self._step_s
        taken = min(there, ready * self._service.takes_per_s * self._step_s)
        self._waiting = there - taken
        rate = taken / (ready * self._step_s) if ready else 0.0
        self._each = rate * float(np.interp(rate, self._rates, self._e2e))  # Little's law
        return ready * self._each + self._waiting, self._waiting, taken

    def fail(self, replicas: int, at_s: float, caught: float = 1.0) -> None:
        """What these replicas held waits again."""
        self._waiting += replicas * self._each * caught


@dataclass(frozen=True)
class Score:
    """What users and the owner see of a fleet's days.

    Attributes
    ----------
    attained_by_requests : share of requests within the promise [-]
    attained_by_time : share of steps in which 99 % of requests are [-]
    replica_hours : paid [h]
    idle_share : of the paid hours, what the requests would not need at the rate that a replica holds [-]
    ups, downs : scale events [-]
    failed : replicas lost [-]
    ttft_p99_s : time to first token by step, the wait for a replica included [s]
    attained : share of requests within the promise by step [-]
    """

    attained_by_requests: float
    attained_by_time: float
    replica_hours: float
    idle_share: float
    ups: int
    downs: int
    failed: int
    ttft_p99_s: Array
    attained: Array


def score(line: Timeline, service: Service, ttft_s: float, drain_s: float = 0.0, share: float = 0.99) -> Score:
    """Judge a fluid's timeline.

    A request waits until as many have been taken as were sent before it; then it sees the replica at the
    rate that this takes. Requests that are still waiting at the end have broken the promise.

    Parameters
    ----------
    ttft_s : promised time to first token. [s]
    share : of requests of a step that must be within the promise. [-]
    """
    sent = np.cumsum(line.rate_per_s) * line.step_s
    wait = waits_s(line)
    taken = line.served / np.maximum(line.ready * line.step_s, 1e-12)
    rate = np.where(line.ready > 0, np.minimum(taken, service.takes_per_s), service.takes_per_s)
    room = ttft_s - service.at(service.ttft_p50_s, rate)
    attained = service.at(service.attained, rate) * np.where(wait <= np.maximum(room, 1e-9), 1.0, 0.0)
    weights = line.rate_per_s
    hours = line.replica_hours(drain_s)
    needed = sent[-1] / service.holds_per_s / 3600
    return Score(
        float(attained @ weights / weights.sum()) if weights.sum() else 1.0,
        float((attained[weights > 0] >= share).mean()) if (weights > 0).any() else 1.0,
        hours,
        max(1 - needed / hours, 0.0) if hours else 0.0,
        line.ups,
        line.downs,
        int(line.failed.sum()),
        service.at(service.ttft_p99_s, rate) + wait,
        attained,
    )


def waits_s(line: Timeline) -> Array:
    """How long what is sent in each step waits in the line, first come, first served. [s]

    Infinite for what is not taken before the end.
    """
    edges = np.arange(len(line.served) + 1) * line.step_s
    taken = np.concatenate([[0.0], np.cumsum(line.served)])
    sent = np.cumsum(line.rate_per_s) * line.step_s
    again = sent[-1] if len(sent) else 0.0
    rising = taken + np.arange(len(taken)) * 1e-12 * max(again, 1.0)  # interp needs an increasing column
    at = np.interp(sent, rising, edges)
    behind = sent > taken[-1] + 1e-6 * max(again, 1.0)
    return np.where(behind, inf, np.maximum(at - edges[1:], 0.0))
