"""A surge, with and without protection: limits, timeouts, a circuit breaker, and clients who try again.

A fleet is so many places, each holding a request for its service time; requests wait in one line. What
makes surges dangerous is in the clients: whoever waits too long sends the request again, so that the fleet
works on answers that nobody reads any more, and stays overloaded after the surge has gone (Bronson et al.,
"Metastable Failures in Distributed Systems", HotOS 2021).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError

Array = NDArray[np.float64]
Outcome = Literal["served", "degraded", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("served", "degraded", "failed")

SEND, END, GIVE_UP, SEEN = range(4)  # events; of the same time in this order: a place is free before it is needed
ORDER = {END: 0, SEEN: 1, GIVE_UP: 2, SEND: 3}


@dataclass(frozen=True)
class Places:
    """Where requests are served.

    Attributes
    ----------
    places : requests served at once [-]
    service_s : how long one holds its place [s]
    first_s : from the place to the first token [s]
    """

    places: int
    service_s: float
    first_s: float

    def __post_init__(self) -> None:
        if self.places < 1 or not 0 <= self.first_s <= self.service_s or not self.service_s > 0:
            raise WorkloadError(
                f"{self.places} places for {self.service_s:g} s each, first token after {self.first_s:g} s: "
                "give 1 place at least, and a first token within the service time."
            )


@dataclass(frozen=True)
class Clients:
    """Who sends.

    Attributes
    ----------
    timeout_s : without a first token for so long, a client gives an attempt up [s]
    retries : attempts after the first [-]
    backoff_s : mean pause before the first retry; doubles with each, and is drawn from 0.5 to 1.5 of it [s]
    """

    timeout_s: float
    retries: int = 0
    backoff_s: float = 1.0


@dataclass(frozen=True)
class Breaker:
    """A circuit breaker with a degraded backup, such as a smaller model.

    Attributes
    ----------
    slow_s : a first token later than this is slow [s]
    after : slow responses in a row, attempts given up included, that open it [-]
    open_s : all goes to the backup for so long, then one request tries the fleet [s]
    backup : what answers meanwhile
    """

    slow_s: float
    backup: Places
    after: int = 5
    open_s: float = 30.0


@dataclass(frozen=True)
class Protection:
    """What the service does about a surge.

    Attributes
    ----------
    line_limit : requests that may wait; more are refused at once; None: no limit [-]
    cancels : work on an attempt stops when its client gives it up
    breaker : None: none
    """

    line_limit: int | None = None
    cancels: bool = False
    breaker: Breaker | None = None


@dataclass(frozen=True)
class Surged:
    """What became of the requests.

    Attributes
    ----------
    outcome : index into `OUTCOMES`, shape (requests,)
    ttft_s : from the first attempt to the first token that was read; infinity where there was none [s]
    attempts : of each request, shape (requests,) [-]
    attempts_s : when attempts were sent, in order [s]
    wasted_share : of the work, what nobody read [-]
    """

    outcome: NDArray[np.int64]
    ttft_s: Array
    attempts: NDArray[np.int64]
    attempts_s: Array
    wasted_share: float

    def share(self, outcome: Outcome) -> float:
        """Of the requests that ended so. [-]"""
        return float((self.outcome == OUTCOMES.index(outcome)).mean())

    def attained(self, ttft_s: float) -> Array:
        """Whether each request was served by the fleet with a first token in time. Shape (requests,)."""
        return np.asarray((self.outcome == 0) & (self.ttft_s <= ttft_s), float)


def surge(arrivals_s: Array, fleet: Places, clients: Clients, protection: Protection, seed: int = 0) -> Surged:
    """Send requests through a protected fleet, retries included.

    Parameters
    ----------
    arrivals_s : when each is first sent, in order, shape (requests,). [s]

    Examples
    --------
    One place of 1 s; three at once; the third waits 2 s, which is too long, and nobody tries again:

    >>> found = surge(np.zeros(3), Places(1, 1.0, 0.5), Clients(timeout_s=2.0), Protection())
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
    started_s: float = inf
    read: bool = False  # its first token came while somebody waited
    over: bool = False  # given up
    probe: bool = False  # tries the fleet for a half-open breaker
    ended: bool = False


