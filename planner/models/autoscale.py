"""Autoscalers as they are run: HPA, KEDA, Knative, and forecasts; each turns what was seen into a number of replicas.

Rules are those of the controllers' documentation and code, in their defaults. A rule sees metrics that are
late and keeps what it must remember in a `Memory`, so that its settings stay plain numbers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError

Array = NDArray[np.float64]

Metric = Literal["concurrency", "waiting", "rate"]
Forecasting = Literal["last", "trend", "daily"]

DAY_S = 86_400.0


@dataclass(frozen=True)
class Seen:
    """What an autoscaler is told at one moment.

    Attributes
    ----------
    time_s : now [s]
    step_s : length of a step of the columns [s]
    rate_per_s : requests sent, by step, up to the last that the metrics show [1/s]
    concurrency : requests in the fleet, waiting ones included, by step [-]
    waiting : requests that have not entered an engine, by step [-]
    ready, starting : replicas that serve, and that will [-]
    """

    time_s: float
    step_s: float
    rate_per_s: Array
    concurrency: Array
    waiting: Array
    ready: int
    starting: int

    def mean(self, metric: Metric, window_s: float) -> float:
        """Mean of a metric of the whole fleet over the last window. [its unit]"""
        column = {"concurrency": self.concurrency, "waiting": self.waiting, "rate": self.rate_per_s}[metric]
        steps = max(round(window_s / self.step_s), 1)
        return float(column[-steps:].mean()) if len(column) else 0.0


@dataclass
class Memory:
    """What a controller remembers between its decisions."""

    wishes: deque[tuple[float, int]] = field(default_factory=deque)
    panic_until_s: float = -1.0
    panic_replicas: int = 0


class Autoscaler(Protocol):
    """Settings of a controller."""

    @property
    def period_s(self) -> float:
        """Time between decisions. [s]"""
        ...

    def decide(self, seen: Seen, memory: Memory) -> int:
        """Replicas that there should be, before the fleet's least and most. [-]"""
        ...


@dataclass(frozen=True)
class Fixed:
    """As many replicas as somebody set."""

    replicas: int
    period_s: float = 60.0

    def decide(self, seen: Seen, memory: Memory) -> int:
        """Always the same."""
        return self.replicas


@dataclass(frozen=True)
class Hpa:
    """Kubernetes' HorizontalPodAutoscaler on a metric of the pods: n = ⌈n · metric ÷ target⌉.

    Pods that start count as carrying nothing when there is too little, so that a slow start does not add
    pods again and again.

    Attributes
    ----------
    target : of the metric per replica [its unit]
    metric : what is measured
    window_s : over which the metric is averaged [s]
    tolerance : deviation from the target that changes nothing [-]
    down_window_s : a smaller wish must last so long [s]
    up_pods, up_share : at most so many, or such a share, more in each period, whichever is larger [-]

    References
    ----------
    .. [1] kubernetes.io, "Horizontal Pod Autoscaling", algorithm details and default behavior.
    """

    target: float
    metric: Metric = "concurrency"
    window_s: float = 30.0
    tolerance: float = 0.1
    down_window_s: float = 300.0
    up_pods: int = 4
    up_share: float = 1.0
    period_s: float = 15.0

    def decide(self, seen: Seen, memory: Memory) -> int:
        """Follow the metric, upwards at once, downwards when it lasts."""
        return _stabilised(self, self._wish(seen), seen, memory)

    def _wish(self, seen: Seen) -> int:
        current = seen.ready + seen.starting
        if not seen.ready:
            return current
        total = seen.mean(self.metric, self.window_s)
        ratio = total / (seen.ready * self.target)
        if abs(ratio - 1) <= self.tolerance:
            return current
        if ratio < 1:
            return max(ceil(ratio * seen.ready - 1e-9), 0)
        spread = total / (current * self.target)
        return current if spread <= 1 + self.tolerance else ceil(spread * current - 1e-9)


@dataclass(frozen=True)
class Keda:
    """KEDA: an HPA on a metric of the whole fleet, with a query, a threshold per replica, and scaling to zero.

    Attributes
    ----------
    threshold : of the metric per replica; vLLM's waiting or running requests, or their sum [its unit]
    activation : a fleet of none starts above this [its unit]
    cooldown_s : without activity for so long, the last replica goes, if the least is none [s]

    References
    ----------
    .. [1] keda.sh, "Scaling Deployments": pollingInterval 30 s, cooldownPeriod 300 s, AverageValue.
    """

    threshold: float
    metric: Metric = "waiting"
    window_s: float = 30.0
    activation: float = 0.0
    cooldown_s: float = 300.0
    tolerance: float = 0.1
    down_window_s: float = 300.0
    up_pods: int = 4
    up_share: float = 1.0
    period_s: float = 15.0

    def decide(self, seen: Seen, memory: Memory) -> int:
        """The whole fleet's metric over the threshold; to and from zero by activity."""
        current, total = seen.ready + seen.starting, seen.mean(self.metric, self.window_s)
        if not current:
            return 1 if total > self.activation else 0
        busy = seen.mean("concurrency", self.cooldown_s) > 0
        ratio = total / (current * self.threshold)
        wish = current if abs(ratio - 1) <= self.tolerance else ceil(total / self.threshold - 1e-9)
        return _stabilised(self, max(wish, 1 if busy else 0), seen, memory)


