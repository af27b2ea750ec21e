"""A surge, with and without protection: limits, timeouts, a circuit breaker, and clients who try again.

Requests wait in one line and share a fleet whose speed depends on how many are inside. What makes surges
dangerous is in the clients: whoever waits too long sends the request again, so that the fleet works on
answers that nobody reads any more, and stays overloaded after the surge has gone (Bronson et al.,
"Metastable Failures in Distributed Systems", HotOS 2021).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError
from planner.models.protection import OUTCOMES, Breaker, Clients, Outcome, Pool, Protection, Surged

Array = NDArray[np.float64]

SEND, GIVE_UP = range(2)  # events that come by the clock; tokens and ends come by the progress of the work


def surge(arrivals_s: Array, fleet: Pool, clients: Clients, protection: Protection, seed: int = 0) -> Surged:
    """Send requests through a protected fleet, retries included.

    All requests are the same work. A client that gives up does so for want of a first token.

    Parameters
    ----------
    arrivals_s : when each is first sent, in order, shape (requests,). [s]

    Examples
    --------
    One place of 1 s; three at once; the third waits 2 s, which is too long, and nobody tries again:

    >>> found = surge(np.zeros(3), Pool.plain(1, 1.0, 0.5), Clients(timeout_s=2.0), Protection())
    >>> found.ttft_s.tolist(), found.share("failed"), round(found.wasted_share, 3)
    ([0.5, 1.5, inf], 0.3333333333333333, 0.333)
    """
    arrivals = np.asarray(arrivals_s, float)
    if not len(arrivals) or (np.diff(arrivals) < 0).any():
        raise WorkloadError("a surge needs requests in order of time.")
    if not clients.timeout_s > 0 or clients.retries < 0 or clients.backoff_s < 0:
        raise WorkloadError("clients: give a timeout above 0, and retries and a pause of 0 or more.")
    run = _Run(arrivals, fleet, clients, protection, np.random.default_rng(seed))
    run.go()
    return run.result()


@dataclass(slots=True, eq=False)
class _Attempt:
    """One sending of a request."""

    request: int
    sent_s: float
    begin: float = inf  # progress of the pool when it entered
    first_s: float = inf
    over: bool = False  # given up
    ended: bool = False
    probe: bool = False  # tries the fleet for a half-open breaker


class _Run:
    """Events in order of time. Progress is the work that a request inside has done since the beginning."""

    def __init__(
        self, arrivals: Array, fleet: Pool, clients: Clients, rules: Protection, random: np.random.Generator
    ) -> None:
        self._fleet, self._clients, self._rules, self._random = fleet, clients, rules, random
        self._arrivals = arrivals.tolist()
        self._speeds = fleet.speeds()
        self._most = min(fleet.places, rules.inside_limit or fleet.places)
        self._line: deque[_Attempt] = deque()
        self._reading: deque[_Attempt] = deque()  # inside, before their first token, by begin
        self._writing: deque[_Attempt] = deque()  # inside, by begin: those that end first in front
        self._waiting = self._inside = 0
        self._now = self._progress = 0.0
        self._events: list[tuple[float, int, int, _Attempt]] = []
        self._number = count()
        self._outcome = np.full(len(arrivals), OUTCOMES.index("failed"), np.int64)
        self._ttft, self._rest = np.full(len(arrivals), inf), np.full(len(arrivals), inf)
        self._attempts = np.zeros(len(arrivals), np.int64)
        self._sent: list[float] = []
        self._work = self._wasted = 0.0
        self._breaker = _Breaker(rules.breaker)

    def go(self) -> None:
        """Until nothing happens any more."""
        for request, at in enumerate(self._arrivals):
            self._push(at, SEND, _Attempt(request, at))
        while self._events or self._inside:
            clock_s = self._events[0][0] if self._events else inf
            first_s, end_s = self._due(self._reading, self._fleet.first_share), self._due(self._writing, 1.0)
            if min(first_s, end_s) <= clock_s:
                self._advance(min(first_s, end_s))
                self._see() if first_s <= end_s else self._end()
                continue
            at, _, kind, attempt = heappop(self._events)
            self._advance(at)
            if kind == SEND:
                self._send(attempt)
            else:
                self._give_up(attempt)

    def result(self) -> Surged:
        """What became of it all."""
        share = self._wasted / self._work if self._work else 0.0
        return Surged(self._outcome, self._ttft, self._rest, self._attempts, np.array(self._sent), share)

    # ---- the pool

    def _due(self, line: deque[_Attempt], share: float) -> float:
        """When the first of those inside has done a share of its work, as things are. [s]"""
        while line and line[0].ended:
            line.popleft()
        if not line:
            return inf
        left = line[0].begin + share - self._progress
        return self._now + max(left, 0.0) / self._speeds[self._inside]

    def _advance(self, at: float) -> None:
        if self._inside:
            self._progress += (at - self._now) * self._speeds[self._inside]
        self._now = at

    def _enter(self) -> None:
        """Fill free places from the line."""
        while self._inside < self._most and self._line:
            attempt = self._line.popleft()
            if attempt.over and self._rules.cancels:
                continue  # left the line when it was given up
            self._waiting -= 1
            self._inside += 1
            attempt.begin = self._progress
            self._reading.append(attempt)
            self._writing.append(attempt)

    def _see(self) -> None:
        """A first token: read, unless nobody waits for it any more."""
        attempt = self._reading.popleft()
        if attempt.over:
            return
        attempt.first_s = self._now
        self._done(attempt.request, "served", self._now)
        if self._breaker.is_slow(self._now - attempt.sent_s):
            self._breaker.judge(self._now, attempt, True)

    def _end(self) -> None:
        attempt = self._writing.popleft()
        rest_s = self._now - attempt.first_s
        if attempt.first_s < inf:
            self._rest[attempt.request] = min(self._rest[attempt.request], rest_s)
            if not self._breaker.is_slow(attempt.first_s - attempt.sent_s):
                self._breaker.judge(self._now, attempt, self._breaker.is_slow(0.0, rest_s))
        self._leave(attempt)

    def _leave(self, attempt: _Attempt) -> None:
        attempt.ended = True
        work = self._progress - attempt.begin
        self._work += work
        self._wasted += work if attempt.first_s == inf else 0.0
        self._inside -= 1
        self._enter()

    # ---- the clients

    def _push(self, at: float, kind: int, attempt: _Attempt) -> None:
        heappush(self._events, (at, next(self._number), kind, attempt))

    def _send(self, attempt: _Attempt) -> None:
        self._attempts[attempt.request] += 1
        self._sent.append(self._now)
        limit = self._rules.line_limit
        if self._breaker.diverts(self._now, attempt):
            self._back_up(attempt)
        elif limit is not None and self._inside >= self._most and self._waiting >= limit:
            self._breaker.lose(attempt)
            self._back_up(attempt)
        else:
            self._push(self._now + self._clients.timeout_s, GIVE_UP, attempt)
            self._line.append(attempt)
            self._waiting += 1
            self._enter()

    def _give_up(self, attempt: _Attempt) -> None:
        """Too late for the client: it tries again, and the service may stop the work."""
        if attempt.first_s < inf or attempt.ended:
            return
        attempt.over = True
        self._breaker.judge(self._now, attempt, True)
        if self._rules.cancels:
            if attempt.begin < inf:
                self._leave(attempt)
            else:
                self._waiting -= 1
        self._retry(attempt)

    def _retry(self, attempt: _Attempt) -> None:
        tries = int(self._attempts[attempt.request])
        if tries > self._clients.retries:
            return
        pause = self._clients.backoff_s * 2 ** (tries - 1) * self._random.uniform(0.5, 1.5)
        self._push(self._now + pause, SEND, _Attempt(attempt.request, self._now + pause))

    def _back_up(self, attempt: _Attempt) -> None:
        """The backup answers, unless there is none, or its own line is longer than the client's patience."""
        first_s = self._breaker.back_up(self._now, self._clients.timeout_s)
        if first_s is None:
            self._retry(attempt)
        else:
            self._done(attempt.request, "degraded", first_s)

    def _done(self, request: int, outcome: Outcome, at: float) -> None:
        self._outcome[request] = OUTCOMES.index(outcome)
        self._ttft[request] = at - self._arrivals[request]


