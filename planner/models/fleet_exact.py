"""A fleet of replicas simulated request by request, in the place of the fluid of `planner.models.fleet`.

Slower by orders of magnitude, and the check on the fluid: same autoscaler, same starts, same failures. Each
request goes to the replica that holds fewest; what a failed replica held begins anew elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from planner.models.replica import Replica, Request
from planner.models.traffic import Trace

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Answered:
    """What each request of a trace saw. Shape (requests,).

    Attributes
    ----------
    ttft_s : from sending to the first token that stayed; infinity where there was none [s]
    tpot_s : mean time per output token after the first; NaN where there is one only, or no answer [s]
    begun : times at which it was given to a replica [-]
    """

    ttft_s: Array
    tpot_s: Array
    begun: NDArray[np.int64]


class Exact:
    """Ready replicas behind a router; see `planner.models.fleet.Plant`.

    Parameters
    ----------
    make : replica that is ready at a time
    trace : requests
    """

    def __init__(self, make: Callable[[float], Replica], trace: Trace) -> None:
        self._make, self._trace = make, trace
        self._sent = trace.arrivals_s.tolist()
        self._tokens = list(zip(trace.input_tokens.tolist(), trace.output_tokens.tolist(), strict=True))
        self._next = 0
        self._homeless: deque[int] = deque()  # requests that no replica has, the oldest first
        self._ready: list[Replica] = []
        self._leaving: list[Replica] = []  # finish what they hold
        self._number: dict[int, int] = {}  # of the trace, by the identity of a replica's request
        self._last: list[Request | None] = [None] * len(trace)
        self._begun = np.zeros(len(trace), np.int64)
        self._answered = 0

    def step(self, begin_s: float, end_s: float, ready: int) -> tuple[float, float, float]:
        """Serve until `end_s` with so many replicas."""
        self._resize(ready, begin_s)
        held = [replica.load().requests for replica in self._ready]
        while self._homeless and self._ready:
            self._route(self._homeless.popleft(), begin_s, held)
        while self._next < len(self._sent) and self._sent[self._next] < end_s:
            self._route(self._next, max(self._sent[self._next], begin_s), held)
            self._next += 1
        for replica in (*self._ready, *self._leaving):
            replica.advance(end_s)
        loads = [replica.load() for replica in (*self._ready, *self._leaving)]
        self._leaving = [replica for replica in self._leaving if replica.load().requests]
        inside = sum(load.requests for load in loads) + len(self._homeless)
        answered = self._next - inside
        new, self._answered = answered - self._answered, answered
        return float(inside), float(sum(load.waiting for load in loads) + len(self._homeless)), float(new)

    def fail(self, replicas: int, at_s: float, caught: float = 1.0) -> None:
        """The replicas that hold most stop; all their requests begin anew, whatever share a notice would spare."""
        self._ready.sort(key=lambda replica: replica.load().requests)
        lost = [request for _ in range(replicas) for request in self._ready.pop().kill(at_s)]
        self._homeless.extendleft(sorted((self._number[id(request)] for request in lost), reverse=True))

    def finish(self) -> Answered:
        """Serve all that replicas hold, and say what every request saw."""
        for replica in (*self._ready, *self._leaving):
            replica.drain()
        ttft, tpot = np.full(len(self._sent), inf), np.full(len(self._sent), nan)
        for number, request in enumerate(self._last):
            if request is not None and request.finish_s == request.finish_s:
                ttft[number] = request.first_s - self._sent[number]
                tpot[number] = request.tpot_s
        return Answered(ttft, tpot, self._begun)

    def _resize(self, ready: int, at_s: float) -> None:
        """New replicas; those that go take nothing more, and what waits in them is routed again."""
        self._ready += [self._make(at_s) for _ in range(ready - len(self._ready))]
        while len(self._ready) > ready:
            self._ready.sort(key=lambda replica: -replica.load().requests)
            replica = self._ready.pop()
            self._homeless.extend(self._number[id(request)] for request in replica.withdraw())
            self._leaving.append(replica)
        self._homeless = deque(sorted(self._homeless))

    def _route(self, number: int, at_s: float, held: list[int]) -> None:
        """To the replica that holds fewest; without any, it waits."""
        if not self._ready:
            self._homeless.append(number)
            return
        fewest = min(range(len(held)), key=held.__getitem__)
        request = self._ready[fewest].offer(at_s, *self._tokens[number])
        held[fewest] += 1
        self._number[id(request)] = number
        self._last[number] = request  # keeps it alive, so that its identity stays its own
        self._begun[number] += 1