@dataclass(frozen=True)
class Knative:
    """Knative's pod autoscaler: mean concurrency over a minute, and over six seconds when it doubles.

    Attributes
    ----------
    concurrency : requests that one replica may hold [-]
    utilisation : share of that to aim at [-]
    stable_s, panic_s : windows [s]
    panic_threshold : wish of the short window over the ready replicas that starts a panic [-]
    most_up, most_down : largest factor of change per decision [-]

    References
    ----------
    .. [1] knative.dev, "Additional autoscaling configuration for Knative Pod Autoscaler": 60 s, 10 %,
       200 %, tick 2 s, rates 1000 and 2.
    """

    concurrency: float
    utilisation: float = 0.7
    stable_s: float = 60.0
    panic_s: float = 6.0
    panic_threshold: float = 2.0
    most_up: float = 1000.0
    most_down: float = 2.0
    period_s: float = 2.0

    def decide(self, seen: Seen, memory: Memory) -> int:
        """The stable wish; in a panic the larger one, and never fewer than before."""
        ready = max(seen.ready, 1)
        least, most = floor(ready / self.most_down), ceil(ready * self.most_up)
        stable, short = (
            min(max(ceil(seen.mean("concurrency", window) / self._each - 1e-9), least), most)
            for window in (self.stable_s, self.panic_s)
        )
        if short / ready >= self.panic_threshold:
            if seen.time_s > memory.panic_until_s:
                memory.panic_replicas = 0
            memory.panic_until_s = seen.time_s + self.stable_s
        if seen.time_s > memory.panic_until_s:
            return stable
        memory.panic_replicas = max(memory.panic_replicas, short, stable, seen.ready)
        return memory.panic_replicas

    @property
    def _each(self) -> float:
        return self.concurrency * self.utilisation


@dataclass(frozen=True)
class Forecast:
    """Replicas for the rate that is expected when they will be ready: n = ⌈margin · forecast ÷ what one holds⌉.

    Attributes
    ----------
    replica_rate_per_s : that one replica holds within the promise [1/s]
    lead_s : how far ahead: a cold start, and the period [s]
    how : `last`: as now; `trend`: the straight line of the last window goes on; `daily`: as a day before,
        times how today compares with it so far
    margin : over the forecast [-]
    window_s : of the rate that is looked at [s]
    """

    replica_rate_per_s: float
    lead_s: float
    how: Forecasting = "trend"
    margin: float = 1.15
    window_s: float = 600.0
    down_window_s: float = 300.0
    period_s: float = 60.0

    def decide(self, seen: Seen, memory: Memory) -> int:
        """The forecast, upwards at once, downwards when it lasts."""
        wish = ceil(self.margin * self.rate_ahead(seen) / self.replica_rate_per_s - 1e-9)
        return _lasting(wish, self.down_window_s, seen, memory)

    def rate_ahead(self, seen: Seen) -> float:
        """Rate expected after the lead time; never negative. [1/s]"""
        steps = max(round(self.window_s / seen.step_s), 2)
        recent = seen.rate_per_s[-steps:]
        if not len(recent):
            return 0.0
        now = float(recent[-max(steps // 4, 1) :].mean())
        if self.how == "trend" and len(recent) > 2:
            slope, level = np.polyfit(np.arange(len(recent)) - (len(recent) - 1), recent, 1)
            return max(float(level + slope * self.lead_s / seen.step_s), 0.0)
        day, ahead = round(DAY_S / seen.step_s), round(self.lead_s / seen.step_s)
        if self.how == "daily" and len(seen.rate_per_s) >= day + steps and 0 < ahead < day:
            then = seen.rate_per_s[-day - steps : len(seen.rate_per_s) - day]
            at = len(seen.rate_per_s) - day + ahead
            before = float(seen.rate_per_s[max(at - steps // 4, 0) : at + 1].mean())
            return before * float(recent.mean()) / max(float(then.mean()), 1e-12)
        return now


def _stabilised(rule: Hpa | Keda, wish: int, seen: Seen, memory: Memory) -> int:
    """A wish within the default behaviour of an HPA."""
    current = seen.ready + seen.starting
    lasting = _lasting(wish, rule.down_window_s, seen, memory)
    most = max(current + rule.up_pods, ceil(current * (1 + rule.up_share)))
    return min(lasting, most)


def _lasting(wish: int, window_s: float, seen: Seen, memory: Memory) -> int:
    """The largest wish of the last window: a smaller one must last."""
    memory.wishes.append((seen.time_s, wish))
    while memory.wishes[0][0] < seen.time_s - window_s:
        memory.wishes.popleft()
    return max(number for _, number in memory.wishes)


def check(rule: Autoscaler) -> None:
    """Refuse settings that divide by zero or never decide; raises WorkloadError."""
    if not rule.period_s > 0:
        raise WorkloadError("autoscaler: a period of {period_s:g} s. Give one above 0.", period_s=rule.period_s)
    for name in ("target", "threshold", "concurrency", "utilisation", "replica_rate_per_s", "window_s"):
        if not getattr(rule, name, 1.0) > 0:
            raise WorkloadError(
                "autoscaler: {name} {value:g}. Give a number above 0.", name=name, value=getattr(rule, name)
            )
