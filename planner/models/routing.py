"""Which replica of a fleet gets a request: in turn, the least loaded, or the one that knows its prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import Protocol

import numpy as np

from planner.models.replica import Replica, Request
from planner.models.simulate import Result
from planner.models.traffic import Tokens, Trace

NOTHING: tuple[int, ...] = ()


class Board:
    """What a router sees of every replica, as it is when a request arrives.

    A replica is asked again only when something may have changed in it, so that a request costs about the same
    whether the fleet has two replicas or two hundred; what it shows is what it would show if asked every time.

    Attributes
    ----------
    replicas : of the fleet
    requests : not answered, of each replica [-]
    work_tokens : prompt tokens that wait to be computed, of each [token]
    held_tokens : tokens of its cache that running requests hold, of each [token]
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = replicas
        count = len(replicas)
        self.requests, self.work_tokens, self.held_tokens = [0] * count, [0] * count, [0.0] * count
        self._due = [-inf] * count  # when each must be asked again
        self._queue = [(-inf, number) for number in range(count)]

    def at(self, at_s: float) -> Board:
        """Bring everything up to a time, which may not go back."""
        late = []
        while self._queue and self._queue[0][0] <= at_s:
            due_s, number = heappop(self._queue)
            if due_s == self._due[number]:  # else it was told a sooner time since
                late.append(number)
        for number in dict.fromkeys(late):
            self._ask(number, at_s)
        return self

    def sent(self, number: int, at_s: float) -> None:
        """A replica got a request."""
        self._remind(number, at_s)

    def _ask(self, number: int, at_s: float) -> None:
        replica = self.replicas[number]
        replica.advance(at_s)
        load = replica.load(at_s)
        self.requests[number] = load.requests
        self.work_tokens[number], self.held_tokens[number] = load.prompt_tokens, load.kv_tokens
        self._remind(number, replica.steady_until(at_s))

    def _remind(self, number: int, due_s: float) -> None:
        self._due[number] = due_s
        if due_s < inf:
            heappush(self._queue, (due_s, number))


class Router(Protocol):
    """Sees the replicas as they are when a request arrives."""

    def choose(self, board: Board, input_tokens: int, blocks: Sequence[int]) -> int:
        """Position of the replica that gets a request with such a prompt."""
        ...


@dataclass
class RoundRobin:
    """One after the other, whatever they do."""

    turn: int = -1

    def choose(self, board: Board, input_tokens: int, blocks: Sequence[int]) -> int:
        """The next one."""
        self.turn = (self.turn + 1) % len(board.requests)
        return self.turn


@dataclass
class LeastLoad:
    """The one with the fewest requests that are not answered; of equals the one whose turn it is."""

    turn: int = -1

    def choose(self, board: Board, input_tokens: int, blocks: Sequence[int]) -> int:
        """The least loaded, counted from the one after the last."""
        held, fewest = board.requests, min(board.requests)
        try:
            self.turn = held.index(fewest, self.turn + 1)
        except ValueError:
            self.turn = held.index(fewest)
        return self.turn


@dataclass
class PrefixAware:
    """The one that has the least work with it: prompt tokens that it must compute, and tokens that it holds.

    Attributes
    ----------
    weight : of a token to compute over a token held; 0: by what they hold alone [-]

    References
    ----------
    .. [1] KV-aware router of NVIDIA Dynamo: overlap weight x prefill blocks + active blocks, the least wins.
    """

    weight: float = 1.0

    def choose(self, board: Board, input_tokens: int, blocks: Sequence[int]) -> int:
        """The least work; of equals the first."""
        sums = zip(board.work_tokens, board.held_tokens, strict=True)
        work = [self.weight * (input_tokens + waiting) + held for waiting, held in sums]
        if blocks:
            for number, replica in enumerate(board.replicas):
                work[number] -= self.weight * min(replica.hit_tokens(blocks), input_tokens)
        return work.index(min(work))


ROUTERS: dict[str, type[RoundRobin] | type[LeastLoad] | type[PrefixAware]] = {
    "round-robin": RoundRobin,
    "least-load": LeastLoad,
    "prefix": PrefixAware,
}


def serve(replicas: Sequence[Replica], router: Router, trace: Trace, cached: Tokens | None = None) -> list[Request]:
    """Send a trace through a router to replicas, and let them finish; the requests in order of arrival.

    Parameters
    ----------
    cached : prompt tokens of each request that every replica has in its cache, where the trace names no blocks;
        None: none, shape (requests,) [token]
    """
    board, requests = Board(replicas), []
    known = [0] * len(trace) if cached is None else cached.tolist()
    columns = (trace.arrivals_s.tolist(), trace.input_tokens.tolist(), trace.output_tokens.tolist(), known)
    starts, ids = (trace.blocks.starts.tolist(), trace.blocks.ids.tolist()) if trace.blocks else ([], [])
    for number, (arrival_s, input_tokens, output_tokens, hit) in enumerate(zip(*columns, strict=True)):
        blocks = ids[starts[number] : starts[number + 1]] if starts else NOTHING
        chosen = router.choose(board.at(arrival_s), input_tokens, blocks)
        requests.append(replicas[chosen].offer(arrival_s, input_tokens, output_tokens, blocks, hit))
        board.sent(chosen, arrival_s)
    for replica in replicas:
        replica.drain()
    return requests


def result_of(requests: Sequence[Request]) -> Result:
    """What each request saw, as columns."""
    start_s, first_s, finish_s, outputs = (
        np.array([getattr(r, name) for r in requests], float)
        for name in ("arrival_s", "first_s", "finish_s", "output_tokens")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        tpot_s = np.where(outputs > 1, (finish_s - first_s) / (outputs - 1), np.nan)
    return Result(start_s, finish_s, first_s - start_s, tpot_s, finish_s - start_s)