class _Breaker:
    """Closed, open, or half open with one probe on its way; and the backup behind it."""

    def __init__(self, rule: Breaker | None) -> None:
        self._rule = rule
        self._slow, self._open_until, self._probing = 0, -inf, False
        self._backup_free = [0.0] * (rule.backup.places if rule else 0)

    def is_slow(self, ttft_s: float, rest_s: float = 0.0) -> bool:
        """Either time later than the rule wants."""
        return self._rule is not None and (ttft_s > self._rule.slow_s or rest_s > self._rule.slow_rest_s)

    def diverts(self, now: float, attempt: _Attempt) -> bool:
        """Does this attempt go to the backup? One goes through when the breaker has been open long enough."""
        if self._rule is None or self._slow < self._rule.after:
            return False
        if now >= self._open_until and not self._probing:
            self._probing = attempt.probe = True
            return False
        return True

    def judge(self, now: float, attempt: _Attempt, slow: bool) -> None:
        """Count slow responses in a row; a quick one, or a probe, closes or opens the breaker."""
        if self._rule is None:
            return
        if attempt.probe:
            self._probing = False
        elif self._slow >= self._rule.after:
            return  # sent before it opened: says nothing about now
        self._slow = max(self._slow + 1, self._rule.after if attempt.probe else 0) if slow else 0
        if self._slow >= self._rule.after:
            self._open_until = now + self._rule.open_s

    def lose(self, attempt: _Attempt) -> None:
        """A probe that was refused."""
        self._probing = self._probing and not attempt.probe

    def back_up(self, now: float, patience_s: float) -> float | None:
        """When the backup's first token comes; None if there is none, or that is too late for the client. [s]"""
        if self._rule is None:
            return None
        service_s = self._rule.backup.each_s[-1]
        begin_s = max(self._backup_free[0], now)
        first_s = begin_s + service_s * self._rule.backup.first_share
        if first_s - now > patience_s:
            return None
        heappop(self._backup_free)
        heappush(self._backup_free, begin_s + service_s)
        return first_s
