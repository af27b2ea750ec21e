"""How much of this very traffic a fleet holds within its promise, and how many replicas would hold it."""

from __future__ import annotations

import math
from collections.abc import Callable

from planner.models.traffic import Trace
from planner.schema import Margin, RouterName, Slo
from planner.search.observed import Tail, worst_tail
from planner.search.replay import Server, replay

SEARCH_REQUESTS = 100_000  # per run of the search: more ranks than that serve the same kind of traffic
ROUTED_REQUESTS = 20_000  # the same where a router looks at every rank, which takes ten times as long
BRACKET, HALVINGS = 1.5, 5  # the answer is exact to 1.5 ** (1 / 2 ** 5): 1.3 %
AT_REST = 1e-4  # of the rate: requests hardly meet
MOST_RATIO = 1.5**12


def margin(
    server: Server,
    trace: Trace,
    replicas: int,
    slo: Slo,
    kept: int | None = None,
    share: float = 1.0,
    router: RouterName = "round-robin",
) -> Margin:
    """Scale the trace in rate until its 99th percentiles just keep the promise.

    Parameters
    ----------
    kept, share : the trace is what so many ranks get, such a share of all requests; None: it is everything
    router : see `replay`
    """

    def at_ratio(ratio: float) -> Tail:
        return _tail(server, trace.at_rate(trace.rate_per_s * ratio), replicas, slo, router, kept)

    rest = at_ratio(AT_REST)
    if rest.ratio > 1:
        return Margin(rate_per_s=0.0, rate_ratio=0.0, limit=rest.metric, replicas_needed=None, at_rest_s=rest.p99_s)
    ratio, limit = largest(at_ratio)
    needed = math.ceil(replicas / ratio)
    return Margin(
        rate_per_s=trace.rate_per_s * ratio / share,
        rate_ratio=ratio,
        limit=limit,
        replicas_needed=needed if kept else _replicas_needed(server, trace, slo, router, needed),
        at_rest_s=rest.p99_s,
    )


def largest(
    at_ratio: Callable[[float], Tail],
    begin: float = 1.0,
    bracket: float = BRACKET,
    halvings: int = HALVINGS,
    most: float = MOST_RATIO,
    least: float = AT_REST,
) -> tuple[float, str]:
    """Largest ratio that keeps the promise, and which percentile breaks above it.

    Parameters
    ----------
    begin : where the search starts; near the answer, few runs are needed
    bracket, halvings : first step, and how often it is halved: exact to bracket ** (1 / 2 ** halvings)
    least, most : where it ends; below `least` the answer is 0
    """
    low, high, tail = begin, begin, at_ratio(begin)
    if tail.ratio <= 1:
        while tail.ratio <= 1 and high < most:
            low, high = high, min(high * bracket, most)
            tail = at_ratio(high)
        if tail.ratio <= 1:
            return most, tail.metric
    else:
        low, above = low / bracket, tail
        while (tail := at_ratio(low)).ratio > 1 and low > least:
            low, high, above = low / bracket, low, tail
        if tail.ratio > 1:
            return 0.0, tail.metric
        tail = above
    limit = tail.metric
    for _ in range(halvings):
        middle = math.sqrt(low * high)
        tail = at_ratio(middle)
        low, high, limit = (middle, high, limit) if tail.ratio <= 1 else (low, middle, tail.metric)
    return low, limit


def _replicas_needed(server: Server, trace: Trace, slo: Slo, router: RouterName, guess: int) -> int:
    """Fewest replicas that hold the trace as it is; more of them also even out what each one gets."""
    count = guess
    while _tail(server, trace, count, slo, router).ratio > 1:
        count += max(count // 20, 1)
    while count > 1 and _tail(server, trace, count - 1, slo, router).ratio <= 1:
        count -= 1
    return count


def _tail(server: Server, trace: Trace, replicas: int, slo: Slo, router: RouterName, kept: int | None = None) -> Tail:
    each = max(len(trace) / (kept or replicas * server.ranks), 1.0)
    most = SEARCH_REQUESTS if router == "round-robin" else ROUTED_REQUESTS
    return worst_tail(replay(server, trace, replicas, max(math.ceil(most / each), 1), kept, router), slo)
