"""Which replica of a fleet gets a request: in turn, the least loaded, or the one that knows its prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from planner.models.replica import Replica, Request
from planner.models.simulate import Result
from planner.models.traffic import Trace

NOTHING: tuple[int, ...] = ()


class Router(Protocol):
    """Sees the replicas as they are when a request arrives."""

    def choose(self, replicas: Sequence[Replica], at_s: float, input_tokens: int, blocks: Sequence[int]) -> int:
        """Position of the replica that gets a request which arrives at a time with such a prompt."""
        ...


@dataclass
class RoundRobin:
    """One after the other, whatever they do."""

    turn: int = -1

    def choose(self, replicas: Sequence[Replica], at_s: float, input_tokens: int, blocks: Sequence[int]) -> int:
        """The next one."""
        self.turn = (self.turn + 1) % len(replicas)
        return self.turn


@dataclass
class LeastLoad:
    """The one with the fewest requests that are not answered; of equals the one whose turn it is."""

    turn: int = -1

    def choose(self, replicas: Sequence[Replica], at_s: float, input_tokens: int, blocks: Sequence[int]) -> int:
        """The least loaded, counted from the one after the last."""
        count = len(replicas)
        order = ((self.turn + 1 + step) % count for step in range(count))
        self.turn = min(order, key=lambda number: replicas[number].outstanding(at_s))
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

    def choose(self, replicas: Sequence[Replica], at_s: float, input_tokens: int, blocks: Sequence[int]) -> int:
        """The least work; of equals the first."""
        work = []
        for replica in replicas:
            load = replica.load(at_s)
            missing = input_tokens - min(replica.hit_tokens(blocks), input_tokens)
            work.append(self.weight * (missing + load.prompt_tokens) + load.kv_tokens)
        return int(np.argmin(work))


ROUTERS: dict[str, type[RoundRobin] | type[LeastLoad] | type[PrefixAware]] = {
    "round_robin": RoundRobin,
    "least_load": LeastLoad,
    "prefix_aware": PrefixAware,
}


def serve(replicas: Sequence[Replica], router: Router, trace: Trace) -> list[Request]:
    """Send a trace through a router to replicas, and let them finish; the requests in order of arrival."""
    requests = []
    lists = (trace.arrivals_s.tolist(), trace.input_tokens.tolist(), trace.output_tokens.tolist())
    for number, (arrival_s, input_tokens, output_tokens) in enumerate(zip(*lists, strict=True)):
        for replica in replicas:
            replica.advance(arrival_s)
        blocks = NOTHING
        if trace.blocks is not None:
            blocks = tuple(trace.blocks.ids[trace.blocks.starts[number] : trace.blocks.starts[number + 1]].tolist())
        chosen = replicas[router.choose(replicas, arrival_s, input_tokens, blocks)]
        requests.append(chosen.offer(arrival_s, input_tokens, output_tokens, blocks))
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