class _Run:
    """Events in order of time."""

    def __init__(
        self, arrivals: Array, fleet: Places, clients: Clients, rules: Protection, random: np.random.Generator
    ) -> None:
        self._fleet, self._clients, self._rules, self._random = fleet, clients, rules, random
        self._arrivals = arrivals.tolist()
        self._line: deque[_Attempt] = deque()
        self._free, self._waiting = fleet.places, 0
        self._events: list[tuple[float, int, int, int, _Attempt]] = []
        self._number = count()
        self._outcome = np.full(len(arrivals), OUTCOMES.index("failed"), np.int64)
        self._ttft = np.full(len(arrivals), inf)
        self._attempts = np.zeros(len(arrivals), np.int64)
        self._sent: list[float] = []
        self._work = self._wasted = 0.0
        self._slow, self._open_until, self._probing = 0, -inf, False
        self._backup_free = [0.0] * (rules.breaker.backup.places if rules.breaker else 0)

    def go(self) -> None:
        """Until nothing happens any more."""
        for request, at in enumerate(self._arrivals):
            self._push(at, SEND, _Attempt(request, at))
        handle = {SEND: self._send, END: self._end, GIVE_UP: self._give_up, SEEN: self._see}
        while self._events:
            at, _, _, kind, attempt = heappop(self._events)
            handle[kind](at, attempt)

    def result(self) -> Surged:
        """What became of it all."""
        share = self._wasted / self._work if self._work else 0.0
        return Surged(self._outcome, self._ttft, self._attempts, np.array(self._sent), share)

    def _push(self, at: float, kind: int, attempt: _Attempt) -> None:
        heappush(self._events, (at, ORDER[kind], next(self._number), kind, attempt))

    def _send(self, now: float, attempt: _Attempt) -> None:
        self._attempts[attempt.request] += 1
        self._sent.append(now)
        if self._broken(now, attempt):
            self._back_up(now, attempt)
        elif self._rules.line_limit is not None and not self._free and self._waiting >= self._rules.line_limit:
            self._probing = self._probing and not attempt.probe
            self._retry(now, attempt)
        else:
            self._push(now + self._clients.timeout_s, GIVE_UP, attempt)
            self._line.append(attempt)
            self._waiting += 1
            self._start(now)

    def _start(self, now: float) -> None:
        """Fill free places from the line."""
        while self._free and self._line:
            attempt = self._line.popleft()
            if attempt.over and self._rules.cancels:
                continue  # left the line when it was given up
            self._waiting -= 1
            self._free -= 1
            attempt.started_s = now
            self._push(now + self._fleet.first_s, SEEN, attempt)
            self._push(now + self._fleet.service_s, END, attempt)

    def _see(self, now: float, attempt: _Attempt) -> None:
        """The first token: read, unless nobody waits for it any more."""
        if attempt.over or attempt.ended:
            return
        attempt.read = True
        self._done(attempt.request, "served", now)
        self._judge(now, attempt, now - attempt.sent_s)

    def _end(self, now: float, attempt: _Attempt) -> None:
        if attempt.ended:
            return
        self._leave(now, attempt)

    def _leave(self, now: float, attempt: _Attempt) -> None:
        attempt.ended = True
        held = now - attempt.started_s
        self._work += held
        self._wasted += 0.0 if attempt.read else held
        self._free += 1
        self._start(now)

    def _give_up(self, now: float, attempt: _Attempt) -> None:
        """Too late for the client: it tries again, and the service may stop the work."""
        if attempt.read or attempt.ended:
            return
        attempt.over = True
        self._judge(now, attempt, inf)
        if self._rules.cancels:
            if attempt.started_s < inf:
                self._leave(now, attempt)
            else:
                self._waiting -= 1
        self._retry(now, attempt)

    def _retry(self, now: float, attempt: _Attempt) -> None:
        tries = int(self._attempts[attempt.request])
        if tries > self._clients.retries or self._outcome[attempt.request] != OUTCOMES.index("failed"):
            return
        pause = self._clients.backoff_s * 2 ** (tries - 1) * self._random.uniform(0.5, 1.5)
        self._push(now + pause, SEND, _Attempt(attempt.request, now + pause))

    def _done(self, request: int, outcome: Outcome, at: float) -> None:
        if self._outcome[request] == OUTCOMES.index("failed"):
            self._outcome[request] = OUTCOMES.index(outcome)
            self._ttft[request] = at - self._arrivals[request]

    # ---- the breaker

    def _broken(self, now: float, attempt: _Attempt) -> bool:
        """Does this attempt go to the backup? One goes through when the breaker has been open long enough."""
        breaker = self._rules.breaker
        if breaker is None or self._slow < breaker.after:
            return False
        if now >= self._open_until and not self._probing:
            self._probing = attempt.probe = True
            return False
        return True

    def _judge(self, now: float, attempt: _Attempt, ttft_s: float) -> None:
        """Count slow responses in a row; a quick one, or a probe, closes or opens the breaker."""
        breaker = self._rules.breaker
        if breaker is None:
            return
        was_open = self._slow >= breaker.after
        if attempt.probe:
            self._probing = False
        elif was_open:
            return  # sent before it opened: says nothing about now
        self._slow = self._slow + 1 if ttft_s > breaker.slow_s else 0
        if self._slow >= breaker.after:
            self._open_until = now + breaker.open_s

    def _back_up(self, now: float, attempt: _Attempt) -> None:
        """The backup answers from its own places; a line there counts against the client's patience."""
        assert self._rules.breaker is not None
        backup = self._rules.breaker.backup
        at = max(self._backup_free[0], now)
        if at + backup.first_s - now > self._clients.timeout_s:
            self._retry(now, attempt)
            return
        heappop(self._backup_free)
        heappush(self._backup_free, at + backup.service_s)
        self._done(attempt.request, "degraded", at + backup.first_s)
